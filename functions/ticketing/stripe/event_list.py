"""Reads the Events that Stripe keeps of what happened, for 30 days (https://docs.stripe.com/api/events/list)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ticketing.stripe.client import stripe_errors
from ticketing.stripe.event_types import HANDLED_EVENTS

if TYPE_CHECKING:
    import stripe
    from stripe.params import EventListParams

# "Right now, access to events through the Retrieve Event API is guaranteed only for 30 days."
KEPT: Final = timedelta(days=30)
# Stripe's largest page.
_PAGE_SIZE: Final = 100
# Stripe takes at most 20. Never an empty list: it would send no filter, and everything would be listed.
_TYPES: Final = sorted(HANDLED_EVENTS)

# An Event as Stripe writes it, in plain dictionaries and lists; its object is a snapshot, whatever the destinations
# are told: what is told thin, too, stands here once.
EventObject = dict[str, Any]


class StripeEventList:
    """Stripe's list of this account's own Events, of the types that the shop handles."""

    def __init__(self, client: stripe.StripeClient) -> None:
        """Take the client of `client.client`."""
        self._client = client

    def page(
        self, *, created_from: int, created_until: int, after: str | None = None
    ) -> tuple[list[EventObject], bool]:
        """Give a page of the events made in a span of time (Unix seconds), newest first, and whether more follow.

        `after` is the last page's last id.

        Raises:
            StripeUnavailable: try again.
            StripeRefused: `after` is no event of the last 30 days any more (code `resource_missing`).
            ConfigurationError: the API key is wrong, or may not read events.
        """
        params: EventListParams = {
            "types": _TYPES,
            "created": {"gte": created_from, "lte": created_until},
            "limit": _PAGE_SIZE,
        }
        if after is not None:
            params["starting_after"] = after
        with stripe_errors("list Events"):
            page = self._client.v1.events.list(params=params)
        return [event.to_dict(for_json=True) for event in page.data], page.has_more
