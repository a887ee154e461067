"""LookUpOrder when only Stripe knows whose payment it is: a refund or a dispute before the payment's event."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import create_order, session_of
from tests.ticketing.paid_orders import (
    charge_event,
    dispute_event,
    order_row,
    pay,
    payment_event,
    refund_charge,
    refund_event,
    seats,
    status,
)
from ticketing.database import Database
from ticketing.errors import OrderNotFound
from ticketing.payments.disputes import record_dispute
from ticketing.payments.lookup import Foreign, FoundOrder, look_up_order
from ticketing.payments.refunds import record_refund
from ticketing.stripe.objects import SessionIdentity, identity_of


def test_a_refund_of_an_unknown_payment_is_found_by_the_sessions_metadata(database: Database) -> None:
    order = create_order(database)
    event = refund_event(database, order, "refund.created", 2000)
    asked: list[str] = []

    def find(payment_intent_id: str) -> SessionIdentity:
        asked.append(payment_intent_id)
        return SessionIdentity(session_id=session_of_order(database, order), order_reference=str(order))

    found = look_up_order(database, event, find_session=find)
    assert isinstance(found, FoundOrder)
    assert found.order_id == order
    assert asked == [event.payment_intent_id]


def test_a_dispute_of_an_unknown_payment_is_found_by_the_session_itself(database: Database) -> None:
    order = create_order(database)
    session = SessionIdentity(session_id=order_row(database, order)["stripe_checkout_session_id"], order_reference=None)
    event = dispute_event(database, order, "charge.dispute.created")
    assert look_up_order(database, event, find_session=lambda _: session).order_id == order


def test_a_refund_of_something_else_that_the_account_sells_is_foreign(database: Database) -> None:
    event = refund_event(database, create_order(database), "refund.created", 2000)
    foreign = SessionIdentity(session_id="cs_test_shirt", order_reference="shirt-12")
    for session in (None, foreign):
        found = look_up_order(database, event, find_session=lambda _, session=session: session)  # type: ignore[misc]
        assert found == Foreign()


def test_stripe_is_not_asked_when_the_order_can_be_found_without(database: Database) -> None:
    def never(_: str) -> SessionIdentity | None:
        raise AssertionError("Stripe was asked")

    order = create_order(database)
    pay(database, order)
    event = refund_event(database, order, "refund.created", 2000)
    assert look_up_order(database, event, find_session=never).order_id == order
    assert look_up_order(database, payment_event(database, order), find_session=never).order_id == order


def session_identity(database: Database, order: int, session_id: str) -> SessionIdentity:
    """What Stripe says of another session that the shop opened for the order."""
    return identity_of(session_of(order_row(database, order), id=session_id))


def session_of_order(database: Database, order: int) -> str:
    return str(order_row(database, order)["stripe_checkout_session_id"])


def test_a_waiting_order_is_not_ended_by_what_happens_to_another_sessions_payment(database: Database) -> None:
    """An OrderMismatch alert made an operator refund that payment; the buyer still pays in the order's own session."""
    order = create_order(database)
    other = session_identity(database, order, "cs_test_other")
    metadata = {"order_id": str(order)}
    for named in (metadata, {}):
        event = charge_event(database, order, 2000, payment_intent="pi_other", metadata=named)
        assert look_up_order(database, event, find_session=lambda _: other).order_id == order
        assert record_refund(database, order, event).status == "pending"
    lost = dispute_event(
        database, order, "charge.dispute.closed", status="lost", payment_intent="pi_lost", metadata=metadata
    )
    third = session_identity(database, order, "cs_test_third")
    assert look_up_order(database, lost, find_session=lambda _: third).order_id == order
    assert record_dispute(database, order, lost).status == "pending"
    assert seats(database, order) == (0, 1)
    assert pay(database, order).status == "paid"


