"""What tests of the shop share that need Stripe: a stand-in of their own, and a client of it that does not retry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from local.stripe_stand_in import StripeStandIn
from ticketing.stripe.client import client


@pytest.fixture
def stand_in() -> Iterator[StripeStandIn]:
    with StripeStandIn() as running:
        yield running


@pytest.fixture
def api(stand_in: StripeStandIn) -> stripe.StripeClient:
    return client("sk_test_local", api_base=stand_in.url, network_retries=0)
