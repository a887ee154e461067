"""The forms in which a Stripe Event reaches the workflow; events/ keeps the partner bus's."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final, Literal

from ticketing.stripe.event_types import OWN_SOURCE, PARTNER_SOURCE_PREFIX

Envelope = dict[str, Any]
# `partner`, `default`: the envelope as the workflow gets it over that bus. `put-events`: what
# `aws events put-events --entries` takes.
Form = Literal["partner", "default", "put-events"]
FORMS: Final[tuple[Form, ...]] = ("partner", "default", "put-events")

# The bus has the partner event source's name. It stands for that of a real destination: see events/README.md.
PARTNER_SOURCE: Final = f"{PARTNER_SOURCE_PREFIX}ed_test_SAMPLE"
_ACCOUNT, _REGION, _TIME = "123456789012", "eu-west-1", "2026-11-21T12:00:02Z"


def partner_envelope(name: str, detail: dict[str, Any]) -> Envelope:
    """Wrap a Stripe Event as it comes over the partner bus; the envelope's id depends on `name` only."""
    return {
        "version": "0",
        "id": _id(f"partner/{name}"),
        "detail-type": detail["type"],
        "source": PARTNER_SOURCE,
        "account": _ACCOUNT,
        "time": _TIME,
        "region": _REGION,
        "resources": [f"arn:aws:events:{_REGION}::event-source/{PARTNER_SOURCE}"],
        "detail": detail,
    }


def default_envelope(envelope: Envelope) -> Envelope:
    """Give the same event as this account puts it on the default bus."""
    return {**envelope, "id": _id(f"default/{envelope.get('id')}"), "source": OWN_SOURCE, "resources": []}


def entries(envelope: Envelope, bus: str | None = None) -> list[dict[str, Any]]:
    """Give an event as `aws events put-events --entries` takes it.

    Args:
        envelope: the event.
        bus: a partner event bus, whose name is also the event's source; None: the default bus.
    """
    return [
        {
            "Source": bus or OWN_SOURCE,
            "DetailType": envelope["detail-type"],
            "Detail": json.dumps(envelope["detail"]),
            "EventBusName": bus or "default",
        }
    ]


def in_form(envelope: Envelope, form: Form, bus: str | None = None) -> object:
    """Give an event of events/ in one of the forms; `bus` as in `entries`, or the partner envelope's source."""
    if form == "put-events":
        return entries(envelope, bus)
    if form == "default":
        return default_envelope(envelope)
    if bus is None:
        return envelope
    return {**envelope, "source": bus, "resources": [f"arn:aws:events:{envelope['region']}::event-source/{bus}"]}


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))
