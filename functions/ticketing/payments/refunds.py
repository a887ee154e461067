"""Records what went back to the buyer, and ends an order whose whole payment did (docs/rules.md, "Order states")."""

from __future__ import annotations

from typing import Final

import msgspec

from ticketing import money
from ticketing.database import Database, Row, Transaction
from ticketing.errors import DataInconsistent, RefundFailed
from ticketing.orders import give_back, history
from ticketing.orders import lock as order_lock
from ticketing.orders.status import LIVE, OrderStatus
from ticketing.payments import ledger
from ticketing.payments.ledger import CARRYING_ROLES, LedgerPayment
from ticketing.stripe.events import Payment

# The columns of an order that `apply` and `settle_order` read.
ORDER_COLUMNS: Final = (
    f"{give_back.COLUMNS}, status, currency, total_amount, stripe_payment_intent_id, stripe_checkout_session_id"
)


class RefundRecorded(msgspec.Struct, kw_only=True):
    """The order's status afterwards, whether this changed it, and how much of the payment went back so far.

    `refunded_minor` is in minor units of the payment's `currency`.
    """

    status: str
    changed: bool
    refunded_minor: int
    currency: str


def record_refund(database: Database, order_id: int, payment: Payment) -> RefundRecorded:
    """Record a refund, or what a charge says of its refunds, in one transaction.

    When the whole payment went back: a paid order that another payment carries stays paid; otherwise a paid order
    ends `refunded` and its counts go back once, and a pending or processing one ends `refunded` and its hold goes
    back. Orders that ended otherwise, and payments that did not pay the order, are only recorded.

    Raises:
        RefundFailed: it was recorded that Stripe could not carry out the refund.
        OrderMismatch: the refund is known as another order's.
        OrderNotFound: the order is gone.
        DataInconsistent: a counter says that less is held or counted than the order took.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        order = lock_order(tx, order_id)
        recorded = apply(tx, order, payment)
    # Of a refund that fails Stripe sends refund.failed, whatever else it sends; of a cancelled one only refund.updated.
    if payment.event_type == "refund.failed" or (payment.refund_id is not None and payment.status == "canceled"):
        raise RefundFailed(_failed_sentence(order_id, payment, recorded))
    return recorded


def lock_order(tx: Transaction, order_id: int) -> Row:
    """Lock an order and give its `ORDER_COLUMNS`.

    Raises:
        OrderNotFound: the order is gone.
    """
    return order_lock.lock_order(
        tx, order_id, ORDER_COLUMNS, gone=f"Order {order_id} is gone, its refund or dispute cannot be recorded."
    )


def apply(tx: Transaction, order: Row, payment: Payment) -> RefundRecorded:
    """Record a refund or a charge's refunds of a locked order, and settle the order.

    `payment` has the outcome `refund`; what is known of a refund without an event (RefundPayment) fits too.
    """
    order_id, key = order["id"], payment.key
    refunded_minor = payment.refunded_minor or 0
    _remember_payment(tx, order, payment)
    if payment.refund_id is not None:
        ledger.remember_refund(
            tx,
            refund_id=payment.refund_id,
            order_id=order_id,
            payment_key=key,
            amount_minor=refunded_minor,
            status=payment.status or "pending",
        )
    else:
        ledger.remember_charge(tx, order_id=order_id, payment_key=key, refunded_minor=refunded_minor)
    history.record(
        tx,
        order_id=order_id,
        entry=f"refund_{payment.status or 'pending'}" if payment.refund_id else "charge_refunded",
        stripe_event_id=payment.event_id,
        stripe_object_id=payment.refund_id or payment.charge_id,
        amount_minor=refunded_minor,
    )
    return settle_order(tx, order, payment)


def settle_order(tx: Transaction, order: Row, payment: Payment) -> RefundRecorded:
    """Compute what went back of a payment, and end the locked order where that was all that paid it."""
    ledger.settle(tx, order_id=order["id"], payment_key=payment.key)
    payments = ledger.payments_of(tx, order["id"])
    tx.change(
        "UPDATE ticket_orders SET refunded_amount = %s WHERE id = %s",
        ledger.refunded_amount(order, payments),
        order["id"],
    )
    this = next(known for known in payments if known.payment_key == payment.key)
    status = order["status"]
    if this.went_back:
        if status in LIVE:
            # Of another session's payment it is written down only: the order waits for its own.
            if this.stripe_checkout_session_id in {None, order["stripe_checkout_session_id"]}:
                status = _end_refunded(tx, order, payment, this)
        elif status == OrderStatus.PAID and _pays(order, this, payments):
            other = next((p for p in payments if p.role in CARRYING_ROLES and not p.went_back), None)
            if other is None:
                status = _end_refunded(tx, order, payment, this)
            else:
                _carry_by(tx, order, payment, other)
    return RefundRecorded(
        status=status,
        changed=status != order["status"],
        refunded_minor=this.refunded_minor,
        currency=this.currency,
    )


def _remember_payment(tx: Transaction, order: Row, payment: Payment) -> None:
    """See to it that the refund's payment is known, with the amount as far as this event tells it."""
    currency = payment.charged_currency or order["currency"].lower()
    amount_minor = payment.charged_minor
    if amount_minor is None:
        # A refund does not say what was paid. In the order's own currency that is the order's total; in another
        # one nobody knows until the charge or the payment's own event tells.
        same = currency == order["currency"].lower()
        amount_minor = money.to_minor_units(order["total_amount"], order["currency"]) if same else 0
    ledger.remember_refunded_early(
        tx,
        order_id=order["id"],
        payment_key=payment.key,
        stripe_payment_intent_id=payment.payment_intent_id,
        amount_minor=amount_minor,
        currency=currency,
    )
    if payment.charged_minor is not None:
        ledger.learn_amount(
            tx, order_id=order["id"], payment_key=payment.key, amount_minor=payment.charged_minor, currency=currency
        )


