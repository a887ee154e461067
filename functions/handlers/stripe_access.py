"""The Stripe client of this deployment: its key from Secrets Manager, its address from `STRIPE_API_BASE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.settings import required, stripe_secret
from ticketing.stripe import client as stripe_client
from ticketing.stripe.sessions import StripeSessions

if TYPE_CHECKING:
    import stripe


def client(
    *, read_seconds: float = stripe_client.READ_SECONDS, network_retries: int = stripe_client.NETWORK_RETRIES
) -> stripe.StripeClient:
    """Give the client; the package `stripe` is imported only when one is asked for.

    Raises:
        ConfigurationError: `STRIPE_API_BASE`, `STRIPE_SECRET_ARN` or the secret is missing or malformed.
        StripeUnavailable: the secret cannot be fetched right now.
    """
    return stripe_client.client(
        stripe_secret().api_key,
        api_base=required("STRIPE_API_BASE"),
        read_seconds=read_seconds,
        network_retries=network_retries,
    )


def sessions_to_end() -> StripeSessions:
    """Give where sessions are ended while a buyer waits. What takes too long is ended by the schedule.

    Raises:
        ConfigurationError: as `client`.
        StripeUnavailable: as `client`.
    """
    return StripeSessions(
        stripe_client.client(
            stripe_secret().api_key,
            api_base=required("STRIPE_API_BASE"),
            connect_seconds=stripe_client.ENDING_CONNECT_SECONDS,
            read_seconds=stripe_client.ENDING_READ_SECONDS,
            network_retries=0,
        )
    )
