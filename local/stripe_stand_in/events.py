"""Stripe Events: what happened, with a snapshot of the object as it then was."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass

from local.stripe_stand_in import ids
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.errors import invalid_parameter, resource_missing
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.listing import LIST_FIELDS, list_objects
from local.stripe_stand_in.parameters import ArrayOf, HashOf, string
from local.stripe_stand_in.store import Kind, Record

# "Guaranteed only for 30 days" (docs.stripe.com/api/events).
KEPT_SECONDS = 30 * 24 * 3600

LIST = HashOf(
    LIST_FIELDS | {"type": string(), "types": ArrayOf(string(), maximum=20)},
    known_to_stripe=lambda: ("delivery_success",),
)


@dataclass(frozen=True)
class Origin:
    """Where an event comes from and when, where that is not this account and now.

    Attributes:
        account: A connected account's id (Connect), or None.
        context: The same in newer words, or None.
        created: Unix time, or None: now.
    """

    account: str | None = None
    context: str | None = None
    created: int | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the event is of another account."""
        return self.account is not None or self.context is not None


_HERE = Origin()


def emit(
    context: Context,
    event_type: str,
    subject: JsonObject,
    request: RequestInfo,
    *,
    previous: JsonObject | None = None,
    origin: Origin = _HERE,
) -> JsonObject:
    """Record an event and queue its deliveries, in the transaction that made it happen.

    Args:
        context: The stand-in.
        event_type: Its type.
        subject: The object that it is about, as it now is.
        request: The API request that made it happen.
        previous: Of an `….updated` event: what the changed fields were before.
        origin: Another account, another time.
    """
    data: JsonObject = {"object": copy.deepcopy(subject)}
    event: JsonObject = {
        "id": ids.object_id("evt"),
        "object": "event",
        "api_version": context.destination.snapshot_api_version or context.api_version,
        "created": context.now() if origin.created is None else origin.created,
        "data": data if previous is None else data | {"previous_attributes": previous},
        "livemode": False,
        "pending_webhooks": 0,
        "request": request.as_event_field(),
        "type": event_type,
    }
    event |= {"account": origin.account} if origin.account else {}
    event |= {"context": origin.context} if origin.context else {}
    targets = _targets(context, event_type, connected=origin.is_connected)
    event["pending_webhooks"] = sum(target == "webhook" or target.startswith("we_") for target in targets)
    kind: Kind = "connected_event" if origin.is_connected else "event"
    with context.store.transaction():
        context.store.insert(Record(kind, event, status=event_type))
        queue(context, event, targets)
    return event


def queue(context: Context, event: JsonObject, targets: Iterable[str]) -> None:
    """Queue an event's deliveries, in the transaction that stored it."""
    with context.store.transaction() as connection:
        connection.executemany(
            "INSERT INTO event_deliveries (event_id, event_type, target) VALUES (?, ?, ?)",
            [(event["id"], event["type"], target) for target in targets],
        )
    context.wake()


def _targets(context: Context, event_type: str, *, connected: bool) -> list[str]:
    return [name for name, target in context.targets().items() if target.takes(event_type, connected=connected)]


def retrieve(context: Context, event_id: str) -> JsonObject:
    """Return one event of the last 30 days."""
    record = context.store.get("event", event_id)
    if record is None or record.body["created"] < context.now() - KEPT_SECONDS:
        raise resource_missing("event", event_id)
    return record.body


def list_events(context: Context, parameters: JsonObject) -> JsonObject:
    """Return this account's events of the last 30 days, newest first, filtered by type and moment.

    Raises:
        ApiError: A parameter is wrong, or both `type` and `types` are given.
    """
    if "type" in parameters and "types" in parameters:
        raise invalid_parameter("You may pass either `type` or `types`, but not both.", "types")
    oldest = (">=", context.now() - KEPT_SECONDS)
    parameters["created"] = (*parameters.get("created", ()), oldest)
    types = parameters.get("types", []) + ([parameters["type"]] if "type" in parameters else [])
    return list_objects(context, "event", parameters, "/v1/events", statuses=tuple(types))
