"""Stripe's event destinations, as the doctor looks at them and `cachao connect` makes them.

https://docs.stripe.com/api/v2/core/event-destinations
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ticketing.stripe.client import stripe_errors
from ticketing.stripe.event_types import HANDLED_EVENTS, PARTNER_SOURCE_PREFIX, THIN_EVENTS

if TYPE_CHECKING:
    import stripe
    from stripe.v2.core import EventDestination

# In `events_from`; beside it there may be @accounts and others, whose events the workflow ignores.
OWN_ACCOUNT: Final = "@self"
# Why Stripe itself disabled one.
SOURCE_GONE: Final = "no_aws_event_source_exists"
_MOST: Final = 200


def listed(client: stripe.StripeClient) -> list[EventDestination]:
    """Give all of the account's destinations.

    Raises:
        StripeUnavailable, ConfigurationError, StripeRefused: as of every request.
    """
    with stripe_errors("list event destinations"):
        pages = client.v2.core.event_destinations.list(params={"limit": 100})
        return list(islice(pages.auto_paging_iter(), _MOST))


def source_of(destination: EventDestination) -> str:
    """Give the name of its partner event source, which is also that of its bus."""
    # The source is named after the destination; its ARN is missing until AWS has made it.
    arn = aws_field(destination, "aws_event_source_arn")
    return str(arn).rpartition("event-source/")[2] if arn else f"{PARTNER_SOURCE_PREFIX}{destination.id}"


def region_of(destination: EventDestination) -> str:
    """Give the region that it sends to; empty until AWS has made the source."""
    arn = str(aws_field(destination, "aws_event_source_arn") or "")
    return arn.split(":")[3] if arn.startswith("arn:") else ""


def missing_types(destination: EventDestination) -> list[str]:
    """Give the types that the shop needs and the destination does not send, in its own form."""
    if "*" in destination.enabled_events:
        return []
    wanted = THIN_EVENTS if destination.event_payload == "thin" else HANDLED_EVENTS
    return sorted(wanted - set(destination.enabled_events))


def aws_field(destination: EventDestination, name: str) -> Any:  # noqa: ANN401 -- Stripe's own fields
    """Give a field of `amazon_eventbridge`; None where it is of another type."""
    return getattr(destination.amazon_eventbridge, name, None) if destination.amazon_eventbridge else None
