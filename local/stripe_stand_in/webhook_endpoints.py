"""Webhook endpoints: one that tests put there is a description only; one that the API made gets events, too.

What one is like is here, what the API does with them in endpoint_requests.py. What is forwarded as a webhook without an
endpoint, as `stripe listen --forward-to` does, is a setting of the stand-in (`webhook_url`).
Source: docs.stripe.com/api/webhook_endpoints/object.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from local.stripe_stand_in.event_destinations import SHOP_EVENTS

if TYPE_CHECKING:
    from local.stripe_stand_in.json_object import JsonObject


@dataclass
class WebhookEndpoint:
    """One endpoint. Its fields may be set to whatever a test needs; without `secret` it gets no events."""

    url: str
    id: str = "we_1LocalStandIn0001"
    status: Literal["enabled", "disabled"] = "enabled"
    enabled_events: tuple[str, ...] = SHOP_EVENTS
    livemode: bool = False
    created: int = 1735689600  # 2025-01-01
    application: str | None = None
    api_version: str | None = None
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    secret: str | None = None

    def body(self) -> "JsonObject":
        """Return it as the API shows it."""
        return {
            "id": self.id,
            "object": "webhook_endpoint",
            "api_version": self.api_version,
            "application": self.application,
            "created": self.created,
            "description": self.description,
            "enabled_events": list(self.enabled_events),
            "livemode": self.livemode,
            "metadata": dict(self.metadata),
            "status": self.status,
            "url": self.url,
        }
