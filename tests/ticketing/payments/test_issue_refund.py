"""Automatic and ordered refunds, against a real MariaDB and the Stripe stand-in."""

from __future__ import annotations

import pytest
import stripe

from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_order, create_ticket
from tests.ticketing.paid_orders import (
    charge_event,
    dispute_event,
    order_row,
    pay,
    refund_event,
    refunded,
    seats,
    status,
)
from ticketing.database import Database
from ticketing.errors import (
    DuplicatePayment,
    PaidButSoldOut,
    PaymentForClosedOrder,
    RefundFailed,
    StripeUnavailable,
)
from ticketing.payments import ledger
from ticketing.payments.disputes import record_dispute
from ticketing.payments.issue_refund import PartRefund, refund_payment, refundable_payments
from ticketing.payments.refunds import record_refund
from ticketing.stripe.refunds import StripeRefunds


def paid_at_stripe(stand_in: StripeStandIn, order: int, amount: int = 2000) -> str:
    """A payment of the order that Stripe has taken; gives its PaymentIntent."""
    session = stand_in.seed_session(SessionSeed(amount_total=amount, metadata={"order_id": str(order)}))
    return str(stand_in.session(session)["payment_intent"])


def went_back(database: Database, order: int) -> dict[str, int]:
    """What went back of each payment of an order, where anything did."""
    with database.transaction() as tx:
        return {p.payment_key: p.refunded_minor for p in ledger.payments_of(tx, order) if p.refunded_minor}


def twice_paid(database: Database, stand_in: StripeStandIn) -> tuple[int, str, str]:
    order = create_order(database)
    first, second = paid_at_stripe(stand_in, order), paid_at_stripe(stand_in, order)
    pay(database, order, payment_intent=first)
    with pytest.raises(DuplicatePayment):
        pay(database, order, payment_intent=second)
    return order, first, second


