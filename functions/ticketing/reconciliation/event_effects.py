"""Whether what a Stripe event tells has reached its order: by what the tables know, not by executions.

The key of an effect is the order and the effect, never the event's id: a thin event and its snapshot twin, or two Event
objects of one happening, are one. See docs/rules.md, "Order states".
"""

from __future__ import annotations

from datetime import UTC
from typing import Final

import msgspec

from ticketing.database import Database, Row, Transaction
from ticketing.orders.status import LIVE, OrderStatus
from ticketing.payments import identity
from ticketing.reconciliation import made_events
from ticketing.stripe.events import ChargeEvent, DisputeEvent, OrderEvent, RefundEvent, SessionEvent
from ticketing.stripe.states import NOTHING_WENT_BACK, DisputePhase, is_later, phase_of

ORDER_COLUMNS: Final = f"{identity.COLUMNS}, status, stripe_payment_intent_id"
# An event that reconciliation made says what Stripe said a moment before it was noted; what came after is not in it.
_MADE_WITHIN_SECONDS: Final = 60


class OrderFacts(msgspec.Struct, kw_only=True):
    """What the tables know of an order and its payments.

    `payments` by payment key, `refunds` and `disputes` by Stripe's ids; `resent`: until when (Unix seconds) the events
    of an object were sent by reconciliation; `charges_sent`: how much had gone back of a payment by what was sent of
    its charge; `made`: until when the events of a payment are covered by one that it made.
    """

    order: Row
    payments: dict[str, Row] = {}
    refunds: dict[str, Row] = {}
    disputes: dict[str, Row] = {}
    resent: dict[str, int] = {}
    charges_sent: dict[str, int] = {}
    made: dict[str, int] = {}


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What `resent_events` keeps of an event that reconciliation sent.

    Of money that went back also which payment's: of a refund its amount and status, of a charge all that went back.
    """

    stripe_object_id: str
    event_created: int
    payment_key: str | None = None
    amount_minor: int | None = None
    refund_status: str | None = None


def sent(event: OrderEvent, created: int) -> Sent:
    """Give what is to be kept of an event of that time (Unix seconds)."""
    object_id = object_id_of(event)
    match event:
        case RefundEvent():
            return Sent(
                stripe_object_id=object_id,
                event_created=created,
                payment_key=event.payment_key,
                amount_minor=event.amount_minor,
                refund_status=event.status,
            )
        case ChargeEvent():
            return Sent(
                stripe_object_id=object_id,
                event_created=created,
                payment_key=event.payment_key,
                amount_minor=event.refunded_minor,
            )
        case _:
            return Sent(stripe_object_id=object_id, event_created=created)


def note_sent(event: OrderEvent, created: int, facts: OrderFacts) -> None:
    """Let what follows know that this event was sent: what it tells is not missing any more, whatever comes of it."""
    _note_sent(facts, sent(event, created))


def _note_sent(facts: OrderFacts, one: Sent) -> None:
    known = facts.resent.get(one.stripe_object_id, -1)
    facts.resent[one.stripe_object_id] = max(known, one.event_created)
    if one.payment_key is None or one.amount_minor is None:
        return
    if one.refund_status is None:
        facts.charges_sent[one.payment_key] = max(facts.charges_sent.get(one.payment_key, 0), one.amount_minor)
        return
    stored = facts.refunds.get(one.stripe_object_id)
    if stored is None or _rank(one.refund_status) > _rank(stored["status"]):
        facts.refunds[one.stripe_object_id] = {
            "payment_key": one.payment_key,
            "amount_minor": one.amount_minor,
            "status": one.refund_status,
        }


def object_id_of(event: OrderEvent) -> str:
    """Give the id of what an event is about."""
    match event:
        case SessionEvent():
            return event.session_id
        case ChargeEvent():
            return event.charge_id
        case RefundEvent():
            return event.refund_id
        case DisputeEvent():
            return event.dispute_id


def read_facts(database: Database, order_ids: set[int]) -> dict[int, OrderFacts]:
    """Read what is known of some orders, by their ids; those that are gone are left out.

    Raises:
        DatabaseUnavailable: try again.
    """
    if not order_ids:
        return {}
    ids = tuple(sorted(order_ids))
    with database.transaction() as tx:
        orders = tx.all(f"SELECT {ORDER_COLUMNS} FROM ticket_orders WHERE id IN %s", ids)  # noqa: S608 -- constants
        facts = {row["id"]: OrderFacts(order=row) for row in orders}
        _read_money(tx, ids, facts)
        _read_sent(tx, ids, facts)
    return facts


def _read_money(tx: Transaction, ids: tuple[int, ...], facts: dict[int, OrderFacts]) -> None:
    for row in tx.all(
        "SELECT order_id, payment_key, role, amount_minor, refunded_minor, charge_refunded_minor FROM order_payments"
        " WHERE order_id IN %s",
        ids,
    ):
        facts[row["order_id"]].payments[row["payment_key"]] = row
    for row in tx.all(
        "SELECT order_id, stripe_refund_id, payment_key, amount_minor, status FROM order_refunds WHERE order_id IN %s",
        ids,
    ):
        facts[row["order_id"]].refunds[row["stripe_refund_id"]] = row
    for row in tx.all(
        "SELECT order_id, stripe_dispute_id, phase, reported_at FROM order_disputes WHERE order_id IN %s", ids
    ):
        facts[row["order_id"]].disputes[row["stripe_dispute_id"]] = row


def _read_sent(tx: Transaction, ids: tuple[int, ...], facts: dict[int, OrderFacts]) -> None:
    for row in tx.all(
        "SELECT order_id, stripe_object_id, event_created, payment_key, amount_minor, refund_status FROM resent_events"
        " WHERE order_id IN %s ORDER BY event_created, sent_at",
        ids,
    ):
        _note_sent(facts[row["order_id"]], Sent(**{name: row[name] for name in Sent.__struct_fields__}))
    for row in tx.all(
        "SELECT order_id, stripe_event_id, stripe_object_id, recorded_at FROM order_history"
        " WHERE order_id IN %s AND entry = 'reconcile_sent' ORDER BY recorded_at",
        ids,
    ):
        if made_events.is_made(row["stripe_event_id"]) and row["stripe_object_id"]:
            at = int(row["recorded_at"].replace(tzinfo=UTC).timestamp()) - _MADE_WITHIN_SECONDS
            facts[row["order_id"]].made[row["stripe_object_id"]] = at


def is_missing(event: OrderEvent, created: int, facts: OrderFacts) -> bool:
    """Tell whether an order lacks what an event of that time (Unix seconds) tells, and nobody has sent it yet.

    Of the events of one object the newest tells what the older ones did, so an older one is not missing after it.
    """
    if facts.resent.get(object_id_of(event), -1) >= created:
        return False
    match event:
        case SessionEvent():
            return _session_missing(event, created, facts)
        case ChargeEvent():
            return not _covered(event.payment_key, created, facts) and _charge_missing(event, facts)
        case RefundEvent():
            return not _covered(event.payment_key, created, facts) and _refund_missing(event, facts)
        case DisputeEvent():
            return _dispute_missing(event, created, facts)


def _covered(payment_key: str, created: int, facts: OrderFacts) -> bool:
    return facts.made.get(payment_key, -1) >= created


def _session_missing(event: SessionEvent, created: int, facts: OrderFacts) -> bool:
    order = facts.order
    stored = order["stripe_checkout_session_id"]
    own = stored is None or stored == event.session_id
    if event.outcome == "paid":
        return not _covered(event.payment_key, created, facts) and _payment_missing(event, own=own, facts=facts)
    # What becomes of another session of the order that took no money changes nothing.
    if event.outcome == "awaiting" or event.lost_as == "expired":
        return own and bool(order["status"] == OrderStatus.PENDING)
    return own and order["status"] in LIVE


def _payment_missing(event: SessionEvent, *, own: bool, facts: OrderFacts) -> bool:
    known, order = facts.payments.get(event.payment_key), facts.order
    if known is not None:
        # Known from its refund only: the order still waits for the payment, unless all of it went back.
        went_back = 0 < known["amount_minor"] <= known["refunded_minor"]
        return bool(known["role"] == "refunded_early" and not went_back)
    if order["status"] == OrderStatus.PAID:
        # An operator marked it paid: the payment has no record, but the order has it.
        stored = order["stripe_payment_intent_id"]
        return not (stored == event.payment_key or (own and stored is None))
    return True


def _charge_missing(event: ChargeEvent, facts: OrderFacts) -> bool:
    if not event.refunded_minor:
        return False
    return max(_said_of_charge(event.payment_key, facts), _refunded(event.payment_key, facts)) < event.refunded_minor


def _refund_missing(event: RefundEvent, facts: OrderFacts) -> bool:
    stored = facts.refunds.get(event.refund_id)
    if stored is not None:
        return _rank(event.status) > _rank(stored["status"])
    if event.status in NOTHING_WENT_BACK:
        return True
    # What the charge said counts it, beside the refunds that are known one by one.
    return _said_of_charge(event.payment_key, facts) < _refunded(event.payment_key, facts) + event.amount_minor


def _said_of_charge(payment_key: str, facts: OrderFacts) -> int:
    known = facts.payments.get(payment_key)
    said = int(known["charge_refunded_minor"]) if known is not None else 0
    return max(said, facts.charges_sent.get(payment_key, 0))


def _refunded(payment_key: str, facts: OrderFacts) -> int:
    return sum(row["amount_minor"] for row in facts.refunds.values() if row["payment_key"] == payment_key)


def _rank(status: str) -> int:
    if status in NOTHING_WENT_BACK:
        return 2
    return 1 if status == "succeeded" else 0


def _dispute_missing(event: DisputeEvent, created: int, facts: OrderFacts) -> bool:
    """Tell whether a dispute has come further than the order knows; what happens within a phase is no effect."""
    known = facts.disputes.get(event.dispute_id)
    if known is None:
        return True
    phase, before = phase_of(event.status, event.event_type), DisputePhase(known["phase"])
    reported = int(known["reported_at"].replace(tzinfo=UTC).timestamp())
    if phase is before or created < reported:
        return False
    return created > reported or is_later(phase, before)
