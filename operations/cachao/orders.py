"""`cachao orders`: lists orders, so that the one that is meant is found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

import typer

from cachao.aws.environment import Environment
from cachao.command_context import CommandContext
from cachao.problems import CANNOT_REACH, INTERRUPTED, USAGE, Problem
from cachao.view.output import coloured, escape, moment, pluralize, table
from cachao.view.progress import progress
from cachao.view.spreadsheet import refuse_json_and_csv, write_csv
from cachao.view.time_spans import parse_since
from ticketing.orders.status import OrderStatus

STATUSES: Final = (
    OrderStatus.PENDING,
    OrderStatus.PROCESSING,
    OrderStatus.PAID,
    OrderStatus.REFUNDED,
    OrderStatus.EXPIRED,
    OrderStatus.FAILED,
    OrderStatus.CANCELLED,
)
# More are shown by nothing but a file; a page of it is one request.
_SHOWN: Final = 50
_PAGE: Final = 1000
_COLUMNS: Final = (
    "id", "created_at", "status", "event_id", "event_name", "ticket_id", "ticket_name", "quantity", "total_amount",
    "currency", "paid_at", "stripe_checkout_session_id",
)  # fmt: skip
_AMOUNT = re.compile(r"\d{1,8}(\.\d{1,2})?\Z", re.ASCII)
_LONGEST_ADDRESS: Final = 255


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which orders an operator wants to see, as it is written: see the options of `cachao orders`."""

    status: str | None = None
    since: str = "2d"
    until: str | None = None
    email: str | None = None
    total: str | None = None
    limit: int | None = None


def find_orders(environment: Environment, wish: Wish) -> dict[str, Any]:
    """Give `orders`, newest first; `more`, whether there are others; `looked_back_to` where not all were looked at.

    Raises:
        Problem: the wish is none, the database is away, or the deployed function is too old.
    """
    limit = wish.limit or _SHOWN
    if limit > _PAGE:
        raise Problem(f"At most {_PAGE} are shown.", advice="Say --csv for a file with all of them.", exit_code=USAGE)
    return _ask(environment, {**_question(wish), "limit": limit})


def _question(wish: Wish) -> dict[str, Any]:
    if wish.status is not None and wish.status not in STATUSES:
        raise Problem(f"{wish.status!r} is not a status.", advice=f"They are {', '.join(STATUSES)}.", exit_code=USAGE)
    begin, end = parse_since(wish.since), None if wish.until is None else parse_since(wish.until)
    if end is not None and end <= begin:
        raise Problem("--until must be after --since.", exit_code=USAGE)
    return {
        "since": begin.isoformat(),
        "until": None if end is None else end.isoformat(),
        "status": wish.status,
        "email": _address(wish.email),
        "total": _amount(wish.total),
    }


