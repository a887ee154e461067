"""Paying, by card and by bank debit, refunds and disputes, and the events they make."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from local.stripe_stand_in import ApiError, PayResult, SessionSeed, StripeStandIn
from tests.local.stripe_stand_in.support import Bus, Clock

Make = Callable[..., Any]


@pytest.fixture
def paid(stand_in: StripeStandIn, bus: Bus, new_session: Make) -> PayResult:
    """A paid session, its event taken off the bus."""
    result = stand_in.pay(new_session().id)
    assert stand_in.wait_until_delivered()
    bus.envelopes.clear()
    return result


def test_paying_tells_the_event_bus_as_stripe_does(stand_in: StripeStandIn, bus: Bus, new_session: Make) -> None:
    session = new_session()
    result = stand_in.pay(session.id)

    assert (result.outcome, result.payment_status) == ("paid", "paid")
    assert result.redirect_url == f"https://shop.example.com/events/3?payment=success&session_id={session.id}"
    assert stand_in.wait_until_delivered()
    [envelope] = bus.envelopes
    assert envelope["source"] == f"aws.partner/stripe.com/{stand_in.destination.id}"
    assert envelope["source"].startswith("aws.partner/stripe.com/ed_test_")
    assert envelope["detail-type"] == envelope["detail"]["type"] == "checkout.session.completed"
    assert envelope["resources"] == [stand_in.destination.aws_event_source_arn]
    assert set(envelope) == {
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    }  # fmt: skip
    event = envelope["detail"]
    assert event["object"] == "event"
    assert event["id"].startswith("evt_")
    assert event["livemode"] is False
    assert event["request"] == {"id": None, "idempotency_key": None}
    snapshot = event["data"]["object"]
    assert (snapshot["id"], snapshot["payment_intent"]) == (session.id, result.payment_intent)
    assert (snapshot["status"], snapshot["payment_status"], snapshot["url"]) == ("complete", "paid", None)
    assert (snapshot["amount_total"], snapshot["currency"]) == (3000, "eur")
    assert snapshot["customer_details"]["email"] == "ana@example.com"


def test_events_can_be_read_by_the_api(
    stand_in: StripeStandIn,
    client: stripe.StripeClient,
    clock: Clock,
    new_session: Make,
) -> None:
    stand_in.pay(new_session().id)
    found = client.v1.events.list({"type": "checkout.session.completed"})
    assert len(found.data) == 1
    event_id = found.data[0].id
    assert client.v1.events.retrieve(event_id).to_dict() == found.data[0].to_dict()
    several = client.v1.events.list({"types": ["checkout.session.completed", "charge.succeeded"]})
    assert {event.type for event in several.data} == {"checkout.session.completed", "charge.succeeded"}

    clock.advance(31 * 24 * 3600)
    assert client.v1.events.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        client.v1.events.retrieve(event_id)


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("4000 0000 0000 9995", "card_declined", "insufficient_funds"),
        ("4000000000000002", "card_declined", "generic_decline"),
        ("4000000000000069", "expired_card", None),
        ("4111111111111111", "card_declined", "test_mode_live_card"),
        ("4242424242424241", "incorrect_number", None),
    ],
)
def test_a_declined_card_leaves_the_session_open(
    stand_in: StripeStandIn,
    client: stripe.StripeClient,
    bus: Bus,
    new_session: Make,
    card: str,
    code: str,
    decline_code: str | None,
) -> None:
    session = new_session()
    result = stand_in.pay(session.id, card)

    assert (result.outcome, result.redirect_url) == ("declined", None)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert result.payment_intent is not None
    intent = client.v1.payment_intents.retrieve(result.payment_intent, {"expand": ["latest_charge"]}).to_dict()
    assert intent["status"] == "requires_payment_method"
    assert intent["last_payment_error"]["code"] == code
    assert intent["last_payment_error"].get("decline_code") == decline_code
    assert intent["latest_charge"]["status"] == "failed"
    assert stand_in.wait_until_delivered()
    assert bus.types == []

    second = stand_in.pay(session.id)
    assert (second.outcome, second.payment_intent) == ("paid", result.payment_intent)


def test_a_session_over_nothing_needs_no_payment(
    stand_in: StripeStandIn,
    bus: Bus,
    client: stripe.StripeClient,
    new_session: Make,
) -> None:
    session = new_session(unit_amount=0)
    assert (session.amount_total, session.payment_status) == (0, "no_payment_required")

    result = stand_in.pay(session.id)

    assert (result.outcome, result.payment_status, result.payment_intent) == ("paid", "no_payment_required", None)
    assert client.v1.checkout.sessions.retrieve(session.id).payment_intent is None
    assert stand_in.wait_until_delivered()
    assert bus.types == ["checkout.session.completed"]


def test_of_twenty_threads_one_pays(stand_in: StripeStandIn, bus: Bus, new_session: Make) -> None:
    session = new_session()
    gate = threading.Barrier(20)

    def pay(_: int) -> str:
        gate.wait()
        return stand_in.pay(session.id).outcome

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(pay, range(20)))

    assert sorted(outcomes) == ["already_complete"] * 19 + ["paid"]
    assert stand_in.wait_until_delivered()
    assert bus.types == ["checkout.session.completed"]


@pytest.mark.parametrize(
    ("iban", "event", "payment_status"),
    [
        ("AT61 1904 3002 3457 3201", "checkout.session.async_payment_succeeded", "paid"),
        ("AT861904300235473202", "checkout.session.async_payment_failed", "unpaid"),
    ],
)
def test_a_debit_settles_by_itself(
    stand_in: StripeStandIn,
    bus: Bus,
    clock: Clock,
    client: stripe.StripeClient,
    new_session: Make,
    iban: str,
    event: str,
    payment_status: str,
) -> None:
    session = new_session()
    result = stand_in.pay(session.id, None, iban=iban)
    assert (result.outcome, result.payment_status) == ("processing", "unpaid")
    assert result.payment_intent is not None
    assert client.v1.payment_intents.retrieve(result.payment_intent).status == "processing"

    clock.advance(601)
    stand_in.run_due()

    assert stand_in.wait_until_delivered()
    assert bus.types == ["checkout.session.completed", event]
    [completed] = bus.objects("checkout.session.completed")
    [settled] = bus.objects(event)
    assert (completed["status"], completed["payment_status"]) == ("complete", "unpaid")
    assert (settled["status"], settled["payment_status"]) == ("complete", payment_status)
    assert settled["payment_intent"] == completed["payment_intent"]


@pytest.mark.parametrize("succeeded", [True, False])
def test_a_test_can_settle_a_debit_its_own_way(stand_in: StripeStandIn, new_session: Make, succeeded: bool) -> None:
    session = new_session()
    stand_in.pay(session.id, None, iban="AT321904300235473204")

    result = stand_in.settle(session.id, succeeded=succeeded)

    assert result.outcome == ("paid" if succeeded else "declined")
    with pytest.raises(ApiError, match="only a processing one can settle"):
        stand_in.settle(session.id)


def test_an_iban_that_is_no_test_account_is_refused(stand_in: StripeStandIn, new_session: Make) -> None:
    with pytest.raises(ApiError, match="IBAN"):
        stand_in.pay(new_session().id, None, iban="AT00")
    with pytest.raises(ApiError, match="does not accept SEPA"):
        stand_in.pay(new_session(currency="usd").id, None, iban="AT611904300234573201")


def test_adaptive_pricing_says_what_the_buyer_saw(
    stand_in: StripeStandIn,
    client: stripe.StripeClient,
    bus: Bus,
    new_session: Make,
) -> None:
    payment = str(stand_in.pay(new_session().id, convert_to="usd", fx_rate="1.0835").payment_intent)

    assert stand_in.wait_until_delivered()
    [session] = bus.objects("checkout.session.completed")
    seen = {"presentment_amount": 3251, "presentment_currency": "usd"}
    assert (session["amount_total"], session["currency"]) == (3000, "eur")
    assert (session["presentment_details"], session["currency_conversion"]) == (seen, None)
    intent = client.v1.payment_intents.retrieve(payment, {"expand": ["latest_charge"]}).to_dict()
    for body in (intent, intent["latest_charge"]):
        assert (body["amount"], body["currency"], body["presentment_details"]) == (3000, "eur", seen)
    refund = client.v1.refunds.create({"payment_intent": payment, "amount": 1000}).to_dict()
    assert refund["presentment_details"] == {"presentment_amount": 1084, "presentment_currency": "usd"}


def test_adaptive_pricing_of_before_keeps_the_shops_currency_on_the_source_side(
    stand_in: StripeStandIn,
    bus: Bus,
    new_session: Make,
) -> None:
    stand_in.pay(new_session().id, convert_to="usd", fx_rate="1.0835", converts_session=True)

    assert stand_in.wait_until_delivered()
    [session] = bus.objects("checkout.session.completed")
    assert (session["amount_total"], session["currency"]) == (3251, "usd")
    assert session["presentment_details"] is None
    assert session["currency_conversion"] == {
        "amount_subtotal": 3000,
        "amount_total": 3000,
        "fx_rate": "1.0835",
        "source_currency": "eur",
    }


def test_a_refund_in_parts_ends_as_a_whole_one(
    stand_in: StripeStandIn,
    bus: Bus,
    client: stripe.StripeClient,
    paid: PayResult,
) -> None:
    assert paid.payment_intent is not None
    first = client.v1.refunds.create({"payment_intent": paid.payment_intent, "amount": 1000, "metadata": {"a": "b"}})
    with pytest.raises(stripe.InvalidRequestError, match=r"Refund amount \(€20.01\) is greater than .*€20.00"):
        client.v1.refunds.create({"payment_intent": paid.payment_intent, "amount": 2001})
    second = client.v1.refunds.create({"payment_intent": paid.payment_intent, "reason": "requested_by_customer"})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": paid.payment_intent})

    assert caught.value.code == "charge_already_refunded"
    assert (first.amount, second.amount, second.status) == (1000, 2000, "succeeded")
    assert first.payment_intent == paid.payment_intent
    assert stand_in.wait_until_delivered()
    assert bus.types == ["charge.refunded", "refund.created"] * 2
    charges = bus.objects("charge.refunded")
    assert [(charge["amount_refunded"], charge["refunded"]) for charge in charges] == [(1000, False), (3000, True)]
    assert charges[0]["metadata"]["order_id"] == "17"
    listed = client.v1.refunds.list({"payment_intent": paid.payment_intent})
    assert [refund.id for refund in listed.data] == [second.id, first.id]
    assert client.v1.refunds.list({"charge": str(first.charge)}).to_dict()["data"] == listed.to_dict()["data"]
    assert client.v1.refunds.retrieve(first.id).to_dict()["metadata"] == {"a": "b"}


def test_what_was_not_paid_cannot_be_refunded(
    stand_in: StripeStandIn,
    client: stripe.StripeClient,
    new_session: Make,
) -> None:
    declined = stand_in.pay(new_session().id, "4000000000009995")
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.v1.refunds.create({"payment_intent": str(declined.payment_intent)})
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        client.v1.refunds.create({"payment_intent": "pi_nobody"})
    with pytest.raises(stripe.InvalidRequestError, match="One of the following params"):
        client.v1.refunds.create({"amount": 100})
    with pytest.raises(stripe.InvalidRequestError, match="This value must be greater"):
        client.v1.refunds.create({"payment_intent": str(declined.payment_intent), "amount": 0})


def test_a_refund_can_fail_later(
    stand_in: StripeStandIn,
    bus: Bus,
    clock: Clock,
    client: stripe.StripeClient,
    new_session: Make,
) -> None:
    result = stand_in.pay(new_session().id, "4000000000005126")
    refund = client.v1.refunds.create({"payment_intent": str(result.payment_intent)})
    assert refund.status == "succeeded"

    clock.advance(601)
    stand_in.run_due()

    assert stand_in.wait_until_delivered()
    assert bus.types[-2:] == ["refund.updated", "refund.failed"]
    assert bus.objects("refund.failed")[0]["status"] == "failed"
    charge = client.v1.charges.retrieve(str(refund.charge))
    assert (charge.amount_refunded, charge.refunded) == (0, False)


def test_a_dispute_is_opened_and_lost(
    stand_in: StripeStandIn,
    bus: Bus,
    client: stripe.StripeClient,
    paid: PayResult,
) -> None:
    assert paid.payment_intent is not None
    dispute = stand_in.open_dispute(paid.payment_intent)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": paid.payment_intent})
    assert caught.value.code == "charge_disputed"

    stand_in.close_dispute(paid.payment_intent, status="lost")

    assert client.v1.disputes.retrieve(dispute["id"]).status == "lost"
    assert len(client.v1.disputes.list({"payment_intent": paid.payment_intent}).data) == 1
    assert stand_in.wait_until_delivered()
    assert bus.types == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
    ]
    [closed] = bus.objects("charge.dispute.closed")
    assert (closed["payment_intent"], closed["amount"], closed["status"]) == (paid.payment_intent, 3000, "lost")


def test_a_won_dispute_leaves_the_payment_refundable(
    stand_in: StripeStandIn,
    client: stripe.StripeClient,
    paid: PayResult,
) -> None:
    assert paid.payment_intent is not None
    stand_in.open_dispute(paid.payment_intent)
    stand_in.close_dispute(paid.payment_intent, status="won")
    assert client.v1.refunds.create({"payment_intent": paid.payment_intent}).status == "succeeded"


def test_a_seeded_delayed_payment_waits_for_settle(stand_in: StripeStandIn, clock: Clock) -> None:
    session_id = stand_in.seed_session(SessionSeed(3000, payment_status="unpaid"))
    clock.advance(10_000)
    assert stand_in.run_due() == 0
    assert stand_in.settle(session_id).payment_status == "paid"


def test_time_and_buyer_race_for_one_session(stand_in: StripeStandIn, clock: Clock, bus: Bus) -> None:
    sessions = stand_in.seed_sessions(SessionSeed(3000, status="open") for _ in range(30))
    with ThreadPoolExecutor(4) as pool:
        paying = [pool.submit(stand_in.pay, session_id) for session_id in sessions]
        clock.advance(1801)
        stand_in.run_due()
        outcomes = [future.result().outcome for future in paying]

    assert stand_in.wait_until_delivered()
    assert set(outcomes) <= {"paid", "expired"}
    assert bus.types.count("checkout.session.completed") == outcomes.count("paid")
    assert bus.types.count("checkout.session.expired") == outcomes.count("expired")
