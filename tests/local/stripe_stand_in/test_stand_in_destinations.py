"""Event destinations and webhook endpoints that the API makes: what they take, get, and forget."""

import json
from typing import Any

import pytest
import stripe

from local.stripe_stand_in import EventDestination, SessionSeed, StripeStandIn
from tests.local.stripe_stand_in.support import Bus, client_of
from tests.local.stripe_stand_in.webhook import ReceivingEndpoint

HERE: Any = {"aws_account_id": "123456789012", "aws_region": "eu-west-1"}
WANTED: Any = {
    "name": "Ours",
    "type": "amazon_eventbridge",
    "amazon_eventbridge": HERE,
    "event_payload": "snapshot",
    "events_from": ["@self"],
    "enabled_events": ["checkout.session.expired"],
    "metadata": {"of": "the tests"},
}


def test_a_destination_gets_what_it_takes_over_a_source_of_its_own(bus: Bus) -> None:
    made: list[EventDestination] = []
    with StripeStandIn(bus, make_source=made.append) as stand_in:
        client = client_of(stand_in)
        created = client.v2.core.event_destinations.create(WANTED)
        assert [known.id for known in made] == [created.id]
        assert created.amazon_eventbridge is not None
        assert created.amazon_eventbridge.aws_event_source_status == "pending"
        assert [known.id for known in client.v2.core.event_destinations.list().data][1:] == [created.id]
        [paid, ended] = stand_in.seed_sessions([SessionSeed(3000, status="open"), SessionSeed(3000, status="open")])
        stand_in.pay(paid)
        client.v1.checkout.sessions.expire(ended)
        assert stand_in.wait_until_delivered()
    of_ours = [envelope for envelope in bus.envelopes if envelope["source"].endswith(created.id)]
    assert [envelope["detail"]["data"]["object"]["id"] for envelope in of_ours] == [ended]
    assert len(bus.envelopes) == 3


def test_a_destination_is_changed_disabled_pinged_and_deleted(
    stand_in: StripeStandIn, client: stripe.StripeClient, bus: Bus
) -> None:
    destinations = client.v2.core.event_destinations
    key = destinations.create(WANTED).id
    changed = destinations.update(key, {"enabled_events": ["charge.refunded"], "metadata": {"of": None, "more": "1"}})
    assert changed.enabled_events == ["charge.refunded"]
    assert changed.to_dict()["metadata"] == {"more": "1"}
    ping = destinations.ping(key)
    assert stand_in.wait_until_delivered()
    assert [envelope["detail"]["id"] for envelope in bus.envelopes] == [ping.id]
    assert bus.types == ["v2.core.event_destination.ping"]
    assert client.v2.core.events.retrieve(ping.id).type == ping.type
    assert destinations.disable(key).status == "disabled"
    destinations.ping(key)
    assert stand_in.wait_until_delivered()
    assert len(bus.envelopes) == 1
    assert destinations.enable(key).status == "enabled"
    assert destinations.delete(key).id == key
    with pytest.raises(stripe.StripeError, match="not found"):
        destinations.retrieve(key)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"amazon_eventbridge": None}, "amazon_eventbridge is required"),
        ({"amazon_eventbridge": {"aws_region": "eu-west-1"}}, "aws_account_id"),
        ({"enabled_events": []}, "at least one event type"),
        ({"event_payload": "fat"}, "event_payload"),
        ({"type": "azure_event_grid"}, "does not imitate"),
        ({"colour": "red"}, "unknown parameter"),
        ({"event_payload": "thin", "snapshot_api_version": "2026-10-28.endive"}, "snapshot events only"),
    ],
)
def test_a_destination_that_stripe_would_refuse_is_refused(
    client: stripe.StripeClient, change: dict[str, Any], says: str
) -> None:
    given: Any = {name: value for name, value in {**WANTED, **change}.items() if value is not None}
    with pytest.raises(stripe.StripeError, match=says):
        client.v2.core.event_destinations.create(given)


def test_an_endpoint_gets_signed_events_and_shows_its_secret_once(
    stand_in: StripeStandIn, client: stripe.StripeClient, endpoint: ReceivingEndpoint
) -> None:
    endpoints = client.v1.webhook_endpoints
    made = endpoints.create(
        {"url": endpoint.url, "enabled_events": ["checkout.session.expired"], "metadata": {"a": "b"}}
    )
    assert made.secret is not None
    assert "secret" not in endpoints.retrieve(made.id).to_dict()
    assert [found.id for found in endpoints.list().data] == [made.id]
    [session, later] = stand_in.seed_sessions([SessionSeed(3000, status="open"), SessionSeed(3000, status="open")])
    client.v1.checkout.sessions.expire(session)
    assert stand_in.wait_until_delivered()
    [(body, signature)] = endpoint.received
    event = stripe.Webhook.construct_event(body, signature, made.secret)
    assert event.data.object.id == session
    assert json.loads(body)["pending_webhooks"] == 1
    assert endpoints.update(made.id, {"disabled": True}).status == "disabled"
    client.v1.checkout.sessions.expire(later)
    assert stand_in.wait_until_delivered()
    assert len(endpoint.received) == 1
    assert endpoints.delete(made.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError, match="No such webhook endpoint"):
        endpoints.delete(made.id)


def test_there_are_sixteen_endpoints_at_most(client: stripe.StripeClient) -> None:
    wanted: Any = {"url": "https://shop.example/hook", "enabled_events": ["*"]}
    for _ in range(16):
        client.v1.webhook_endpoints.create(wanted)
    with pytest.raises(stripe.InvalidRequestError, match="maximum of 16"):
        client.v1.webhook_endpoints.create(wanted)
