"""Adds up what the orders say of each ticket's and each code's counters.

A counter and its orders change in one transaction, so whenever one looks by a single statement, the two agree; by how
much they do not is the same before, while and after others buy. Each function here asks one statement, and locks
nothing. It reads all orders.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from ticketing.database import Row, Transaction
from ticketing.orders import paid_before
from ticketing.orders.counters import CODES, TICKETS, Counter
from ticketing.orders.status import OrderStatus

# Of each order: which ticket, what was counted there, what the shop before may have counted, what is held.
# Parameter: `paid`.
_OF_SEATS: Final = (
    "SELECT IF(ticket_counted_at IS NULL, ticket_id, COALESCE(counted_ticket_id, ticket_id)) AS row_id,"  # noqa: S608 -- constants
    " IF(ticket_counted_at IS NULL, 0, COALESCE(counted_quantity, quantity)) AS counted,"
    " IF(ticket_counted_at IS NULL, quantity, 0) AS before_us, 0 AS held FROM ticket_orders"
    " WHERE (ticket_counted_at IS NOT NULL AND ticket_returned_at IS NULL)"
    f" OR (ticket_counted_at IS NULL AND status = %s AND {paid_before.UNTOUCHED} AND held_quantity = 0)"
    " UNION ALL SELECT COALESCE(held_ticket_id, ticket_id), 0, 0, held_quantity"
    " FROM ticket_orders WHERE held_quantity > 0"
)
_OF_USES: Final = (
    "SELECT IF(discount_counted_at IS NULL, discount_code_id, COALESCE(counted_code_id, discount_code_id)) AS row_id,"  # noqa: S608 -- constants
    " IF(discount_counted_at IS NULL, 0, 1) AS counted, IF(discount_counted_at IS NULL, 1, 0) AS before_us, 0 AS held"
    " FROM ticket_orders WHERE (discount_counted_at IS NOT NULL AND discount_returned_at IS NULL)"
    f" OR (discount_counted_at IS NULL AND status = %s AND {paid_before.UNTOUCHED} AND code_held = 0"
    " AND discount_code_id IS NOT NULL)"
    " UNION ALL SELECT COALESCE(held_code_id, discount_code_id), 0, 0, 1 FROM ticket_orders WHERE code_held > 0"
)
# The migration that brought holds and counts.
_FIRST_MIGRATION: Final = "0002_holds_and_counts"
_ORDERS: Final = {TICKETS: _OF_SEATS, CODES: _OF_USES}


class CounterSums(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of one ticket or code, and what its orders say of them.

    Attributes:
        row_id: the ticket or code.
        is_gone: there is no such row; the counters are 0 then.
        counted: the counter of what is sold or used.
        held: the counter of what is held.
        limit: what both together may be; None is no limit.
        orders_counted: what the orders say was counted, and not given back.
        orders_before: what orders took that were paid before this shop; whether that was counted nobody wrote down.
        orders_held: what the orders hold.
    """

    row_id: int
    is_gone: bool
    counted: int
    held: int
    limit: int | None
    orders_counted: int
    orders_before: int
    orders_held: int

    @property
    def missing_counted(self) -> int:
        """By how much the counter of what is sold or used is too low; below 0: too high."""
        return self.orders_counted + self.orders_before - self.counted

    @property
    def missing_held(self) -> int:
        """By how much the counter of what is held is too low; below 0: too high."""
        return self.orders_held - self.held

    @property
    def is_off(self) -> bool:
        """Tell whether a counter is not what the orders say."""
        return bool(self.missing_counted or self.missing_held)


def sums_of(tx: Transaction, counter: Counter, row_id: int) -> CounterSums | None:
    """Give the sums of one ticket or code; None where neither a row nor an order knows it."""
    return next(iter(_ask(tx, counter, row_id, only_off=False)), None)


def all_off(tx: Transaction, counter: Counter) -> list[CounterSums]:
    """Give the sums of every ticket, or every code, whose counters are not what the orders say; by id."""
    return _ask(tx, counter, None, only_off=True)


def sold_by_us_alone(tx: Transaction, counter: Counter, ids: Collection[int]) -> set[int]:
    """Give those of some tickets or codes of which nobody else can have sold: made when this shop counted already."""
    if not ids:
        return set()
    rows = tx.all(
        f"SELECT id FROM {counter.table} WHERE id IN %s"  # noqa: S608 -- a constant
        " AND created_at > (SELECT applied_at - INTERVAL 1 SECOND FROM cachao_migrations WHERE name = %s)",
        tuple(ids),
        _FIRST_MIGRATION,
    )
    return {int(row["id"]) for row in rows}


def _ask(tx: Transaction, counter: Counter, row_id: int | None, *, only_off: bool) -> list[CounterSums]:
    rows = tx.all(
        "SELECT s.row_id, r.id IS NULL AS is_gone, COALESCE(r.counted, 0) AS counted, COALESCE(r.held, 0) AS held,"  # noqa: S608 -- constants
        " r.most, s.orders_counted, s.orders_before, s.orders_held FROM"
        " (SELECT row_id, SUM(counted) AS orders_counted, SUM(before_us) AS orders_before, SUM(held) AS orders_held"
        f" FROM ({_ORDERS[counter]} UNION ALL SELECT id, 0, 0, 0 FROM {counter.table}) AS o"
        f" WHERE row_id IS NOT NULL{' AND row_id = %s' if row_id is not None else ''} GROUP BY row_id) AS s"
        f" LEFT JOIN (SELECT id, COALESCE({counter.counted}, 0) AS counted, {counter.held} AS held,"
        f" {counter.limit} AS most FROM {counter.table}) AS r ON r.id = s.row_id"
        + (
            " WHERE COALESCE(r.counted, 0) <> s.orders_counted + s.orders_before"
            " OR COALESCE(r.held, 0) <> s.orders_held"
            if only_off
            else ""
        )
        + " ORDER BY s.row_id",
        OrderStatus.PAID,
        *([] if row_id is None else [row_id]),
    )
    return [_read(row) for row in rows]


def _read(row: Row) -> CounterSums:
    return CounterSums(
        row_id=int(row["row_id"]),
        is_gone=bool(row["is_gone"]),
        counted=int(row["counted"]),
        held=int(row["held"]),
        limit=None if row["most"] is None else int(row["most"]),
        orders_counted=int(row["orders_counted"]),
        orders_before=int(row["orders_before"]),
        orders_held=int(row["orders_held"]),
    )
