"""The tickets of an event, as the shop shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from ticketing import dates
from ticketing.database import Database, Row


class ListedTicket(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket type. `available` is what can be bought now: seats neither sold nor held; None is unlimited.

    `max_per_order` is what one order may have of it now; 0 where it is not on sale.
    """

    id: str
    event_id: str
    name: str
    price: Decimal | None  # a ticket without one is for nobody
    image_url: str | None
    max_quantity: int | None
    sold_quantity: int
    available: int | None
    max_per_order: int
    is_active: bool
    created_at: datetime | None


def tickets_of_event(database: Database, event_id: int, *, most: int) -> list[ListedTicket] | None:
    """Give all tickets of an event, also those that are not on sale, newest first; None: no such event.

    `most`: tickets per order.

    Raises:
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        rows = tx.all(
            "SELECT t.id, e.id AS event_id, t.name, t.price, t.image_url, t.max_quantity,"
            " COALESCE(t.sold_quantity, 0) AS sold_quantity, t.held_quantity, t.is_active, t.created_at,"
            " e.start_date, e.end_date FROM events e LEFT JOIN tickets t ON t.event_id = e.id WHERE e.id = %s"
            " ORDER BY t.created_at DESC, t.id DESC",
            event_id,
        )
    if not rows:
        return None
    # An event without tickets is one row of nothing.
    return [_listed(row, most) for row in rows if row["id"] is not None]


def _listed(row: Row, most_per_order: int) -> ListedTicket:
    most = row["max_quantity"]
    # The live rows may have been oversold: never less than none.
    available = None if most is None else max(most - row["sold_quantity"] - row["held_quantity"], 0)
    is_over = dates.is_event_over(
        start_date=row["start_date"], end_date=row["end_date"], now=dates.utc_naive(datetime.now(UTC))
    )
    may_have = most_per_order if available is None else min(most_per_order, available)
    return ListedTicket(
        id=str(row["id"]),
        event_id=str(row["event_id"]),
        name=row["name"],
        price=row["price"],
        image_url=row["image_url"],
        max_quantity=most,
        sold_quantity=row["sold_quantity"],
        available=available,
        max_per_order=0 if is_over or not row["is_active"] or row["price"] is None else may_have,
        is_active=bool(row["is_active"]),
        created_at=dates.utc_aware(row["created_at"]),
    )
