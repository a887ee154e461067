"""Thin events: each snapshot event has a twin that only names its object (docs.stripe.com/api/v2/core/events/object).

The twin needs no storing: its id is made from the snapshot event's, and leads back to it.
"""

from datetime import UTC, datetime
from http import HTTPStatus

from local.stripe_stand_in import ids
from local.stripe_stand_in.context import Context
from local.stripe_stand_in.errors import ApiError
from local.stripe_stand_in.events import KEPT_SECONDS
from local.stripe_stand_in.json_object import JsonObject

# Where the API gives the object that an event is about.
_PATHS = {
    "charge": "/v1/charges",
    "checkout.session": "/v1/checkout/sessions",
    "dispute": "/v1/disputes",
    "payment_intent": "/v1/payment_intents",
    "refund": "/v1/refunds",
}


def notification(event: JsonObject) -> JsonObject:
    """Return what a destination with thin payloads gets instead of the snapshot event."""
    body = _common(event)
    reason = _reason(event)
    return body | ({"reason": reason} if reason else {})


def thin_type(event_type: str) -> str:
    """Return the type's name in thin events: `v1.checkout.session.completed`."""
    return f"v1.{event_type}"


def retrieve(context: Context, thin_id: str) -> JsonObject:
    """Return a thin event of the last 30 days: the notification, and what else is known (API v2).

    Raises:
        ApiError: 404 in the shape of API v2.
    """
    if (ping := context.store.get("ping", thin_id)) is not None:
        return ping.body
    record = context.store.get("event", ids.snapshot_event_id(thin_id))
    if record is None or record.body["created"] < context.now() - KEPT_SECONDS:
        raise ApiError(f"Event {thin_id[:100]} not found.", status=HTTPStatus.NOT_FOUND, code="not_found")
    event = record.body
    return _common(event) | {
        "changes": _changes(event),
        "reason": _reason(event),
        "snapshot_event": event["id"],
    }


def _common(event: JsonObject) -> JsonObject:
    subject = event["data"]["object"]
    path = _PATHS[subject["object"]]
    moment = datetime.fromtimestamp(event["created"], UTC)
    return {
        "id": ids.thin_event_id(event["id"]),
        "object": "v2.core.event",
        "type": thin_type(event["type"]),
        "livemode": event["livemode"],
        "created": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "context": event.get("context") or event.get("account"),
        "related_object": {
            "id": subject["id"],
            "type": subject["object"],
            "url": f"{path}/{subject['id']}",
        },
    }


def _reason(event: JsonObject) -> JsonObject | None:
    request = event["request"]
    if not request["id"]:
        return None
    # A request without an idempotency key has an empty one here: the field is always there.
    return {
        "type": "request",
        "request": {"id": request["id"], "idempotency_key": request["idempotency_key"] or ""},
    }


def _changes(event: JsonObject) -> JsonObject | None:
    before = event["data"].get("previous_attributes")
    if before is None:
        return None
    return {"before": before, "after": {name: event["data"]["object"][name] for name in before}}
