"""What was paid for an order and what went back: the rows of `order_payments` and `order_refunds`.

An order can be paid twice and refunded in parts, and what Stripe says of it comes in any order. So nothing here adds
up as events come in: each event's fact is stored under its own key, and what went back is computed from the facts.
Works inside a caller's transaction that has locked the order row. Amounts are minor units of the payment's currency.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import msgspec

from ticketing import money
from ticketing.database import Row, Transaction
from ticketing.errors import OrderMismatch
from ticketing.stripe.objects import NOTHING_WENT_BACK

# Not one of Stripe's refund statuses: the bank took the whole payment back (`ticketing.payments.disputes`).
LOST_TO_DISPUTE: Final = "lost"

# Payments that can pay an order. The others' money must go back, or its payment event did not come yet.
CARRYING_ROLES: Final = frozenset({"accepted", "duplicate"})


# What `ticket_orders.refunded_amount` holds. No order costs so much; a charge that says so must not end the
# transaction that records it.
_LARGEST_AMOUNT: Final = Decimal("99999999.99")


class LedgerPayment(msgspec.Struct, kw_only=True):
    """One payment of an order. `amount_minor` 0: nothing had to be paid, or the amount is not known yet."""

    payment_key: str
    stripe_payment_intent_id: str | None
    role: str
    amount_minor: int
    currency: str
    refunded_minor: int
    stripe_checkout_session_id: str | None = None

    @property
    def went_back(self) -> bool:
        """Tell whether all of it was refunded."""
        return 0 < self.amount_minor <= self.refunded_minor


def payments_of(tx: Transaction, order_id: int) -> list[LedgerPayment]:
    """Give the payments of an order, the oldest first."""
    rows = tx.all(
        "SELECT payment_key, stripe_payment_intent_id, role, amount_minor, currency, refunded_minor,"
        " stripe_checkout_session_id FROM order_payments WHERE order_id = %s ORDER BY id",
        order_id,
    )
    return [LedgerPayment(**row) for row in rows]


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
            f"Refund {refund_id} is one of order {known['order_id']}, but Stripe reports it for a payment of order"
            f" {order_id}. Nothing was changed."
        )
    final = status in NOTHING_WENT_BACK
    tx.change(
        "INSERT INTO order_refunds (stripe_refund_id, order_id, payment_key, amount_minor, status)"
        " VALUES (%s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE status ="
        " IF(status IN ('failed', 'canceled') OR (status = 'succeeded' AND NOT %s), status, VALUES(status))",
        refund_id,
        order_id,
        payment_key,
        amount_minor,
        status,
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
    """Compute from the stored facts how much of a payment stays refunded, and store it. The order is locked."""
    payment = tx.one(
        "SELECT amount_minor, charge_refunded_minor FROM order_payments WHERE order_id = %s AND payment_key = %s",
        order_id,
        payment_key,
    )
    if payment is None:
        return
    refunds = tx.all(
        "SELECT amount_minor, status FROM order_refunds WHERE order_id = %s AND payment_key = %s", order_id, payment_key
    )
    tx.change(
        "UPDATE order_payments SET refunded_minor = %s WHERE order_id = %s AND payment_key = %s",
        standing_refund(
            paid=payment["amount_minor"],
            charge_said=payment["charge_refunded_minor"],
            refunds=[(refund["amount_minor"], refund["status"]) for refund in refunds],
        ),
        order_id,
        payment_key,
    )


def standing_refund(*, paid: int, charge_said: int, refunds: Iterable[tuple[int, str]]) -> int:
    """Say how much of a payment stays refunded, in minor units; never more than the payment.

    Two views of the same money may each be incomplete, so the larger counts: the refunds that did not fail; and
    what the charge said at most, less the refunds that failed, as the charge may have counted them before they did.
    Refunds of 10 and 10, the second failed, while the charge had said 20: both views say 10. What was lost to a
    dispute is the whole payment.

    Args:
        paid: the payment's amount; 0 while nobody knows it.
        charge_said: the most that its charge said was refunded.
        refunds: amount and status of each.
    """
    stand = failed = 0
    for amount, status in refunds:
        if status == LOST_TO_DISPUTE and paid:
            return paid
        if status in NOTHING_WENT_BACK:
            failed += amount
        else:
            stand += amount
    refunded = max(stand, charge_said - failed, 0)
    return min(refunded, paid) if paid else refunded


def failed_refunds(tx: Transaction, *, order_id: int, payment_key: str) -> int:
    """Count the refunds of a payment that Stripe could not carry out."""
    row = tx.one(
        "SELECT COUNT(*) AS failed FROM order_refunds"
        " WHERE order_id = %s AND payment_key = %s AND status IN ('failed', 'canceled')",
        order_id,
        payment_key,
    )
    return int(row["failed"]) if row else 0


def refunded_amount(order: Row, payments: list[LedgerPayment]) -> Decimal:
    """Give what went back of all the order's payments, in the order's currency.

    With adaptive pricing the buyer was charged in another currency: then the same share of the order's total
    (https://docs.stripe.com/payments/checkout/adaptive-pricing). `order` has `total_amount` and `currency`.
    """
    currency = order["currency"].lower()
    minor = sum(
        (_in_order_currency(payment, order["total_amount"], currency) for payment in payments),
        start=Decimal(0),
    )
    amount = money.from_minor_units(int(minor.quantize(Decimal(1), rounding=ROUND_HALF_UP)), currency)
    return min(amount, _LARGEST_AMOUNT)


def _in_order_currency(payment: LedgerPayment, total: Decimal, currency: str) -> Decimal:
    if payment.currency.lower() == currency:
        return Decimal(payment.refunded_minor)
    if payment.amount_minor == 0:
        return Decimal(0)  # not known yet which share this is
    return Decimal(money.to_minor_units(total, currency)) * payment.refunded_minor / payment.amount_minor
