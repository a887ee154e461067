"""What an execution's input says of itself: which Stripe event, which order; also where the input is malformed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EventSummary:
    """The ids in an EventBridge envelope, unchecked; None where it does not have them."""

    event_id: str | None = None
    event_type: str | None = None
    order_reference: str | None = None
    object_id: str | None = None
    session_id: str | None = None
    payment_intent_id: str | None = None
    source: str | None = None


def summarise(text: str | None) -> EventSummary:
    """Read what can be read of an execution's input."""
    try:
        envelope = json.loads(text or "")
    except ValueError:
        return EventSummary()
    detail = _object(envelope, "detail")
    body = _object(_object(detail, "data"), "object")
    # A thin event only names its object.
    related = _object(detail, "related_object")
    kind, body_id = _text(body, "object") or _text(related, "type"), _text(body, "id") or _text(related, "id")
    return EventSummary(
        event_id=_text(detail, "id"),
        event_type=_text(envelope, "detail-type") or _text(detail, "type"),
        order_reference=_text(_object(body, "metadata"), "order_id"),
        object_id=body_id,
        session_id=body_id if kind == "checkout.session" else None,
        payment_intent_id=_text(body, "payment_intent"),
        source=_text(envelope, "source"),
    )


def _object(value: object, name: str) -> dict[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _text(value: object, name: str) -> str | None:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None
