"""Events of Stripe's shape for what Stripe says now, so that the workflow does what a lost event would have done."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from ticketing.event_bus import BusEvent
from ticketing.reconciliation.findings import charge_of, is_lost, lost_disputes_of
from ticketing.stripe.objects import SessionObject

_EVENT_ID_PREFIX: Final = "evt_reconcile_"


def event_id(session_id: str) -> str:
    """Give the id of the event that reconciliation makes for a session; the same one each time."""
    return f"{_EVENT_ID_PREFIX}{session_id}"


def is_made(stripe_event_id: str) -> bool:
    """Tell whether reconciliation made an event of this id."""
    return stripe_event_id.startswith(_EVENT_ID_PREFIX)


def events_of_paid_session(session: SessionObject) -> list[BusEvent]:
    """Give the events that a paid session should have caused: what was refunded of it, then that it was completed.

    A payment of which nothing is left, refunded or lost to disputes, causes only that: the order ends `refunded`, and
    nothing is counted. `session` is expanded as `RateLimitedSessions.retrieve` gives it.
    """
    events = []
    charge = charge_of(session)
    refunded = charge["amount_refunded"] if charge is not None else 0
    if charge is not None and refunded:
        body = _of_payment(charge, session)
        events.append(_event("charge.refunded", f"{charge['id']}_{refunded}", body, livemode=session["livemode"]))
    for dispute in lost_disputes_of(session):
        body = _of_payment(dispute, session)
        # As Stripe sees it now: what it said before is older.
        now, livemode = int(time.time()), session["livemode"]
        events.append(_event("charge.dispute.closed", dispute["id"], body, livemode=livemode, created=now))
    if charge is None or not (is_lost(session) or refunded >= charge["amount"]):
        # As Stripe's own event: when the money was taken, not when the session was opened.
        paid_at = (charge or session)["created"]
        completed = _event(
            "checkout.session.completed",
            session["id"],
            _collapsed(session),
            livemode=session["livemode"],
            created=paid_at,
        )
        events.append(completed)
    return events


def _of_payment(body: dict[str, Any], session: SessionObject) -> dict[str, Any]:
    # What the session says of its order, as a charge of ours has it from its PaymentIntent; those of the shop before
    # may lack it.
    metadata = {**(body.get("metadata") or {}), **(session.get("metadata") or {})}
    return {**body, "metadata": metadata, "payment_intent": session["payment_intent"]["id"]}


def _collapsed(session: SessionObject) -> SessionObject:
    # As in Stripe's own event: a reference, not the object. The event bus takes 256 KB an entry.
    intent = session.get("payment_intent")
    stripes_own = {name: value for name, value in session.items() if name != "disputes"}
    return {**stripes_own, "payment_intent": intent["id"] if isinstance(intent, dict) else intent}


def _event(
    event_type: str, about: str, body: dict[str, Any], *, livemode: bool, created: int | None = None
) -> BusEvent:
    detail = {
        "id": event_id(about),
        "object": "event",
        "type": event_type,
        "livemode": livemode,
        "created": body["created"] if created is None else created,
        "data": {"object": body},
    }
    return BusEvent(detail_type=event_type, detail=json.dumps(detail, separators=(",", ":")))
