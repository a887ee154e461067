"""`cachao disputes`: the open disputes, the nearest deadline first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType

from cachao.command_context import CommandContext
from cachao.problems import BROKEN, CANNOT_REACH, Problem
from cachao.view.output import coloured, escape, moment, pluralize, table
from cachao.view.spreadsheet import refuse_json_and_csv, write_csv
from cachao.view.time_spans import parse_since
from ticketing import money

_COLUMNS: Final = (
    "due_by", "awaits_answer", "stripe_dispute_id", "phase", "status", "amount", "currency", "reason", "order_id",
    "order_status", "payment_key", "reported_at",
)  # fmt: skip


def disputes(
    ctx: typer.Context,
    *,
    due_within: Annotated[
        str | None,
        typer.Option(help="Exit with 1 if a dispute without an answer is due within this time, e.g. 3d."),
    ] = None,
    limit: Annotated[int, typer.Option(help="Show at most this many.", min=1, max=1000)] = 200,
    as_csv: Annotated[bool, typer.Option("--csv", help="Answer as CSV, for a spreadsheet.")] = False,
) -> None:
    """List the disputes and inquiries that nobody has decided yet, the nearest deadline first.

    A dispute holds the money back until the bank decides: cachao dispute answers or accepts it; refund nothing.
    An inquiry only asks: the money is still with the shop.

    [bold]Examples[/bold]

        cachao disputes

        cachao disputes --due-within 3d
    """
    context: CommandContext = ctx.obj
    if as_csv:
        refuse_json_and_csv(context.output)
    now = datetime.now(UTC)
    until = None if due_within is None else now + (now - parse_since(due_within, now=now))
    result = context.environment.invoke("InspectOrderFunction", {"disputes": {"limit": limit}}).get("disputes")
    if result is None:
        raise Problem(
            "The deployed InspectOrderFunction cannot list disputes: its version is older.",
            advice="Deploy this version (docs/deploy.md).",
            exit_code=CANNOT_REACH,
        )
    found = result["disputes"]
    due = [dispute for dispute in found if until is not None and _is_due(dispute, until)]
    if as_csv:
        write_csv(context.output, _COLUMNS, ([_exported(dispute, name) for name in _COLUMNS] for dispute in found))
    else:
        context.output.answer({**result, "due": len(due)}, _table(found, now) if found else "No dispute is open.")
    if result["more"]:
        context.output.note(f"There are more than these {limit}: use --limit NUMBER.")
    if due:
        context.output.note(
            f"{pluralize(len(due), 'dispute')} must be answered before {moment(until)} UTC: cachao dispute du_…"
        )
        raise typer.Exit(BROKEN)


def _exported(dispute: dict[str, Any], name: str) -> Any:  # noqa: ANN401 -- a column's
    if name == "amount":
        return money.from_minor_units(dispute["amount_minor"], dispute["currency"])
    return _time(dispute[name]) if name in {"due_by", "reported_at"} else dispute[name]


def _is_due(dispute: dict[str, Any], until: datetime) -> bool:
    # Without a known deadline nobody knows that there is time.
    due_by = _time(dispute["due_by"])
    return bool(dispute["awaits_answer"]) and (due_by is None or due_by <= until)


def _table(found: list[dict[str, Any]], now: datetime) -> RenderableType:
    rows = [
        [
            _deadline(dispute, now),
            "yes" if dispute["awaits_answer"] else "answered",
            escape(dispute["stripe_dispute_id"]),
            escape(dispute["phase"]),
            money.format_amount(dispute["amount_minor"], dispute["currency"]),
            escape(dispute["reason"] or ""),
            str(dispute["order_id"]),
            coloured(dispute["order_status"] or "gone"),
            escape(dispute["payment_key"]),
        ]
        for dispute in found
    ]
    columns = ("answer by (UTC)", "to answer", "dispute", "what", "amount", "reason", "order", "status", "payment")
    return table("", *columns, rows=rows)


def _deadline(dispute: dict[str, Any], now: datetime) -> str:
    due_by = _time(dispute["due_by"])
    if due_by is None:
        return "not known"
    if not dispute["awaits_answer"]:
        return moment(due_by)
    if due_by < now:
        return f"[red]{moment(due_by)}, past[/red]"
    return f"[red]{moment(due_by)}[/red]" if due_by < now + timedelta(days=2) else moment(due_by)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
