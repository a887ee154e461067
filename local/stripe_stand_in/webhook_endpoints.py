"""Webhook endpoints as the API lists them: a description only, which tests fill.

What is forwarded as a webhook is a setting of the stand-in (`webhook_url`), as `stripe listen --forward-to` needs no
endpoint either. Source: docs.stripe.com/api/webhook_endpoints/object.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from local.stripe_stand_in.event_destinations import SHOP_EVENTS
from local.stripe_stand_in.parameters import HashOf, integer

if TYPE_CHECKING:
    from local.stripe_stand_in.json_object import JsonObject


@dataclass
class WebhookEndpoint:
    """One endpoint. Its fields may be set to whatever a test needs."""

    url: str
    id: str = "we_1LocalStandIn0001"
    status: Literal["enabled", "disabled"] = "enabled"
    enabled_events: tuple[str, ...] = SHOP_EVENTS
    livemode: bool = False
    created: int = 1735689600  # 2025-01-01
    application: str | None = None

    def body(self) -> "JsonObject":
        """Return it as the API shows it."""
        return {
            "id": self.id,
            "object": "webhook_endpoint",
            "api_version": None,
            "application": self.application,
            "created": self.created,
            "description": None,
            "enabled_events": list(self.enabled_events),
            "livemode": self.livemode,
            "metadata": {},
            "status": self.status,
            "url": self.url,
        }


LIST = HashOf({"limit": integer(1, 100)}, known_to_stripe=lambda: ("ending_before", "expand", "starting_after"))


def list_endpoints(endpoints: Sequence[WebhookEndpoint]) -> "JsonObject":
    """Return all of them on one page; Stripe allows 16 an account."""
    return {
        "object": "list",
        "data": [endpoint.body() for endpoint in endpoints],
        "has_more": False,
        "url": "/v1/webhook_endpoints",
    }
