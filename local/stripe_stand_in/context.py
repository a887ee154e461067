"""What the parts of the stand-in share."""

from collections.abc import Callable, Mapping
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


class Target(Protocol):
    """What takes events."""

    def takes(self, event_type: str, *, connected: bool) -> bool:
        """Return whether events of this (snapshot) type, of this or of a connected account, are sent there."""

    def send(self, event: JsonObject) -> None:
        """Send an event there, in the form that it takes; raises where it was not taken."""


@dataclass
class Context:
    """The stand-in's state and settings, handed to every operation.

    Attributes:
        clock: Returns Unix time; tests move it.
        base_url: Returns the address under which the hosted page is reached.
        wake: Tells the deliverer that there is something to deliver.
        settle_delay: Seconds until a delayed payment is known to have succeeded or failed.
        destinations: The event destinations; the first is there from the beginning, the others were made by the API.
        make_source: Makes a new destination's partner event source in AWS, as Stripe does.
        targets: Returns where events go now, by the names that their deliveries have.
        refundable: How much the balance still allows to refund, in minor units; None: any amount.
        webhook_endpoints: Those that tests put there are listed only; those that the API made get events, too.
    """

    store: Store
    clock: Callable[[], float]
    base_url: Callable[[], str]
    wake: Callable[[], None]
    destinations: list[EventDestination]
    account_id: str
    api_version: str
    settle_delay: float
    make_source: Callable[[EventDestination], None]
    targets: Callable[[], Mapping[str, Target]]
    webhook_endpoints: list[WebhookEndpoint] = field(default_factory=list)
    refundable: int | None = None

    @property
    def destination(self) -> EventDestination:
        """The destination that is there from the beginning."""
        return self.destinations[0]

    def now(self) -> int:
        """Return the Unix time in whole seconds."""
        return int(self.clock())
