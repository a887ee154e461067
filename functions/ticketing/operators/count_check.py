"""Looks for everything that must add up: counters against orders, payments against counts, refunds against payments.

For `cachao doctor`, read only, by statements that lock nothing. What counters should be is added up from all orders, a
second or two for a million of them; all else has an index that has nearly nothing in it. The server ends each statement
after a few seconds: then nobody can tell, and the answer says of what.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from ticketing.database import Database, Transaction, took_too_long
from ticketing.errors import DatabaseUnavailable
from ticketing.orders import sums
from ticketing.orders.counters import CODES, TICKETS, Counter
from ticketing.orders.status import CLOSED, LAPSED, OrderStatus
from ticketing.orders.sums import CounterSums
from ticketing.payments.counts import COUNTED_WITHIN_MINUTES

Part = Literal["orders", "refunds", "tickets", "codes", "sizes"]

# All of it ends before the function's own time does, each statement before the connection gives it up.
_LONGEST_SECONDS: Final = 10.0
_LONGEST_STATEMENT: Final = 6.0
# Beyond this many a number says no more than "very many"; and of so many the ids are given.
_COUNT_AT_MOST: Final = 1000
_NAME_AT_MOST: Final = 10
# Nobody waits for what such an order holds: its end gives back what it held. Of what an operator has ended by hand the
# reconciliation does, within a quarter of an hour.
_ENDED: Final = tuple(sorted({*LAPSED, *CLOSED} - {OrderStatus.CANCELLED}))

_UNCOUNTED: Final = (
    "SELECT id, paid_at AS since FROM ticket_orders WHERE status = %s AND ticket_counted_at IS NULL"
    " AND paid_at < UTC_TIMESTAMP(6) - INTERVAL %s MINUTE"
    " UNION SELECT id, paid_at FROM ticket_orders WHERE code_held > 0 AND status = %s"
    " AND discount_counted_at IS NULL AND paid_at < UTC_TIMESTAMP(6) - INTERVAL %s MINUTE"
)
_IDLE: Final = (
    "SELECT id, NULL AS since FROM ticket_orders WHERE held_quantity > 0 AND"
    " (status IN %s OR (status = %s AND ticket_counted_at IS NOT NULL))"
    " UNION SELECT id, NULL FROM ticket_orders WHERE code_held > 0 AND"
    " (status IN %s OR (status = %s AND discount_counted_at IS NOT NULL))"
)
_REFUNDED: Final = (
    "SELECT id, NULL AS since FROM ticket_orders WHERE refunded_amount > total_amount"
    " UNION SELECT order_id, NULL FROM order_payments WHERE amount_minor > 0 AND refunded_minor > amount_minor"
)
_TOLD: Final = (
    "SELECT order_id AS id, MIN(found_at) AS since FROM counts_off WHERE settled_at IS NULL GROUP BY order_id"
)

# What an operator began and was cut off from; and longer ago than it takes.
_UNFINISHED: Final = (
    "SELECT order_id AS id, MIN(corrected_at) AS since FROM order_corrections WHERE done_at IS NULL"
    " AND corrected_at < UTC_TIMESTAMP(6) - INTERVAL 10 MINUTE GROUP BY order_id"
)
_UNFINISHED_EVENTS: Final = (
    "SELECT scope FROM event_refunds WHERE ended_at IS NULL AND begun_at < UTC_TIMESTAMP(6) - INTERVAL 30 MINUTE"
    # A delayed payment of one that was called off has succeeded since.
    " UNION SELECT r.scope FROM event_refunds AS r JOIN event_refund_lines AS l ON l.event_refund_id = r.id"
    " AND l.state = 'waits' JOIN ticket_orders AS o ON o.id = l.order_id WHERE o.status = %s"
    " ORDER BY scope LIMIT %s"
)


class CounterOff(msgspec.Struct, frozen=True, kw_only=True):
    """A counter that is not what the orders say, e.g. `sold_quantity` of ticket 5: 12, while orders make it 10."""

    row_id: int
    counter: int
    orders: int


class CountersOff(msgspec.Struct, frozen=True, kw_only=True):
    """How many counters are off in the same way, and the first of them."""

    number: int = 0
    first: list[CounterOff] = []


class OrdersOff(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders something is wrong with (up to 1000), the first of them, and since when where that is known."""

    number: int = 0
    ids: list[int] = []
    oldest: datetime | None = None


class CountCheck(msgspec.Struct, kw_only=True):
    """What does not add up, and what was looked at.

    Attributes:
        orders, tickets, codes: how many there are.
        sold_low, used_low: the counter is lower than what orders counted: seats are sold twice.
        sold_high, used_high: it is higher, although all its sales were this shop's: seats are never sold.
        held_low, held_high: the same of what tickets hold for orders; `uses_held_low`, `uses_held_high` of codes.
        uncounted: paid by this shop a while ago, and not counted.
        idle_holds: ended orders that still hold seats or a code use.
        refunded_too_much: more went back than was paid, of an order or of one of its payments.
        told: orders of which an alert said that a counter could not follow (`CountsOff`), and that are still so.
        unfinished: orders of which an operator began to refund seats or to answer a dispute, and was cut off.
        unfinished_events: events and tickets (`event:12`) whose refund was begun and has not ended, or
            of which an order was paid since.
        not_looked_at: there was no time for these.
    """

    orders: int = 0
    tickets: int = 0
    codes: int = 0
    sold_low: CountersOff = CountersOff()
    sold_high: CountersOff = CountersOff()
    held_low: CountersOff = CountersOff()
    held_high: CountersOff = CountersOff()
    used_low: CountersOff = CountersOff()
    used_high: CountersOff = CountersOff()
    uses_held_low: CountersOff = CountersOff()
    uses_held_high: CountersOff = CountersOff()
    uncounted: OrdersOff = OrdersOff()
    idle_holds: OrdersOff = OrdersOff()
    refunded_too_much: OrdersOff = OrdersOff()
    told: OrdersOff = OrdersOff()
    unfinished: OrdersOff = OrdersOff()
    unfinished_events: list[str] = []
    not_looked_at: list[Part] = []


