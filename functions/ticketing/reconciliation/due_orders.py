"""Which orders reconciliation asks Stripe about, page by page, each page by an index.

By themselves: unpaid orders that are past their time. On demand: all unpaid orders since a date, or also those that
were reported because Stripe does not know their session, and that would be asked about again only after a day. A cursor
says how far a run came, so that the next one, also in another process, goes on from there.

An order is due when its hold has ended (`hold_expires_at`). An answer that left it as it is (an event on its way, a
delayed payment, a session that Stripe does not know) puts the next question off to `next_check_at`, which then counts
instead. An order of the live shop, from before both, has neither.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from ticketing.database import Database, Row, Transaction
from ticketing.orders.status import LIVE, OrderStatus

# An order of the live shop, from before holds existed, does not say when its time is over. Its Checkout Session
# does, and asking before is harmless; only a checkout that is just being made must not be disturbed.
_UNTIMED_AFTER: Final = timedelta(minutes=30)

_COLUMNS: Final = "id, status, stripe_checkout_session_id, next_check_at, hold_expires_at, created_at"
_BEGINNING: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- MariaDB's DATETIME has no zone; all are UTC here
# An order whose event this shop has put on the bus, and whose execution had no time yet to come round.
_NOT_UNDER_WAY: Final = (
    " AND NOT (next_check_at > %s AND EXISTS (SELECT 1 FROM order_history AS h"
    " WHERE h.order_id = ticket_orders.id AND h.entry = 'reconcile_sent'))"
)

# The entry of an order's history that says that Stripe did not know its session.
SESSION_MISSING: Final = "session_missing"
_WAS_REPORTED: Final = (
    f" AND EXISTS (SELECT 1 FROM order_history AS h"  # noqa: S608 -- a constant of this module
    f" WHERE h.order_id = ticket_orders.id AND h.entry = '{SESSION_MISSING}')"
)


# One part of a selection: the rows after the cursor, in the order of an index.
_Part = Callable[[Transaction, "Cursor", "datetime | None", int], list[Row]]


class DueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An unpaid order; times in UTC. `hold_expires_at` None: it was made before holds existed, or has no end.

    `next_check_at` None: it was not asked about yet. `created_at` None: nobody knows when it was made.
    """

    order_id: int
    status: str
    session_id: str | None
    next_check_at: datetime | None
    hold_expires_at: datetime | None
    created_at: datetime | None


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run came: which part of it, and the last order seen there. `now` is when the run began, in UTC."""

    now: datetime
    part: int = 0
    after_time: datetime = _BEGINNING
    after_id: int = 0


def read_page(
    database: Database, cursor: Cursor, *, since: datetime | None, reported_too: bool = False, size: int
) -> tuple[list[DueOrder], Cursor | None]:
    """Give the next orders, at most `size`, and the cursor after them; None at the end.

    A page can be empty although more follow: each part of the selection ends with its own page. `reported_too`: also
    those whose session Stripe did not know, although it is not their time again; `since` has them in any case.

    Raises:
        DatabaseUnavailable: try again.
    """
    parts = _PARTS_SINCE if since is not None else _PARTS_DUE + (_PARTS_REPORTED if reported_too else ())
    with database.transaction() as tx:
        rows = parts[cursor.part](tx, cursor, since, size)
    orders = [_as_order(row) for row in rows]
    if len(orders) < size:
        after = cursor.part + 1
        return orders, Cursor(now=cursor.now, part=after) if after < len(parts) else None
    return orders, cursor_behind(cursor, orders[-1], since=since)


def cursor_behind(cursor: Cursor, last: DueOrder, *, since: datetime | None) -> Cursor:
    """Give the cursor behind an order of the page that begins at `cursor`; `since` as for that page."""
    time = last.created_at if since is not None else last.next_check_at or last.hold_expires_at
    return Cursor(now=cursor.now, part=cursor.part, after_time=time or _BEGINNING, after_id=last.order_id)


def count(database: Database, cursor: Cursor, *, since: datetime | None, reported_too: bool = False) -> int:
    """Count the orders of a run that begins at this cursor's `now`, for its progress.

    Raises:
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        if since is not None:
            row = tx.one(
                "SELECT COUNT(*) AS n FROM ticket_orders"  # noqa: S608 -- a constant of this module
                f" WHERE status IN %s AND created_at >= %s AND created_at <= %s{_NOT_UNDER_WAY}",
                LIVE,
                since,
                cursor.now,
                cursor.now,
            )
        else:
            row = tx.one(
                "SELECT COUNT(*) AS n FROM ticket_orders WHERE status IN %s"  # noqa: S608 -- constant
                " AND (next_check_at <= %s OR (next_check_at IS NULL AND hold_expires_at <= %s)"
                " OR (next_check_at IS NULL AND hold_expires_at IS NULL AND (created_at <= %s OR created_at IS NULL))"
                f"{f' OR (next_check_at > %s{_WAS_REPORTED})' if reported_too else ''})",
                LIVE,
                cursor.now,
                cursor.now,
                cursor.now - _UNTIMED_AFTER,
                *([cursor.now] if reported_too else []),
            )
    return int(row["n"]) if row else 0


