"""All that is known of one payment, and what to do with its money now.

Every message about money uses this, never its own event alone: a failed refund may be of a payment that a lost dispute
took back, or that was refunded again since. No message may make an operator pay twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from ticketing import money
from ticketing.database import Row, Transaction
from ticketing.orders.status import LIVE, OrderStatus
from ticketing.payments import ledger, standing
from ticketing.payments.standing import LedgerDispute, LedgerPayment, LedgerRefund
from ticketing.stripe.states import SUCCEEDED, DisputePhase

# The columns of an order that `read` reads.
_COLUMNS: Final = "id, status, quantity, total_amount, currency, stripe_payment_intent_id, stripe_checkout_session_id"
# Money that the bank holds, or gave back, must not go to the buyer a second time.
IN_NO_WAY: Final = "do not refund it and do not pay the buyer in another way: the shop would lose the money twice"


class Situation(msgspec.Struct, kw_only=True):
    """An order, one of its payments, and all refunds and disputes of that payment.

    `payment` is None where only a dispute is known of it so far. `paid_by`: the payment by which the order is paid now.
    """

    order_id: int
    order_status: str
    quantity: int
    payment_key: str
    payment: LedgerPayment | None
    paid_by: str | None
    refunds: list[LedgerRefund]
    disputes: list[LedgerDispute]

    @property
    def pays(self) -> bool:
        """Tell whether the order is paid by this payment."""
        return self.paid_by == self.payment_key

    @property
    def left_minor(self) -> int | None:
        """What did not go back of it; None where nobody knows yet how much was paid."""
        known = self.payment
        return None if known is None or known.amount_minor == 0 else known.left_minor

    def of(self, phase: DisputePhase) -> list[LedgerDispute]:
        """Give its disputes in a phase."""
        return [dispute for dispute in self.disputes if dispute.phase is phase]


def read(tx: Transaction, order_id: int, payment_key: str) -> Situation:
    """Read the situation of a payment; the order is locked."""
    order = tx.one(f"SELECT {_COLUMNS} FROM ticket_orders WHERE id = %s", order_id)  # noqa: S608 -- constants
    return of_rows(
        order or {},
        payment_key,
        ledger.payments_of(tx, order_id),
        ledger.refunds_of(tx, order_id),
        ledger.disputes_of(tx, order_id),
    )


def of_rows(
    order: Row,
    payment_key: str,
    payments: list[LedgerPayment],
    refunds: list[LedgerRefund],
    disputes: list[LedgerDispute],
) -> Situation:
    """Give the situation of a payment out of what is known of its order."""
    carried = standing.carrying(order, payments) if order["status"] == OrderStatus.PAID else None
    return Situation(
        order_id=order["id"],
        order_status=order["status"],
        quantity=order["quantity"],
        payment_key=payment_key,
        payment=next((known for known in payments if known.payment_key == payment_key), None),
        paid_by=None if carried is None else carried.payment_key,
        refunds=[known for known in refunds if known.payment_key == payment_key],
        disputes=[known for known in disputes if known.payment_key == payment_key],
    )


def what_to_do(now: Situation, *, part_minor: int | None = None) -> str:
    """Say what to do with what stands of a payment whose money should go back; begins with a verb, or `nothing`.

    `part_minor`: only so much should go back of the payment that pays the order.
    """
    held = now.of(DisputePhase.OPENED)
    if held:
        return f"{IN_NO_WAY}. The bank holds it for dispute {_names(held)}: answer or accept that {deadline(held[0])}."
    if now.left_minor == 0:
        return f"nothing: all of it already went back, by {by_what(now)}. Do not refund it, and do not pay it again."
    if now.left_minor is None:
        return (
            f"see what is left of it: cachao stripe {now.payment_key}. Then have its event through (cachao reconcile):"
            f" the order learns its amount, and {refund_command(now)} refunds what is left."
        )
    return _refund(now, part_minor)


def _refund(now: Situation, part_minor: int | None) -> str:
    settled, inquiry = now.of(DisputePhase.SETTLED), now.of(DisputePhase.INQUIRY)
    if settled:
        return (
            f"see whether dispute {_names(settled)} gave the money back: cachao stripe {now.payment_key}. If it did, do"
            f" nothing. If not, run: {refund_command(now)}"
        )
    if inquiry:
        return (
            f"run: {refund_command(now)} --although-disputed. That refunds {left(now)} and settles the bank's"
            f" inquiry {_names(inquiry)}."
        )
    if part_minor is not None and now.payment is not None and now.pays and part_minor < now.payment.left_minor:
        part = money.from_minor_units(part_minor, now.payment.currency)
        return f"run: cachao refund {now.order_id} --payment {now.payment_key} --amount {part}. The order stays paid."
    return f"run: {refund_command(now)}. That refunds {left(now)}."


def refund_command(now: Situation) -> str:
    """Give the command that refunds what is left of a payment."""
    ends = " --end-order" if now.pays else ""
    return f"cachao refund {now.order_id} --payment {now.payment_key}{ends}"


def left(now: Situation) -> str:
    """Give what is left of the payment, as a person writes it."""
    if now.payment is None or now.left_minor is None:
        return "an amount not known yet"
    return money.format_amount(now.left_minor, now.payment.currency)


def went_back(now: Situation) -> str:
    """Say in a sentence what of the payment went back; empty where nothing did."""
    known = now.payment
    if known is None or not known.refunded_minor:
        return ""
    amount = money.format_amount(known.refunded_minor, known.currency)
    whole = f" of {money.format_amount(known.amount_minor, known.currency)}" if known.amount_minor else ""
    return f" So far {amount}{whole} went back, by {by_what(now)}."


def by_what(now: Situation) -> str:
    """Name the refunds and lost disputes by which money of the payment went back, or is on its way."""
    names = [
        f"refund {refund.stripe_refund_id}" + ("" if refund.status == SUCCEEDED else f" ({refund.status})")
        for refund in now.refunds
        if refund.went_back
    ]
    names += [f"the lost dispute {dispute.stripe_dispute_id}" for dispute in now.of(DisputePhase.LOST)]
    return " and ".join(names) or "a refund that its charge shows"


def order_is(now: Situation) -> str:
    """Say in a sentence how the order is, and what the buyer has."""
    seats = f"{now.quantity} seat{'' if now.quantity == 1 else 's'}"
    if now.pays:
        return f"Order {now.order_id} is paid by it, and the buyer keeps the ticket ({seats})."
    if now.paid_by is not None:
        return f"Order {now.order_id} is paid by {now.paid_by}, not by this payment, and the buyer keeps the ticket."
    if now.order_status == OrderStatus.REFUNDED:
        return f"Order {now.order_id} stays refunded: the buyer has no ticket, its {seats} went back on sale."
    if now.order_status in LIVE:
        return f"Order {now.order_id} is {now.order_status}: Stripe has not sent the event of its payment yet."
    return f"Order {now.order_id} is {now.order_status}: the buyer has no ticket."


def deadline(dispute: LedgerDispute) -> str:
    """Say until when a dispute must be answered."""
    if dispute.due_by is None:
        return "before its deadline"
    return f"before {datetime.fromisoformat(dispute.due_by):%Y-%m-%d %H:%M} UTC"


def answer_command(dispute: LedgerDispute) -> str:
    """Say by which command a dispute is looked at, answered and accepted."""
    return f"cachao dispute {dispute.stripe_dispute_id} shows what to say; --submit and --accept are final."


def _names(disputes: list[LedgerDispute]) -> str:
    return " and ".join(dispute.stripe_dispute_id for dispute in disputes)
