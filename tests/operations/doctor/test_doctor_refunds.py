"""The doctor sees that money went back, also by Stripe's dashboard alone; and a replay makes no failure younger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cachao.aws import stripe_access
from cachao.aws.environment import Environment
from cachao.doctor import recent_executions, refunds_at_stripe
from local.stripe_stand_in.seeding import SessionSeed
from tests.factories import create_order, envelope, names_of, row_of
from tests.operations.conftest import Cachao, paid_event, set_total
from tests.operations.doctor.patients import Causes, Patient
from tests.workflow.conftest import Ended, Run

ALONE = "settled only in Stripe's dashboard"


def paid_at_stripe(patient: Patient, amount: int = 2000) -> dict[str, Any]:
    """A session that Stripe knows, paid, with a PaymentIntent."""
    session: dict[str, Any] = patient.stripe.session(patient.stripe.seed_session(SessionSeed(amount_total=amount)))
    return session


def refund(environment: Environment, session: dict[str, Any], amount: int) -> None:
    """As somebody does in Stripe's dashboard."""
    client = stripe_access.client(environment)
    client.v1.refunds.create(params={"payment_intent": session["payment_intent"], "amount": amount})


@pytest.fixture
def foreign(patient: Patient, run: Run) -> dict[str, Any]:
    """A payment without an order."""
    session = paid_at_stripe(patient)
    assert run(envelope("checkout.session.completed", session)).error == "OrderNotFound"
    return session


def test_a_payment_without_order_is_over_once_all_of_it_was_refunded(
    environment: Environment, causes: Causes, foreign: dict[str, Any]
) -> None:
    found = causes(recent_executions.LINK)["order_id_missing"]
    assert "all of it was refunded" in found.todo
    assert ALONE not in found.todo
    refund(environment, foreign, 1999)
    assert set(causes(recent_executions.LINK)) == {"order_id_missing"}
    refund(environment, foreign, 1)
    assert causes(recent_executions.LINK) == {}


def test_a_mismatch_is_over_once_its_payment_was_refunded(
    patient: Patient, environment: Environment, causes: Causes, run: Run
) -> None:
    session = paid_at_stripe(patient)
    order_id = create_order(patient.database, stripe_checkout_session_id=session["id"])
    session["metadata"] = names_of(row_of(patient.database, "ticket_orders", order_id))
    set_total(patient.database, order_id, 21)
    assert run(envelope("checkout.session.completed", session)).error == "AmountMismatch"
    assert ALONE not in causes(recent_executions.LINK)["executions_failing"].todo
    refund(environment, session, 2000)
    assert causes(recent_executions.LINK) == {}


def test_what_the_shop_knows_of_a_payment_counts_for_more_than_stripe(
    patient: Patient, environment: Environment, causes: Causes, run: Run
) -> None:
    session = paid_at_stripe(patient)
    order_id = create_order(patient.database)
    assert run(paid_event(patient.database, order_id)).status == "SUCCEEDED"
    own = {"id": session["id"], "payment_intent": session["payment_intent"]}
    assert run(paid_event(patient.database, order_id, **own)).error == "DuplicatePayment"
    # Its refund's event is lost: the order's records are wrong, and that is to be told.
    refund(environment, session, 2000)
    assert set(causes(recent_executions.LINK)) == {"executions_failing"}


@pytest.mark.parametrize("status", [403, 500])
def test_where_stripe_does_not_say_it_stays_open_and_says_why(
    patient: Patient, environment: Environment, causes: Causes, foreign: dict[str, Any], status: int
) -> None:
    refund(environment, foreign, 2000)
    patient.stripe.fail_next(3, status=status, path_prefix="/v1/payment_intents")
    try:
        found = causes(recent_executions.LINK)
    finally:
        patient.stripe.clear_faults()
    assert ALONE in found["order_id_missing"].todo


def test_without_a_key_it_stays_open(environment: Environment, causes: Causes, foreign: dict[str, Any]) -> None:
    refund(environment, foreign, 2000)
    environment.parameters["StripeSecretArn"] = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-AbCdEf"
    assert ALONE in causes(recent_executions.LINK)["order_id_missing"].todo


def test_stripe_is_asked_about_so_many_payments_at_most(
    patient: Patient, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refunds_at_stripe, "_MOST", 1)
    intents = [str(paid_at_stripe(patient)["payment_intent"]) for _ in range(2)]
    assert refunds_at_stripe.went_back(environment, ["pi_unknown"]) == {}
    assert refunds_at_stripe.went_back(environment, intents) == {intents[0]: False}


# --- Age -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def an_old_one(patient: Patient, mismatched: tuple[int, Ended], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """A failure that is out of sight: only what begins from now on is looked at."""
    now = datetime.now(UTC)

    class _Now:
        @staticmethod
        def now(_zone: object) -> datetime:
            return now

    monkeypatch.setattr(recent_executions, "datetime", _Now)
    return mismatched[0], mismatched[1].name


def test_a_replay_that_fails_again_is_as_old_as_its_original(
    cachao: Cachao, causes: Causes, an_old_one: tuple[int, str]
) -> None:
    _, name = an_old_one
    assert causes(recent_executions.LINK) == {}
    for _ in range(2):
        cachao("replay", name, "--yes")
        assert causes(recent_executions.LINK) == {}


def test_a_replay_that_fails_otherwise_is_a_new_failure(
    patient: Patient, cachao: Cachao, causes: Causes, an_old_one: tuple[int, str]
) -> None:
    order_id, name = an_old_one
    with patient.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET stripe_checkout_session_id = 'cs_test_other' WHERE id = %s", order_id)
    cachao("replay", name, "--yes")
    found = causes(recent_executions.LINK)
    assert "OrderMismatch" in found["executions_failing"].says


def test_what_failed_long_ago_waits_and_what_fails_now_does_not(
    patient: Patient, causes: Causes, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = paid_event(patient.database, create_order(patient.database))
    event["detail"]["object"] = "no event"
    assert run(event).error == "InvalidEvent"
    assert causes(recent_executions.LINK)["executions_failing"].waits
    monkeypatch.setattr(recent_executions, "_OF_ONE_PAYMENT", frozenset())
    assert not causes(recent_executions.LINK)["executions_failing"].waits
    monkeypatch.setattr(recent_executions, "_OF_NOW", timedelta(hours=-1))
    assert causes(recent_executions.LINK)["executions_failing"].waits
