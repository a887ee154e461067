"""What the parts of the stand-in share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from local.stripe_stand_in.event_destinations import EventDestination
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.store import Store
from local.stripe_stand_in.webhook_endpoints import WebhookEndpoint

# The version that stripe-python 16.1 asks for; events are written in the destination's version.
API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True)
class RequestInfo:
    """The API request that made something happen; events name it. Empty: the buyer, or time, did."""

    id: str | None = None
    idempotency_key: str | None = None

    def as_event_field(self) -> JsonObject:
        """Return it as an event's `request`."""
        return {"id": self.id, "idempotency_key": self.idempotency_key}


class Door(Protocol):
    """What takes events."""

    def takes(self, event_type: str, *, connected: bool) -> bool:
        """Return whether events of this (snapshot) type, of this or of a connected account, are sent there."""


@dataclass
class Context:
    """The stand-in's state and settings, handed to every operation.

    Attributes:
        clock: Returns Unix time; tests move it.
        base_url: Returns the address under which the hosted page is reached.
        wake: Tells the deliverer that there is something to deliver.
        settle_delay: Seconds until a delayed payment is known to have succeeded or failed.
        has_event_bus: Whether somebody takes the envelopes.
        webhook: Which events are forwarded to a webhook address; None: there is none.
        webhook_endpoints: What the API lists; nothing is delivered there, see webhook_endpoints.py.
    """

    store: Store
    clock: Callable[[], float]
    base_url: Callable[[], str]
    wake: Callable[[], None]
    destination: EventDestination
    account_id: str
    api_version: str
    settle_delay: float
    has_event_bus: bool
    webhook: Door | None = None
    webhook_endpoints: list[WebhookEndpoint] = field(default_factory=list)

    def now(self) -> int:
        """Return the Unix time in whole seconds."""
        return int(self.clock())
