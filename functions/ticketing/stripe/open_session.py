"""Opens the Checkout Session at Stripe in which an order is paid (docs/rules.md, "Seats" and "Money").

https://docs.stripe.com/api/checkout/sessions/create
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from ticketing.stripe.client import NETWORK_RETRIES, StripeRefused, stripe_errors

if TYPE_CHECKING:
    import stripe
    from stripe.params.checkout import SessionCreateParams

# Stripe takes an `expires_at` from 30 minutes to 24 hours after it is asked. The margin is for the time between
# the order and the request, for an attempt that is taken up after it died, and for clocks that differ.
SHORTEST_SECONDS: Final = 30 * 60
_LONGEST_SECONDS: Final = 24 * 3600
_MARGIN_SECONDS: Final = 60

# Methods whose result is known only days later, of those that Stripe lets a session exclude ("delayed notification";
# PayTo tells within a minute). https://docs.stripe.com/payments/payment-methods/payment-method-support
DELAYED_METHODS: Final = (
    "acss_debit", "au_becs_debit", "bacs_debit", "boleto", "customer_balance", "konbini", "multibanco",
    "nz_bank_account", "oxxo", "sepa_debit", "sofort", "us_bank_account",
)  # fmt: skip

# What Stripe shows of a product's name.
_LONGEST_NAME: Final = 250


class PlacedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that holds its seats and waits for a Checkout Session.

    `unit_minor` is the price of one seat in minor units of `currency`, `expires_at` a Unix time. `begins_soon`: the
    event begins too soon for payment methods whose result takes days.
    """

    order_id: int
    event_id: int
    ticket_id: int
    event_name: str
    ticket_name: str
    email: str
    quantity: int
    unit_minor: int
    currency: str
    expires_at: int
    begins_soon: bool


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """A Checkout Session at Stripe, and the page on which it is paid."""

    session_id: str
    url: str


class CheckoutSessions(Protocol):
    """Where the checkout opens its sessions."""

    def open(self, order: PlacedOrder, *, origin: str, retries: int) -> OpenSession:
        """Open the order's session, or give the one that was opened before."""


class StripeCheckoutSessions:
    """Opens Checkout Sessions with the stripe package."""

    def __init__(self, client: stripe.StripeClient) -> None:
        """Take the client of `client.client`."""
        self._client = client

    def open(self, order: PlacedOrder, *, origin: str, retries: int = NETWORK_RETRIES) -> OpenSession:
        """Open the order's session; asked again with the same, Stripe gives the same session.

        `origin` is where the buyer returns to, e.g. `https://shop.example`; `retries` is how often a request that
        Stripe did not answer is repeated.

        Raises:
            StripeUnavailable: no answer; the session may have been made, but nobody knows its address.
            StripeRefused: Stripe said no.
            ConfigurationError: the API key is wrong.
        """
        parameters = _parameters(order, origin)
        with stripe_errors(f"open a Checkout Session for order {order.order_id}"):
            session = self._client.v1.checkout.sessions.create(
                params=parameters,
                options={
                    "idempotency_key": _idempotency_key(order, parameters),
                    "max_network_retries": retries,
                },
            )
        if not session.url:
            raise StripeRefused(f"Stripe's Checkout Session {session.id} of order {order.order_id} has no page.")
        return OpenSession(session_id=session.id, url=session.url)


def session_expiry(now: datetime, *, hold_seconds: int) -> int:
    """Give the Unix time at which a session made now, and the hold of its order, is to end. `now` knows its zone."""
    seconds = min(max(hold_seconds, SHORTEST_SECONDS + _MARGIN_SECONDS), _LONGEST_SECONDS - _MARGIN_SECONDS)
    return int(now.timestamp()) + seconds


def _parameters(order: PlacedOrder, origin: str) -> SessionCreateParams:
    # Session metadata is not copied to the PaymentIntent, and refunds and disputes know only the latter.
    metadata = {
        "order_id": str(order.order_id),
        "event_id": str(order.event_id),
        "ticket_id": str(order.ticket_id),
    }
    page = f"{origin}/events/{order.event_id}"
    parameters: SessionCreateParams = {
        "mode": "payment",
        "line_items": [
            {
                "price_data": {
                    "currency": order.currency,
                    "unit_amount": order.unit_minor,
                    "product_data": {"name": f"{order.ticket_name} - {order.event_name}"[:_LONGEST_NAME]},
                },
                "quantity": order.quantity,
            }
        ],
        "customer_email": order.email,
        "client_reference_id": str(order.order_id),
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata},
        # The price is what the order says. Without this a default of the Stripe account could add tax to it
        # (https://docs.stripe.com/tax/checkout/automatic-tax-default), and no payment would fit its order.
        "automatic_tax": {"enabled": False},
        "expires_at": order.expires_at,
        # Stripe fills the placeholder in.
        "success_url": f"{page}?payment=success&session_id={{CHECKOUT_SESSION_ID}}",
        "cancel_url": f"{page}?payment=cancelled",
    }
    if order.begins_soon:
        # The methods themselves are chosen in Stripe's dashboard; this takes some away for this session only.
        parameters["excluded_payment_method_types"] = list(DELAYED_METHODS)
    return parameters


def _idempotency_key(order: PlacedOrder, parameters: SessionCreateParams) -> str:
    """Give a key that is the same for the same request only.

    An attempt may be taken up after the event was renamed, or from another of the shop's addresses, and Stripe refuses
    a key with other parameters for good. Of two sessions of one order nobody knows the first one's page. The expiry
    tells apart the orders 1 of two databases that share a Stripe test account.
    """
    digest = hashlib.sha256(msgspec.json.encode(parameters, order="deterministic")).hexdigest()
    return f"checkout-order-{order.order_id}-{order.expires_at}-{digest[:16]}"
