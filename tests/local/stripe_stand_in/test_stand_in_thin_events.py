"""Thin events, as the `stripe` package reads them."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe
from stripe.events._event_classes import get_v2_event_notification_class
from stripe.v2.core._event import UnknownEventNotification

from local.stripe_stand_in import (
    SHOP_EVENTS,
    THIN_SHOP_EVENTS,
    EventDestination,
    SessionSeed,
    StripeStandIn,
)
from local.stripe_stand_in.ids import thin_event_id
from tests.local.stripe_stand_in.support import Bus, Clock, client_of
from tests.local.stripe_stand_in.webhook import SECRET, ReceivingEndpoint

COMPLETED = "checkout.session.completed"


def thin_destination() -> EventDestination:
    return EventDestination(event_payload="thin", enabled_events=THIN_SHOP_EVENTS)


@pytest.mark.parametrize("event_type", [*THIN_SHOP_EVENTS, "v1.charge.succeeded", "v1.payment_intent.succeeded"])
def test_the_package_knows_the_thin_types(event_type: str) -> None:
    assert get_v2_event_notification_class(event_type) is not UnknownEventNotification


def test_a_thin_event_names_its_object_only(bus: Bus) -> None:
    with StripeStandIn(bus, destination=thin_destination()) as stand_in:
        session = stand_in.seed_session(SessionSeed(3000, status="open"))
        stand_in.pay(session)
        assert stand_in.wait_until_delivered()
        [envelope] = bus.envelopes
        detail = envelope["detail"]
        assert (envelope["detail-type"], detail["type"], detail["object"]) == (
            f"v1.{COMPLETED}",
            f"v1.{COMPLETED}",
            "v2.core.event",
        )
        assert detail["related_object"] == {
            "id": session,
            "type": "checkout.session",
            "url": f"/v1/checkout/sessions/{session}",
        }
        assert "data" not in detail
        assert envelope["time"] == detail["created"].replace(".000Z", "Z")

        client = client_of(stand_in)
        notification: Any = stripe.v2.core.EventNotification.from_json(detail, client)
        fetched = notification.fetch_related_object()
        assert (fetched.id, fetched.payment_status) == (session, "paid")
        event = notification.fetch_event()
        assert (event.id, event.type) == (detail["id"], detail["type"])
        assert client.v1.events.retrieve(event.snapshot_event).type == COMPLETED


def test_every_kind_of_object_can_be_fetched(bus: Bus) -> None:
    with StripeStandIn(bus, destination=EventDestination(event_payload="thin", enabled_events=("*",))) as stand_in:
        session = stand_in.seed_session(SessionSeed(3000, status="open"))
        payment = str(stand_in.pay(session).payment_intent)
        refund = stand_in.refund(payment, amount=1000)
        stand_in.finish_refund(refund["id"], status="failed")
        dispute = stand_in.open_dispute(payment, inquiry=True)
        stand_in.escalate_dispute(payment)
        stand_in.close_dispute(payment, status="lost")
        assert stand_in.wait_until_delivered()
        client = client_of(stand_in)
        told: list[Any] = [stripe.v2.core.EventNotification.from_json(item["detail"], client) for item in bus.envelopes]
        fetched = {notification.type: notification.fetch_related_object() for notification in told}
        updated = next(item for item in told if item.type == "v1.charge.dispute.updated").fetch_event()
    assert {event_type: item.object for event_type, item in fetched.items()} == {
        "v1.charge.succeeded": "charge",
        "v1.payment_intent.succeeded": "payment_intent",
        f"v1.{COMPLETED}": "checkout.session",
        "v1.charge.refunded": "charge",
        "v1.refund.created": "refund",
        "v1.refund.updated": "refund",
        "v1.refund.failed": "refund",
        "v1.charge.dispute.created": "dispute",
        "v1.charge.dispute.updated": "dispute",
        "v1.charge.dispute.funds_withdrawn": "dispute",
        "v1.charge.dispute.closed": "dispute",
    }
    # As it is now, not as it was when the event was made.
    assert fetched["v1.charge.dispute.created"].status == "lost"
    assert (updated.changes["before"]["status"], updated.changes["after"]["status"]) == (
        "warning_needs_response",
        "needs_response",
    )
    assert dispute["status"] == "warning_needs_response"


def test_a_thin_event_comes_by_webhook(endpoint: ReceivingEndpoint) -> None:
    with StripeStandIn(
        webhook_url=endpoint.url, webhook_signing_secret=SECRET, webhook_payload="thin", webhook_events=THIN_SHOP_EVENTS
    ) as stand_in:
        session = stand_in.seed_session(SessionSeed(3000, status="open"))
        stand_in.pay(session)
        assert stand_in.wait_until_delivered()
        [(body, signature)] = endpoint.received
        client = client_of(stand_in)
        notification: Any = client.parse_event_notification(body, signature, SECRET)
        assert notification.related_object.id == session
        with pytest.raises(ValueError, match="thin event"):
            client.construct_event(body, signature, SECRET)


def test_an_events_twins_are_delivered_both(bus: Bus) -> None:
    with StripeStandIn(bus) as stand_in:
        event = stand_in.emit(COMPLETED, stand_in.seed_session(SessionSeed(3000)))
        assert stand_in.wait_until_delivered()
        stand_in.destination.event_payload = "thin"
        assert stand_in.redeliver(event["id"]) == 1
        assert stand_in.wait_until_delivered()
        twin = client_of(stand_in).v2.core.events.retrieve(bus.envelopes[1]["detail"]["id"])
        assert twin.snapshot_event == event["id"]
    assert bus.types == [COMPLETED, f"v1.{COMPLETED}"]


def test_what_another_account_did_is_fetched_with_its_context(bus: Bus) -> None:
    destination = thin_destination()
    destination.events_from = ("@accounts",)
    with StripeStandIn(bus, destination=destination) as stand_in:
        stand_in.emit(COMPLETED, stand_in.seed_session(SessionSeed(3000)), account="acct_other")
        assert stand_in.wait_until_delivered()
        [envelope] = bus.envelopes
        assert envelope["detail"]["context"] == "acct_other"
        notification: Any = stripe.v2.core.EventNotification.from_json(envelope["detail"], client_of(stand_in))
        with pytest.raises(stripe.PermissionError, match="acct_other"):
            notification.fetch_related_object()


def test_a_request_that_made_it_is_its_reason(
    stand_in: StripeStandIn, bus: Bus, client: stripe.StripeClient, new_session: Callable[..., Any]
) -> None:
    stand_in.destination.event_payload, stand_in.destination.enabled_events = "thin", THIN_SHOP_EVENTS
    client.v1.checkout.sessions.expire(new_session().id, {}, {"idempotency_key": "once"})
    assert stand_in.wait_until_delivered()
    reason = bus.envelopes[0]["detail"]["reason"]
    assert (reason["type"], reason["request"]["idempotency_key"]) == ("request", "once")


def test_thin_events_are_gone_after_30_days(stand_in: StripeStandIn, client: stripe.StripeClient, clock: Clock) -> None:
    stand_in.destination.event_payload, stand_in.destination.enabled_events = "thin", ("*",)

    event = stand_in.emit(COMPLETED, stand_in.seed_session(SessionSeed(3000)))
    thin_id = thin_event_id(event["id"])
    assert client.v2.core.events.retrieve(thin_id).id == thin_id
    clock.advance(31 * 24 * 3600)
    for gone in (thin_id, "evt_test_65nobody"):
        with pytest.raises(stripe.StripeError, match="not found"):
            client.v2.core.events.retrieve(gone)


def test_the_destinations_take_the_same_types() -> None:
    assert [event_type.removeprefix("v1.") for event_type in THIN_SHOP_EVENTS] == list(SHOP_EVENTS)


def test_objects_are_given_back_as_they_were_put_there(stand_in: StripeStandIn, client: stripe.StripeClient) -> None:
    session = stand_in.seed_session(SessionSeed(3000))
    old = stand_in.session(session) | {"id": "cs_test_old", "currency_conversion": {"amount_total": 1}}
    stand_in.seed_objects([old])
    assert client.v1.checkout.sessions.retrieve("cs_test_old").to_dict() == old
    with pytest.raises(ValueError, match="keeps no customer"):
        stand_in.seed_objects([{"object": "customer"}])
