"""LookUpOrder when only Stripe knows whose payment it is: a refund or a dispute before the payment's event."""

from __future__ import annotations

import pytest

from tests.factories import create_order
from tests.unit.paid_orders import charge_event, dispute_event, order_row, pay, payment_event, refund_event
from ticketing.database import Database
from ticketing.errors import OrderMismatch, OrderNotFound
from ticketing.order_lookup import ForeignRefund, FoundOrder, SessionOfPayment, look_up_order


def test_a_refund_of_an_unknown_payment_is_found_by_the_sessions_metadata(database: Database) -> None:
    order = create_order(database)
    event = refund_event(database, order, "refund.created", 2000)
    asked: list[str] = []

    def find(payment_intent_id: str) -> SessionOfPayment:
        asked.append(payment_intent_id)
        return SessionOfPayment(session_id=session_of_order(database, order), order_reference=str(order))

    found = look_up_order(database, event, find_session=find)
    assert isinstance(found, FoundOrder)
    assert found.order_id == order
    assert asked == [event.payment_intent_id]


def test_a_dispute_of_an_unknown_payment_is_found_by_the_session_itself(database: Database) -> None:
    order = create_order(database)
    session = SessionOfPayment(
        session_id=order_row(database, order)["stripe_checkout_session_id"], order_reference=None
    )
    event = dispute_event(database, order, "charge.dispute.created")
    assert look_up_order(database, event, find_session=lambda _: session).order_id == order


def test_a_refund_of_something_else_that_the_account_sells_is_foreign(database: Database) -> None:
    event = refund_event(database, create_order(database), "refund.created", 2000)
    foreign = SessionOfPayment(session_id="cs_test_shirt", order_reference="shirt-12")
    for session in (None, foreign):
        found = look_up_order(database, event, find_session=lambda _, session=session: session)  # type: ignore[misc]
        assert found == ForeignRefund()


def test_stripe_is_not_asked_when_the_order_can_be_found_without(database: Database) -> None:
    def never(_: str) -> SessionOfPayment | None:
        raise AssertionError("Stripe was asked")

    order = create_order(database)
    pay(database, order)
    event = refund_event(database, order, "refund.created", 2000)
    assert look_up_order(database, event, find_session=never).order_id == order
    assert look_up_order(database, payment_event(database, order), find_session=never).order_id == order
    unknown = refund_event(database, order, "refund.created", 2000, metadata={"order_id": "999999"})
    with pytest.raises(OrderNotFound):
        look_up_order(database, unknown, find_session=never)


def session_of_order(database: Database, order: int) -> str:
    return str(order_row(database, order)["stripe_checkout_session_id"])


def test_a_waiting_order_is_not_ended_by_what_happens_to_another_sessions_payment(database: Database) -> None:
    """An OrderMismatch alert made an operator refund that payment; the buyer still pays in the order's own session."""
    order = create_order(database)
    other = SessionOfPayment(session_id="cs_test_other", order_reference=str(order))
    metadata = {"order_id": str(order)}
    for named in (metadata, {}):
        refund = refund_event(database, order, "refund.created", 2000, payment_intent="pi_other", metadata=named)
        assert look_up_order(database, refund, find_session=lambda _: other) == ForeignRefund()
    dispute = dispute_event(database, order, "charge.dispute.closed", payment_intent="pi_other", metadata=metadata)
    with pytest.raises(OrderMismatch, match="cs_test_other"):
        look_up_order(database, dispute, find_session=lambda _: other)


def test_a_waiting_orders_own_refund_before_its_payment_is_its_own(database: Database) -> None:
    order = create_order(database)
    own = SessionOfPayment(session_id=session_of_order(database, order), order_reference=str(order))
    event = refund_event(database, order, "refund.created", 2000, metadata={"order_id": str(order)})
    found = look_up_order(database, event, find_session=lambda _: own)
    assert found.order_id == order


def test_a_payment_made_outside_checkout_is_not_the_waiting_orders(database: Database) -> None:
    """Another application of the Stripe account numbers what it sells, too."""
    order = create_order(database)
    metadata = {"order_id": str(order)}
    refund = charge_event(database, order, 1500, payment_intent="pi_app", metadata=metadata)
    assert look_up_order(database, refund, find_session=lambda _: None) == ForeignRefund()
    dispute = dispute_event(database, order, "charge.dispute.created", payment_intent="pi_app", metadata=metadata)
    with pytest.raises(OrderMismatch, match="not made in Checkout"):
        look_up_order(database, dispute, find_session=lambda _: None)