def _pays(order: Row, this: LedgerPayment, payments: list[LedgerPayment]) -> bool:
    """Tell whether this payment is the one that the paid order leans on."""
    stored = order["stripe_payment_intent_id"]
    if stored is not None:
        return bool(stored == this.payment_key)
    # No PaymentIntent on the order: nothing had to be paid, which an accepted payment says; or an operator marked
    # the order paid by hand, and then this is the payment he saw.
    return this.role == "accepted" or not any(known.role == "accepted" for known in payments)


def _end_refunded(tx: Transaction, order: Row, payment: Payment, this: LedgerPayment) -> str:
    changed = tx.change(
        "UPDATE ticket_orders SET status = 'refunded', hold_expires_at = NULL"
        " WHERE id = %s AND status IN ('pending', 'processing', 'paid')",
        order["id"],
    )
    if changed != 1:
        raise DataInconsistent(f"Order {order['id']} changed its status while it was locked.")
    give_back.give_back_everything(tx, order)
    history.record(
        tx,
        order_id=order["id"],
        entry="refunded",
        stripe_event_id=payment.event_id,
        stripe_object_id=this.payment_key,
        amount_minor=this.refunded_minor,
    )
    return OrderStatus.REFUNDED


def _carry_by(tx: Transaction, order: Row, payment: Payment, other: LedgerPayment) -> None:
    """Let a doubly paid order stay paid by its other payment: the buyer's ticket stays valid."""
    tx.change(
        "UPDATE order_payments SET role = 'accepted' WHERE order_id = %s AND payment_key = %s",
        order["id"],
        other.payment_key,
    )
    tx.change(
        "UPDATE ticket_orders SET stripe_payment_intent_id = %s WHERE id = %s AND status = 'paid'",
        other.stripe_payment_intent_id,
        order["id"],
    )
    history.record(
        tx,
        order_id=order["id"],
        entry="carried_by_other_payment",
        stripe_event_id=payment.event_id,
        stripe_object_id=other.payment_key,
        amount_minor=other.amount_minor,
    )


def _failed_sentence(order_id: int, payment: Payment, recorded: RefundRecorded) -> str:
    amount = money.format_amount(payment.refunded_minor or 0, payment.charged_currency or recorded.currency)
    consequence = (
        f"Order {order_id} is refunded and stays so: its seats are on sale again."
        if recorded.status == OrderStatus.REFUNDED
        else f"Order {order_id} stays {recorded.status}."
    )
    return (
        f"Refund {payment.refund_id} of {amount}, payment {payment.key}, ended as {payment.status}: the money is still"
        f" with the shop. {consequence} Refund again, or pay the buyer back another way."
    )
