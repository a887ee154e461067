"""Looks for everything that must add up: counters against orders, payments against counts, refunds against payments.

For `cachao doctor`, read only. It reads all orders twice, by statements that lock nothing: a second or two for a
million of them; each is ended by the server after a few seconds, and then nobody can tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from ticketing.database import Database, Transaction
from ticketing.orders import sums
from ticketing.orders.counters import CODES, TICKETS, Counter
from ticketing.orders.sums import CounterSums
from ticketing.payments.counts import COUNTED_WITHIN_MINUTES

# So that all of them together end before the function's time does.
_LONGEST_SECONDS: Final = 3
# Beyond this many a number says no more than "very many"; and of so many the ids are given.
_COUNT_AT_MOST: Final = 1000
_NAME_AT_MOST: Final = 10
# Nobody waits for what such an order holds. What was cancelled the reconciliation gives back.
_WAITING_FOR_NOTHING: Final = ("expired", "failed", "refunded")
# The migration that brought the counts: what was made before may have been sold by others.
_FIRST: Final = "0002_holds_and_counts"


class CounterOff(msgspec.Struct, frozen=True, kw_only=True):
    """A counter that is not what the orders say, e.g. `sold_quantity` of ticket 5: 12, while orders make it 10."""

    row_id: int
    counter: int
    orders: int


class OrdersOff(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders something is wrong with (up to 1000), the first of them, and since when where that is known."""

    number: int = 0
    ids: list[int] = []
    oldest: datetime | None = None


class CountCheck(msgspec.Struct, kw_only=True):
    """What does not add up, and what was looked at.

    Attributes:
        orders, tickets, codes: how many were looked at.
        sold_low, used_low: the counter is lower than what orders counted: seats are sold twice.
        sold_high, used_high: it is higher, although all its sales were this shop's: seats are never sold.
        held_low, held_high: the same of what tickets hold for orders; `uses_held_low`, `uses_held_high` of codes.
        uncounted: paid by this shop a while ago, and not counted.
        idle_holds: ended orders that still hold seats or a code use.
        refunded_too_much: more went back than was paid, of an order or of one of its payments.
        told: orders of which an alert said that a counter could not follow (`CountsOff`), and that are still so.
    """

    orders: int
    tickets: int
    codes: int
    sold_low: list[CounterOff]
    sold_high: list[CounterOff]
    held_low: list[CounterOff]
    held_high: list[CounterOff]
    used_low: list[CounterOff]
    used_high: list[CounterOff]
    uses_held_low: list[CounterOff]
    uses_held_high: list[CounterOff]
    uncounted: OrdersOff
    idle_holds: OrdersOff
    refunded_too_much: OrdersOff
    told: OrdersOff


def check_counts(database: Database) -> CountCheck:
    """Look for what does not add up.

    Raises:
        DatabaseUnavailable: also where there are too many orders to be added up in time.
    """
    tickets, codes = _counters(database, TICKETS), _counters(database, CODES)
    with _bounded(database) as tx:
        return CountCheck(
            orders=_number_of(tx, "ticket_orders"),
            tickets=_number_of(tx, "tickets"),
            codes=_number_of(tx, "discount_codes"),
            sold_low=tickets[0],
            sold_high=tickets[1],
            held_low=tickets[2],
            held_high=tickets[3],
            used_low=codes[0],
            used_high=codes[1],
            uses_held_low=codes[2],
            uses_held_high=codes[3],
            uncounted=_orders(
                tx,
                "SELECT id, paid_at AS since FROM ticket_orders WHERE status = 'paid' AND ticket_counted_at IS NULL"
                " AND paid_at < UTC_TIMESTAMP(6) - INTERVAL %s MINUTE"
                " UNION SELECT id, paid_at FROM ticket_orders WHERE code_held > 0 AND status = 'paid'"
                " AND discount_counted_at IS NULL AND paid_at < UTC_TIMESTAMP(6) - INTERVAL %s MINUTE",
                COUNTED_WITHIN_MINUTES,
                COUNTED_WITHIN_MINUTES,
            ),
            idle_holds=_orders(
                tx,
                "SELECT id, NULL AS since FROM ticket_orders WHERE held_quantity > 0 AND"
                " (status IN %s OR (status = 'paid' AND ticket_counted_at IS NOT NULL))"
                " UNION SELECT id, NULL FROM ticket_orders WHERE code_held > 0 AND"
                " (status IN %s OR (status = 'paid' AND discount_counted_at IS NOT NULL))",
                _WAITING_FOR_NOTHING,
                _WAITING_FOR_NOTHING,
            ),
            refunded_too_much=_orders(
                tx,
                "SELECT id, NULL AS since FROM ticket_orders WHERE refunded_amount > total_amount"
                " UNION SELECT order_id, NULL FROM order_payments"
                " WHERE amount_minor > 0 AND refunded_minor > amount_minor",
            ),
            told=_orders(
                tx,
                "SELECT order_id AS id, MIN(found_at) AS since FROM counts_off WHERE settled_at IS NULL"
                " GROUP BY order_id",
            ),
        )


