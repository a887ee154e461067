"""Records what went back to the buyer, and ends an order whose whole payment did (docs/rules.md, "Order states")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ticketing import money
from ticketing.alerts import Alert
from ticketing.database import Database, Row, Transaction
from ticketing.errors import DataInconsistent, RefundFailed
from ticketing.orders import counts_off, give_back, history
from ticketing.orders import lock as order_lock
from ticketing.orders.status import LIVE, OrderStatus
from ticketing.payments import ledger, situation, standing
from ticketing.payments.situation import Situation
from ticketing.payments.standing import CARRYING_ROLES, LedgerPayment
from ticketing.stripe.events import ChargeEvent, RefundEvent
from ticketing.stripe.objects import Charge, Dispute, Refund

# The columns of an order that `apply` and `settle_order` read.
ORDER_COLUMNS: Final = (
    f"{give_back.COLUMNS}, currency, total_amount, stripe_payment_intent_id, stripe_checkout_session_id"
)


class RefundRecorded(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The order's status afterwards, whether this changed it, and how much of the payment went back so far.

    `refunded_minor` is in minor units of the payment's `currency`. `alerts`: what a person must know besides.
    """

    status: str
    changed: bool
    refunded_minor: int
    currency: str
    alerts: list[Alert] = []


def record_refund(database: Database, order_id: int, reported: ChargeEvent | RefundEvent) -> RefundRecorded:
    """Record a refund, or what a charge says of its refunds, in one transaction.

    When the whole payment went back: a paid order that another payment carries stays paid; otherwise a paid order
    ends `refunded` and its counts go back once, and a pending or processing one ends `refunded` and its hold goes
    back. Orders that ended otherwise, and payments that did not pay the order, are only recorded.

    Raises:
        RefundFailed: it was recorded that Stripe could not carry out the refund.
        OrderMismatch: the refund is known as another order's.
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        order = lock_order(tx, order_id)
        recorded = apply(tx, order, reported, cause=reported.event_id)
        # Of a refund that fails Stripe sends refund.failed, whatever else it sends; of a cancelled one only
        # refund.updated.
        if not isinstance(reported, RefundEvent) or not (
            reported.event_type == "refund.failed" or reported.status == "canceled"
        ):
            recorded.alerts = counts_off.due_alerts(tx, order_id)
            return recorded
        now = situation.read(tx, order_id, reported.payment_key)
    raise refund_failed(now, reported)


def lock_order(tx: Transaction, order_id: int) -> Row:
    """Lock an order and give its `ORDER_COLUMNS`.

    Raises:
        OrderNotFound: the order is gone.
    """
    return order_lock.lock_order(
        tx, order_id, ORDER_COLUMNS, gone=f"Order {order_id} is gone, its refund or dispute cannot be recorded."
    )


def apply(tx: Transaction, order: Row, reported: Charge | Refund, *, cause: str) -> RefundRecorded:
    """Record a refund, or what a charge says of its refunds, of a locked order, and settle the order.

    `cause` is the Stripe event that told of it, for the order's history; the refund itself where none did.
    """
    order_id, key = order["id"], reported.payment_key
    remember_payment(tx, order, reported, paid_minor=reported.amount_minor if isinstance(reported, Charge) else None)
    if isinstance(reported, Refund):
        went_back, entry, stripe_object = reported.amount_minor, f"refund_{reported.status}", reported.refund_id
        ledger.remember_refund(
            tx,
            refund_id=reported.refund_id,
            order_id=order_id,
            payment_key=key,
            amount_minor=reported.amount_minor,
            status=reported.status,
        )
    else:
        went_back, entry, stripe_object = reported.refunded_minor, "charge_refunded", reported.charge_id
        ledger.remember_charge(tx, order_id=order_id, payment_key=key, refunded_minor=reported.refunded_minor)
    history.record(
        tx,
        order_id=order_id,
        entry=entry,
        stripe_event_id=cause,
        stripe_object_id=stripe_object,
        amount_minor=went_back,
    )
    return settle_order(tx, order, key, cause=cause)


def settle_order(tx: Transaction, order: Row, payment_key: str, *, cause: str) -> RefundRecorded:
    """Compute what went back of a payment, and end the locked order where that was all that paid it.

    `cause` is the Stripe event that told of it, for the order's history.
    """
    ledger.settle(tx, order_id=order["id"], payment_key=payment_key)
    payments = ledger.payments_of(tx, order["id"])
    this = next(known for known in payments if known.payment_key == payment_key)
    status = order["status"]
    if this.went_back:
        if status in LIVE:
            # Of another session's payment it is written down only: the order waits for its own.
            if this.stripe_checkout_session_id in {None, order["stripe_checkout_session_id"]}:
                status = _end_refunded(tx, order, this, cause)
        elif standing.pays(order, this, payments):
            other = next((p for p in payments if p.role in CARRYING_ROLES and not p.went_back and p is not this), None)
            if other is None:
                status = _end_refunded(tx, order, this, cause)
            else:
                _carry_by(tx, order, other, cause)
                order = {**order, "stripe_payment_intent_id": other.stripe_payment_intent_id}
                payments = ledger.payments_of(tx, order["id"])
    write_refunded_amount(tx, order, payments)
    return RefundRecorded(
        status=status,
        changed=status != order["status"],
        refunded_minor=this.refunded_minor,
        currency=this.currency,
    )


def write_refunded_amount(tx: Transaction, order: Row, payments: Sequence[LedgerPayment]) -> None:
    """Write on a locked order what went back of the payment that carries it now.

    Due whenever that may be another payment than before, or the order's total another one. `order` (what
    `standing.refunded_amount` reads, and `id`) and its `payments` as they are now.
    """
    tx.change(
        "UPDATE ticket_orders SET refunded_amount = %s WHERE id = %s",
        standing.refunded_amount(order, payments),
        order["id"],
    )


def remember_payment(
    tx: Transaction, order: Row, reported: Charge | Refund | Dispute, *, paid_minor: int | None
) -> None:
    """See to it that the payment of a refund, a charge or a dispute is known, with its amount as far as that is told.

    `paid_minor` None: Stripe does not say what was paid. In the order's own currency that is the order's total; in
    another one nobody knows until the charge or the payment's own event tells.
    """
    amount_minor = paid_minor
    if amount_minor is None:
        same = reported.currency == order["currency"].lower()
        amount_minor = money.to_minor_units(order["total_amount"], order["currency"]) if same else 0
    order_id, key = order["id"], reported.payment_key
    ledger.remember_refunded_early(
        tx,
        order_id=order_id,
        payment_key=key,
        stripe_payment_intent_id=reported.payment_intent_id,
        amount_minor=amount_minor,
        currency=reported.currency,
    )
    ledger.remember_charge_id(tx, order_id=order_id, payment_key=key, stripe_charge_id=reported.charge_id)
    if paid_minor is not None:
        ledger.learn_amount(tx, order_id=order_id, payment_key=key, amount_minor=paid_minor, currency=reported.currency)


def _end_refunded(tx: Transaction, order: Row, this: LedgerPayment, cause: str) -> str:
    changed = tx.change(
        "UPDATE ticket_orders SET status = %s, hold_expires_at = NULL WHERE id = %s AND status IN %s",
        OrderStatus.REFUNDED,
        order["id"],
        LIVE | {OrderStatus.PAID},
    )
    if changed != 1:
        raise DataInconsistent(f"Order {order['id']} changed its status while it was locked.")
    give_back.give_back_everything(tx, order)
    history.record(
        tx,
        order_id=order["id"],
        entry="refunded",
        stripe_event_id=cause,
        stripe_object_id=this.payment_key,
        amount_minor=this.refunded_minor,
    )
    return OrderStatus.REFUNDED


def _carry_by(tx: Transaction, order: Row, other: LedgerPayment, cause: str) -> None:
    """Let a doubly paid order stay paid by its other payment: the buyer's ticket stays valid."""
    tx.change(
        "UPDATE order_payments SET role = 'accepted' WHERE order_id = %s AND payment_key = %s",
        order["id"],
        other.payment_key,
    )
    tx.change(
        "UPDATE ticket_orders SET stripe_payment_intent_id = %s WHERE id = %s AND status = %s",
        other.stripe_payment_intent_id,
        order["id"],
        OrderStatus.PAID,
    )
    history.record(
        tx,
        order_id=order["id"],
        entry="carried_by_other_payment",
        stripe_event_id=cause,
        stripe_object_id=other.payment_key,
        amount_minor=other.amount_minor,
    )


def refund_failed(now: Situation, refund: Refund) -> RefundFailed:
    """Give the error of a refund that Stripe could not carry out, from all that is known of its payment."""
    amount = money.format_amount(refund.amount_minor, refund.currency)
    why = f" ({refund.failure_reason})" if refund.failure_reason else ""
    to_do = situation.what_to_do(now, part_minor=refund.amount_minor)
    if to_do.startswith("run: "):
        to_do = (
            f"read the reason: cachao stripe {refund.refund_id}. If a new refund can succeed, {to_do} If it cannot (a"
            " closed account), pay the buyer in another way, once."
        )
    return RefundFailed(
        f"Refund {refund.refund_id} of {amount}, payment {now.payment_key} of order {now.order_id}, ended as"
        f" {refund.status}{why}: the money did not reach the buyer.{situation.went_back(now)}"
        f" {situation.order_is(now)}",
        what_to_do=to_do,
    )
