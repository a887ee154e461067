"""Records disputes, and ends an order whose payment was lost to one (docs/rules.md, "Order states").

See https://docs.stripe.com/disputes/how-disputes-work and https://docs.stripe.com/api/disputes/object.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from ticketing import money
from ticketing.alerts import Alert
from ticketing.database import Database, Row, Transaction
from ticketing.orders import counts_off, history
from ticketing.payments import ledger, refunds
from ticketing.stripe.events import DisputeEvent

DisputeAlert = Literal["DisputeOpened", "DisputeWon", "DisputeLost", "DisputeClosed"]

_ENTRIES: dict[DisputeAlert, str] = {
    "DisputeOpened": "dispute_opened",
    "DisputeWon": "dispute_won",
    "DisputeLost": "dispute_lost",
    "DisputeClosed": "dispute_closed",
}

# `prevented`: settled before it became a dispute, as a rule by giving the money back (Visa's Rapid Dispute Resolution).
_ENDED_OTHERWISE: Final = frozenset({"prevented", "charge_refunded"})
# An inquiry: a question before a dispute, for which no money is withdrawn.
_INQUIRY_PREFIX: Final = "warning_"


class DisputeRecorded(msgspec.Struct, kw_only=True):
    """The alert that is due and its sentence, the order's status after the task, and what else is to be told."""

    alert: DisputeAlert
    sentence: str
    status: str
    changed: bool
    alerts: list[Alert] = []


def record_dispute(database: Database, order_id: int, dispute: DisputeEvent) -> DisputeRecorded:
    """Record a dispute; a lost one goes on as a refund of the whole payment, in the same transaction.

    Raises:
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    alert = _alert(dispute)
    with database.transaction() as tx:
        order = refunds.lock_order(tx, order_id)
        history.record(
            tx,
            order_id=order_id,
            entry=_ENTRIES[alert],
            stripe_event_id=dispute.event_id,
            stripe_object_id=dispute.dispute_id,
            amount_minor=dispute.amount_minor,
        )
        status, changed = order["status"], False
        if alert == "DisputeLost":
            settled = _lose(tx, order, dispute)
            status, changed = settled.status, settled.changed
        ended = _ended_as(tx, order_id, dispute) if alert == "DisputeOpened" else None
        alerts = counts_off.due_alerts(tx, order_id)
    sentence = _sentence(order_id, dispute, alert, status) if ended is None else _late(order_id, dispute, ended, status)
    return DisputeRecorded(alert=ended or alert, sentence=sentence, status=status, changed=changed, alerts=alerts)


def alert_of(order_id: int, dispute: DisputeEvent, recorded: DisputeRecorded) -> Alert:
    """Say what became of the money, and what to do now."""
    refund = f"cachao refund {order_id} --payment {dispute.payment_key} --end-order"
    if_it_did = f"if it did, run: {refund}, or follow the runbook."
    money_now, what_to_do = {
        "DisputeOpened": (
            "The bank may take it back.",
            f"answer the dispute in the Stripe dashboard before its deadline ({dispute.dispute_id}).",
        ),
        "DisputeWon": ("It stays with the shop.", f"nothing in the shop; see the dispute ({dispute.dispute_id})."),
        "DisputeLost": ("The bank has taken it back.", f"nothing in the shop; see the dispute ({dispute.dispute_id})."),
        "DisputeClosed": (
            "Whether it went back, only Stripe can tell.",
            f"see in the Stripe dashboard whether the money went back ({dispute.dispute_id}); {if_it_did}",
        ),
    }[recorded.alert]
    return Alert(name=recorded.alert, message=recorded.sentence, money_taken=f"yes. {money_now}", what_to_do=what_to_do)


def _ended_as(tx: Transaction, order_id: int, dispute: DisputeEvent) -> DisputeAlert | None:
    """Give how this dispute ended, where that was told before its beginning: events come in any order, and again."""
    row = tx.one(
        "SELECT entry FROM order_history WHERE order_id = %s AND stripe_object_id = %s"
        " AND entry IN ('dispute_won', 'dispute_lost', 'dispute_closed') ORDER BY id DESC LIMIT 1",
        order_id,
        dispute.dispute_id,
    )
    return None if row is None else next(alert for alert, entry in _ENTRIES.items() if entry == row["entry"])


def _late(order_id: int, dispute: DisputeEvent, ended: DisputeAlert, status: str) -> str:
    how = {"DisputeWon": "won", "DisputeLost": "lost"}.get(ended, "closed")
    return (
        f"That dispute {dispute.dispute_id}, payment {dispute.payment_key} of order {order_id}, was opened is told only"
        f" now, or again: it has ended since, and was {how}. There is nothing to answer any more."
        f" The order is {status}."
    )


def _alert(dispute: DisputeEvent) -> DisputeAlert:
    # The status decides, whatever the event: a SEPA dispute is lost when it is opened.
    if dispute.status == "lost":
        return "DisputeLost"
    # An inquiry that the bank dropped (warning_closed) is as good as won.
    if dispute.status in {"won", "warning_closed"}:
        return "DisputeWon"
    if dispute.status in _ENDED_OTHERWISE or dispute.event_type == "charge.dispute.closed":
        return "DisputeClosed"
    return "DisputeOpened"


def _lose(tx: Transaction, order: Row, dispute: DisputeEvent) -> refunds.RefundRecorded:
    # The disputed amount may differ from the payment's by exchange rates: the whole payment counts as gone.
    ledger.remember_refunded_early(
        tx,
        order_id=order["id"],
        payment_key=dispute.payment_key,
        stripe_payment_intent_id=dispute.payment_intent_id,
        amount_minor=dispute.amount_minor,
        currency=dispute.currency,
    )
    ledger.remember_refund(
        tx,
        refund_id=dispute.dispute_id,
        order_id=order["id"],
        payment_key=dispute.payment_key,
        amount_minor=dispute.amount_minor,
        status=ledger.LOST_TO_DISPUTE,
    )
    return refunds.settle_order(tx, order, dispute.payment_key, cause=dispute.event_id)


def _deadline(dispute: DisputeEvent) -> str:
    if dispute.due_by is None:
        return "before its deadline"
    return f"before {datetime.fromtimestamp(dispute.due_by, UTC):%Y-%m-%d %H:%M} UTC"


def _sentence(order_id: int, dispute: DisputeEvent, alert: DisputeAlert, status: str) -> str:
    amount = money.format_amount(dispute.amount_minor, dispute.currency)
    what = f"Dispute {dispute.dispute_id} of {amount}, payment {dispute.payment_key} of order {order_id}"
    if alert == "DisputeOpened":
        money_now = (
            "it is an inquiry, and the money is still with the shop"
            if dispute.status.startswith(_INQUIRY_PREFIX)
            else "the bank holds the money back"
        )
        reason = f" The bank's reason: {dispute.reason}." if dispute.reason else ""
        return (
            f"{what}, was opened; {money_now}. The order stays {status}.{reason}"
            f" Answer it in Stripe's dashboard {_deadline(dispute)}."
        )
    if alert == "DisputeWon":
        return f"{what}, ended as {dispute.status}: the money stays with the shop. The order stays {status}."
    if alert == "DisputeLost":
        return f"{what}, was lost: the money went back to the buyer. The order is {status} now."
    return (
        f"{what}, was closed as {dispute.status}. The order stays {status}. See in Stripe's dashboard whether the money"
        " went back: if it did, the ticket must not stay valid."
    )
