"""The orders that a buyer may see: their own, and the one whose Checkout Session they hold."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec

from ticketing import dates
from ticketing.buyers.tokens import Buyer
from ticketing.database import Database, Row

# More than a person buys. Anybody can order in somebody else's e-mail address without paying: paid orders come
# first here, so that such orders cannot push them out.
_MOST_ORDERS: Final = 500

_SESSION_ID = re.compile(r"cs_[A-Za-z0-9_]{1,250}\Z")

# The live columns and those that tell of the payment; what an order holds and has counted is the shop's business.
_COLUMNS: Final = (
    "id, event_id, ticket_id, user_id, cognito_sub, email, quantity, unit_price, discount_amount, discount_code_id,"
    " total_amount, currency, refunded_amount, status, stripe_checkout_session_id, stripe_payment_intent_id,"
    " validated_at, paid_at, created_at, updated_at"
)
_OWN: Final = f"SELECT {_COLUMNS} FROM ticket_orders WHERE cognito_sub = %s"  # noqa: S608 -- constants
_BY_EMAIL: Final = f"SELECT {_COLUMNS} FROM ticket_orders WHERE email_lower = %s"  # noqa: S608 -- constants
# Paid orders first, see _MOST_ORDERS.
_WITH_EVENT_AND_TICKET: Final = (
    "SELECT o.*, e.name AS event_name, e.start_date AS event_start_date, e.end_date AS event_end_date,"
    " t.name AS ticket_name, t.price AS ticket_price, t.image_url AS ticket_image_url"
    " FROM ({}) o LEFT JOIN events e ON e.id = o.event_id LEFT JOIN tickets t ON t.id = o.ticket_id"
    " ORDER BY o.status IN ('paid', 'refunded') DESC, o.created_at DESC, o.id DESC LIMIT %s"
)


class BuyerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order with its event and ticket. Amounts in the order's currency, its own times in UTC.

    `discount_amount` is what the whole order saved. The event's dates are handed on as they are stored, without a
    zone: they are the organiser's, and mean the clock on the venue's wall.
    """

    id: str
    event_id: str
    ticket_id: str
    user_id: str | None
    cognito_sub: str | None
    email: str
    quantity: int
    unit_price: Decimal
    discount_amount: Decimal
    discount_code_id: str | None
    total_amount: Decimal
    currency: str
    refunded_amount: Decimal
    status: str
    stripe_checkout_session_id: str | None
    stripe_payment_intent_id: str | None
    validated_at: datetime | None
    paid_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    event_name: str | None
    event_start_date: date | datetime | None
    event_end_date: date | datetime | None
    ticket_name: str | None
    ticket_price: Decimal | None
    ticket_image_url: str | None


class SessionOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the success page polls: enough to say "paid", nothing about who bought."""

    id: str
    status: str
    event_id: str
    ticket_id: str
    quantity: int
    total_amount: Decimal
    currency: str
    paid_at: datetime | None


def orders_of(database: Database, buyer: Buyer) -> list[BuyerOrder]:
    """Give the orders of this account, and those of its verified e-mail address regardless of case, newest first.

    Raises:
        DatabaseUnavailable: try again.
    """
    # A UNION, so that each half uses its own index; it also drops what both find.
    found, parameters = _OWN, [buyer.cognito_sub]
    if buyer.verified_email is not None:
        found, parameters = f"{_OWN} UNION {_BY_EMAIL}", [buyer.cognito_sub, buyer.verified_email.lower()]
    with database.transaction() as tx:
        rows = tx.all(
            _WITH_EVENT_AND_TICKET.format(found),
            *parameters,
            _MOST_ORDERS,
        )
    rows.sort(key=lambda row: (row["created_at"] or datetime.min, row["id"]), reverse=True)  # noqa: DTZ901 -- UTC, as MariaDB's
    return [_order(row) for row in rows if _is_theirs(row, buyer)]


def order_of_session(database: Database, session_id: str) -> SessionOrder | None:
    """Give the order of a Checkout Session, or None. Whoever holds the session's id may see it; it cannot be guessed.

    Raises:
        DatabaseUnavailable: try again.
    """
    row = None
    if _SESSION_ID.match(session_id):
        with database.transaction() as tx:
            row = tx.one(
                "SELECT id, status, event_id, ticket_id, quantity, total_amount, currency, paid_at,"
                " stripe_checkout_session_id FROM ticket_orders WHERE stripe_checkout_session_id = %s"
                " ORDER BY id DESC LIMIT 1",
                session_id,
            )
    # MariaDB compares regardless of case; Stripe's ids differ by it.
    if row is None or row["stripe_checkout_session_id"] != session_id:
        return None
    return SessionOrder(
        id=str(row["id"]),
        status=row["status"],
        event_id=str(row["event_id"]),
        ticket_id=str(row["ticket_id"]),
        quantity=row["quantity"],
        total_amount=row["total_amount"],
        currency=row["currency"],
        paid_at=dates.utc_aware(row["paid_at"]),
    )


def _is_theirs(row: Row, buyer: Buyer) -> bool:
    # MariaDB's comparison is too wide for this: to it é is e, so it would find another person's address.
    if row["cognito_sub"] == buyer.cognito_sub:
        return True
    return buyer.verified_email is not None and _lower(row["email"]) == _lower(buyer.verified_email)


def _lower(email: str) -> str:
    """Give an address in lower case, but no other letter than it has: the Kelvin sign's lower case is a plain k."""
    return "".join(letter.lower() if letter.isascii() == letter.lower().isascii() else letter for letter in email)


def _order(row: Row) -> BuyerOrder:
    for name in ("id", "event_id", "ticket_id", "user_id", "discount_code_id"):
        row[name] = None if row[name] is None else str(row[name])
    for name in ("validated_at", "paid_at", "created_at", "updated_at"):
        row[name] = dates.utc_aware(row[name])
    return BuyerOrder(**row)
