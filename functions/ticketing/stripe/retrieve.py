"""Fetches the object of a thin event from Stripe, as it is now: one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticketing.errors import InvalidEvent
from ticketing.stripe.client import StripeRefused, stripe_errors

if TYPE_CHECKING:
    import stripe


class StripeObjects:
    """Fetches objects with the stripe package."""

    def __init__(self, client: stripe.StripeClient) -> None:
        """Take the client of `client.client`."""
        self._client = client

    def retrieve(self, kind: str, object_id: str) -> dict[str, Any] | None:
        """Give an object of a kind that events are about; None where this account and mode have none.

        By the kind and the id alone: an event's `related_object.url` is not followed.

        Raises:
            StripeUnavailable: try again.
            ConfigurationError: the API key is wrong, or may not read such objects.
            InvalidEvent: Stripe refuses for another reason.
        """
        api = self._client.v1
        try:
            with stripe_errors(f"read {kind} {object_id}"):
                found: stripe.StripeObject
                if kind == "checkout.session":
                    found = api.checkout.sessions.retrieve(object_id)
                elif kind == "charge":
                    found = api.charges.retrieve(object_id)
                elif kind == "refund":
                    found = api.refunds.retrieve(object_id)
                else:
                    found = api.disputes.retrieve(object_id)
        except StripeRefused as refusal:
            if refusal.is_missing:
                return None
            raise InvalidEvent(str(refusal)) from None
        return found.to_dict(for_json=True)
