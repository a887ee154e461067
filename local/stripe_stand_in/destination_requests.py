"""What API v2 does with event destinations: create, retrieve, list, update, disable, enable, delete, ping.

Only those of type `amazon_eventbridge` can be made. A new one's partner event source is pending until somebody makes a
bus of its name. Those that the API made last as long as the stand-in runs.
Source: docs.stripe.com/api/v2/core/event-destinations.
"""

from datetime import UTC, datetime
from http import HTTPStatus

from local.stripe_stand_in import events, ids
from local.stripe_stand_in.context import Context
from local.stripe_stand_in.errors import ApiError, invalid_parameter, not_imitated
from local.stripe_stand_in.event_destinations import EventDestination
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.parameters import ArrayOf, HashOf, OneOf, integer, metadata, string
from local.stripe_stand_in.store import Record

_MOST_TYPES = 500
_TYPES = ArrayOf(string(), maximum=_MOST_TYPES)
LIST = HashOf({"limit": integer(1, 100)}, known_to_stripe=lambda: ("include",))
RETRIEVE = HashOf({}, known_to_stripe=lambda: ("include",))
CREATE = HashOf(
    {
        "amazon_eventbridge": HashOf(
            {"aws_account_id": string(12), "aws_region": string()}, required=("aws_account_id", "aws_region")
        ),
        "description": string(),
        "enabled_events": _TYPES,
        "event_payload": OneOf("snapshot", "thin"),
        "events_from": ArrayOf(string()),
        "metadata": metadata(),
        "name": string(),
        "snapshot_api_version": string(),
        "type": OneOf("amazon_eventbridge", "azure_event_grid", "webhook_endpoint"),
    },
    required=("enabled_events", "event_payload", "name", "type"),
    known_to_stripe=lambda: ("azure_event_grid", "include", "webhook_endpoint"),
)
UPDATE = HashOf(
    {"description": string(), "enabled_events": _TYPES, "metadata": metadata(), "name": string()},
    known_to_stripe=lambda: ("include", "webhook_endpoint"),
)


def create(context: Context, given: JsonObject) -> JsonObject:
    """Make a destination, and its partner event source in the AWS account.

    Raises:
        ApiError: It is of another type, names no account and region, or takes no events.
    """
    if given["type"] != "amazon_eventbridge":
        raise not_imitated(f"event destinations of the type {given['type']}", "type")
    if "amazon_eventbridge" not in given:
        raise invalid_parameter("amazon_eventbridge is required for this type.", "amazon_eventbridge")
    _check_types(given)
    if given["event_payload"] == "thin" and "snapshot_api_version" in given:
        raise invalid_parameter("snapshot_api_version is for snapshot events only.", "snapshot_api_version")
    place = given["amazon_eventbridge"]
    destination = EventDestination(
        name=given["name"],
        description=given.get("description", ""),
        aws_account_id=place["aws_account_id"],
        aws_region=place["aws_region"],
        aws_event_source_status="pending",
        event_payload=given["event_payload"],
        enabled_events=tuple(given["enabled_events"]),
        events_from=tuple(given.get("events_from", ("@self",))),
        snapshot_api_version=given.get("snapshot_api_version"),
        metadata=given.get("metadata", {}),
        created=context.clock(),
    )
    context.destinations.append(destination)
    context.make_source(destination)
    return destination.body()


def list_all(context: Context) -> JsonObject:
    """Return the list of destinations as API v2 does: without `has_more`, with page addresses; all on one page."""
    data = [destination.body() for destination in context.destinations]
    return {"data": data, "next_page_url": None, "previous_page_url": None}


def retrieve(context: Context, destination_id: str) -> JsonObject:
    """Return one destination."""
    return _find(context, destination_id).body()


def update(context: Context, destination_id: str, given: JsonObject) -> JsonObject:
    """Change what can be changed: never payload, place or scope."""
    destination = _find(context, destination_id)
    _check_types(given)
    destination.name = given.get("name", destination.name)
    destination.description = given.get("description", destination.description)
    destination.enabled_events = tuple(given.get("enabled_events", destination.enabled_events))
    changed = destination.metadata | given.get("metadata", {})
    # API v2 unsets by null, which arrives here as an empty text.
    destination.metadata = {name: value for name, value in changed.items() if value != ""}
    return _changed(context, destination)


def disable(context: Context, destination_id: str) -> JsonObject:
    """Disable a destination: it gets nothing any more."""
    destination = _find(context, destination_id)
    destination.status, destination.disabled_reason = "disabled", "user"
    return _changed(context, destination)


def enable(context: Context, destination_id: str) -> JsonObject:
    """Enable a disabled destination.

    Raises:
        ApiError: Its source is gone.
    """
    destination = _find(context, destination_id)
    if destination.disabled_reason == "no_aws_event_source_exists":
        raise ApiError("The event source of this destination does not exist any more.")
    destination.status, destination.disabled_reason = "enabled", None
    return _changed(context, destination)


def delete(context: Context, destination_id: str) -> JsonObject:
    """Delete a destination that the API made.

    Raises:
        ApiError: It is the one that is there from the beginning.
    """
    destination = _find(context, destination_id)
    if destination is context.destination:
        raise not_imitated("deleting the first event destination")
    context.destinations.remove(destination)
    return {"id": destination.id, "object": "v2.core.event_destination"}


def ping(context: Context, destination_id: str) -> JsonObject:
    """Send a ping, which exists as a thin event only; returns it."""
    destination = _find(context, destination_id)
    body: JsonObject = {
        "id": ids.thin_event_id(ids.object_id("evt")),
        "object": "v2.core.event",
        "type": "v2.core.event_destination.ping",
        "livemode": destination.livemode,
        "created": datetime.fromtimestamp(context.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "context": None,
        "related_object": {
            "id": destination.id,
            "type": "v2.core.event_destination",
            "url": f"/v2/core/event_destinations/{destination.id}",
        },
        "changes": None,
        "reason": None,
        "snapshot_event": None,
    }
    context.store.insert(Record("ping", body, status=body["type"]))
    name = "event_bus" if destination is context.destination else destination.id
    if destination.status == "enabled" and name in context.targets():
        events.queue(context, body, [name])
    return body


def _changed(context: Context, destination: EventDestination) -> JsonObject:
    destination.updated = context.clock()
    return destination.body()


def _check_types(given: JsonObject) -> None:
    if not given.get("enabled_events", ["*"]):
        raise invalid_parameter("enabled_events must name at least one event type.", "enabled_events")


def _find(context: Context, destination_id: str) -> EventDestination:
    found = next((known for known in context.destinations if known.id == destination_id), None)
    if found is None:
        raise ApiError(
            f"Requested event destination {destination_id} not found.", status=HTTPStatus.NOT_FOUND, code="not_found"
        )
    return found
