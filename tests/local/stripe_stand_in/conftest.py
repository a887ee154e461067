"""A running stand-in and what the shop's checkout sends to it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe

from local.stripe_stand_in import StripeStandIn
from tests.local.stripe_stand_in.support import Bus, Clock, client_of
from tests.local.stripe_stand_in.webhook import ReceivingEndpoint


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def stand_in(bus: Bus, clock: Clock) -> Iterator[StripeStandIn]:
    with StripeStandIn(bus, clock=clock, settle_delay=600.0) as running:
        yield running


@pytest.fixture
def client(stand_in: StripeStandIn) -> stripe.StripeClient:
    return client_of(stand_in)


@pytest.fixture
def parameters(clock: Clock) -> Callable[..., Any]:
    """What the shop's checkout sends, changed as a test wants it; None leaves a parameter out."""

    def make(*, unit_amount: int = 1500, quantity: int = 2, currency: str = "eur", **changes: Any) -> dict[str, Any]:
        metadata = {"order_id": "17", "event_id": "3", "ticket_id": "5"}
        price_data = {
            "currency": currency,
            "unit_amount": unit_amount,
            "product_data": {"name": "Balcony <b>left</b> - Salsa & Son"},
        }
        sent: dict[str, Any] = {
            "mode": "payment",
            "line_items": [{"price_data": price_data, "quantity": quantity}],
            "customer_email": "ana@example.com",
            "client_reference_id": "17",
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "success_url": "https://shop.example.com/events/3?payment=success&session_id={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://shop.example.com/events/3?payment=cancelled",
            "expires_at": int(clock()) + 1800,
        }
        return {name: value for name, value in (sent | changes).items() if value is not None}

    return make


@pytest.fixture
def new_session(client: stripe.StripeClient, parameters: Callable[..., Any]) -> Callable[..., Any]:
    """Create a session by the API."""

    def create(**changes: Any) -> Any:
        return client.v1.checkout.sessions.create(parameters(**changes))

    return create


@pytest.fixture
def endpoint() -> Iterator[ReceivingEndpoint]:
    endpoint = ReceivingEndpoint()
    endpoint.start()
    yield endpoint
    endpoint.stop()
