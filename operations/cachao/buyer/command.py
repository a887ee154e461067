"""`cachao buyer export` and `cachao buyer forget`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import RenderableType

from cachao.aws import operator
from cachao.aws.executions import Execution
from cachao.buyer import held
from cachao.command_context import CommandContext
from cachao.problems import BROKEN, FINE
from cachao.view import executions as execution_view
from cachao.view.output import coloured, escape, moment, pluralize, table
from cachao.view.private_files import write_private

buyer: Final = typer.Typer(
    help="All that is held of one buyer, as a file; or nothing of him any more. For who has a right to ask for it.",
    no_args_is_help=True,
)
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The buyer's e-mail address, whole.")]
# An order that is paid, or may be: its buyer has a ticket by it.
_A_TICKET: Final = frozenset({"paid"})
_WAITS: Final = frozenset({"pending", "processing"})


@dataclass
class _Held:
    orders: list[dict[str, Any]] = field(default_factory=list)
    of_account: set[int] = field(default_factory=set)
    executions: list[Execution] = field(default_factory=list)
    logs_answered: bool = True


@buyer.command()
def export(
    ctx: typer.Context,
    address: Address,
    *,
    output: Annotated[
        Path | None, typer.Option(help="The file; else buyer-export-TIME.json, here. Only you may read it.")
    ] = None,
) -> None:
    """Write all that the shop, its executions and its logs hold of a buyer into one file (JSON).

    Changes nothing. What Stripe holds of the payments is named by its ids.

    [bold]Examples[/bold]

        cachao buyer export jenny@example.com

        cachao buyer export jenny@example.com --output jenny.json
    """
    context: CommandContext = ctx.obj
    address = held.checked(address)
    environment = context.environment
    now = datetime.now(UTC)
    path = output or Path(f"buyer-export-{now:%Y%m%dT%H%M%SZ}.json")
    found = _look(context, address)
    lines = held.log_lines(environment, found.orders)
    waiting = held.waiting_events(environment, address)
    elsewhere = held.kept_elsewhere(environment, found.executions)
    complete = found.logs_answered and lines is not None
    written = {
        "address": address,
        "stack": environment.name,
        "made_at": now,
        "orders": found.orders,
        "orders_of_the_same_account_under_another_address": sorted(found.of_account),
        "executions": [
            {**execution_view.as_data(one), "input": one.input, "output": one.output} for one in found.executions
        ],
        "log_lines": lines,
        "events_that_wait": waiting,
        "complete": complete,
        "kept_elsewhere": elsewhere,
    }
    write_private(path, msgspec.json.format(msgspec.json.encode(written, enc_hook=str), indent=2) + b"\n")
    numbers = [
        pluralize(len(found.orders), "order"),
        pluralize(len(found.executions), "execution"),
        "no log lines: the logs did not answer" if lines is None else pluralize(len(lines), "log line"),
        pluralize(len(waiting), "event that waits", "events that wait"),
    ]
    context.output.answer(
        {"file": str(path), "orders": len(found.orders), "complete": complete},
        f"{', '.join(numbers)}: written to {escape(path)}, which only you may read.",
        *_elsewhere(elsewhere),
    )
    _report_account(context, found)
    if not complete:
        context.output.note("[yellow]Not all logs answered: executions or lines may be missing. Try again.[/yellow]")
        raise typer.Exit(BROKEN)


@buyer.command()
def forget(
    ctx: typer.Context,
    address: Address,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be forgotten.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take a buyer out of the orders, of events that wait, and of local logs. It cannot be undone: export first.

    The orders stay, without address and account, so that counts and sums stay. A checkout that waits for its payment is
    ended; a payment under way comes to its end. A ticket that is good stays good, but its buyer cannot show it in the
    shop any more. Safe to repeat, and to interrupt: say it again and it goes on.

    [bold]Examples[/bold]

        cachao buyer forget jenny@example.com --dry-run

        cachao buyer forget jenny@example.com --yes
    """
    context: CommandContext = ctx.obj
    address = held.checked(address)
    environment = context.environment
    found = _look(context, address)
    waiting = len(held.waiting_events(environment, address))
    elsewhere = held.kept_elsewhere(environment, found.executions)
    preview = {"dry_run": dry_run, "orders": [order["id"] for order in found.orders], "events_that_wait": waiting}
    preview |= {"kept_elsewhere": elsewhere}
    if dry_run:
        context.output.answer(preview, *_preview(found, waiting), *_elsewhere(elsewhere))
        _report_account(context, found)
        raise typer.Exit(FINE)
    if not yes:
        for part in _preview(found, waiting):
            context.output.errors.print(part)
    what = f"{pluralize(len(found.orders), 'order')} and {pluralize(waiting, 'event that waits', 'events that wait')}"
    context.output.confirm(f"Forget the buyer of {what} in {environment.name}? It cannot be undone.", yes=yes)
    given = {"address": address, "forget": True, "by": operator.name_of(environment)}
    with context.output.errors.status("forgetting", spinner="dots") as status:
        done: list[dict[str, Any]] = []
        for page in held.pages(environment, given, lambda _: None):
            done += page["orders"]
            status.update(f"forgetting: {len(done)} of {len(found.orders)} orders")
        events = held.forget_waiting_events(environment, address)
        in_logs = held.forget_in_local_logs(environment, address)
    left = {order["order_id"]: order["left_in"] for order in done if order["left_in"]}
    context.output.answer(
        {**preview, "orders": done, "events_that_wait": events, "in_local_logs": in_logs},
        *_done(done, events, in_logs),
        *_elsewhere(elsewhere),
    )
    _report_account(context, found)
    for order_id, columns in left.items():
        context.output.note(f"[red]Order {order_id} still has the address, in {escape(', '.join(columns))}.[/red]")
    if left:
        raise typer.Exit(BROKEN)


