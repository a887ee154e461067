"""What an alert tells a person to do fits what happened to the money."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import InvokeResult, function_error
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Proceed
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_order, create_ticket, dispute_of, envelope, refund_of
from tests.workflow.conftest import Run
from tests.workflow.scenarios import Scene, with_automatic_refund
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def scene(cloud: LocalCloud, database: Database, run: Run, stripe_stand_in: StripeStandIn) -> Scene:
    return Scene(cloud, database, run, stripe_stand_in)


@pytest.mark.parametrize("refunds", [False, True], ids=["refunds by hand", "refunds by itself"])
def test_what_was_free_is_not_to_be_refunded(scene: Scene, alerts: Alerts, refunds: bool) -> None:
    ticket_id = create_ticket(scene.database, max_quantity=1)
    order = scene.pending(
        ticket_id=ticket_id, hold=False, status="expired", unit_price=Decimal(0), total_amount=Decimal(0)
    )
    create_order(scene.database, ticket_id=ticket_id)
    with scene.definition(with_automatic_refund) if refunds else contextlib.nullcontext():
        ended = scene.complete(order, payment_status="no_payment_required", payment_intent=None)
    assert (ended.status, ended.error) == ("FAILED", "PaidButSoldOut"), ended.cause
    [alert] = alerts()
    assert "\nWas money taken: no, the order was free\n" in alert["Message"]
    assert "\nWhat to do now: refund nothing: nothing was paid." in alert["Message"]


def test_what_was_paid_is_to_be_refunded(scene: Scene, alerts: Alerts) -> None:
    order = scene.pending(hold=False, status="cancelled")
    scene.complete(order, payment_intent="pi_late")
    [alert] = alerts()
    assert "\nWas money taken: yes, 20.00 EUR\n" in alert["Message"]
    refund = f"\nWhat to do now: refund the buyer: cachao refund {order['id']} --payment pi_late."
    assert f"{refund} Then close the case: cachao replay " in alert["Message"]


def test_an_order_that_was_found_by_its_session_is_named_everywhere(scene: Scene, alerts: Alerts) -> None:
    order = scene.pending()
    scene.complete(order, amount_total=1999, metadata={})
    [alert] = alerts()
    assert alert["Subject"].endswith(f": AmountMismatch - order {order['id']}")
    assert f"\nOrder: {order['id']}\n" in alert["Message"]
    assert alert["MessageAttributes"]["order"]["Value"] == str(order["id"])


def test_a_refused_event_says_what_it_is_about_as_far_as_it_can_be_read(scene: Scene, alerts: Alerts) -> None:
    order = scene.pending()
    scene.complete(order, payment_status="perhaps", payment_intent="pi_read")
    [alert] = alerts()
    assert "InvalidEvent" in alert["Subject"]
    for line in (
        f"Order: {order['id']}",
        f"Checkout Session: {order['stripe_checkout_session_id']}",
        "Payment: pi_read",
    ):
        assert f"\n{line}\n" in alert["Message"]


@pytest.mark.parametrize("metadata", [{}, {"order_id": "999999999"}])
def test_a_dispute_about_no_order_is_to_be_answered_not_refunded(
    scene: Scene, run: Run, alerts: Alerts, metadata: dict[str, str]
) -> None:
    order = scene.pending()
    dispute = dispute_of(order, payment_intent="pi_foreign", metadata=metadata)
    ended = run(envelope("charge.dispute.created", dispute))
    assert ended.error == "OrderNotFound", ended.cause
    [alert] = alerts()
    assert (
        "\nWhat to do now: bring its payment through (run: cachao reconcile --since DATE), then answer it before"
        in alert["Message"]
    )
    assert "refund it" not in alert["Message"]
    assert "\nWas money taken: yes, earlier; this event is about its dispute\n" in alert["Message"]


def test_a_dispute_says_why_and_until_when(scene: Scene, run: Run, alerts: Alerts) -> None:
    order = scene.pending()
    scene.complete(order, payment_intent="pi_disputed")
    why = {"reason": "fraudulent", "evidence_details": {"due_by": 1796644800}}
    dispute = dispute_of(order, payment_intent="pi_disputed", **why)
    assert run(envelope("charge.dispute.created", dispute)).status == "SUCCEEDED"
    [alert] = alerts()
    assert " the bank holds the money now. The bank's reason: fraudulent." in alert["Message"]
    assert (
        "\nWhat to do now: answer it before 2026-12-07 12:00 UTC, or accept it: cachao dispute dp_" in alert["Message"]
    )
    assert "\nPayment: pi_disputed\n" in alert["Message"]


def test_a_refund_that_failed_after_the_dispute_was_lost_invites_nobody_to_pay_again(
    scene: Scene, run: Run, alerts: Alerts
) -> None:
    order = scene.paid()
    run(envelope("refund.created", refund_of(order, amount=2000, status="pending")))
    run(envelope("charge.dispute.closed", dispute_of(order, status="lost")))
    failed = run(envelope("refund.failed", refund_of(order, amount=2000, status="failed")))
    assert (failed.status, failed.error) == ("FAILED", "RefundFailed")
    message = alerts()[-1]["Message"]
    assert (
        f"\nWhat to do now: nothing: all of it already went back, by the lost dispute dp_order{order['id']}." in message
    )
    assert "cachao refund" not in message
    assert "What to do now" not in message.split("\nWhat to do now")[0]


def test_a_payment_that_is_disputed_before_its_event_comes_is_not_to_be_refunded(
    scene: Scene, run: Run, alerts: Alerts
) -> None:
    order = scene.paid()
    second = {"id": "cs_test_second", "payment_intent": "pi_second"}
    run(envelope("charge.dispute.created", dispute_of(order, payment_intent="pi_second", metadata=names_of(order))))
    again = scene.complete(order, **second)
    assert again.error == "DuplicatePayment", again.cause
    message = alerts()[-1]["Message"]
    assert "\nWhat to do now: do not refund it and do not pay the buyer in another way" in message
    assert "cachao refund" not in message


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        ("fails_at_once", "the automatic refund failed (RefundFailed). Refund re_"),
        ("succeeds_late", "tell the buyer. The automatic refund is under way (re_"),
        ("succeeds", "tell the buyer. The payment was refunded automatically (re_"),
    ],
)
def test_an_automatic_refund_is_told_as_it_ended(
    scene: Scene, alerts: Alerts, stripe_stand_in: StripeStandIn, outcome: Any, says: str
) -> None:
    order = scene.paid()
    seed = SessionSeed(amount_total=2000, metadata=names_of(order))
    session = stripe_stand_in.session(stripe_stand_in.seed_session(seed))
    stripe_stand_in.set_refund_outcome(session["payment_intent"], outcome)
    with scene.definition(with_automatic_refund):
        ended = scene.complete(order, id=session["id"], payment_intent=session["payment_intent"])
    assert ended.error == "DuplicatePayment", ended.cause
    message = alerts()[-1]["Message"]
    assert f"\nWhat to do now: {says}" in message
    assert ("tell the buyer" in message.lower()) is (outcome != "fails_at_once")


def names_of(order: Any) -> dict[str, str]:
    """What the shop writes on a session and its PaymentIntent."""
    return {"order_id": str(order["id"]), "order_mark": str(order["order_mark"])}


def test_an_outage_is_replayed_once_for_all(scene: Scene, alerts: Alerts) -> None:
    order = scene.pending()

    def away(_invocation: Invocation, _proceed: Proceed) -> InvokeResult:
        return function_error("DatabaseUnavailable", "The database is away.")

    with scene.answering("MarkOrderPaidFunction", away):
        assert scene.complete(order).error == "DatabaseUnavailable"
    [alert] = alerts()
    assert "cachao replay --failed --since 2d --error DatabaseUnavailable\n" in alert["Message"]
    assert "cachao doctor" in alert["Message"]
