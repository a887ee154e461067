"""Marks an order paid by hand: by a payment at Stripe whose event cannot do it, or by money that came another way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from ticketing import money
from ticketing.corrections import claims
from ticketing.corrections.frame import Outcome
from ticketing.corrections.refusal import CorrectionRefused
from ticketing.database import Row, Transaction
from ticketing.orders.numbers import order_id_of
from ticketing.orders.status import CLOSED, OrderStatus
from ticketing.payments import ledger
from ticketing.stripe.payments import PaidIntent


class MarkPaid(msgspec.Struct, frozen=True, kw_only=True, tag="mark_paid", tag_field="kind"):
    """Mark an order paid. `payment` (pi_…) None: the money came another way, or the order is a gift.

    `found` is that payment as Stripe has it; whoever asks for the correction does not say it.
    """

    kind: ClassVar[str] = "mark_paid"

    payment: str | None = None
    found: PaidIntent | None = None

    def tickets(self) -> Iterable[int]:
        """Give none: the order keeps its ticket."""
        return []

    def codes(self, tx: Transaction, order: Row) -> Iterable[int]:  # noqa: ARG002 -- it needs none
        """Give none."""
        return []

    def apply(self, tx: Transaction, order: Row) -> Outcome:
        """Count what the order takes, and have it paid by that payment, in one."""
        order_id, paid = order["id"], self.found
        by = f"--payment {self.payment}" if self.payment else "--without-stripe"
        outcome = Outcome(
            request=f"mark-paid {order_id} {by}",
            undo=f"cachao refund {order_id} --end-order gives seats and money back; without money:"
            f" cachao take-back {order_id}",
            entry="corrected_marked_paid",
            payment_key=self.payment,
            amount_minor=None if paid is None else paid.received_minor,
        )
        if order["status"] == OrderStatus.PAID and order["stripe_payment_intent_id"] == self.payment:
            outcome.already = f"Order {order_id} is paid already, {by}."
            return outcome
        _check_order(order)
        if self.payment is not None:
            _check_payment(tx, order, self.payment, paid)
        claims.exchange_seats(
            tx, order, claims.Claim(int(order["ticket_id"]), max(int(order["quantity"]), 0), "counted")
        )
        code_id = order["discount_code_id"]
        if code_id is not None or claims.use_of(order) is not None:
            claims.exchange_use(tx, order, None if code_id is None else claims.Claim(int(code_id), 1, "counted"))
        tx.change(
            "UPDATE ticket_orders SET status = %s, paid_at = UTC_TIMESTAMP(6), stripe_payment_intent_id = %s,"
            " hold_expires_at = NULL, next_check_at = NULL WHERE id = %s AND status = %s",
            OrderStatus.PAID,
            self.payment,
            order_id,
            order["status"],
        )
        if paid is not None:
            _remember(tx, order_id, paid)
            outcome.notes = _notes(order, paid)
        else:
            outcome.notes = ["No payment at Stripe stands behind it: cachao refund has nothing to refund then."]
        return outcome


def _check_order(order: Row) -> None:
    order_id, status = order["id"], order["status"]
    if status == OrderStatus.PAID:
        paid_by = order["stripe_payment_intent_id"] or order["stripe_checkout_session_id"]
        raise CorrectionRefused(
            f"Order {order_id} is paid already, by {paid_by}.", advice=f"Look: cachao show {order_id}."
        )
    if status in CLOSED:
        raise CorrectionRefused(
            f"Order {order_id} is {status}: it has ended, and is never revived.",
            advice="Refund the payment; the buyer can buy again.",
        )


def _check_payment(tx: Transaction, order: Row, payment: str, paid: PaidIntent | None) -> None:
    order_id = order["id"]
    if paid is None:
        raise CorrectionRefused(f"Stripe knows no payment {payment} in this account and mode.")
    if paid.status != "succeeded":
        raise CorrectionRefused(f"Payment {payment} took no money: Stripe says {paid.status}.")
    if paid.order_reference is not None and (
        order_id_of(paid.order_reference) != order_id
        or (paid.order_mark is not None and paid.order_mark != order["order_mark"])
    ):
        raise CorrectionRefused(
            f"Payment {payment} says at Stripe that it is of order {paid.order_reference}, or of another shop's.",
            advice=f"Look: cachao show {payment}.",
        )
    others = tx.all("SELECT order_id FROM order_payments WHERE payment_key = %s AND order_id <> %s", payment, order_id)
    others += tx.all(
        "SELECT id AS order_id FROM ticket_orders WHERE stripe_payment_intent_id = %s AND id <> %s", payment, order_id
    )
    if others:
        raise CorrectionRefused(f"Payment {payment} is of order {others[0]['order_id']}.")
    known = ledger.payment_of(tx, order_id, payment)
    if paid.refunded_minor or (known is not None and known.refunded_minor):
        raise CorrectionRefused(f"Some or all of payment {payment} went back already.")
    if paid.is_disputed:
        raise CorrectionRefused(
            f"The buyer's bank disputes payment {payment}.", advice=f"Look: cachao show {payment}, cachao disputes."
        )
    total = money.to_minor_units(order["total_amount"], order["currency"])
    if (paid.received_minor, paid.currency) != (total, str(order["currency"]).lower()):
        raise CorrectionRefused(
            f"Order {order_id} costs {money.format_amount(total, order['currency'])}, and Stripe took"
            f" {money.format_amount(paid.received_minor, paid.currency)}.",
            advice=f"If Stripe's amount is right: cachao correct {order_id} --amount"
            f" {money.from_minor_units(paid.received_minor, paid.currency)} --currency {paid.currency}",
        )


def _remember(tx: Transaction, order_id: int, paid: PaidIntent) -> None:
    tx.change(
        "INSERT INTO order_payments (order_id, payment_key, stripe_payment_intent_id, stripe_charge_id, role,"
        " amount_minor, currency) VALUES (%s, %s, %s, %s, 'accepted', %s, %s)"
        " ON DUPLICATE KEY UPDATE role = 'accepted', amount_minor = VALUES(amount_minor), currency = VALUES(currency),"
        " stripe_charge_id = COALESCE(stripe_charge_id, VALUES(stripe_charge_id))",
        order_id,
        paid.payment_intent_id,
        paid.payment_intent_id,
        paid.charge_id,
        paid.received_minor,
        paid.currency,
    )


def _notes(order: Row, paid: PaidIntent) -> list[str]:
    if paid.order_reference is None:
        return [f"Nothing at Stripe says that {paid.payment_intent_id} is of order {order['id']}: you say so."]
    return []
