"""Event destinations: where Stripe sends events (API v2). What the API does with them: destination_requests.py.

Source: docs.stripe.com/api/v2/core/event-destinations.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from local.stripe_stand_in import ids
from ticketing.stripe.event_types import HANDLED_EVENTS

if TYPE_CHECKING:
    from local.stripe_stand_in.json_object import JsonObject

# The types that the shop's rules let through.
SHOP_EVENTS: tuple[str, ...] = tuple(sorted(HANDLED_EVENTS))
THIN_SHOP_EVENTS: tuple[str, ...] = tuple(f"v1.{event_type}" for event_type in SHOP_EVENTS)

Payload = Literal["snapshot", "thin"]


def wants(
    event_type: str, *, payload: Payload, types: Collection[str], events_from: Collection[str], connected: bool
) -> bool:
    """Return whether a destination with these settings takes events of a (snapshot) type.

    Args:
        event_type: The type.
        payload: In which form it takes them: thin types are named `v1.…`.
        types: The types that it takes, in that form; `*`: all.
        events_from: `@self`, `@accounts` or both.
        connected: Whether the event is of a connected account.
    """
    name = f"v1.{event_type}" if payload == "thin" else event_type
    return ("@accounts" if connected else "@self") in events_from and ("*" in types or name in types)


@dataclass
class EventDestination:
    """One destination of type `amazon_eventbridge`. Its fields may be set to whatever a test needs.

    A disabled destination gets no events. One whose payload is `thin` gets events whose types begin with
    `v1.`, where `enabled_events` names them so (THIN_SHOP_EVENTS).
    """

    id: str = field(default_factory=ids.event_destination_id)
    name: str = "Local event bus"
    description: str = "Events of the stand-in for the local partner event bus"
    status: Literal["enabled", "disabled"] = "enabled"
    disabled_reason: Literal["no_aws_event_source_exists", "user"] | None = None
    aws_account_id: str = "123456789012"
    aws_region: str = "eu-west-1"
    aws_event_source_status: Literal["active", "deleted", "pending", "unknown"] = "active"
    event_payload: Payload = "snapshot"
    enabled_events: tuple[str, ...] = SHOP_EVENTS
    events_from: tuple[str, ...] = ("@self",)
    livemode: bool = False
    snapshot_api_version: str | None = None
    created: float = 1735689600.0  # 2025-01-01
    updated: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The `source` of the EventBridge events, which is also the partner event source's name."""
        return f"aws.partner/stripe.com/{self.id}"

    @property
    def aws_event_source_arn(self) -> str:
        """The ARN of the partner event source."""
        return f"arn:aws:events:{self.aws_region}::event-source/{self.source}"

    def takes(self, event_type: str, *, connected: bool = False) -> bool:
        """Return whether events of this (snapshot) type, of this or of a connected account, are sent there now."""
        return self.status == "enabled" and wants(
            event_type,
            payload=self.event_payload,
            types=self.enabled_events,
            events_from=self.events_from,
            connected=connected,
        )

    def body(self) -> "JsonObject":
        """Return it as the API shows it."""
        disabled = None
        if self.status == "disabled":
            disabled = {"disabled": {"reason": self.disabled_reason or "user"}}
        return {
            "id": self.id,
            "object": "v2.core.event_destination",
            "amazon_eventbridge": {
                "aws_account_id": self.aws_account_id,
                "aws_event_source_arn": self.aws_event_source_arn,
                "aws_event_source_status": self.aws_event_source_status,
            },
            "created": _moment(self.created),
            "description": self.description,
            "enabled_events": list(self.enabled_events),
            "event_payload": self.event_payload,
            "events_from": list(self.events_from),
            "livemode": self.livemode,
            "metadata": dict(self.metadata),
            "name": self.name,
            "snapshot_api_version": self.snapshot_api_version,
            "status": self.status,
            "status_details": disabled,
            "type": "amazon_eventbridge",
            "updated": _moment(self.updated or self.created),
        }


def _moment(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
