"""Records disputes, and settles the order whose payment a dispute took or gave back (docs/rules.md, "Order states").

A dispute is a row of `order_disputes`. Its events come in any order and more than once: what Stripe said last counts,
and operators are told once of each phase (`ticketing.stripe.states`).
See https://docs.stripe.com/disputes/how-disputes-work and https://docs.stripe.com/api/disputes/object.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from ticketing.alerts import Alert, AlertName
from ticketing.database import Database, Row, Transaction
from ticketing.errors import OrderMismatch
from ticketing.orders import counts_off, history
from ticketing.payments import dispute_messages, ledger, refunds, situation
from ticketing.stripe.events import DisputeEvent
from ticketing.stripe.states import (
    CLOSED,
    FUNDS_REINSTATED,
    FUNDS_WITHDRAWN,
    OPEN_PHASES,
    DisputePhase,
    is_later,
    phase_of,
)

# What the order's history says of each phase.
_ENTRIES: Final = {
    DisputePhase.INQUIRY: "dispute_inquiry",
    DisputePhase.INQUIRY_CLOSED: "dispute_inquiry_closed",
    DisputePhase.OPENED: "dispute_opened",
    DisputePhase.SETTLED: "dispute_closed",
    DisputePhase.WON: "dispute_won",
    DisputePhase.LOST: "dispute_lost",
}
# The same event in another execution so soon came by the other entry point. A replay alerts again, and so does what
# comes later: nobody knows whether the first one's mail was sent.
_OTHER_ENTRY_POINT: Final = timedelta(minutes=5)
# Longer than Stripe takes to answer. Of two fetched states that were asked for so close together, nobody knows which
# is the newer one, except by what can follow what.
_ASKED_TOGETHER: Final = timedelta(seconds=20)


class DisputeRecorded(msgspec.Struct, kw_only=True):
    """The order's status afterwards, whether this changed it, and what a person must know.

    `told` is the name of the dispute's own alert, where one is due: the first of them.
    """

    status: str
    changed: bool
    told: AlertName | None
    alerts: list[Alert]


class _Known(msgspec.Struct, kw_only=True):
    """A dispute as an earlier event left it, and who was told of it. Times are UTC, without a zone."""

    order_id: int
    status: str
    phase: DisputePhase
    reported_at: datetime
    funds_withdrawn_at: datetime | None
    funds_reinstated_at: datetime | None
    alerted_phase: str | None
    alerted_event_id: str | None
    alerted_execution_id: str | None
    alerted_at: datetime | None


def record_dispute(database: Database, order_id: int, dispute: DisputeEvent) -> DisputeRecorded:
    """Record what Stripe says of a dispute, in one transaction.

    A lost one counts as a refund, of the whole payment or of the disputed part; one that is won after that gives the
    money back to the books. What Stripe said before it said what is known changes nothing and is not told.

    Raises:
        OrderMismatch: the dispute is known as another order's.
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        order = refunds.lock_order(tx, order_id)
        known = _known(tx, order_id, dispute)
        now = datetime.now(UTC).replace(tzinfo=None)
        # Two times: of the event, which says when money moved, and of the state, which a thin event's may be newer.
        happened_at = now.replace(microsecond=0) if dispute.as_of is None else _utc(dispute.as_of)
        seen_at = happened_at if dispute.fetched_at is None else _utc(dispute.fetched_at)
        phase = _phase(dispute, known, happened_at)
        is_news = known is None or _is_news(known, phase, seen_at, fetched=dispute.fetched_at is not None)
        # A repeat of the event finds its own effect, and would be another entry: `dispute_updated`.
        if not history.has_any(tx, order_id=order_id, prefix="dispute_", stripe_event_id=dispute.event_id):
            history.record(
                tx,
                order_id=order_id,
                entry=_entry(dispute, known, phase),
                stripe_event_id=dispute.event_id,
                stripe_object_id=dispute.dispute_id,
                amount_minor=dispute.amount_minor,
            )
        if is_news:
            _remember(tx, order, dispute, phase, seen_at, status=_status(dispute, known, phase))
        _note_funds(tx, dispute, happened_at)
        status = _settle(tx, order, dispute, phase) if is_news else order["status"]
        told, alerts = None, counts_off.due_alerts(tx, order_id)
        if is_news and _is_due(known, phase, dispute.event_id, now):
            alert = _alert(tx, order_id, dispute, before=None if known is None else known.phase)
            told, alerts = alert.name, [alert, *alerts]
            _note_alert(tx, dispute, phase)
    return DisputeRecorded(status=status, changed=status != order["status"], told=told, alerts=alerts)