def check_counts(database: Database, *, seconds: float = _LONGEST_SECONDS) -> CountCheck:
    """Look for what does not add up, for so many seconds.

    Raises:
        DatabaseUnavailable: try again.
    """
    bounded = _Bounded(database, seconds)
    found = CountCheck()
    # What costs nearly nothing first.
    bounded.look("orders", lambda tx: _check_orders(tx, found))
    bounded.look("refunds", lambda tx: _check_refunds(tx, found))
    bounded.look("tickets", lambda tx: _check_tickets(tx, found))
    bounded.look("codes", lambda tx: _check_codes(tx, found))
    bounded.look("sizes", lambda tx: _count_rows(tx, found))
    found.not_looked_at = bounded.not_looked_at
    return found


class _Bounded:
    """Transactions whose statements the server ends by itself, so that all of them end in time."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self._until = time.monotonic() + seconds
        self.not_looked_at: list[Part] = []

    def look(self, part: Part, question: Callable[[Transaction], None]) -> None:
        """Ask, and note where there was no time for it."""
        left = min(self._until - time.monotonic(), _LONGEST_STATEMENT)
        # 0 would mean for ever.
        if left < 0.001:  # noqa: PLR2004 -- a millisecond
            self.not_looked_at.append(part)
            return
        try:
            with self._database.transaction() as tx, _ended_after(tx, left):
                question(tx)
        except DatabaseUnavailable as error:
            if not took_too_long(error):
                raise
            self.not_looked_at.append(part)


@contextmanager
def _ended_after(tx: Transaction, seconds: float) -> Iterator[None]:
    tx.change("SET SESSION max_statement_time = %s", round(seconds, 3))
    try:
        yield
    finally:
        tx.change("SET SESSION max_statement_time = DEFAULT")


def _check_orders(tx: Transaction, found: CountCheck) -> None:
    found.uncounted = _orders(tx, _UNCOUNTED, *(OrderStatus.PAID, COUNTED_WITHIN_MINUTES) * 2)
    found.idle_holds = _orders(tx, _IDLE, *(_ENDED, OrderStatus.PAID) * 2)
    found.told = _orders(tx, _TOLD)


def _check_refunds(tx: Transaction, found: CountCheck) -> None:
    found.refunded_too_much = _orders(tx, _REFUNDED)
    found.unfinished = _orders(tx, _UNFINISHED)
    found.unfinished_events = [str(row["scope"]) for row in tx.all(_UNFINISHED_EVENTS, OrderStatus.PAID, _NAME_AT_MOST)]


def _check_tickets(tx: Transaction, found: CountCheck) -> None:
    off = [one for one in sums.all_off(tx, TICKETS) if not one.is_gone]
    found.sold_low, found.sold_high = _counted_off(tx, TICKETS, off)
    found.held_low, found.held_high = _held_off(off)


def _check_codes(tx: Transaction, found: CountCheck) -> None:
    off = [one for one in sums.all_off(tx, CODES) if not one.is_gone]
    found.used_low, found.used_high = _counted_off(tx, CODES, off)
    found.uses_held_low, found.uses_held_high = _held_off(off)


def _counted_off(tx: Transaction, counter: Counter, off: list[CounterSums]) -> tuple[CountersOff, CountersOff]:
    # Of what was paid before this shop nobody wrote down whether it was counted.
    low = [one for one in off if one.counted < one.orders_counted]
    high = [one for one in off if one.counted > one.orders_counted + one.orders_before]
    ours = sums.sold_by_us_alone(tx, counter, [one.row_id for one in high])
    return _named((one.row_id, one.counted, one.orders_counted) for one in low), _named(
        (one.row_id, one.counted, one.orders_counted + one.orders_before) for one in high if one.row_id in ours
    )


def _held_off(off: list[CounterSums]) -> tuple[CountersOff, CountersOff]:
    low = [one for one in off if one.missing_held > 0]
    high = [one for one in off if one.missing_held < 0]
    return _named((one.row_id, one.held, one.orders_held) for one in low), _named(
        (one.row_id, one.held, one.orders_held) for one in high
    )


def _named(off: Iterable[tuple[int, int, int]]) -> CountersOff:
    found = [CounterOff(row_id=row_id, counter=counter, orders=orders) for row_id, counter, orders in off]
    return CountersOff(number=len(found), first=found[:_NAME_AT_MOST])


def _count_rows(tx: Transaction, found: CountCheck) -> None:
    row = tx.one(
        "SELECT (SELECT COUNT(*) FROM ticket_orders) AS orders, (SELECT COUNT(*) FROM tickets) AS tickets,"
        " (SELECT COUNT(*) FROM discount_codes) AS codes"
    )
    if row is not None:
        found.orders, found.tickets, found.codes = row["orders"], row["tickets"], row["codes"]


def _orders(tx: Transaction, query: str, *parameters: object) -> OrdersOff:
    """Count what a query for `id` and `since` gives, at most so many."""
    rows = tx.all(f"SELECT id, since FROM ({query}) AS found ORDER BY id LIMIT %s", *parameters, _COUNT_AT_MOST)  # noqa: S608 -- constants
    times = [row["since"] for row in rows if row["since"] is not None]
    return OrdersOff(
        number=len(rows),
        ids=[int(row["id"]) for row in rows[:_NAME_AT_MOST]],
        oldest=min(times).replace(tzinfo=UTC) if times else None,
    )
