"""Events as Stripe really sends them, for trying out rules: a recorded one, and the other types in its shape."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any, Final

from ticketing.stripe.event_types import THIN_EVENTS, snapshot_type
from ticketing.stripe.thin_events import thin_envelope

_RECORDED: Final = Path(__file__).parent / "checkout_session_completed.json"

# What else a pattern might look at, by the object's kind (https://docs.stripe.com/api/events/types).
_OBJECTS: Final[dict[str, dict[str, Any]]] = {
    "charge": {"object": "charge", "id": "ch_1", "status": "succeeded", "refunded": True, "paid": True},
    "refund": {"object": "refund", "id": "re_1", "status": "succeeded"},
    "charge.dispute": {"object": "dispute", "id": "dp_1", "status": "needs_response"},
}


def partner_event(source: str, event_type: str, *, account: str, region: str) -> dict[str, Any]:
    """Give an event of this type, thin where it is one of those, as Stripe delivers it over a partner event source."""
    if event_type in THIN_EVENTS:
        snapshot = partner_event(source, snapshot_type(event_type), account=account, region=region)
        return thin_envelope(snapshot) or snapshot
    event = copy.deepcopy(_recorded())
    event.update({"source": source, "detail-type": event_type, "account": account, "region": region})
    event["resources"] = []
    event["detail"]["type"] = event_type
    kind = event_type.rpartition(".")[0]
    if kind in _OBJECTS:
        event["detail"]["data"]["object"] = {**_OBJECTS[kind], "metadata": {}, "payment_intent": "pi_1"}
    return event


@functools.cache
def _recorded() -> dict[str, Any]:
    return dict(json.loads(_RECORDED.read_text(encoding="utf-8")))
