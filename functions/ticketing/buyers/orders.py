"""The orders that a buyer may see: their own, and the one whose Checkout Session they hold."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import msgspec

from ticketing import addresses, dates
from ticketing.buyers.tokens import Buyer
from ticketing.database import Database, Row
from ticketing.orders.status import LAPSED, OrderStatus

# More than a person buys, by this account and by this address each. Anybody can order in somebody else's address
# without paying: what is found by the address is bounded by itself, so that such orders push nobody's own out, and
# there what money came for, or is coming for, is first.
_MOST_OWN: Final = 500
_MOST_BY_EMAIL: Final = 200
_WITH_MONEY: Final = (OrderStatus.PAID, OrderStatus.REFUNDED, OrderStatus.PROCESSING)

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_SESSION_ID = re.compile(r"cs_[A-Za-z0-9_]{1,250}\Z")

# The live columns and those that tell of the payment; what an order holds and has counted is the shop's business.
_COLUMNS: Final = (
    "id, event_id, ticket_id, user_id, cognito_sub, email, quantity, unit_price, discount_amount, discount_code_id,"
    " total_amount, currency, refunded_amount, status, stripe_checkout_session_id, stripe_payment_intent_id,"
    " validated_at, paid_at, created_at, updated_at, bought_ticket, bought_event"
)
_FIRST: Final = "ORDER BY status IN %s DESC, created_at DESC, id DESC LIMIT %s"
_OWN: Final = f"(SELECT {_COLUMNS} FROM ticket_orders WHERE cognito_sub = %s {_FIRST})"  # noqa: S608 -- constants
_BY_EMAIL: Final = (
    f"(SELECT {_COLUMNS} FROM ticket_orders"  # noqa: S608 -- constants
    f" WHERE email_lower IN %s AND status NOT IN %s {_FIRST})"
)
_WITH_EVENT_AND_TICKET: Final = (
    "SELECT o.*, e.name AS event_name, e.start_date, e.end_date, t.name AS ticket_name, t.price AS ticket_price,"
    " t.image_url AS ticket_image_url"
    " FROM ({}) o LEFT JOIN events e ON e.id = o.event_id LEFT JOIN tickets t ON t.id = o.ticket_id"
)


class BuyerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order with its event and ticket. Amounts in the order's currency, its own times in UTC.

    `discount_amount` is what the whole order saved. The event's dates are the organiser's, and mean the clock on the
    venue's wall: `event_start_local` and `event_end_local` give them so, without a zone. `event_start_date` and
    `event_end_date` are the same figures as if they were UTC, as the shop's other routes give them.
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
    event_start_date: str | None
    event_end_date: str | None
    event_start_local: date | datetime | None
    event_end_local: date | datetime | None
    ticket_name: str | None
    ticket_price: Decimal | None
    ticket_image_url: str | None


class SessionOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the success page polls: enough to say "paid", nothing about who bought.

    `checkout_url`: where it can still be paid, while it waits for that.
    """

    id: str
    status: str
    event_id: str
    ticket_id: str
    quantity: int
    total_amount: Decimal
    currency: str
    paid_at: datetime | None
    checkout_url: str | None


def orders_of(database: Database, buyer: Buyer) -> list[BuyerOrder]:
    """Give the orders of this account, and those of its verified e-mail address regardless of case, newest first.

    Raises:
        DatabaseUnavailable: try again.
    """
    # A UNION, so that each half uses its own index; it also drops what both find.
    found = _OWN
    parameters: list[object] = [buyer.cognito_sub, _WITH_MONEY, _MOST_OWN]
    if buyer.verified_email is not None:
        found = f"{_OWN} UNION {_BY_EMAIL}"
        # Lapsed orders of guests are nobody's business any more, and anybody's doing.
        parameters += [addresses.spellings(buyer.verified_email), tuple(LAPSED), _WITH_MONEY, _MOST_BY_EMAIL]
    with database.transaction() as tx:
        rows = tx.all(_WITH_EVENT_AND_TICKET.format(found), *parameters)
    rows.sort(key=lambda row: (dates.utc_aware(row["created_at"]) or _LONG_AGO, row["id"]), reverse=True)
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
                "SELECT id, status, event_id, ticket_id, quantity, total_amount, currency, paid_at, checkout_url,"
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
        checkout_url=row["checkout_url"] if row["status"] == OrderStatus.PENDING else None,
    )


def _is_theirs(row: Row, buyer: Buyer) -> bool:
    # MariaDB's comparison is too wide for this: to it é is e, so it would find another person's address.
    if row["cognito_sub"] == buyer.cognito_sub:
        return True
    return buyer.verified_email is not None and addresses.is_same(row["email"], buyer.verified_email)


def _order(row: Row) -> BuyerOrder:
    for name in ("id", "event_id", "ticket_id", "user_id", "discount_code_id"):
        row[name] = None if row[name] is None else str(row[name])
    for name in ("validated_at", "paid_at", "created_at", "updated_at"):
        row[name] = dates.utc_aware(row[name])
    for name in ("event", "ticket"):
        # The row may be gone since: then as it was called when it was bought.
        bought = row.pop(f"bought_{name}")
        row[f"{name}_name"] = bought if row[f"{name}_name"] is None else row[f"{name}_name"]
    for name in ("start", "end"):
        local = row.pop(f"{name}_date")
        row[f"event_{name}_date"] = dates.as_if_utc(local)
        row[f"event_{name}_local"] = local if isinstance(local, date) else None
    return BuyerOrder(**row)
