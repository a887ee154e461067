"""The orders that mutated events speak of: one in every state, and those of the sample events."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from local.sample_events.forms import default_envelope
from tests.conftest import Connect, empty_tables
from tests.factories import (
    E,
    charge_of,
    create_code,
    create_event,
    create_order,
    create_ticket,
    dispute_of,
    envelope,
    read_as,
    refund_of,
    row_of,
    session_of,
    stripe_event,
)
from ticketing.database import Database
from ticketing.payments.accept import mark_order_paid
from ticketing.payments.counts import count_discount_use, count_ticket_sale
from ticketing.payments.refunds import record_refund
from ticketing.payments.release import mark_order_processing, release_order
from ticketing.stripe.event_types import HANDLED_EVENTS
from ticketing.stripe.events import ChargeEvent, SessionEvent

EVENTS = Path(__file__).parents[2] / "events"

PENDING, SESSIONLESS, PROCESSING, PAID, EXPIRED, FAILED, REFUNDED, CANCELLED = range(1, 9)
ORDERS = (PENDING, SESSIONLESS, PROCESSING, PAID, EXPIRED, FAILED, REFUNDED, CANCELLED)


def build(connect: Connect, database: Database) -> None:
    """Empty all tables and make the world anew, always the same."""
    empty_tables(connect)
    create_event(database, id=1)
    create_ticket(database, id=1, event_id=1, max_quantity=14)
    create_code(database, id=1, event_id=1, max_uses=7)
    for order_id in ORDERS:
        create_order(
            database,
            id=order_id,
            ticket_id=1,
            quantity=2,
            discount_code_id=1 if order_id in {PENDING, PAID, EXPIRED} else None,
            unit_price=Decimal("20.00"),
            email=f"canary.buyer{order_id}@example.com",
            stripe_checkout_session_id=None if order_id == SESSIONLESS else session_id(order_id),
            order_mark=mark(order_id),
        )
        if order_id not in {PENDING, SESSIONLESS, PROCESSING, CANCELLED, PAID, REFUNDED}:
            release_order(
                database, order_id, lost_as="expired" if order_id == EXPIRED else "failed", stripe_event_id="evt_w"
            )
    mark_order_processing(database, PROCESSING, stripe_event_id="evt_w")
    for order_id in (PAID, REFUNDED):
        paid = _read(SessionEvent, "checkout.session.completed", _session(database, order_id))
        mark_order_paid(database, order_id, paid)
        count_ticket_sale(database, order_id)
        count_discount_use(database, order_id)
    charge = charge_of(row_of(database, "ticket_orders", REFUNDED), amount_refunded=4000)
    record_refund(database, REFUNDED, _read(ChargeEvent, "charge.refunded", charge))
    release_order(database, CANCELLED, lost_as="expired", stripe_event_id="evt_w")
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = 'cancelled' WHERE id = %s", CANCELLED)
        for statement in _sample_orders():
            tx.change(statement)


def mark(order_id: int) -> str:
    """The same in each world: the events that name it are made once."""
    return f"mark-of-order-{order_id:08}"


def session_id(order_id: int) -> str:
    return f"cs_test_world{order_id}"


def _session(database: Database, order_id: int) -> dict[str, Any]:
    return session_of(row_of(database, "ticket_orders", order_id))


def _read(kind: type[E], event_type: str, body: object) -> E:
    detail = stripe_event(event_type, body, id="evt_w")
    return read_as(kind, envelope(event_type, body, detail=detail))


def _sample_orders() -> list[str]:
    sql = re.sub(r"^--.*$", "", (EVENTS / "orders.sql").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [statement for statement in sql.split(";") if statement.strip()]


def sample_envelopes() -> list[dict[str, Any]]:
    """Every event of events/, as it comes over each of the two buses."""
    files = sorted(EVENTS.glob("*.json"))
    assert files, "there are no samples in events/"
    over_partner_bus = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [*over_partner_bus, *map(default_envelope, over_partner_bus)]


def world_envelopes(database: Database) -> list[dict[str, Any]]:
    """One event of every type for every order of the world."""
    made = []
    for order_id in ORDERS:
        order = row_of(database, "ticket_orders", order_id)
        session = session_of(order, id=session_id(order_id))
        made += [envelope(event_type, session) for event_type in HANDLED_EVENTS if "session" in event_type]
        made.append(envelope("checkout.session.completed", session | {"payment_status": "unpaid"}))
        made += [
            envelope("charge.refunded", charge_of(order, amount_refunded=4000)),
            envelope("charge.refunded", charge_of(order, amount_refunded=1500)),
            envelope("refund.created", refund_of(order, amount=4000)),
            envelope("refund.updated", refund_of(order, amount=4000, status="canceled")),
            envelope("refund.failed", refund_of(order, amount=4000, status="failed")),
            envelope("charge.dispute.created", dispute_of(order)),
            envelope("charge.dispute.created", dispute_of(order, status="warning_needs_response")),
            envelope("charge.dispute.updated", dispute_of(order, amount=1500)),
            envelope("charge.dispute.funds_withdrawn", dispute_of(order)),
            envelope("charge.dispute.closed", dispute_of(order, status="lost", metadata={"order_id": str(order_id)})),
            envelope("charge.dispute.closed", dispute_of(order, status="lost", amount=1500)),
            envelope("charge.dispute.funds_reinstated", dispute_of(order, status="won")),
            envelope("charge.dispute.closed", dispute_of(order, status="won")),
        ]
    return made


# Values that mean something where they land.
WORDS: tuple[Any, ...] = (
    *(str(order_id) for order_id in ORDERS),
    *(session_id(order_id) for order_id in ORDERS),
    *(f"pi_order{order_id}" for order_id in ORDERS),
    *sorted(HANDLED_EVENTS),
    "4242",
    "4243",
    "4244",
    "pi_another",
    "cs_test_another",
    "re_another",
    "paid",
    "unpaid",
    "no_payment_required",
    "succeeded",
    "failed",
    "canceled",
    "lost",
    "won",
    "warning_closed",
    "requires_action",
    "eur",
    "EUR",
    "usd",
    "jpy",
    "kwd",
    "xxx",
    0,
    1,
    1500,
    4000,
    40_000,
    "4000",
    "stripe.com",
    "aws.partner/stripe.com/ed_test_1",
    "aws.events",
    "checkout.session",
    "charge",
    "refund",
    "dispute",
    "event",
    {"order_id": "1"},
    {"order_id": "4"},
    {},
    {"amount_total": 4000, "source_currency": "eur", "fx_rate": "1.1", "amount_subtotal": 4000},
    {"amount_total": 3999, "source_currency": "eur"},
)