def _to_ask_again(status: str) -> _Part:
    def read(tx: Transaction, cursor: Cursor, since: datetime | None, size: int) -> list[Row]:
        del since
        return tx.all(
            f"SELECT {_COLUMNS} FROM ticket_orders WHERE status = %s AND next_check_at <= %s"  # noqa: S608 -- constant
            " AND (next_check_at > %s OR (next_check_at = %s AND id > %s)) ORDER BY next_check_at, id LIMIT %s",
            status,
            cursor.now,
            cursor.after_time,
            cursor.after_time,
            cursor.after_id,
            size,
        )

    return read


def _past_their_hold(status: str) -> _Part:
    def read(tx: Transaction, cursor: Cursor, since: datetime | None, size: int) -> list[Row]:
        del since
        return tx.all(
            f"SELECT {_COLUMNS} FROM ticket_orders WHERE status = %s AND next_check_at IS NULL"  # noqa: S608 -- constant
            " AND hold_expires_at <= %s AND (hold_expires_at > %s OR (hold_expires_at = %s AND id > %s))"
            " ORDER BY hold_expires_at, id LIMIT %s",
            status,
            cursor.now,
            cursor.after_time,
            cursor.after_time,
            cursor.after_id,
            size,
        )

    return read


def _untimed(status: str) -> _Part:
    def read(tx: Transaction, cursor: Cursor, since: datetime | None, size: int) -> list[Row]:
        del since
        return tx.all(
            f"SELECT {_COLUMNS} FROM ticket_orders WHERE status = %s AND hold_expires_at IS NULL"  # noqa: S608 -- constant
            " AND next_check_at IS NULL AND (created_at <= %s OR created_at IS NULL) AND id > %s ORDER BY id LIMIT %s",
            status,
            cursor.now - _UNTIMED_AFTER,
            cursor.after_id,
            size,
        )

    return read


def _reported(status: str) -> _Part:
    def read(tx: Transaction, cursor: Cursor, since: datetime | None, size: int) -> list[Row]:
        del since
        after = max(cursor.after_time, cursor.now)
        return tx.all(
            f"SELECT {_COLUMNS} FROM ticket_orders WHERE status = %s AND next_check_at > %s"  # noqa: S608 -- constants
            " AND (next_check_at > %s OR (next_check_at = %s AND id > %s))"
            f"{_WAS_REPORTED} ORDER BY next_check_at, id LIMIT %s",
            status,
            cursor.now,
            after,
            after,
            cursor.after_id,
            size,
        )

    return read


def _made_since(tx: Transaction, cursor: Cursor, since: datetime | None, size: int) -> list[Row]:
    return tx.all(
        f"SELECT {_COLUMNS} FROM ticket_orders WHERE status IN %s"  # noqa: S608 -- constants
        " AND created_at >= %s AND created_at <= %s AND (created_at > %s OR (created_at = %s AND id > %s))"
        f"{_NOT_UNDER_WAY} ORDER BY created_at, id LIMIT %s",
        LIVE,
        since,
        cursor.now,
        cursor.after_time,
        cursor.after_time,
        cursor.after_id,
        cursor.now,
        size,
    )


_PARTS_DUE: Final[tuple[_Part, ...]] = (
    _past_their_hold(OrderStatus.PENDING),
    _past_their_hold(OrderStatus.PROCESSING),
    _to_ask_again(OrderStatus.PENDING),
    _to_ask_again(OrderStatus.PROCESSING),
    _untimed(OrderStatus.PENDING),
    _untimed(OrderStatus.PROCESSING),
)
_PARTS_REPORTED: Final[tuple[_Part, ...]] = (_reported(OrderStatus.PENDING), _reported(OrderStatus.PROCESSING))
_PARTS_SINCE: Final[tuple[_Part, ...]] = (_made_since,)


def _as_order(row: Row) -> DueOrder:
    return DueOrder(
        order_id=row["id"],
        status=row["status"],
        session_id=row["stripe_checkout_session_id"],
        next_check_at=row["next_check_at"],
        hold_expires_at=row["hold_expires_at"],
        created_at=row["created_at"],
    )
