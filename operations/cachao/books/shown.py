"""A comparison as tables, as JSON and as CSV."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from rich.console import RenderableType

from cachao.view.output import coloured, escape, moment, pluralize, table
from cachao.view.spreadsheet import Cell
from ticketing import money
from ticketing.books.lines import BookLine
from ticketing.books.tally import BalanceSum, Tally
from ticketing.stripe.balance import Payout

COLUMNS: Final = (
    "name", "time (UTC)", "category", "transaction", "object", "order", "payment", "payout", "currency", "amount",
    "fee", "net", "paid in", "at Stripe", "in the books", "difference", "what", "what to do",
)  # fmt: skip
# A day without events has thousands.
_MOST_OF_A_NAME: Final = 50
_RUNBOOK: Final = "docs/runbook.md#every-cent"


def heading_of_payout(payout: Payout) -> str:
    """Say what is compared."""
    amount = money.format_amount(payout.amount_minor, payout.currency)
    return f"Payout {payout.payout_id}: {amount}, {payout.status}, arrives {_time(payout.arrival_date):%Y-%m-%d}"


def heading_of_span(since: int, until: int) -> str:
    """Say what is compared."""
    return f"What moved from {moment(_time(since))} to {moment(_time(until))} UTC"


def summary(tally: Tally, requests: int) -> str:
    """Say in a line how much was compared, and what came of it."""
    faults = sum(line.is_fault for line in tally.findings)
    named = f"{pluralize(faults, 'line')} to do something about" if faults else "nothing to do"
    return f"{pluralize(tally.lines, 'line')} of Stripe's in {pluralize(requests, 'request')}: {named}."


def tables(tally: Tally, requests: int, heading: str, payouts: list[Payout]) -> list[RenderableType]:
    """Give what a person reads."""
    parts: list[RenderableType] = [_balance(tally, heading)]
    parts += [_books(tally)] if tally.books else []
    parts += [_payouts(payouts)] if payouts else []
    named = sorted(tally.findings, key=lambda line: (not line.is_fault, line.name, line.created))
    told = [line for line in named if line.is_fault or line.what]
    shown, hidden = _first_of_each(told)
    parts += [_findings(shown)] if shown else []
    parts += [f"And {hidden} more of the same names: --json and --csv have them all."] if hidden else []
    if any(line.is_fault for line in named):
        parts.append(f"What each name means: {_RUNBOOK}")
    if tally.fees.not_compared:
        parts.append(f"The fees of {pluralize(tally.fees.not_compared, 'payment')} were not compared: too many kinds.")
    return [*parts, summary(tally, requests)]


def _first_of_each(lines: list[BookLine]) -> tuple[list[BookLine], int]:
    """Give the first lines of each name, and how many are left out."""
    places: Counter[str] = Counter()
    shown = []
    for line in lines:
        places[line.name] += 1
        if places[line.name] <= _MOST_OF_A_NAME:
            shown.append(line)
    return shown, len(lines) - len(shown)


def _balance(tally: Tally, heading: str) -> RenderableType:
    rows = [_balance_row(sums, sums.what.replace("_", " ")) for sums in tally.balance]
    for currency in sorted({sums.currency for sums in tally.balance}):
        of_currency = [sums for sums in tally.balance if sums.currency == currency]
        total = BalanceSum(
            what="",
            currency=currency,
            lines=sum(sums.lines for sums in of_currency),
            amount_minor=sum(sums.amount_minor for sums in of_currency),
            fee_minor=sum(sums.fee_minor for sums in of_currency),
            net_minor=sum(sums.net_minor for sums in of_currency),
        )
        rows.append(_balance_row(total, "[bold]in all[/bold]"))
    return table(heading, "on the balance", "lines", "amount", "fee", "net", "currency", rows=rows)


def _balance_row(sums: BalanceSum, what: str) -> list[str]:
    amounts = (sums.amount_minor, sums.fee_minor, sums.net_minor)
    return [what, str(sums.lines), *(_plain(minor, sums.currency) for minor in amounts), sums.currency.upper()]


def _books(tally: Tally) -> RenderableType:
    rows = [
        [
            sums.currency.upper(),
            *(
                _plain(minor, sums.currency)
                for minor in (sums.stripe_minor, sums.books_minor, sums.named_minor, sums.left_over_minor)
            ),
        ]
        for sums in tally.books
    ]
    return table("The shop's own money", "paid in", "at Stripe", "in the books", "named below", "left over", rows=rows)


def _payouts(payouts: list[Payout]) -> RenderableType:
    rows = [
        [
            escape(payout.payout_id),
            moment(_time(payout.created)),
            money.format_amount(payout.amount_minor, payout.currency),
            escape(payout.status),
            f"{_time(payout.arrival_date):%Y-%m-%d}",
            "by the schedule" if payout.is_automatic else "by hand",
        ]
        for payout in payouts
    ]
    return table("Payouts", "object", "made (UTC)", "amount", "status", "arrives", "how", rows=rows)


def _findings(lines: list[BookLine]) -> RenderableType:
    rows = [
        [
            coloured("broken") if line.is_fault else coloured("fine"),
            escape(line.name),
            escape(line.order_id),
            escape(line.object_id or line.transaction_id),
            _amount(line),
            escape(f"{line.what} What to do now: {line.to_do}" if line.to_do else line.what),
        ]
        for line in lines
    ]
    return table("Named", "status", "name", "order", "object", "amount", "what", rows=rows)


def _amount(line: BookLine) -> str:
    if line.transaction_id is not None and line.currency:
        return money.format_amount(line.amount_minor, line.currency)
    return money.format_amount(line.books_minor, line.books_currency) if line.books_currency else "-"


def data(tally: Tally, requests: int, payouts: list[Payout]) -> dict[str, Any]:
    """Give what --json shows: the sums, and every line that does not simply agree. Amounts are minor units."""
    return {
        "lines": tally.lines,
        "requests": requests,
        "names": dict(sorted(tally.names.items())),
        "balance": msgspec.to_builtins(tally.balance),
        "books": [msgspec.to_builtins(sums) | {"left_over_minor": sums.left_over_minor} for sums in tally.books],
        "payouts": msgspec.to_builtins(payouts),
        "findings": [
            msgspec.to_builtins(line) | {"is_fault": line.is_fault, "difference_minor": line.difference_minor}
            for line in tally.findings
        ],
    }


def cells_of(line: BookLine) -> list[Cell]:
    """Give a line's cells of `COLUMNS`; amounts are in whole units."""
    balance = [_decimal(minor, line.currency) for minor in (line.amount_minor, line.fee_minor, line.net_minor)]
    books = [
        _decimal(minor, line.books_currency) for minor in (line.stripe_minor, line.books_minor, line.difference_minor)
    ]
    return [
        str(line.name),
        _time(line.created),
        line.category,
        line.transaction_id,
        line.object_id,
        line.order_id,
        line.payment_key,
        line.payout_id,
        line.currency.upper(),
        *balance,
        line.books_currency.upper(),
        *books,
        line.what,
        line.to_do,
    ]


def _decimal(minor: int, currency: str) -> Decimal | None:
    return money.from_minor_units(minor, currency) if currency else None


def _plain(minor: int, currency: str) -> str:
    return str(money.from_minor_units(minor, currency))


def _time(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)
