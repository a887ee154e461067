"""What was paid for an order and what went back: the rows of `order_payments` and `order_refunds`.

An order can be paid twice and refunded in parts, and what Stripe says of it comes in any order. So nothing here adds
up as events come in: each event's fact is stored under its own key, and what went back is computed from the facts.
Works inside a caller's transaction that has locked the order row. Amounts are minor units of the payment's currency.
"""

from __future__ import annotations

from typing import Final

from ticketing.database import Transaction
from ticketing.errors import OrderMismatch
from ticketing.payments.standing import (
    LedgerDispute,
    LedgerPayment,
    LedgerRefund,
    disputes_in,
    lost_amount,
    payments_in,
    refunds_in,
    standing_refund,
)
from ticketing.stripe.states import NOTHING_WENT_BACK, SUCCEEDED

# A lost dispute was kept as a refund with this status before `order_disputes` was (migration 0013).
_LOST: Final = "lost"


def payments_of(tx: Transaction, order_id: int) -> list[LedgerPayment]:
    """Give the payments of an order, the oldest first."""
    rows = tx.all(
        "SELECT payment_key, stripe_payment_intent_id, role, amount_minor, currency, refunded_minor,"
        " stripe_checkout_session_id FROM order_payments WHERE order_id = %s ORDER BY id",
        order_id,
    )
    return payments_in(rows)


def refunds_of(tx: Transaction, order_id: int) -> list[LedgerRefund]:
    """Give the refunds of an order's payments, the oldest first."""
    rows = tx.all(
        "SELECT stripe_refund_id, payment_key, amount_minor, status FROM order_refunds"
        " WHERE order_id = %s AND status <> %s ORDER BY created_at, stripe_refund_id",
        order_id,
        _LOST,
    )
    return refunds_in(rows)


def disputes_of(tx: Transaction, order_id: int) -> list[LedgerDispute]:
    """Give the disputes of an order's payments, the oldest first."""
    rows = tx.all(
        "SELECT stripe_dispute_id, payment_key, amount_minor, currency, status, phase, reason, due_by"
        " FROM order_disputes WHERE order_id = %s ORDER BY created_at, stripe_dispute_id",
        order_id,
    )
    return disputes_in(rows)


def payment_of(tx: Transaction, order_id: int, payment_key: str) -> LedgerPayment | None:
    """Give one payment of an order, or None."""
    return next((known for known in payments_of(tx, order_id) if known.payment_key == payment_key), None)


def remember_refunded_early(
    tx: Transaction,
    *,
    order_id: int,
    payment_key: str,
    stripe_payment_intent_id: str | None,
    amount_minor: int,
    currency: str,
    session_id: str | None = None,
) -> None:
    """Write down a payment that is known only from its refund or dispute so far; a known one stays as it is.

    `amount_minor` 0: not known yet. `session_id`: its Checkout Session, where that is known already.
    """
    tx.change(
        "INSERT IGNORE INTO order_payments (order_id, payment_key, stripe_checkout_session_id,"
        " stripe_payment_intent_id, role, amount_minor, currency) VALUES (%s, %s, %s, %s, 'refunded_early', %s, %s)",
        order_id,
        payment_key,
        session_id,
        stripe_payment_intent_id,
        amount_minor,
        currency,
    )


def remember_charge_id(tx: Transaction, *, order_id: int, payment_key: str, stripe_charge_id: str | None) -> None:
    """Note the charge of a payment, where an event names it: operators find the order by it."""
    if stripe_charge_id is not None:
        tx.change(
            "UPDATE order_payments SET stripe_charge_id = %s WHERE order_id = %s AND payment_key = %s"
            " AND NOT stripe_charge_id <=> %s",
            stripe_charge_id,
            order_id,
            payment_key,
            stripe_charge_id,
        )


def learn_amount(tx: Transaction, *, order_id: int, payment_key: str, amount_minor: int, currency: str) -> None:
    """Set the amount of a payment that was known only from its refund, now that its charge or session tells it."""
    tx.change(
        "UPDATE order_payments SET amount_minor = %s, currency = %s"
        " WHERE order_id = %s AND payment_key = %s AND role = 'refunded_early'",
        amount_minor,
        currency,
        order_id,
        payment_key,
    )


def remember_refund(
    tx: Transaction, *, refund_id: str, order_id: int, payment_key: str, amount_minor: int, status: str
) -> None:
    """Store one refund's newest status. `failed` and `canceled` are final; `succeeded` gives way only to them.

    Raises:
        OrderMismatch: the refund is another order's.
    """
    known = tx.one("SELECT order_id FROM order_refunds WHERE stripe_refund_id = %s", refund_id)
    if known is not None and known["order_id"] != order_id:
        raise OrderMismatch(
            f"Refund {refund_id} belongs to order {known['order_id']}, but Stripe reports it for a payment of order"
            f" {order_id}. Nothing was changed."
        )
    final = status in NOTHING_WENT_BACK
    tx.change(
        "INSERT INTO order_refunds (stripe_refund_id, order_id, payment_key, amount_minor, status)"
        " VALUES (%s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE status ="
        " IF(status IN %s OR (status = %s AND NOT %s), status, VALUES(status))",
        refund_id,
        order_id,
        payment_key,
        amount_minor,
        status,
        tuple(NOTHING_WENT_BACK),
        SUCCEEDED,
        final,
    )


def remember_charge(tx: Transaction, *, order_id: int, payment_key: str, refunded_minor: int) -> None:
    """Store how much of a charge went back, as the charge itself says; an older, smaller figure changes nothing."""
    tx.change(
        "UPDATE order_payments SET charge_refunded_minor = GREATEST(charge_refunded_minor, %s)"
        " WHERE order_id = %s AND payment_key = %s",
        refunded_minor,
        order_id,
        payment_key,
    )


def settle(tx: Transaction, *, order_id: int, payment_key: str) -> None:
    """Compute from the stored facts how much of a payment stays away, and store it. The order is locked."""
    payment = tx.one(
        "SELECT amount_minor, currency, charge_refunded_minor FROM order_payments"
        " WHERE order_id = %s AND payment_key = %s",
        order_id,
        payment_key,
    )
    if payment is None:
        return
    refunds = [known for known in refunds_of(tx, order_id) if known.payment_key == payment_key]
    disputes = [known for known in disputes_of(tx, order_id) if known.payment_key == payment_key]
    paid = payment["amount_minor"]
    tx.change(
        "UPDATE order_payments SET refunded_minor = %s WHERE order_id = %s AND payment_key = %s",
        standing_refund(
            paid=paid,
            charge_said=payment["charge_refunded_minor"],
            refunds=[(refund.amount_minor, refund.status) for refund in refunds],
            lost=lost_amount(paid=paid, currency=payment["currency"], disputes=disputes),
        ),
        order_id,
        payment_key,
    )


def failed_refunds(tx: Transaction, *, order_id: int, payment_key: str) -> int:
    """Count the refunds of a payment that Stripe could not carry out."""
    row = tx.one(
        "SELECT COUNT(*) AS failed FROM order_refunds WHERE order_id = %s AND payment_key = %s AND status IN %s",
        order_id,
        payment_key,
        tuple(NOTHING_WENT_BACK),
    )
    return int(row["failed"]) if row else 0
