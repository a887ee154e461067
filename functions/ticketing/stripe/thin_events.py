"""Thin events: they name their object, and Stripe is asked for it (https://docs.stripe.com/api/v2/core/events/object).

A thin event means the same as its snapshot. So it is made one: with the object as Stripe has it now, whose state may
have moved on since. The other way round, an event that is too large for its way is sent thin (`as_thin`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from ticketing.errors import InvalidEvent
from ticketing.stripe import fields
from ticketing.stripe.event_types import HANDLED_EVENTS, OBJECT_OF, snapshot_type, thin_type

# What `object` says of a thin event.
THIN: Final = "v2.core.event"

# Gives an object of a kind (`charge`) by its id, in plain dictionaries and lists; None where Stripe has none.
FetchObject = Callable[[str, str], dict[str, Any] | None]


class _RelatedObject(msgspec.Struct):
    id: str
    type: str


class _ThinEvent(msgspec.Struct):
    id: str
    object: str
    type: str
    livemode: bool
    related_object: _RelatedObject | None = None
    created: Any = None
    context: str | None = None


def is_thin(detail: object) -> bool:
    """Tell whether what stands in an envelope's `detail` is a thin event."""
    return isinstance(detail, dict) and detail.get("object") == THIN


def as_snapshot(detail: object) -> dict[str, Any]:
    """Give a thin event in the shape of its snapshot, without the object; its type is the snapshot's.

    Raises:
        InvalidEvent: it is malformed.
    """
    thin = fields.convert(detail, _ThinEvent, "The thin event")
    return {
        "id": thin.id,
        "object": "event",
        "type": snapshot_type(thin.type),
        "livemode": thin.livemode,
        "created": _unix(thin.created),
        "context": thin.context,
        "data": {},
    }


def fetched_object(detail: object, fetch: FetchObject) -> dict[str, Any]:
    """Ask Stripe for the object of a thin event of a type that the shop handles.

    Raises:
        InvalidEvent: it is about another kind of object than its type says, or Stripe has no such object.
    """
    thin = fields.convert(detail, _ThinEvent, "The thin event")
    kind, related = OBJECT_OF[snapshot_type(thin.type)], thin.related_object
    if related is None or related.type != kind:
        said = "nothing" if related is None else fields.word(related.type)
        raise InvalidEvent(f"A {thin.type} event must be about a {kind}, not about {said}.")
    found = fetch(kind, fields.stripe_id(related.id, "related_object.id"))
    if found is None:
        raise InvalidEvent(
            f"Event {thin.id} is about {kind} {related.id}, which Stripe does not have in this"
            " account and mode: it was deleted, or the API key is another account's."
        )
    return found


def as_thin(event: object) -> dict[str, Any] | None:
    """Make a thin event of a snapshot that is too large for its way; None where it does not say what it is about."""
    if not isinstance(event, dict) or event.get("type") not in HANDLED_EVENTS:
        return None
    data = event.get("data")
    body = data.get("object") if isinstance(data, dict) else None
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        return None
    return {
        "id": event.get("id"),
        "object": THIN,
        "type": thin_type(event["type"]),
        "livemode": event.get("livemode"),
        "created": event.get("created"),
        "context": event.get("account") or event.get("context"),
        "related_object": {"id": body["id"], "type": OBJECT_OF[event["type"]]},
    }


def thin_envelope(envelope: object) -> dict[str, Any] | None:
    """Give an EventBridge envelope with its event made thin; None where it does not say what it is about."""
    thin = as_thin(envelope.get("detail")) if isinstance(envelope, dict) else None
    return {**envelope, "detail-type": thin["type"], "detail": thin} if isinstance(envelope, dict) and thin else None


def _unix(created: object) -> int | None:
    # ISO text in Stripe's own thin events, a number in what `as_thin` makes.
    if not isinstance(created, str):
        return fields.time(created)
    try:
        return int(datetime.fromisoformat(created).timestamp())
    except (ValueError, OverflowError):
        return None
