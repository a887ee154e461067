"""What the fault matrix and the fuzzing found, each as a test of its own that does not need luck."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.factories import charge_of, create_order, envelope, read_as, refund_of, row_of, session_of
from tests.ticketing.paid_orders import entries, order_row, pay, refund
from ticketing.database import Database
from ticketing.errors import InvalidEvent, OrderMismatch
from ticketing.payments.refunds import record_refund
from ticketing.payments.release import release_order
from ticketing.stripe.events import ChargeEvent, read_event


def test_a_repeated_expiry_writes_no_second_entry(database: Database) -> None:
    order_id = create_order(database)
    for changed in (True, False):
        move = release_order(database, order_id, lost_as="expired", stripe_event_id="evt_1")
        assert (move.status, move.changed) == ("expired", changed)
    assert entries(database, order_id) == ["expired"]
    release_order(database, order_id, lost_as="failed", stripe_event_id="evt_2")
    assert entries(database, order_id) == ["expired", "failed_ignored"]


def test_a_converted_payment_must_say_what_was_charged(database: Database) -> None:
    order = order_row(database, create_order(database))
    conversion = {"amount_total": 2000, "source_currency": "eur"}
    for missing in ({"currency": None}, {"amount_total": None}):
        session = session_of(order, currency_conversion=conversion) | missing
        with pytest.raises(InvalidEvent, match="without an amount and a currency"):
            read_event(envelope("checkout.session.completed", session), livemode=False)


@pytest.mark.parametrize("status", ["x" * 21, "Succeeded!", "buyer@example.com"])
def test_a_refund_needs_a_status_that_can_be_stored(database: Database, status: str) -> None:
    order = order_row(database, create_order(database))
    with pytest.raises(InvalidEvent, match="status is not a status of Stripe's") as refused:
        read_event(envelope("refund.created", refund_of(order, amount=1, status=status)), livemode=False)
    assert status not in str(refused.value)


@pytest.mark.parametrize("envelope_", ["half a \ud83d", {"source": "half a \ud83d", "detail-type": "x", "detail": {}}])
def test_text_that_is_no_unicode_is_an_invalid_event(envelope_: object) -> None:
    with pytest.raises(InvalidEvent):
        read_event(envelope_, livemode=False)


def test_a_refund_of_another_order_changes_nothing(database: Database) -> None:
    order_id, other_id = create_order(database), create_order(database)
    pay(database, order_id)
    pay(database, other_id)
    refund(database, order_id, 500, id="re_shared", status="pending")
    before = row_of(database, "ticket_orders", other_id)
    with pytest.raises(OrderMismatch, match=f"belongs to order {order_id}"):
        refund(database, other_id, 500, id="re_shared", status="failed")
    assert row_of(database, "ticket_orders", other_id) == before
    with database.transaction() as tx:
        assert tx.all("SELECT status FROM order_refunds") == [{"status": "pending"}]


def test_an_absurd_charge_gives_back_no_more_than_the_order_cost(database: Database) -> None:
    order_id = create_order(database)
    charge = charge_of(order_row(database, order_id), amount=10**12, amount_refunded=10**12)
    record_refund(database, order_id, read_as(ChargeEvent, envelope("charge.refunded", charge)))
    assert order_row(database, order_id)["refunded_amount"] == Decimal("20.00")
