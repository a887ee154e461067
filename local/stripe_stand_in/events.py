"""Stripe Events: what happened, with a snapshot of the object as it then was."""

import copy
import uuid
from datetime import UTC, datetime

from local.stripe_stand_in import ids
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.errors import resource_missing
from local.stripe_stand_in.event_destinations import EventDestination
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.listing import LIST_FIELDS, list_objects
from local.stripe_stand_in.parameters import Raw, array_of, parse, string
from local.stripe_stand_in.store import Record

# "Guaranteed only for 30 days" (docs.stripe.com/api/events).
_KEPT_SECONDS = 30 * 24 * 3600


def emit(context: Context, event_type: str, subject: JsonObject, request: RequestInfo) -> JsonObject:
    """Record an event and queue its deliveries, in the transaction that made it happen."""
    webhook = "*" in context.webhook_events or event_type in context.webhook_events
    event: JsonObject = {
        "id": ids.object_id("evt"),
        "object": "event",
        "api_version": context.destination.snapshot_api_version or context.api_version,
        "created": context.now(),
        "data": {"object": copy.deepcopy(subject)},
        "livemode": False,
        "pending_webhooks": int(webhook),
        "request": request.as_event_field(),
        "type": event_type,
    }
    event_bus = context.has_event_bus and context.destination.takes(event_type)
    doors = ["event_bus"] if event_bus else []
    doors += ["webhook"] if webhook else []
    with context.store.transaction() as connection:
        context.store.insert(Record("event", event, status=event_type))
        connection.executemany(
            "INSERT INTO deliveries (event_id, event_type, door) VALUES (?, ?, ?)",
            [(event["id"], event_type, door) for door in doors],
        )
    context.wake()
    return event


def envelope(event: JsonObject, destination: EventDestination) -> JsonObject:
    """Return the EventBridge event in which a Stripe Event arrives on the partner event bus."""
    moment = datetime.fromtimestamp(event["created"], UTC)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": event["type"],
        "source": destination.source,
        "account": destination.aws_account_id,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": destination.aws_region,
        "resources": [destination.aws_event_source_arn],
        "detail": event,
    }


def retrieve(context: Context, event_id: str) -> JsonObject:
    """Return one event of the last 30 days."""
    record = context.store.get("event", event_id)
    if record is None or record.body["created"] < context.now() - _KEPT_SECONDS:
        raise resource_missing("event", event_id)
    return record.body


def list_events(context: Context, raw: Raw) -> JsonObject:
    """Return events of the last 30 days, newest first, filtered by type and moment."""
    fields = LIST_FIELDS | {"type": string(), "types": array_of(string(), maximum=20)}
    parameters = parse(fields, raw)
    oldest = (">=", context.now() - _KEPT_SECONDS)
    parameters["created"] = (*parameters.get("created", ()), oldest)
    types = parameters.get("types", []) + ([parameters["type"]] if "type" in parameters else [])
    return list_objects(context, "event", parameters, "/v1/events", statuses=tuple(types))
