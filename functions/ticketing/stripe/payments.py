"""Reads payments at Stripe (https://docs.stripe.com/api/payment_intents/retrieve)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticketing.stripe.client import StripeRefused, stripe_errors
from ticketing.stripe.objects import OrderNames, order_names

if TYPE_CHECKING:
    import stripe


class PaidIntent(OrderNames, kw_only=True, omit_defaults=True):
    """A PaymentIntent: what it took, what went back of it, and of which order it says to be.

    Amounts are minor units of `currency`; `status` is Stripe's word.
    """

    payment_intent_id: str
    status: str
    received_minor: int
    currency: str
    charge_id: str | None = None
    refunded_minor: int = 0
    is_disputed: bool = False


class StripePayments:
    """Reads PaymentIntents with the stripe package."""

    def __init__(self, client: stripe.StripeClient) -> None:
        """Take the client of `client.client`."""
        self._client = client

    def retrieve(self, payment_intent_id: str) -> PaidIntent | None:
        """Give a payment with its latest charge; None where this account and mode have none.

        Raises:
            StripeUnavailable: try again.
            ConfigurationError: the API key is wrong.
            StripeRefused: anything else that Stripe said no to.
        """
        try:
            with stripe_errors(f"read {payment_intent_id}"):
                found = self._client.v1.payment_intents.retrieve(
                    payment_intent_id, params={"expand": ["latest_charge"]}
                )
        except StripeRefused as refusal:
            if refusal.is_missing:
                return None
            raise
        return _read(found.to_dict(for_json=True))


def _read(intent: dict[str, Any]) -> PaidIntent:
    charge = intent.get("latest_charge")
    charge = charge if isinstance(charge, dict) else {}
    return PaidIntent(
        payment_intent_id=str(intent["id"]),
        status=str(intent["status"]),
        received_minor=int(intent.get("amount_received") or 0),
        currency=str(intent["currency"]).lower(),
        charge_id=charge.get("id"),
        refunded_minor=int(charge.get("amount_refunded") or 0),
        is_disputed=bool(charge.get("disputed")),
        **order_names(intent),
    )