def _look(context: CommandContext, address: str) -> _Held:
    found = _Held()
    with context.output.errors.status("looking for orders", spinner="dots") as status:

        def reported(number: int) -> None:
            status.update(f"looking for orders: {len(found.orders) + number}")

        for page in held.pages(context.environment, {"address": address}, reported):
            found.orders += page["orders"]
            found.of_account.update(page["of_account"])
        seen = iter(range(1, len(found.orders) + 1))

        def on_order() -> None:
            status.update(f"looking for executions: order {next(seen)} of {len(found.orders)}")

        found.executions, found.logs_answered = held.executions_of(context.environment, found.orders, on_order)
    return found


def _preview(found: _Held, waiting: int) -> list[RenderableType]:
    if not found.orders and not waiting:
        return ["No order has this address, and no event that waits: there is nothing to forget."]
    rows = [
        [
            str(order["id"]),
            coloured(order["status"]),
            str(order["quantity"]),
            f"{order['total_amount']} {order['currency'].upper()}",
            escape(order["stripe_checkout_session_id"]),
            escape(order["stripe_payment_intent_id"]),
            _what_becomes(order),
        ]
        for order in found.orders
    ]
    columns = ("order", "status", "seats", "total", "session", "payment", "what becomes of it")
    parts: list[RenderableType] = [table("Orders with this address", *columns, rows=rows)] if rows else []
    if waiting:
        parts.append(f"{pluralize(waiting, 'event')} in the dead-letter queue: each loses the buyer, and stays.")
    return parts


def _what_becomes(order: dict[str, Any]) -> str:
    if order["status"] == "pending":
        return "its checkout ends, its seats come free; then it is nobody's"
    if order["status"] in _WAITS:
        return "its payment goes on; it is nobody's"
    return "it is nobody's; its ticket stays good" if order["status"] in _A_TICKET else "it is nobody's"


def _done(done: list[dict[str, Any]], events: int, in_logs: int) -> list[RenderableType]:
    ended = sum(order["checkout"] == "ended" for order in done)
    under_way = sum(order["checkout"] == "payment_under_way" for order in done)
    keys = sum(order["keys"] for order in done)
    said = (
        f"Forgotten: the buyer of {pluralize(len(done), 'order')}" if done else "No order has this address (any more)"
    )
    counts = [
        f"{pluralize(ended, 'checkout')} ended, {pluralize(under_way, 'payment')} under way",
        f"{pluralize(keys, 'key')} ended",
        f"{pluralize(events, 'event')} that waited",
        f"{pluralize(in_logs, 'place')} in local logs",
    ]
    alerts = [escape(alert) for order in done for alert in order["alerts"]]
    return [f"{said}; {'; '.join(counts)}.", *alerts]


def _elsewhere(kept: list[dict[str, Any]]) -> list[RenderableType]:
    rows = [[one["where"], moment(one["until"]), escape(one["what_to_do"])] for one in kept]
    return ["", table("What is still held elsewhere", "where", "until (UTC)", "what to do", rows=rows)]


def _report_account(context: CommandContext, found: _Held) -> None:
    if found.of_account:
        numbers = ", ".join(map(str, sorted(found.of_account)))
        context.output.note(
            f"The same account has orders under another address, which are no part of this: {numbers}. cachao show says"
            " more; ask with that address, too."
        )
