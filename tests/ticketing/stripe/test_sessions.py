"""What Stripe is asked about sessions, against the stand-in."""

from __future__ import annotations

import pytest

from local.stripe_stand_in import SessionSeed, StripeStandIn
from ticketing.errors import StripeUnavailable
from ticketing.stripe.client import client
from ticketing.stripe.sessions import StripeSessions


@pytest.fixture
def sessions(stand_in: StripeStandIn) -> StripeSessions:
    return StripeSessions(client("sk_test_sessions", api_base=stand_in.url, network_retries=0))


def test_the_session_of_a_payment(stand_in: StripeStandIn, sessions: StripeSessions) -> None:
    session_id = stand_in.seed_session(SessionSeed(amount_total=2000, metadata={"order_id": "7"}))
    payment = str((sessions.retrieve(session_id) or {})["payment_intent"]["id"])
    found = sessions.of_payment(payment)
    assert found is not None
    assert (found.session_id, found.order_reference) == (session_id, "7")


def test_a_payment_that_the_account_does_not_know_has_no_session(sessions: StripeSessions) -> None:
    assert sessions.of_payment("pi_of_another_account") is None


@pytest.mark.parametrize("status", [400, 402, 429, 500])
def test_where_stripe_does_not_say_nothing_is_decided(
    stand_in: StripeStandIn, sessions: StripeSessions, status: int
) -> None:
    stand_in.fail_next(1, status=status, path_prefix="/v1/checkout")
    with pytest.raises(StripeUnavailable):
        sessions.of_payment("pi_any")