@pytest.mark.parametrize("taken_back_by", ["refund", "dispute"])
def test_money_that_went_back_before_its_payment_was_told_carries_no_ticket(
    database: Database, taken_back_by: str
) -> None:
    order = create_order(database)
    fields: dict[str, Any] = {"payment_intent": "pi_other", "metadata": {"order_id": str(order)}}
    other = session_identity(database, order, "cs_test_other")
    if taken_back_by == "refund":
        refund = refund_event(database, order, "refund.created", 2000, **fields)
        look_up_order(database, refund, find_session=lambda _: other)
        record_refund(database, order, refund)
    else:
        dispute = dispute_event(database, order, "charge.dispute.closed", status="lost", **fields)
        look_up_order(database, dispute, find_session=lambda _: other)
        record_dispute(database, order, dispute)
    pay(database, order)
    # No duplicate that somebody has to refund: that has happened.
    assert pay(database, order, id="cs_test_other", payment_intent="pi_other").status == "refunded"
    assert status(database, order) == "paid"
    refund_charge(database, order, 2000)
    assert (status(database, order), seats(database, order)) == ("refunded", (0, 0))


def test_what_is_of_another_order_is_not_this_orders(database: Database) -> None:
    order = create_order(database)
    strange = SessionIdentity(session_id="cs_test_app", order_reference="shirt-12")
    metadata = {"order_id": str(order)}
    event = charge_event(database, order, 2000, payment_intent="pi_app", metadata=metadata)
    assert look_up_order(database, event, find_session=lambda _: strange) == Foreign()
    dispute = dispute_event(database, order, "charge.dispute.closed", payment_intent="pi_app", metadata=metadata)
    with pytest.raises(OrderNotFound, match="cs_test_app"):
        look_up_order(database, dispute, find_session=lambda _: strange)


def test_a_waiting_orders_own_refund_before_its_payment_is_its_own(database: Database) -> None:
    order = create_order(database)
    own = SessionIdentity(session_id=session_of_order(database, order), order_reference=str(order))
    event = refund_event(database, order, "refund.created", 2000, metadata={"order_id": str(order)})
    found = look_up_order(database, event, find_session=lambda _: own)
    assert found.order_id == order


def test_a_payment_made_outside_checkout_is_not_the_waiting_orders(database: Database) -> None:
    """Another application of the Stripe account numbers what it sells, too."""
    order = create_order(database)
    metadata = {"order_id": str(order)}
    refund = charge_event(database, order, 1500, payment_intent="pi_app", metadata=metadata)
    assert look_up_order(database, refund, find_session=lambda _: None) == Foreign()
    dispute = dispute_event(database, order, "charge.dispute.created", payment_intent="pi_app", metadata=metadata)
    with pytest.raises(OrderNotFound, match="not made in Checkout"):
        look_up_order(database, dispute, find_session=lambda _: None)


@pytest.mark.parametrize("paid_by", ["its own payment", "hand"])
@pytest.mark.parametrize("session", [None, SessionIdentity(session_id="cs_test_app", order_reference="shirt-12")])
def test_a_foreign_refund_that_names_a_paid_order_is_not_that_orders(
    database: Database, paid_by: str, session: SessionIdentity | None
) -> None:
    order = create_order(database)
    if paid_by == "hand":
        with database.transaction() as tx:
            tx.change("UPDATE ticket_orders SET status = 'paid', paid_at = UTC_TIMESTAMP() WHERE id = %s", order)
    else:
        pay(database, order)
    event = charge_event(database, order, 2000, payment_intent="pi_app", metadata={"order_id": str(order)})
    assert look_up_order(database, event, find_session=lambda _: session) == Foreign()


def test_a_refund_of_an_order_that_was_marked_paid_by_hand_is_its_own(database: Database) -> None:
    order = create_order(database)
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = 'paid', paid_at = UTC_TIMESTAMP() WHERE id = %s", order)
    own = SessionIdentity(session_id=session_of_order(database, order), order_reference=None)
    event = charge_event(database, order, 2000, metadata={"order_id": str(order)})
    assert look_up_order(database, event, find_session=lambda _: own).order_id == order
    assert record_refund(database, order, event).status == "refunded"
