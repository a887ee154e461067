"""Steps that tests of refunds, disputes and reconciliation share: what the workflow does with an event."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.factories import charge_of, dispute_of, envelope, read_as, refund_of, row_of, session_of, stripe_event
from ticketing.database import Database, Row
from ticketing.payments.accept import PaidOrder, mark_order_paid
from ticketing.payments.counts import count_discount_use, count_ticket_sale
from ticketing.payments.disputes import DisputeRecorded, record_dispute
from ticketing.payments.lookup import look_up_order
from ticketing.payments.refunds import RefundRecorded, record_refund
from ticketing.stripe.events import ChargeEvent, DisputeEvent, RefundEvent, SessionEvent


def order_row(database: Database, order_id: int) -> Row:
    return row_of(database, "ticket_orders", order_id)


def payment_event(database: Database, order_id: int, **fields: Any) -> SessionEvent:
    session = session_of(order_row(database, order_id), **fields)
    return read_as(SessionEvent, envelope("checkout.session.completed", session))


def pay(database: Database, order_id: int, *, count: bool = True, **fields: Any) -> PaidOrder:
    """A payment event's way through MarkOrderPaid and the two counts."""
    paid = mark_order_paid(database, order_id, payment_event(database, order_id, **fields))
    if count:
        count_ticket_sale(database, order_id)
        count_discount_use(database, order_id)
    return paid


def charge_event(database: Database, order_id: int, amount_refunded: int, **fields: Any) -> ChargeEvent:
    charge = charge_of(order_row(database, order_id), amount_refunded=amount_refunded, **fields)
    return read_as(ChargeEvent, envelope("charge.refunded", charge))


def refund_event(database: Database, order_id: int, event_type: str, amount: int, **fields: Any) -> RefundEvent:
    refund = refund_of(order_row(database, order_id), amount=amount, **fields)
    return read_as(RefundEvent, envelope(event_type, refund))


# When Stripe says what it says of a dispute, unless a test says otherwise.
AT = 1795000000


def dispute_event(database: Database, order_id: int, event_type: str, *, at: int = AT, **fields: Any) -> DisputeEvent:
    body = dispute_of(order_row(database, order_id), **fields)
    event = envelope(event_type, body, detail=stripe_event(event_type, body, created=at))
    return read_as(DisputeEvent, event)


def refund_charge(database: Database, order_id: int, amount_refunded: int, **fields: Any) -> RefundRecorded:
    return record_refund(database, order_id, charge_event(database, order_id, amount_refunded, **fields))


def refund(
    database: Database, order_id: int, amount: int, event_type: str = "refund.created", **fields: Any
) -> RefundRecorded:
    return record_refund(database, order_id, refund_event(database, order_id, event_type, amount, **fields))


def dispute(database: Database, order_id: int, event_type: str, **fields: Any) -> DisputeRecorded:
    """A dispute event's way through LookUpOrder and RecordDispute."""
    event = dispute_event(database, order_id, event_type, **fields)
    found = look_up_order(database, event)
    assert found.order_id is not None
    return record_dispute(database, found.order_id, event)


def dispute_row(database: Database, order_id: int) -> Row:
    with database.transaction() as tx:
        row = tx.one("SELECT * FROM order_disputes WHERE order_id = %s ORDER BY created_at LIMIT 1", order_id)
    assert row is not None
    return row


def seats(database: Database, order_id: int) -> tuple[int, int]:
    """Sold and held of the order's ticket."""
    ticket = row_of(database, "tickets", order_row(database, order_id)["ticket_id"])
    return ticket["sold_quantity"], ticket["held_quantity"]


def code_uses(database: Database, code_id: int) -> tuple[int, int]:
    """Used and held of a discount code."""
    code = row_of(database, "discount_codes", code_id)
    return code["used_count"], code["held_count"]


def status(database: Database, order_id: int) -> str:
    return str(order_row(database, order_id)["status"])


def refunded(database: Database, order_id: int) -> Decimal:
    return Decimal(order_row(database, order_id)["refunded_amount"])


def entries(database: Database, order_id: int) -> list[str]:
    with database.transaction() as tx:
        rows = tx.all("SELECT entry FROM order_history WHERE order_id = %s ORDER BY id", order_id)
    return [row["entry"] for row in rows]