def _known(tx: Transaction, order_id: int, dispute: DisputeEvent) -> _Known | None:
    row = tx.one(
        "SELECT order_id, status, phase, reported_at, funds_withdrawn_at, funds_reinstated_at, alerted_phase,"
        " alerted_event_id, alerted_execution_id, alerted_at FROM order_disputes WHERE stripe_dispute_id = %s",
        dispute.dispute_id,
    )
    if row is None:
        return None
    if row["order_id"] != order_id:
        raise OrderMismatch(
            f"Dispute {dispute.dispute_id} belongs to order {row['order_id']}, but Stripe reports it for a payment of"
            f" order {order_id}. Nothing was changed. See whose it is: cachao stripe"
            f" {dispute.dispute_id}, and answer it: cachao dispute {dispute.dispute_id}."
        )
    return msgspec.convert(row, _Known)


def _phase(dispute: DisputeEvent, known: _Known | None, happened_at: datetime) -> DisputePhase:
    phase = phase_of(dispute.status, dispute.event_type)
    if known is None or phase_of(dispute.status, "") is not DisputePhase.LOST:
        return phase
    # Lost. Where its funds were reinstated the status may say so still for a while: the money, or its end, says more.
    # A thin event may be old, and its state is today's: what it says of the money is of its own time.
    withdrawn, reinstated = known.funds_withdrawn_at, known.funds_reinstated_at
    if dispute.event_type == FUNDS_WITHDRAWN:
        withdrawn = max(withdrawn or happened_at, happened_at)
    elif dispute.event_type == FUNDS_REINSTATED:
        reinstated = max(reinstated or happened_at, happened_at)
    if reinstated is None or (withdrawn is not None and withdrawn > reinstated):
        return DisputePhase.LOST
    ended_after = dispute.event_type == CLOSED and happened_at > reinstated
    was_won = known.phase is DisputePhase.WON or dispute.event_type == FUNDS_REINSTATED
    return DisputePhase.WON if was_won and not ended_after else DisputePhase.LOST


def _is_news(known: _Known, phase: DisputePhase, seen_at: datetime, *, fetched: bool) -> bool:
    """Tell whether Stripe said this after what is known; of two of the same moment, the later phase."""
    if abs(seen_at - known.reported_at) > (_ASKED_TOGETHER if fetched else timedelta(0)):
        return seen_at > known.reported_at
    return phase is known.phase or is_later(phase, known.phase)


def _entry(dispute: DisputeEvent, known: _Known | None, phase: DisputePhase) -> str:
    if dispute.event_type in {FUNDS_WITHDRAWN, FUNDS_REINSTATED}:
        return f"dispute_{dispute.event_type.rpartition('.')[2]}"
    return "dispute_updated" if known is not None and known.phase is phase else _ENTRIES[phase]


def _status(dispute: DisputeEvent, known: _Known | None, phase: DisputePhase) -> str:
    """Give the status to keep: one that still says "lost" of what is known as won (`_phase`) says nothing new."""
    is_behind = phase is DisputePhase.WON and phase_of(dispute.status, "") is not phase
    return known.status if is_behind and known is not None and known.phase is phase else dispute.status


