"""Opens the Checkout Session at Stripe in which an order is paid (docs/rules.md, "Seats" and "Money").

https://docs.stripe.com/api/checkout/sessions/create
"""

from __future__ import annotations

import hashlib
import time
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from ticketing.stripe.client import NETWORK_RETRIES, StripeRefused, stripe_errors
from ticketing.stripe.objects import SessionObject
from ticketing.stripe.sessions import StripeSessions

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


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a Checkout Session is to sell, and to whom.

    Of `quantity` pieces each costs `unit_minor`, in minor units of `currency`. `expires_at` is a Unix time.
    `reference` and `metadata` are the shop's own names for it. `is_urgent`: too late for payment methods whose result
    takes days. In `success_url` Stripe fills in the placeholder `{CHECKOUT_SESSION_ID}`.
    """

    reference: str
    metadata: dict[str, str]
    product_name: str
    quantity: int
    unit_minor: int
    currency: str
    email: str
    expires_at: int
    is_urgent: bool
    success_url: str
    cancel_url: str


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """A Checkout Session at Stripe, and the page on which it is paid."""

    session_id: str
    url: str


class CheckoutSessions(Protocol):
    """Where the checkout opens its sessions, and ends those that are in its way."""

    def open(self, request: SessionRequest, *, retries: int) -> OpenSession:
        """Open a session, or give the one that was opened for the same request before."""

    def expire(self, session_id: str) -> bool:
        """End an open session; False when it is not open any more."""

    def retrieve(self, session_id: str) -> SessionObject | None:
        """Give a session; None where there is none."""


class StripeCheckoutSessions:
    """Opens and ends Checkout Sessions with the stripe package."""

    def __init__(self, client: stripe.StripeClient, ending: StripeSessions) -> None:
        """Take the client of `client.client`, and where sessions are ended: a buyer waits for that, too."""
        self._client = client
        self._ending = ending

    def expire(self, session_id: str) -> bool:
        """End an open session (`StripeSessions.expire`)."""
        return self._ending.expire(session_id)

    def retrieve(self, session_id: str) -> SessionObject | None:
        """Give a session (`StripeSessions.retrieve`)."""
        return self._ending.retrieve(session_id)

    def open(self, request: SessionRequest, *, retries: int = NETWORK_RETRIES) -> OpenSession:
        """Open a session; asked again with the same, Stripe gives the same session.

        `retries` is how often a request that Stripe did not answer is repeated.

        Raises:
            StripeUnavailable: no answer; the session may have been made, but nobody knows its address.
            StripeRefused: Stripe said no.
            ConfigurationError: the API key is wrong.
        """
        parameters = _parameters(request)
        # Raw, because a buyer waits: the objects that the package makes of an answer take as long as asking for it.
        with stripe_errors(f"open a Checkout Session for order {request.reference}"):
            session = self._client.raw_request(
                "post",
                "/v1/checkout/sessions",
                **parameters,
                idempotency_key=_idempotency_key(request, parameters),
                max_network_retries=retries,
            ).data
        if not session.get("url"):
            raise StripeRefused(f"Stripe's Checkout Session {session['id']} of order {request.reference} has no URL.")
        return OpenSession(session_id=session["id"], url=session["url"])


def session_expiry(now: datetime, *, hold_seconds: int) -> int:
    """Give the Unix time at which a session made now is to end. `now` knows its zone."""
    seconds = min(max(hold_seconds, SHORTEST_SECONDS + _MARGIN_SECONDS), _LONGEST_SECONDS - _MARGIN_SECONDS)
    return int(now.timestamp()) + seconds


def hold_end(expires_at: int, *, hold_seconds: int) -> int:
    """Give the Unix time at which the hold ends of an order that is made now, and whose session ends at `expires_at`.

    A hold shorter than Stripe's shortest session ends before it: then the shop ends the session.
    """
    if hold_seconds >= SHORTEST_SECONDS:
        return expires_at
    return min(expires_at, int(time.time()) + hold_seconds)


def _parameters(request: SessionRequest) -> SessionCreateParams:
    parameters: SessionCreateParams = {
        "mode": "payment",
        "line_items": [
            {
                "price_data": {
                    "currency": request.currency,
                    "unit_amount": request.unit_minor,
                    "product_data": {"name": request.product_name[:_LONGEST_NAME]},
                },
                "quantity": request.quantity,
            }
        ],
        "customer_email": request.email,
        "client_reference_id": request.reference,
        # Session metadata is not copied to the PaymentIntent, and refunds and disputes know only the latter.
        "metadata": request.metadata,
        # A guest has nothing in hand but Stripe's receipt; this has it sent whatever the dashboard says.
        "payment_intent_data": {"metadata": request.metadata, "receipt_email": request.email},
        # The price is what the order says. Without this a default of the Stripe account could add tax to it
        # (https://docs.stripe.com/tax/checkout/automatic-tax-default), and no payment would fit its order.
        "automatic_tax": {"enabled": False},
        "expires_at": request.expires_at,
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
    }
    if request.is_urgent:
        # The methods themselves are chosen in Stripe's dashboard; this takes some away for this session only.
        parameters["excluded_payment_method_types"] = list(DELAYED_METHODS)
    return parameters


def _idempotency_key(request: SessionRequest, parameters: SessionCreateParams) -> str:
    """Give a key that is the same for the same request only.

    An attempt may be taken up after the event was renamed, or from another of the shop's addresses, and Stripe refuses
    a key with other parameters for good. Of two sessions of one order nobody knows the first one's page. The expiry and
    the order's mark tell apart the orders 1 of two databases that share a Stripe account.
    """
    digest = hashlib.sha256(msgspec.json.encode(parameters, order="deterministic")).hexdigest()
    return f"checkout-order-{request.reference}-{request.expires_at}-{digest[:16]}"
