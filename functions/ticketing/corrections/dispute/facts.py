"""What the shop knows of a disputed order and of its buyer. The address is read for the bank, and never logged."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import msgspec

from ticketing import addresses, money
from ticketing.database import Row, Transaction
from ticketing.operators.buyer_data import is_theirs
from ticketing.operators.forget_buyer import FORGOTTEN
from ticketing.orders.status import OrderStatus

_ORDER: Final = (
    "SELECT o.id, o.status, o.quantity, o.total_amount, o.currency, o.created_at, o.paid_at, o.validated_at, o.email,"
    " COALESCE(o.bought_ticket, t.name) AS ticket, COALESCE(o.bought_event, e.name) AS event, e.start_date"
    " FROM ticket_orders AS o LEFT JOIN tickets AS t ON t.id = o.ticket_id LEFT JOIN events AS e ON e.id = o.event_id"
    " WHERE o.id = %s"
)
# Of a buyer with more orders than these the newest.
_MOST_ORDERS: Final = 500


class Facts(msgspec.Struct, kw_only=True):
    """An order as a bank would be told of it, and the buyer's other orders in numbers. Times are UTC, as text.

    Attributes:
        order_id, order_status, quantity, ticket, event: the order. `total_minor` is what it costs.
        event_starts: by the clock on the venue's wall, as the organiser wrote it.
        ordered_at, paid_at, shown_at: when it was made, paid, and shown at the door.
        others, others_paid, others_shown: orders of the same address: all, with their money, shown at the door.
        others_disputed: of how many of them a payment was disputed.
    """

    order_id: int
    order_status: str
    quantity: int
    ticket: str
    event: str
    total_minor: int
    currency: str
    event_starts: str | None
    ordered_at: str | None
    paid_at: str | None
    shown_at: str | None
    others: int = 0
    others_paid: int = 0
    others_shown: int = 0
    others_disputed: int = 0


def read(tx: Transaction, order_id: int) -> tuple[Facts, str | None]:
    """Read what is known of an order that is there, and the buyer's address; None: the buyer is forgotten."""
    order = tx.one(_ORDER, order_id) or {}
    address = str(order["email"]).strip()
    others = [] if address == FORGOTTEN else _others(tx, order_id, address)
    ids = [row["id"] for row in others]
    disputed = (
        tx.one("SELECT COUNT(DISTINCT order_id) AS number FROM order_disputes WHERE order_id IN %s", tuple(ids))
        if ids
        else None
    )
    facts = Facts(
        order_id=order_id,
        order_status=order["status"],
        quantity=int(order["quantity"]),
        ticket=order["ticket"] or "ticket",
        event=order["event"] or "event",
        total_minor=money.to_minor_units(Decimal(order["total_amount"]), order["currency"]),
        currency=str(order["currency"]).lower(),
        event_starts=_text(order["start_date"]),
        ordered_at=_text(order["created_at"]),
        paid_at=_text(order["paid_at"]),
        shown_at=_text(order["validated_at"]),
        others=len(others),
        others_paid=sum(row["status"] == OrderStatus.PAID for row in others),
        others_shown=sum(row["validated_at"] is not None for row in others),
        others_disputed=0 if disputed is None else int(disputed["number"]),
    )
    return facts, None if address == FORGOTTEN else address


def _others(tx: Transaction, order_id: int, address: str) -> list[Row]:
    rows = tx.all(
        "SELECT id, status, validated_at, email FROM ticket_orders FORCE INDEX (ticket_orders_by_email)"
        " WHERE email_lower IN %s ORDER BY created_at DESC LIMIT %s",
        tuple(addresses.spellings(address)),
        _MOST_ORDERS,
    )
    return [row for row in rows if row["id"] != order_id and is_theirs(row["email"], address)]


def _text(value: date | datetime | None) -> str | None:
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=UTC):%Y-%m-%d %H:%M}"
    return None if value is None else f"{value:%Y-%m-%d}"