def _remember(
    tx: Transaction, order: Row, dispute: DisputeEvent, phase: DisputePhase, seen_at: datetime, *, status: str
) -> None:
    tx.change(
        "INSERT INTO order_disputes (stripe_dispute_id, order_id, payment_key, stripe_charge_id, amount_minor,"
        " currency, status, phase, is_open, reason, due_by, reported_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE stripe_charge_id = COALESCE(VALUES(stripe_charge_id), stripe_charge_id),"
        " amount_minor = VALUES(amount_minor), currency = VALUES(currency), status = VALUES(status),"
        " phase = VALUES(phase), is_open = VALUES(is_open), reason = VALUES(reason), due_by = VALUES(due_by),"
        " reported_at = GREATEST(reported_at, VALUES(reported_at))",
        dispute.dispute_id,
        order["id"],
        dispute.payment_key,
        dispute.charge_id,
        dispute.amount_minor,
        dispute.currency,
        status,
        phase,
        phase in OPEN_PHASES,
        dispute.reason,
        None if dispute.due_by is None else _utc(dispute.due_by),
        seen_at,
    )
    ledger.remember_charge_id(
        tx, order_id=order["id"], payment_key=dispute.payment_key, stripe_charge_id=dispute.charge_id
    )


def _note_funds(tx: Transaction, dispute: DisputeEvent, happened_at: datetime) -> None:
    """Note when the bank took the money last, and when it gave it back; an older event changes nothing."""
    column = {FUNDS_WITHDRAWN: "funds_withdrawn_at", FUNDS_REINSTATED: "funds_reinstated_at"}.get(dispute.event_type)
    if column is not None:
        tx.change(
            f"UPDATE order_disputes SET {column} = GREATEST(COALESCE({column}, %s), %s)"  # noqa: S608 -- constants
            " WHERE stripe_dispute_id = %s",
            happened_at,
            happened_at,
            dispute.dispute_id,
        )


def _settle(tx: Transaction, order: Row, dispute: DisputeEvent, phase: DisputePhase) -> str:
    """Compute what the dispute means for its payment and order; gives the order's status."""
    if phase is DisputePhase.LOST:
        # How much was paid, a dispute does not say: its amount may be a part, or another one by exchange rates.
        refunds.remember_payment(tx, order, dispute, paid_minor=None)
    elif ledger.payment_of(tx, order["id"], dispute.payment_key) is None:
        return str(order["status"])
    return refunds.settle_order(tx, order, dispute.payment_key, cause=dispute.event_id).status


def _is_due(known: _Known | None, phase: DisputePhase, event_id: str, now: datetime) -> bool:
    """Tell whether operators are to be told of this phase by this execution."""
    if known is None or known.alerted_phase != phase:
        return True
    if known.alerted_event_id != event_id:
        return False
    if known.alerted_execution_id == history.execution_id() or history.is_replay():
        return True  # its task is repeated: nobody knows whether the first answer arrived
    return known.alerted_at is None or now - known.alerted_at > _OTHER_ENTRY_POINT


def _note_alert(tx: Transaction, dispute: DisputeEvent, phase: DisputePhase) -> None:
    tx.change(
        "UPDATE order_disputes SET alerted_phase = %s, alerted_event_id = %s, alerted_execution_id = %s,"
        " alerted_at = UTC_TIMESTAMP(6) WHERE stripe_dispute_id = %s",
        phase,
        dispute.event_id,
        history.execution_id(),
        dispute.dispute_id,
    )


def _alert(tx: Transaction, order_id: int, dispute: DisputeEvent, *, before: DisputePhase | None) -> Alert:
    now = situation.read(tx, order_id, dispute.payment_key)
    kept = next(known for known in now.disputes if known.stripe_dispute_id == dispute.dispute_id)
    return dispute_messages.alert_of(kept, now, before=before)


def _utc(moment: int) -> datetime:
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)
