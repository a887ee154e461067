"""Disputes against a real MariaDB: each is recorded and told; a lost one is a refund of the whole payment."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.factories import create_order
from tests.ticketing.paid_orders import dispute, dispute_event, entries, pay, refund_charge, refunded, seats
from ticketing.database import Database
from ticketing.errors import DuplicatePayment, OrderNotFound
from ticketing.payments.disputes import record_dispute
from ticketing.payments.lookup import look_up_order


def test_an_opened_dispute_is_recorded_and_told(database: Database) -> None:
    order = create_order(database)
    pay(database, order)
    told = dispute(database, order, "charge.dispute.created")
    assert (told.alert, told.status, told.changed) == ("DisputeOpened", "paid", False)
    assert f"order {order}" in told.sentence
    assert "20.00 EUR" in told.sentence
    assert "dispute_opened" in entries(database, order)


@pytest.mark.parametrize(
    ("closed_as", "alert"),
    [("won", "DisputeWon"), ("warning_closed", "DisputeWon"), ("prevented", "DisputeClosed")],
)
def test_a_dispute_that_is_not_lost_leaves_the_order_paid(database: Database, closed_as: str, alert: str) -> None:
    order = create_order(database)
    pay(database, order)
    told = dispute(database, order, "charge.dispute.closed", status=closed_as)
    assert (told.alert, told.status) == (alert, "paid")
    assert seats(database, order) == (1, 0)


@pytest.mark.parametrize(
    ("status", "alert", "says"),
    [
        ("needs_response", "DisputeOpened", "the bank holds the money back"),
        ("warning_needs_response", "DisputeOpened", "it is an inquiry, and the money is still with the shop"),
        ("lost", "DisputeLost", "the money went back"),  # SEPA: decided when it is opened
        ("prevented", "DisputeClosed", "whether the money went back"),
    ],
)
def test_the_status_says_what_a_new_dispute_is(database: Database, status: str, alert: str, says: str) -> None:
    order = create_order(database)
    pay(database, order)
    told = dispute(database, order, "charge.dispute.created", status=status)
    assert (told.alert, told.status) == (alert, "refunded" if alert == "DisputeLost" else "paid")
    assert says in told.sentence
    # And once it is closed, nothing more happens.
    assert dispute(database, order, "charge.dispute.closed", status="lost").changed is (alert != "DisputeLost")


def test_a_lost_dispute_ends_the_order_and_gives_its_counts_back_once(database: Database) -> None:
    order = create_order(database)
    pay(database, order)
    for number in range(2):
        told = dispute(database, order, "charge.dispute.closed", status="lost")
        assert (told.alert, told.status, told.changed) == ("DisputeLost", "refunded", number == 0)
    assert (seats(database, order), refunded(database, order)) == ((0, 0), Decimal("20.00"))
    assert refund_charge(database, order, 2000).changed is False
    assert refunded(database, order) == Decimal("20.00")


def test_a_lost_dispute_counts_as_the_whole_payment_whatever_its_amount(database: Database) -> None:
    order = create_order(database)
    pay(database, order)
    refund_charge(database, order, 500)
    assert dispute(database, order, "charge.dispute.closed", status="lost", amount=1500).status == "refunded"
    assert refunded(database, order) == Decimal("20.00")


def test_a_lost_dispute_of_one_of_two_payments_leaves_the_ticket_valid(database: Database) -> None:
    order = create_order(database)
    pay(database, order)
    with pytest.raises(DuplicatePayment):
        pay(database, order, payment_intent="pi_second")
    told = dispute(database, order, "charge.dispute.closed", status="lost")
    assert (told.alert, told.status) == ("DisputeLost", "paid")


def test_a_lost_dispute_before_the_payment_event_ends_the_order(database: Database) -> None:
    order = create_order(database)
    event = dispute_event(database, order, "charge.dispute.closed", status="lost")
    assert record_dispute(database, order, event).status == "refunded"
    assert pay(database, order).status == "refunded"
    assert seats(database, order) == (0, 0)


def test_a_dispute_of_a_payment_that_nobody_knows_is_no_order(database: Database) -> None:
    order = create_order(database)
    event = dispute_event(database, order, "charge.dispute.created", payment_intent="pi_unknown")
    with pytest.raises(OrderNotFound, match="pi_unknown"):
        look_up_order(database, event, find_session=lambda _: None)


@pytest.mark.parametrize(
    ("closed_as", "alert", "order_is"), [("won", "DisputeWon", "paid"), ("lost", "DisputeLost", "refunded")]
)
def test_an_opening_that_is_told_after_the_end_is_nothing_to_answer(
    database: Database, closed_as: str, alert: str, order_is: str
) -> None:
    order = create_order(database)
    pay(database, order)
    dispute(database, order, "charge.dispute.closed", status=closed_as)
    late = dispute(database, order, "charge.dispute.created")
    assert (late.alert, late.status) == (alert, order_is)
    assert f"it has ended since, and was {closed_as}. There is nothing to answer any more." in late.sentence
    other = dispute(database, order, "charge.dispute.created", id="dp_other")
    assert other.alert == "DisputeOpened"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"reason": "fraudulent", "evidence_details": {"due_by": 1796644800}},
            " The bank's reason: fraudulent. Answer it in Stripe's dashboard before 2026-12-07 12:00 UTC.",
        ),
        ({"reason": None, "evidence_details": {"due_by": None}}, "before its deadline."),
        ({"reason": ["x"], "evidence_details": {"due_by": "soon"}}, "before its deadline."),
        ({"reason": "jo@example.com", "evidence_details": []}, " The bank's reason: ?. Answer it"),
        ({"reason": "general", "evidence_details": {"due_by": 10**20}}, "before its deadline."),
    ],
)
def test_it_says_why_and_until_when_as_far_as_that_can_be_read(
    database: Database, fields: dict[str, Any], says: str
) -> None:
    order = create_order(database)
    pay(database, order)
    assert says in dispute(database, order, "charge.dispute.created", **fields).sentence
