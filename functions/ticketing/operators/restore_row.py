"""Makes the row of a ticket or a discount code anew that was deleted although orders stand on it.

Its id, its event and what was paid for it the orders know; its picture, its discounts and its limit nobody does. So it
comes back with room for what its orders took and no more, and not on sale: what it is to be besides is the shop's admin
to say. Its counters are corrected as any others.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Final

import msgspec
import pymysql

from ticketing import money
from ticketing.database import Database, Row, Transaction
from ticketing.errors import DataInconsistent
from ticketing.operators.counter_correction import CountsReport, CountsWanted, look, put_right
from ticketing.orders import counters, sums
from ticketing.orders.counters import BY_KIND, Correction, Kind

_LONGEST_NAME: Final = 255
# Columns of an order, by which its row is known; and what else of it says something of the row.
_OF_ORDER: Final = {
    "ticket": ("ticket_id", "counted_ticket_id", "held_ticket_id"),
    "code": ("discount_code_id", "counted_code_id", "held_code_id"),
}


class Restore(msgspec.Struct, frozen=True, kw_only=True):
    """Which row. `name`: what it is called, or the code's text; `price`: of a ticket; None: as the orders say.

    `seen`: how much its orders took when it was shown: do it; None: only show.
    """

    kind: Kind
    counter_id: int
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST_NAME)] | None = None
    price: str | None = None
    seen: int | None = None


class RestoreReport(msgspec.Struct, kw_only=True):
    """The row that is, or was, made.

    Attributes:
        kind, counter_id: which.
        event_id, name, price: what it says; a code has no price.
        counted, held: what its orders took and hold; together they are its limit.
        refused, advice: why it is not made, and what to do instead.
        moved_on: its orders took another number by now; nothing was made.
        done: it was made. `counts`: what is off afterwards.
    """

    kind: Kind
    counter_id: int
    event_id: int | None = None
    name: str = ""
    price: str | None = None
    counted: int = 0
    held: int = 0
    refused: str = ""
    advice: str = ""
    moved_on: bool = False
    done: bool = False
    counts: CountsReport | None = None


def restore(database: Database, wanted: Restore, *, by: str, reason: str | None) -> RestoreReport:
    """Show the row that would be made; with `seen` make it, and correct its counters.

    Raises:
        DataInconsistent: the table does not take such a row. Nothing was made.
        DatabaseUnavailable: try again. Where the row is made already, `cachao counts` does the rest.
    """
    report = RestoreReport(kind=wanted.kind, counter_id=wanted.counter_id)
    try:
        with database.transaction() as tx:
            _make(tx, wanted, report, by=by, reason=reason)
    except (pymysql.err.IntegrityError, pymysql.err.OperationalError) as error:
        raise DataInconsistent(
            f"The table {BY_KIND[wanted.kind].table} does not take the row of {wanted.kind} {wanted.counter_id} (error"
            f" {error.args[0]}): it has rules or columns that only the shop's admin knows. Nothing was made. Have it"
            " restored from a backup, with its own id, then run: cachao counts --all"
        ) from None
    if report.done:
        of = CountsWanted(**{f"{wanted.kind}_id": wanted.counter_id})
        report.counts = put_right(database, of, seen=look(database, of).counters, by=by, reason=reason)
    return report


def _make(tx: Transaction, wanted: Restore, report: RestoreReport, *, by: str, reason: str | None) -> None:
    counter, what = BY_KIND[wanted.kind], f"{wanted.kind} {wanted.counter_id}"
    if counters.lock(tx, counter, wanted.counter_id) is not None:
        report.refused = f"There is a {what}: nothing is to be restored."
        report.advice = f"Its counters: cachao counts --{what}"
        return
    took, order = sums.sums_of(tx, counter, wanted.counter_id), _newest_order(tx, wanted)
    if took is None or order is None:
        report.refused = f"No order stands on {what}: it is not needed."
        report.advice = "Make a new one in the shop's admin."
        return
    report.counted, report.held = took.orders_counted + took.orders_before, took.orders_held
    report.event_id = int(order["event_id"])
    _name(wanted, report, order)
    taken = report.counted + report.held
    if report.refused or wanted.seen is None:
        return
    if wanted.seen != taken:
        report.moved_on = True
        return
    if wanted.kind == "ticket":
        tx.change(
            "INSERT INTO tickets (id, event_id, name, price, max_quantity, sold_quantity, is_active)"
            " VALUES (%s, %s, %s, %s, %s, 0, 0)",
            wanted.counter_id,
            report.event_id,
            report.name,
            report.price,
            taken,
        )
    else:
        tx.change(
            "INSERT INTO discount_codes (id, event_id, code, discount_type, discount_value, max_uses, used_count,"
            " is_active) VALUES (%s, %s, %s, 'fixed', 0, %s, 0, 0)",
            wanted.counter_id,
            report.event_id,
            report.name,
            taken,
        )
    made = Correction(
        kind=wanted.kind, counter_id=wanted.counter_id, by=by, reason=reason, limit_after=taken, sale_after=False
    )
    counters.record(tx, made)
    report.done = True


def _newest_order(tx: Transaction, wanted: Restore) -> Row | None:
    """Give the order that says most of a row: one that has it now before one that only counted on it; the newest.

    It reads all orders, as the sums do.
    """
    own, counted, held = _OF_ORDER[wanted.kind]
    return tx.one(
        f"SELECT id, event_id, quantity, unit_price, discount_amount, currency, {own} = %s AS is_own, bought_ticket"  # noqa: S608 -- constants
        f" FROM ticket_orders WHERE {own} = %s OR {counted} = %s OR {held} = %s"
        f" ORDER BY {own} = %s DESC, id DESC LIMIT 1",
        *[wanted.counter_id] * 5,
    )


def _name(wanted: Restore, report: RestoreReport, order: Row) -> None:
    if wanted.kind == "code":
        # Nobody types it: which text it had no order says.
        report.name = wanted.name or f"RESTORED-{wanted.counter_id}"
        return
    of_order = order["bought_ticket"] if order["is_own"] else None
    report.name = wanted.name or of_order or f"Ticket {wanted.counter_id}"
    saved = Decimal(order["discount_amount"]) / max(int(order["quantity"]), 1)
    price = (Decimal(order["unit_price"]) + saved).quantize(Decimal("0.01"), ROUND_HALF_UP)
    if wanted.price is not None:
        try:
            minor = money.to_minor_units(Decimal(wanted.price), order["currency"])
            price = money.from_minor_units(minor, order["currency"])
        except (ArithmeticError, ValueError):
            report.refused = f"{wanted.price!r} is no price in {str(order['currency']).upper()}."
            report.advice = "Write it as 12 or 12.50."
            return
    report.price = f"{price:f}"
