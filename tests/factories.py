"""Rows and Stripe events for tests: what a test does not name has a sensible value."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any, TypeVar

from ticketing import money
from ticketing.database import Database, Row
from ticketing.orders import holds
from ticketing.orders.mark import new_mark
from ticketing.stripe.events import StripeEvent, read_event

E = TypeVar("E", bound=StripeEvent)

_numbers = itertools.count(1)


def create_event(database: Database, **columns: object) -> int:
    row = {"name": "Salsa Night", "cognito_sub": "owner", "start_date": "2027-05-01 20:00:00", **columns}
    return _insert(database, "events", row)


def create_ticket(database: Database, **columns: object) -> int:
    row = {"name": "Standard", "price": Decimal("20.00"), "max_quantity": 100, "is_active": 1, **columns}
    if "event_id" not in row:
        row["event_id"] = create_event(database)
    return _insert(database, "tickets", row)


def create_code(database: Database, **columns: object) -> int:
    row = {
        "event_id": 1,
        "code": "SALSA10",
        "discount_type": "percentage",
        "discount_value": Decimal(10),
        "max_uses": 100,
        "is_active": 1,
        **columns,
    }
    return _insert(database, "discount_codes", row)


def create_order(database: Database, *, hold: bool = True, **columns: Any) -> int:
    """An order with its hold, as the checkout leaves it; `hold=False`: one of the shop before, without a mark."""
    if "ticket_id" not in columns:
        columns["ticket_id"] = create_ticket(database)
    ticket = row_of(database, "tickets", columns["ticket_id"])
    quantity = columns.get("quantity", 1)
    unit_price = Decimal(columns["unit_price"] if "unit_price" in columns else ticket["price"])
    number = next(_numbers)
    total = columns.get("total_amount", unit_price * quantity)
    currency = columns.get("currency", "eur")
    marked = {
        "order_mark": new_mark(),
        "asked_minor": money.to_minor_units(total, currency),
        "asked_currency": currency,
    }
    row = {
        **(marked if hold else {}),
        "event_id": ticket["event_id"],
        "email": f"buyer{number}@example.com",
        "quantity": quantity,
        "unit_price": unit_price,
        "total_amount": unit_price * quantity,
        "status": "pending",
        "stripe_checkout_session_id": f"cs_test_order{number}",
        **columns,
    }
    order_id = _insert(database, "ticket_orders", row)
    if hold:
        _hold(database, order_id)
    return order_id


def create_counted_orders(database: Database, number: int) -> None:
    """Create so many paid orders of one ticket, in which nothing is left to be done."""
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
            " paid_at, ticket_counted_at, discount_counted_at) SELECT 1, %s, 'b@example.com', 1, 20, 20,"
            f" 'paid', '2026-01-01', '2026-01-01', '2026-01-01' FROM seq_1_to_{number}",
            create_ticket(database),
        )


def _hold(database: Database, order_id: int) -> None:
    order = row_of(database, "ticket_orders", order_id)
    with database.transaction() as tx:
        assert holds.take_seats(tx, ticket_id=order["ticket_id"], quantity=order["quantity"])
        code_held = 0
        if order["discount_code_id"] is not None:
            assert holds.take_code_use(tx, code_id=order["discount_code_id"])
            code_held = 1
        tx.change(
            "UPDATE ticket_orders SET held_quantity = quantity, held_ticket_id = ticket_id, code_held = %s,"
            " held_code_id = discount_code_id, hold_expires_at = UTC_TIMESTAMP(6) + INTERVAL 30 MINUTE WHERE id = %s",
            code_held,
            order_id,
        )


def row_of(database: Database, table: str, row_id: int) -> Row:
    with database.transaction() as tx:
        row = tx.one(f"SELECT * FROM {table} WHERE id = %s", row_id)
    assert row is not None
    return row


def _insert(database: Database, table: str, row: dict[str, Any]) -> int:
    names = ", ".join(row)
    marks = ", ".join(["%s"] * len(row))
    with database.transaction() as tx:
        made = tx.one(f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING id", *row.values())
    assert made is not None
    return int(made["id"])


def names_of(order: Row) -> dict[str, str]:
    """What the metadata of an order's own session, PaymentIntent and charge says."""
    names = {"order_id": str(order["id"]), "event_id": str(order["event_id"]), "ticket_id": str(order["ticket_id"])}
    return names if order["order_mark"] is None else names | {"order_mark": order["order_mark"]}


def session_of(order: Row, **fields: Any) -> dict[str, Any]:
    """A paid Checkout Session of an order, with the fields that Stripe's have and the shop reads."""
    minor = money.to_minor_units(order["total_amount"], order["currency"])
    return {
        "id": order["stripe_checkout_session_id"],
        "object": "checkout.session",
        "amount_subtotal": minor,
        "amount_total": minor,
        "currency": order["currency"],
        "currency_conversion": None,
        "customer_details": {"email": order["email"], "name": "Jenny Rosen"},
        "livemode": False,
        "metadata": names_of(order),
        "mode": "payment",
        "payment_intent": f"pi_order{order['id']}",
        "payment_status": "paid",
        "status": "complete",
        **fields,
    }


def charge_of(order: Row, *, amount_refunded: int, **fields: Any) -> dict[str, Any]:
    minor = money.to_minor_units(order["total_amount"], order["currency"])
    return {
        "id": f"ch_order{order['id']}",
        "object": "charge",
        "amount": minor,
        "amount_refunded": amount_refunded,
        "currency": order["currency"],
        "metadata": names_of(order),
        "payment_intent": f"pi_order{order['id']}",
        "refunded": amount_refunded >= minor,
        **fields,
    }


def refund_of(order: Row, *, amount: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"re_order{order['id']}",
        "object": "refund",
        "amount": amount,
        "charge": f"ch_order{order['id']}",
        "currency": order["currency"],
        "metadata": {},
        "payment_intent": f"pi_order{order['id']}",
        "status": "succeeded",
        **fields,
    }


def dispute_of(order: Row, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"dp_order{order['id']}",
        "object": "dispute",
        "amount": money.to_minor_units(order["total_amount"], order["currency"]),
        "charge": f"ch_order{order['id']}",
        "currency": order["currency"],
        "metadata": {},
        "payment_intent": f"pi_order{order['id']}",
        "status": "needs_response",
        **fields,
    }


def stripe_event(event_type: str, body: object, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{next(_numbers)}",
        "object": "event",
        "api_version": "2025-10-29.clover",
        "created": 1795000000,
        "data": {"object": body},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
        **fields,
    }


PARTNER_SOURCE = "aws.partner/stripe.com/ed_test_1234567890"


def envelope(event_type: str, body: object, **fields: Any) -> dict[str, Any]:
    """The EventBridge envelope as it starts the workflow."""
    return {
        "version": "0",
        "id": f"00000000-0000-0000-0000-{next(_numbers):012d}",
        "detail-type": event_type,
        "source": PARTNER_SOURCE,
        "account": "123456789012",
        "time": "2026-11-21T12:00:00Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": stripe_event(event_type, body),
        **fields,
    }


def read_as(kind: type[E], event: object) -> E:
    """What ValidateEvent reads out of an event's envelope, which has to be of this kind."""
    read = read_event(event, livemode=False)
    assert isinstance(read, kind)
    return read