def _counters(
    database: Database, counter: Counter
) -> tuple[list[CounterOff], list[CounterOff], list[CounterOff], list[CounterOff]]:
    """Give where a kind of counter is too low, too high, and the same of what is held."""
    with _bounded(database) as tx:
        off = [one for one in sums.all_off(tx, counter) if not one.is_gone]
        ours = _made_since(tx, counter, [one.row_id for one in off])
    # Of what was paid before this shop nobody wrote down whether it was counted.
    low = [_counted(one) for one in off if one.counted < one.orders_counted]
    high = [_counted(one) for one in off if one.counted > one.orders_counted + one.orders_before and one.row_id in ours]
    held_low = [_held(one) for one in off if one.missing_held > 0]
    held_high = [_held(one) for one in off if one.missing_held < 0]
    return low, high, held_low, held_high


def _counted(one: CounterSums) -> CounterOff:
    return CounterOff(row_id=one.row_id, counter=one.counted, orders=one.orders_counted)


def _held(one: CounterSums) -> CounterOff:
    return CounterOff(row_id=one.row_id, counter=one.held, orders=one.orders_held)


def _made_since(tx: Transaction, counter: Counter, ids: list[int]) -> set[int]:
    """Give those of some rows that were made when this shop counted already: nobody else has sold of them."""
    if not ids:
        return set()
    rows = tx.all(
        f"SELECT id FROM {counter.table} WHERE id IN %s"  # noqa: S608 -- a constant
        " AND created_at > (SELECT applied_at FROM cachao_migrations WHERE name = %s)",
        tuple(ids),
        _FIRST,
    )
    return {int(row["id"]) for row in rows}


def _number_of(tx: Transaction, table: str) -> int:
    row = tx.one(f"SELECT COUNT(*) AS number FROM {table}")  # noqa: S608 -- a constant
    return int(row["number"]) if row else 0


def _orders(tx: Transaction, query: str, *parameters: object) -> OrdersOff:
    """Count what a query for `id` and `since` gives, at most so many."""
    rows = tx.all(f"SELECT id, since FROM ({query}) AS found ORDER BY id LIMIT %s", *parameters, _COUNT_AT_MOST)  # noqa: S608 -- constants
    times = [row["since"] for row in rows if row["since"] is not None]
    return OrdersOff(
        number=len(rows),
        ids=[int(row["id"]) for row in rows[:_NAME_AT_MOST]],
        oldest=min(times).replace(tzinfo=UTC) if times else None,
    )


@contextmanager
def _bounded(database: Database) -> Iterator[Any]:
    """Give a transaction whose statements the server ends by itself after a few seconds."""
    with database.transaction() as tx:
        tx.change("SET SESSION max_statement_time = %s", _LONGEST_SECONDS)
        try:
            yield tx
        finally:
            tx.change("SET SESSION max_statement_time = DEFAULT")
