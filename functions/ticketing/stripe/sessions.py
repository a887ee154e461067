"""Reads and ends Checkout Sessions at Stripe (https://docs.stripe.com/api/checkout/sessions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from ticketing.errors import StripeUnavailable
from ticketing.stripe.client import StripeRefused, stripe_errors
from ticketing.stripe.objects import SessionIdentity, SessionObject, identity_of

if TYPE_CHECKING:
    import stripe
    from stripe.params.checkout import SessionListParams


_CHARGE: Final = "payment_intent.latest_charge"
# Stripe's largest page.
_PAGE_SIZE: Final = 100


class StripeSessions:
    """Reads and ends Checkout Sessions with the stripe package. Safe to use from several threads."""

    def __init__(self, client: stripe.StripeClient) -> None:
        """Take the client of `client.client`."""
        self._client = client

    def retrieve(self, session_id: str) -> SessionObject | None:
        """Give a session with its PaymentIntent and latest charge; None where this account and mode have none.

        Raises:
            StripeUnavailable: try again.
            ConfigurationError: the API key is wrong.
            StripeRefused: anything else that Stripe said no to.
        """
        try:
            with stripe_errors(f"read Checkout Session {session_id}"):
                session = self._client.v1.checkout.sessions.retrieve(session_id, params={"expand": [_CHARGE]})
        except StripeRefused as refusal:
            if refusal.is_missing:
                return None
            raise
        return session.to_dict(for_json=True)

    def disputes_of(self, payment_intent_id: str) -> list[dict[str, Any]]:
        """Give the disputes of a payment, the newest first.

        Raises:
            StripeUnavailable: try again.
            ConfigurationError: the API key is wrong, or may not read disputes.
        """
        with stripe_errors(f"list the disputes of {payment_intent_id}"):
            page = self._client.v1.disputes.list(params={"payment_intent": payment_intent_id, "limit": _PAGE_SIZE})
        return [dispute.to_dict(for_json=True) for dispute in page.data]

    def expire(self, session_id: str) -> bool:
        """End an open session; False when it is not open any more: the buyer or the time was faster.

        Raises:
            StripeUnavailable: try again.
            ConfigurationError: the API key is wrong.
        """
        try:
            with stripe_errors(f"expire Checkout Session {session_id}"):
                # Raw, because a buyer waits, and nothing is read of the answer.
                self._client.raw_request("post", f"/v1/checkout/sessions/{quote(session_id, safe='')}/expire")
        except StripeRefused:
            return False
        return True

    def page(
        self,
        *,
        created_from: int,
        created_until: int,
        status: Literal["complete"] | None = None,
        after: str | None = None,
    ) -> tuple[list[SessionObject], bool]:
        """Give a page of the sessions made in a span of time (Unix seconds), newest first, and whether more follow.

        Without what is paid: use `retrieve` for that. `after` is the last page's last id.

        Raises:
            StripeUnavailable: try again.
            ConfigurationError: the API key is wrong.
        """
        params: SessionListParams = {
            "created": {"gte": created_from, "lte": created_until},
            "limit": _PAGE_SIZE,
        }
        if status is not None:
            params["status"] = status
        if after is not None:
            params["starting_after"] = after
        with stripe_errors("list Checkout Sessions"):
            page = self._client.v1.checkout.sessions.list(params=params)
        return [session.to_dict(for_json=True) for session in page.data], page.has_more

    def of_payment(self, payment_intent_id: str) -> SessionIdentity | None:
        """Give the session that a PaymentIntent belongs to, or None where it was not paid in Checkout.

        Raises:
            StripeUnavailable: try again; also where Stripe refuses to say.
            ConfigurationError: the API key is wrong.
        """
        try:
            with stripe_errors(f"find the Checkout Session of {payment_intent_id}"):
                found = self._client.v1.checkout.sessions.list(params={"payment_intent": payment_intent_id, "limit": 1})
        except StripeRefused as refused:
            if refused.code != "resource_missing":
                # What the payment is cannot be decided; taken for a foreign one, its refund would be ignored.
                raise StripeUnavailable(str(refused)) from None
            return None  # not a PaymentIntent of this account and mode
        for session in found.data:
            return identity_of(session.to_dict(for_json=True))
        return None