def orders(  # noqa: PLR0913 -- each is an option
    ctx: typer.Context,
    *,
    status: Annotated[str | None, typer.Option(help=f"Only with this status: {', '.join(STATUSES)}.")] = None,
    since: Annotated[str, typer.Option(help="Only orders made since: 30m, 12h, 2d, or a date (UTC).")] = "2d",
    until: Annotated[str | None, typer.Option(help="Only orders made before; written like --since.")] = None,
    email: Annotated[str | None, typer.Option(help="Only orders of this e-mail address (it is not shown).")] = None,
    total: Annotated[str | None, typer.Option(help="Only with this total, e.g. 42.00.")] = None,
    limit: Annotated[
        int | None, typer.Option(help=f"Show at most this many; else {_SHOWN}, as CSV all of them.", min=1)
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Answer as CSV, for a spreadsheet.")] = False,
) -> None:
    """List orders, newest first: to find which one a payment was for, or a buyer asks about.

    Nothing of the buyer's is shown; an e-mail address that is asked by gets into no log.

    [bold]Examples[/bold]

        cachao orders --status pending --since 3h

        cachao orders --email jenny@example.com --since 30d

        cachao orders --total 42.00 --since 2026-11-20 --until 2026-11-21

        cachao orders --since 2026-11-01 --until 2026-12-01 --csv > orders.csv
    """
    context: CommandContext = ctx.obj
    wish = Wish(status=status, since=since, until=until, email=email, total=total, limit=limit)
    if as_csv:
        refuse_json_and_csv(context.output)
        _export(context, _question(wish), limit)
        return
    result = find_orders(context.environment, wish)
    found = result["orders"]
    context.output.answer(result, _table(found) if found else "There are none.")
    if result["looked_back_to"] is not None:
        time = _end_of(result["looked_back_to"])
        context.output.note(
            f"Only those made since {moment(time)} UTC were looked at, there are so many: for older ones"
            f" --until {time + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}, or ask by --email; --csv looks at all."
        )
    if result["more"]:
        context.output.note(f"There are more than these {len(found)}: use --limit NUMBER, or a shorter --since.")
    if not found:
        context.output.note(
            f"Looked at was what was made since {moment(parse_since(since))} UTC: a longer --since looks further back."
        )


def _export(context: CommandContext, question: dict[str, Any], limit: int | None) -> None:
    written = 0

    def rows() -> Iterator[list[Any]]:
        nonlocal written
        with progress(context.output, "reading orders", limit, beside_the_answer=True) as done:
            for page in _pages(context, question, limit):
                for order in page:
                    yield [_exported(name, order[name]) for name in _COLUMNS]
                    written += 1
                done(len(page))

    try:
        write_csv(context.output, _COLUMNS, rows())
    except KeyboardInterrupt:
        raise Problem(
            f"Interrupted: only the newest were written, {pluralize(written, 'order')}.", exit_code=INTERRUPTED
        ) from None
    context.output.note(f"{pluralize(written, 'order')}.")


def _pages(context: CommandContext, question: dict[str, Any], limit: int | None) -> Iterator[list[dict[str, Any]]]:
    """Give all that there are, page by page, at most `limit`."""
    left = limit
    while True:
        result = _ask(context.environment, {**question, "limit": _PAGE if left is None else min(left, _PAGE)})
        found = result["orders"]
        yield found
        if left is not None:
            left -= len(found)
        if left == 0:
            return
        if result["more"]:
            question = {**question, "before": [found[-1]["created_at"], found[-1]["id"]]}
        elif result["looked_back_to"] is not None:
            question = {**question, "until": result["looked_back_to"]}
        else:
            return


def _ask(environment: Environment, question: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] | None
    result = environment.invoke("InspectOrderFunction", {"orders": question}).get("orders")
    if result is None:
        raise Problem(
            "The deployed InspectOrderFunction cannot list orders: its version is older.",
            advice="Deploy this version (docs/deploy.md).",
            exit_code=CANNOT_REACH,
        )
    return result


def _exported(name: str, value: Any) -> Any:  # noqa: ANN401 -- a column's
    if name in {"created_at", "paid_at"}:
        return None if value is None else datetime.fromisoformat(value)
    return Decimal(value) if name == "total_amount" else value


def _end_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _address(email: str | None) -> str | None:
    if email is None:
        return None
    address = email.strip()
    if "@" not in address or len(address) > _LONGEST_ADDRESS:
        raise Problem("--email needs a full address, e.g. jenny@example.com.", exit_code=USAGE)
    return address


def _amount(total: str | None) -> str | None:
    if total is None:
        return None
    if not _AMOUNT.match(total.strip()):
        raise Problem(f"{total!r} is not an amount.", advice="Write it as 42 or 42.00.", exit_code=USAGE)
    return str(Decimal(total.strip()))


def _table(found: list[dict[str, Any]]) -> Any:  # noqa: ANN401 -- rich's
    rows = [
        [
            escape(order["id"]),
            _time(order["created_at"]),
            coloured(order["status"]),
            _named(order["event_id"], order["event_name"]),
            _named(order["ticket_id"], order["ticket_name"]),
            str(order["quantity"]),
            f"{order['total_amount']} {order['currency'].upper()}",
            _time(order["paid_at"]),
            escape(order["stripe_checkout_session_id"]),
        ]
        for order in found
    ]
    columns = ("order", "made (UTC)", "status", "event", "ticket", "seats", "total", "paid (UTC)", "session")
    return table("", *columns, rows=rows)


def _named(number: int, name: str | None) -> str:
    return f"{number} {escape(name)}"


def _time(text: str | None) -> str:
    return moment(None if text is None else datetime.fromisoformat(text))
