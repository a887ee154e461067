"""Lists orders so that an operator finds the one he means: by status, time, total, or the buyer's e-mail address.

The address is only asked by, never given back: what is read here gets into logs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final

import msgspec

from ticketing import addresses
from ticketing.database import Database, Row, Transaction
from ticketing.dates import utc_value

# A status or a total is looked for among so many of the newest orders: no index has them, and a list of all time must
# not read all of the table.
_LOOKED_AT: Final = 10_000

_COLUMNS: Final = (
    "id, created_at, status, event_id, ticket_id, quantity, total_amount, currency, stripe_checkout_session_id, paid_at"
)


class OrdersWanted(msgspec.Struct, kw_only=True):
    """Which orders: made from `since` on and before `until`, at most `limit`, the newest first.

    `before`: time and number of the last order of the page before this one.
    """

    since: datetime
    until: datetime | None = None
    status: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    email: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    total: Decimal | None = None
    before: tuple[datetime, int] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50


class ListedOrders(msgspec.Struct, kw_only=True):
    """The orders found, the newest first, with their event's and ticket's names; times are UTC.

    `more`: there are more than were asked for. `looked_back_to`: older ones were not looked at; None: all were.
    """

    orders: list[Row]
    more: bool
    looked_back_to: datetime | None


def list_orders(database: Database, wanted: OrdersWanted) -> ListedOrders:
    """List orders.

    Raises:
        DatabaseUnavailable: try again.
    """
    since = wanted.since.astimezone(UTC)
    until = (wanted.until or datetime.max.replace(tzinfo=UTC)).astimezone(UTC)
    if wanted.before is not None:
        # That order's own moment, too: others may have been made in it.
        until = min(until, wanted.before[0].astimezone(UTC) + timedelta(microseconds=1))
    with database.transaction() as tx:
        # An address has few orders, and an index of its own.
        oldest = None if wanted.email is not None else _oldest_looked_at(tx, since, until)
        rows = _find(tx, wanted, oldest or since, until)
    return ListedOrders(
        orders=[{name: utc_value(value) for name, value in row.items()} for row in rows[: wanted.limit]],
        more=len(rows) > wanted.limit,
        looked_back_to=oldest,
    )


def _oldest_looked_at(tx: Transaction, since: datetime, until: datetime) -> datetime | None:
    """Give when the last order was made that is still looked at; None where there are fewer."""
    last = tx.one(
        "SELECT created_at FROM ticket_orders FORCE INDEX (ticket_orders_by_created_at)"
        " WHERE created_at >= %s AND created_at < %s ORDER BY created_at DESC LIMIT 1 OFFSET %s",
        since.replace(tzinfo=None),
        until.replace(tzinfo=None),
        _LOOKED_AT - 1,
    )
    return None if last is None else utc_value(last["created_at"])


def _find(tx: Transaction, wanted: OrdersWanted, since: datetime, until: datetime) -> list[Row]:
    conditions = ["created_at >= %s", "created_at < %s"]
    parameters: list[object] = [since.replace(tzinfo=None), until.replace(tzinfo=None)]
    if wanted.before is not None:
        made, order_id = wanted.before[0].astimezone(UTC).replace(tzinfo=None), wanted.before[1]
        conditions.append("(created_at < %s OR id < %s)")
        parameters.extend((made, order_id))
    if wanted.email is not None:
        ways = addresses.spellings(wanted.email.strip())
        conditions.append(f"email_lower IN ({', '.join(['%s'] * len(ways))})")
        parameters.extend(ways)
    if wanted.status is not None:
        conditions.append("status = %s")
        parameters.append(wanted.status)
    if wanted.total is not None:
        conditions.append("total_amount = %s")
        parameters.append(wanted.total)
    index = "ticket_orders_by_created_at" if wanted.email is None else "ticket_orders_by_email"
    # Names are looked up for those that are listed only.
    return tx.all(
        "SELECT o.*, e.name AS event_name, t.name AS ticket_name FROM"  # noqa: S608 -- constants; values are parameters
        f" (SELECT {_COLUMNS} FROM ticket_orders FORCE INDEX ({index}) WHERE {' AND '.join(conditions)}"
        " ORDER BY created_at DESC, id DESC LIMIT %s) AS o"
        " LEFT JOIN events AS e ON e.id = o.event_id LEFT JOIN tickets AS t ON t.id = o.ticket_id"
        " ORDER BY o.created_at DESC, o.id DESC",
        *parameters,
        wanted.limit + 1,
    )
