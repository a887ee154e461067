"""The account's own things: its key, its webhook endpoints, its event destinations; and the shape of every object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import stripe

from tests.contract.conftest import IS_STRIPE, Account, refused
from tests.stripe_types.check import Types
from tests.stripe_types.dump import Json, dump
from ticketing.stripe import client as stripe_client
from ticketing.stripe.event_types import HANDLED_EVENTS

ENDPOINT: Final = "https://shop.example.com/contract/webhooks/stripe"
CLASSES: Final = {
    "checkout.session": "Session",
    "charge": "Charge",
    "payment_intent": "PaymentIntent",
    "refund": "Refund",
    "webhook_endpoint": "WebhookEndpoint",
}


def test_a_key_that_is_none_is_refused_as_such(account: Account) -> None:
    stranger = stripe_client.client("sk_test_000000000000000000000000", api_base=account.api_base)
    error = refused(lambda: stranger.v1.events.list({"limit": 1}))
    assert (type(error), error.http_status) == (stripe.AuthenticationError, 401)


@pytest.fixture
def endpoint(client: stripe.StripeClient) -> Iterator[stripe.WebhookEndpoint]:
    types: Any = sorted(HANDLED_EVENTS)
    made = client.v1.webhook_endpoints.create(
        {"url": ENDPOINT, "enabled_events": types, "metadata": {"cachao_stack": "contract"}, "description": "Contract"}
    )
    yield made
    client.v1.webhook_endpoints.delete(made.id)


def test_an_endpoint_shows_its_secret_once(client: stripe.StripeClient, endpoint: stripe.WebhookEndpoint) -> None:
    assert str(endpoint.secret).startswith("whsec_")
    assert set(endpoint.enabled_events) == HANDLED_EVENTS
    assert (endpoint.url, endpoint.status) == (ENDPOINT, "enabled")
    listed = next(one for one in client.v1.webhook_endpoints.list({"limit": 100}).data if one.id == endpoint.id)
    assert listed.to_dict()["metadata"] == {"cachao_stack": "contract"}
    assert "secret" not in listed.to_dict()
    assert client.v1.webhook_endpoints.update(endpoint.id, {"disabled": True}).status == "disabled"


def test_event_destinations_can_be_listed(client: stripe.StripeClient) -> None:
    """None is made here: each makes a partner event source in an AWS account."""
    for found in client.v2.core.event_destinations.list({"limit": 10}).data:
        assert found.object == "v2.core.event_destination"
        assert found.status in {"enabled", "disabled"}
        assert found.event_payload in {"snapshot", "thin"}
    error = refused(lambda: client.v2.core.event_destinations.retrieve("ed_test_nobody"))
    assert error.http_status == 404


def played(account: Account, endpoint: Json) -> dict[str, Json]:
    """One object of each kind, as this account gives them."""
    client = account.client
    item: Any = {"quantity": 1, "price_data": {"currency": "eur", "unit_amount": 1500, "product_data": {"name": "A"}}}
    session = client.v1.checkout.sessions.create(
        {"mode": "payment", "line_items": [item], "success_url": "https://shop.example.com"}
    )
    payment = account.pay(3000)
    refund = client.v1.refunds.create({"payment_intent": payment, "amount": 1000})
    intent = client.v1.payment_intents.retrieve(payment, {"expand": ["latest_charge"]})
    made = [
        client.v1.checkout.sessions.expire(session.id).to_dict(for_json=True),
        refund.to_dict(for_json=True),
        intent.to_dict(for_json=True)["latest_charge"],
        client.v1.payment_intents.retrieve(payment).to_dict(for_json=True),
        endpoint,
    ]
    return {body["object"]: body for body in made}


@pytest.fixture
def bodies(account: Account, endpoint: stripe.WebhookEndpoint) -> dict[str, Json]:
    return played(account, endpoint.to_dict(for_json=True))


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_an_object_is_as_the_package_types_it(bodies: dict[str, Json], kind: str) -> None:
    """Fields may be more (gated features), or left out; what is there is of its type, and what must be there is."""
    found = [
        deviation
        for deviation in Types(dump()).deviations(bodies[kind], CLASSES[kind])
        if not re.search(r": (left out|unknown)$", deviation)
    ]
    assert found == []


@pytest.mark.skipif(not IS_STRIPE, reason="compares Stripe with the stand-in: `make contract`, with a key")
@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_stripe_gives_every_field_that_the_stand_in_gives(bodies: dict[str, Json], kind: str) -> None:
    from local.stripe_stand_in import StripeStandIn  # noqa: PLC0415 - of this test only

    with StripeStandIn() as stand_in:
        client = stripe_client.client("sk_test_of_the_contract", api_base=stand_in.url)
        types: Any = ["*"]
        made = client.v1.webhook_endpoints.create({"url": ENDPOINT, "enabled_events": types})
        believed = played(Account(client, stand_in.url, stand_in), made.to_dict(for_json=True))
    assert sorted(believed[kind].keys() - bodies[kind].keys()) == []
