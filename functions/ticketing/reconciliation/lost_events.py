"""Events that Stripe made and that never reached their order, found in Stripe's own list of them.

After an outage of both ways in, a refund that was made in Stripe's dashboard leaves a valid ticket, and a dispute no
alert. Only events of our own account and of orders of ours are looked at; what is not ours is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from ticketing.database import Database, Transaction
from ticketing.errors import InvalidEvent
from ticketing.event_bus import BusEvent
from ticketing.orders import history
from ticketing.reconciliation import event_effects, owners
from ticketing.stripe.event_list import EventObject
from ticketing.stripe.event_types import OWN_SOURCE
from ticketing.stripe.events import ChargeEvent, IgnoredEvent, OrderEvent, SessionEvent, read_event
from ticketing.stripe.objects import SessionIdentity

# Asks Stripe which Checkout Sessions some PaymentIntents belong to; None: it was not paid in Checkout.
FindSessions = Callable[[Iterable[str]], Mapping[str, SessionIdentity | None]]
# Of two events of the same second about one object: which says more. The failure of a refund has its own alert.
_LATER: Final = ("refund.failed", "charge.dispute.closed", "checkout.session.async_payment_succeeded")


class ListedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as Stripe lists it, what it tells, and when it happened (Unix seconds)."""

    event: EventObject
    read: OrderEvent
    created: int

    @property
    def object_id(self) -> str:
        """The id of what it is about."""
        return event_effects.object_id_of(self.read)


class LostEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event whose effect its order lacks."""

    order_id: int
    session_id: str | None
    listed: ListedEvent

    def as_bus_event(self) -> BusEvent:
        """Give the event as Stripe has it, for our own bus."""
        event = self.listed.event
        return BusEvent(detail_type=event["type"], detail=json.dumps(event, separators=(",", ":")))

    @property
    def note(self) -> str:
        """Say which event it is."""
        event = self.listed.event
        return f"{event['type']} {event['id']} about {self.listed.object_id} never reached the order"


def find_lost(database: Database, events: Iterable[EventObject], find_sessions: FindSessions) -> list[LostEvent]:
    """Give those of a page of Stripe's events whose effect their orders lack, the newest first, one for each object.

    Raises:
        DatabaseUnavailable: try again.
        StripeUnavailable: as `find_sessions`.
    """
    listed = [found for event in events if (found := _read(event)) is not None]
    owned = _owners(database, listed, find_sessions)
    facts = event_effects.read_facts(database, set(owned.values()))
    lost: list[LostEvent] = []
    for one in sorted(listed, key=_newest_first):
        order_id = owned.get(one.event["id"])
        known = facts.get(order_id) if order_id is not None else None
        if order_id is None or known is None or not event_effects.is_missing(one.read, one.created, known):
            continue
        lost.append(LostEvent(order_id=order_id, session_id=known.order["stripe_checkout_session_id"], listed=one))
        event_effects.note_sent(one.read, one.created, known)
    return lost


def remember_sent(database: Database, sent: Iterable[LostEvent]) -> None:
    """Note that these events were sent, so that none is sent again, whatever the workflow says to it.

    Raises:
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        for one in sorted(sent, key=lambda lost: lost.order_id):
            _remember(tx, one)


def _remember(tx: Transaction, one: LostEvent) -> None:
    kept = event_effects.sent(one.listed.read, one.listed.created)
    tx.change(
        "INSERT IGNORE INTO resent_events (stripe_event_id, order_id, stripe_object_id, event_created, payment_key,"
        " amount_minor, refund_status) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        one.listed.event["id"],
        one.order_id,
        kept.stripe_object_id,
        kept.event_created,
        kept.payment_key,
        kept.amount_minor,
        kept.refund_status,
    )
    history.record(
        tx,
        order_id=one.order_id,
        entry="reconcile_sent",
        stripe_event_id=one.listed.event["id"],
        stripe_object_id=one.listed.object_id,
    )


def _read(event: EventObject) -> ListedEvent | None:
    """Read an event; None for another account's, and for what the shop cannot read or does not handle."""
    if event.get("account") or event.get("context"):
        return None
    envelope = {"source": OWN_SOURCE, "detail-type": event.get("type"), "detail": event}
    try:
        read = read_event(envelope, livemode=bool(event.get("livemode")))
    except InvalidEvent:
        # Of another application, as a rule. A session of ours is also asked about by its order.
        return None
    if isinstance(read, IgnoredEvent):
        return None
    return ListedEvent(event=event, read=read, created=int(event["created"]))


def _newest_first(one: ListedEvent) -> tuple[int, int, int]:
    # A refund before the charge that counts it: it says which refund it is.
    return -one.created, isinstance(one.read, ChargeEvent), -int(one.event["type"] in _LATER)


def _owners(database: Database, listed: list[ListedEvent], find_sessions: FindSessions) -> dict[str, int]:
    """Give the orders of the events, by the events' ids; those that are no order's, or not ours, are left out."""
    sessions = {one.event["id"]: one.read for one in listed if isinstance(one.read, SessionEvent)}
    payments = {
        one.event["id"]: one.read.payment_intent_id
        for one in listed
        if not isinstance(one.read, SessionEvent) and one.read.payment_intent_id is not None
    }
    keys = tuple(set(payments.values()))
    with database.transaction() as tx:
        by_payment = _by_payment(tx, keys)
    asked = find_sessions(key for key in keys if key not in by_payment)
    identities: list[SessionIdentity] = [*sessions.values(), *(found for found in asked.values() if found is not None)]
    with database.transaction() as tx:
        by_session = owners.orders_of(tx, identities)
    by_payment |= {
        key: by_session[found.session_id]
        for key, found in asked.items()
        if found is not None and found.session_id in by_session
    }
    owned = {event: by_session[read.session_id] for event, read in sessions.items() if read.session_id in by_session}
    return owned | {event: by_payment[key] for event, key in payments.items() if key in by_payment}


def _by_payment(tx: Transaction, keys: tuple[str, ...]) -> dict[str, int]:
    if not keys:
        return {}
    found = {
        row["stripe_payment_intent_id"]: row["id"]
        for row in tx.all(
            "SELECT id, stripe_payment_intent_id FROM ticket_orders WHERE stripe_payment_intent_id IN %s", keys
        )
    }
    # MariaDB compares text regardless of case; Stripe's ids differ by it.
    found = {key: order for key, order in found.items() if key in keys}
    for row in tx.all("SELECT order_id, payment_key FROM order_payments WHERE payment_key IN %s", keys):
        found[row["payment_key"]] = row["order_id"]
    return found