def test_the_second_payment_goes_back_once_however_often_it_is_asked(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order, _, second = twice_paid(database, stand_in)
    made = [refund_payment(database, StripeRefunds(api), order, payment_key=second) for _ in range(3)]
    assert made[0] == made[1] == made[2]
    assert (made[0].amount_minor, made[0].currency, made[0].amount) == (2000, "eur", "20.00 EUR")
    assert len(api.v1.refunds.list().data) == 1
    assert (status(database, order), seats(database, order)) == ("paid", (1, 0))
    assert pay(database, order, payment_intent=second).status == "refunded"  # recorded at once: no second alert


def test_the_refunds_own_events_find_everything_done(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order, first, _ = twice_paid(database, stand_in)
    made = refund_payment(database, StripeRefunds(api), order)
    before = order_row(database, order)
    assert made.refund_id is not None
    refund = api.v1.refunds.retrieve(made.refund_id)
    assert refund.metadata is not None
    assert refund.metadata["order_id"] == str(order)
    payment = refund.payment_intent
    record_refund(
        database,
        order,
        refund_event(database, order, "refund.created", 2000, id=refund.id, payment_intent=payment),
    )
    record_refund(database, order, charge_event(database, order, 2000, payment_intent=payment))
    assert order_row(database, order) == before
    assert before["stripe_payment_intent_id"] == first


def test_a_payment_for_gone_seats_goes_back(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order = create_order(database, hold=False, status="expired", ticket_id=create_ticket(database, max_quantity=0))
    payment = paid_at_stripe(stand_in, order)
    with pytest.raises(PaidButSoldOut):
        pay(database, order, payment_intent=payment)
    assert [known.payment_key for known in refundable_payments(database, order)] == [payment]
    refund_payment(database, StripeRefunds(api), order)
    assert refundable_payments(database, order) == []
    assert (status(database, order), str(refunded(database, order))) == ("expired", "20.00")
    with pytest.raises(RefundFailed, match="not exactly one payment"):
        refund_payment(database, StripeRefunds(api), order)


def test_what_was_refunded_in_the_dashboard_before_is_a_success_and_is_recorded(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order, _, second = twice_paid(database, stand_in)
    for amount in (500, 1500):
        api.v1.refunds.create({"payment_intent": second, "amount": amount})
    made = refund_payment(database, StripeRefunds(api), order, payment_key=second)
    assert made.amount_minor == 2000
    assert went_back(database, order) == {second: 2000}
    assert refunded(database, order) == 0


def test_the_payment_that_pays_the_order_goes_back_only_when_that_is_meant(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order, first, second = twice_paid(database, stand_in)
    with pytest.raises(RefundFailed, match="pays order"):
        refund_payment(database, StripeRefunds(api), order, payment_key=first)
    refund_payment(database, StripeRefunds(api), order, payment_key=first, accepted_too=True)
    assert (status(database, order), order_row(database, order)["stripe_payment_intent_id"]) == ("paid", second)
    # An alert of before still says that the second one is a duplicate. It is not any more.
    with pytest.raises(RefundFailed, match="pays order"):
        refund_payment(database, StripeRefunds(api), order, payment_key=second)


def test_a_refund_that_failed_later_is_made_anew(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order, _, second = twice_paid(database, stand_in)
    first_try = refund_payment(database, StripeRefunds(api), order, payment_key=second)
    assert first_try.refund_id is not None
    stand_in.finish_refund(first_try.refund_id, status="failed")
    failed = refund_event(
        database, order, "refund.failed", 2000, id=first_try.refund_id, payment_intent=second, status="failed"
    )
    with pytest.raises(RefundFailed):
        record_refund(database, order, failed)
    second_try = refund_payment(database, StripeRefunds(api), order, payment_key=second)
    assert second_try.refund_id != first_try.refund_id
    assert went_back(database, order) == {second: 2000}
    assert refunded(database, order) == 0


def test_what_stripe_refuses_is_a_failed_refund_and_what_may_pass_is_tried_again(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order, _, second = twice_paid(database, stand_in)
    stand_in.fail_next(1, status=500, path_prefix="/v1/refunds", when="after")
    with pytest.raises(StripeUnavailable):
        refund_payment(database, StripeRefunds(api), order, payment_key=second)
    other, _, disputed = twice_paid(database, stand_in)
    stand_in.open_dispute(disputed)
    with pytest.raises(RefundFailed, match="charge_disputed"):
        refund_payment(database, StripeRefunds(api), other, payment_key=disputed)
    with pytest.raises(RefundFailed, match="has no payment"):
        refund_payment(database, StripeRefunds(api), other, payment_key="pi_other")


def test_a_refusal_or_an_error_that_stripe_keeps_for_a_day_does_not_stand_in_the_way(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order, _, failed = twice_paid(database, stand_in)
    stand_in.fail_next(1, status=500, path_prefix="/v1/refunds", when="inside")
    with pytest.raises(StripeUnavailable):
        refund_payment(database, StripeRefunds(api), order, payment_key=failed)
    assert refund_payment(database, StripeRefunds(api), order, payment_key=failed).amount_minor == 2000
    other, _, disputed = twice_paid(database, stand_in)
    stand_in.open_dispute(disputed)
    with pytest.raises(RefundFailed, match="charge_disputed"):
        refund_payment(database, StripeRefunds(api), other, payment_key=disputed)
    stand_in.close_dispute(disputed, status="won")
    made = refund_payment(database, StripeRefunds(api), other, payment_key=disputed)
    assert made.amount_minor == 2000
    again = refund_payment(database, StripeRefunds(api), other, payment_key=disputed)
    assert (again.refund_id, again.amount_minor) == (made.refund_id, 2000)
    assert [refund["amount"] for refund in refunds_of(api, disputed)] == [2000]


def refunds_of(api: stripe.StripeClient, payment: str) -> list[stripe.Refund]:
    return api.v1.refunds.list(params={"payment_intent": payment}).data


def test_an_order_that_cost_nothing_has_nothing_to_refund(database: Database, api: stripe.StripeClient) -> None:
    order = create_order(database, hold=False, status="cancelled", unit_price=0)
    with pytest.raises(PaymentForClosedOrder):
        pay(database, order, payment_intent=None, payment_status="no_payment_required")
    made = refund_payment(database, StripeRefunds(api), order)
    assert (made.refund_id, made.amount_minor) == (None, 0)


# --- Answered at once, and on its way --------------------------------------------------------------------------------


def test_a_refund_that_stripe_answers_as_failed_is_no_success(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order, _, second = twice_paid(database, stand_in)
    stand_in.set_refund_outcome(second, "fails_at_once")
    with pytest.raises(RefundFailed) as caught:
        refund_payment(database, StripeRefunds(api), order, payment_key=second)
    said = str(caught.value)
    assert "ended as failed" in said
    assert "the money did not reach the buyer" in said
    assert f"cachao refund {order} --payment {second}. That refunds 20.00 EUR." in said
    assert went_back(database, order) == {}
    # A repeat is a new refund at Stripe, not the answer of before.
    stand_in.set_refund_outcome(second, "succeeds")
    assert refund_payment(database, StripeRefunds(api), order, payment_key=second).status == "succeeded"
    assert went_back(database, order) == {second: 2000}


def test_a_refund_on_its_way_is_told_as_such(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order, _, second = twice_paid(database, stand_in)
    stand_in.set_refund_outcome(second, "requires_action")
    assert refund_payment(database, StripeRefunds(api), order, payment_key=second).status == "requires_action"


@pytest.mark.parametrize("known", [True, False])
def test_a_disputed_payment_is_not_to_be_refunded_in_any_way(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient, known: bool
) -> None:
    order, _, second = twice_paid(database, stand_in)
    stand_in.open_dispute(second)
    if known:
        event = dispute_event(database, order, "charge.dispute.created", payment_intent=second)
        record_dispute(database, order, event)
    with pytest.raises(RefundFailed) as caught:
        refund_payment(database, StripeRefunds(api), order, payment_key=second)
    said = str(caught.value)
    assert "charge_disputed" in said
    assert "do not refund it and do not pay the buyer in another way" in said
    assert "cachao refund" not in said


# --- A part ----------------------------------------------------------------------------------------------------


def test_a_part_goes_back_once_and_the_order_stays(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order = create_order(database, quantity=2)
    payment = paid_at_stripe(stand_in, order, 4000)
    pay(database, order, payment_intent=payment)
    part = PartRefund(amount_minor=1250, refunded_minor=0)
    made = refund_payment(database, StripeRefunds(api), order, payment_key=payment, part=part)
    assert (made.amount, made.status) == ("12.50 EUR", "succeeded")
    assert (status(database, order), seats(database, order)) == ("paid", (2, 0))
    assert str(refunded(database, order)) == "12.50"
    # Asked again by somebody who saw the books of before: refused, and nothing goes back twice.
    with pytest.raises(RefundFailed, match=r"12\.50 EUR of it is refunded, not 0\.00 EUR"):
        refund_payment(database, StripeRefunds(api), order, payment_key=payment, part=part)
    again = PartRefund(amount_minor=1250, refunded_minor=1250)
    refund_payment(database, StripeRefunds(api), order, payment_key=payment, part=again)
    assert str(refunded(database, order)) == "25.00"
    assert [refund["amount"] for refund in refunds_of(api, payment)] == [1250, 1250]
    # All the rest, the last of several parts, ends the order.
    refund_payment(database, StripeRefunds(api), order, payment_key=payment, accepted_too=True)
    assert (status(database, order), seats(database, order)) == ("refunded", (0, 0))


def test_a_part_whose_answer_was_lost_goes_back_once(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient
) -> None:
    order = create_order(database, quantity=2)
    payment = paid_at_stripe(stand_in, order, 4000)
    pay(database, order, payment_intent=payment)
    part = PartRefund(amount_minor=1250, refunded_minor=0)
    stand_in.fail_next(1, status="reset", path_prefix="/v1/refunds", when="after")
    with pytest.raises(StripeUnavailable):
        refund_payment(database, StripeRefunds(api), order, payment_key=payment, part=part)
    refund_payment(database, StripeRefunds(api), order, payment_key=payment, part=part)
    assert [refund["amount"] for refund in refunds_of(api, payment)] == [1250]


@pytest.mark.parametrize("amount", [0, -5, 4000, 4001])
def test_what_is_no_part_is_refused(
    database: Database, stand_in: StripeStandIn, api: stripe.StripeClient, amount: int
) -> None:
    order = create_order(database, quantity=2)
    payment = paid_at_stripe(stand_in, order, 4000)
    pay(database, order, payment_intent=payment)
    with pytest.raises(RefundFailed, match="is not a part of that"):
        refund_payment(
            database,
            StripeRefunds(api),
            order,
            payment_key=payment,
            part=PartRefund(amount_minor=amount, refunded_minor=0),
        )
    assert went_back(database, order) == {}
