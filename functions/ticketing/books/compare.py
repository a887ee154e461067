"""Says of each line of Stripe what the shop's books say of it. Pure: what the books know is handed in (`known`)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from ticketing import money
from ticketing.books import disputed, refunded
from ticketing.books.known import Known
from ticketing.books.lines import NO_FAULT, BookLine, Name
from ticketing.books.moved import Moved, reconcile
from ticketing.database import Row
from ticketing.orders.status import OrderStatus
from ticketing.payments import situation, standing
from ticketing.payments.standing import LedgerPayment
from ticketing.stripe.balance import BalanceLine, converted
from ticketing.stripe.states import DisputePhase

# Stripe's reporting categories (https://docs.stripe.com/reports/reporting-categories).
CHARGE: Final = "charge"
CHARGE_FAILURE: Final = "charge_failure"
_OF_PAYMENTS: Final = {
    CHARGE,
    CHARGE_FAILURE,
    refunded.REFUND,
    refunded.REFUND_FAILURE,
    disputed.DISPUTE,
    disputed.REVERSAL,
}
PAYOUT: Final = "payout"
_PAYOUT_BACK: Final = "payout_reversal"
FAILED_PAYOUTS: Final = frozenset({"failed", "canceled"})
_ADJUSTMENT: Final = "other_adjustment"
_FEES: Final = frozenset({"fee", "network_cost", "stripe_fee", "tax", "stripe_fee_tax"})
# A conversion is rounded to the minor unit, and the rate is written with a few digits.
_ROUNDING: Final = Decimal("1.5")


def compare(line: BalanceLine, known: Known, *, now: int, shared: bool) -> BookLine:
    """Give what a line is.

    Args:
        line: what moved at Stripe.
        known: what the books know of its payment.
        now: Unix time: of what has just happened the events may be on their way.
        shared: the account takes payments for other things, too.
    """
    found = _of_payment(Moved(line, now), known, shared=shared) if line.category in _OF_PAYMENTS else _of_stripe(line)
    wrong = _arithmetic(line)
    if not wrong:
        return found
    if found.name in NO_FAULT:
        found.name = Name.LINE_DOES_NOT_ADD_UP
        found.to_do = "ask Stripe's support: name the transaction."
    found.what = f"{found.what} {wrong}".strip()
    return found


def _arithmetic(line: BalanceLine) -> str:
    """Say what of a line does not add up."""
    if line.net_minor != line.amount_minor - line.fee_minor:
        return f"Its net, {_amount(line.net_minor, line)}, is not its amount without its fee."
    if line.fee_minor != line.fees_minor:
        return f"Its fee is {_amount(line.fee_minor, line)}, and the parts of it are {_amount(line.fees_minor, line)}."
    if line.exchange_rate is not None and line.source_minor:
        # Stripe's rate is one of minor units.
        off = converted(line.source_minor, line.exchange_rate) - line.amount_minor
        if abs(off) > max(_ROUNDING, abs(line.amount_minor) * Decimal("0.00001")):
            return f"At its exchange rate of {line.exchange_rate} the amount would be another one."
    return ""


def _amount(minor: int, line: BalanceLine) -> str:
    return money.format_amount(minor, line.currency)


def _of_stripe(line: BalanceLine) -> BookLine:
    """Name what no buyer moved."""
    moved = Moved(line, 0)
    if line.category == PAYOUT:
        failed = line.status in FAILED_PAYOUTS
        return moved.named(Name.PAYOUT, "It did not arrive: its money came back." if failed else "")
    if line.category == _PAYOUT_BACK:
        return moved.named(
            Name.PAYOUT_FAILED,
            f"The bank did not take payout {line.source_id}; its money is on the balance again.",
            "check the bank account in Stripe's dashboard (Settings, Payouts): Stripe pays out no more before.",
        )
    if line.category in _FEES:
        return moved.named(Name.STRIPE_FEE, line.description)
    if line.category == _ADJUSTMENT:
        return moved.named(Name.ADJUSTMENT, line.description or "Stripe gives no reason; its support does.")
    return moved.named(Name.OTHER_MOVEMENT, f"{line.category}: {line.description}".removesuffix(": "))


def _of_payment(moved: Moved, known: Known, *, shared: bool) -> BookLine:
    line = moved.line
    order = known.order_of(line)
    if order is None:
        named, owner = known.named_order(line)
        if owner != "ours" or named is None:
            return _not_ours(moved, named, shared=shared)
        order = named
    moved.order_id = order["id"]
    if not line.is_own:
        return moved.named(
            Name.SECOND_LINE,
            f"{line.source_id} names another transaction as its own: this one moved the money a second time.",
            "ask Stripe's support: name both transactions.",
        )
    if line.category in {refunded.REFUND, refunded.REFUND_FAILURE}:
        return refunded.compare(moved, order, known)
    if line.category in {disputed.DISPUTE, disputed.REVERSAL}:
        return disputed.compare(moved, order, known)
    if line.category == CHARGE_FAILURE:
        return _failure(moved, order, known)
    return _charge(moved, order, known)


def _not_ours(moved: Moved, named: Row | None, *, shared: bool) -> BookLine:
    line = moved.line
    claims_order = line.order_mark is not None or (
        line.event_reference is not None and line.order_reference is not None
    )
    if claims_order:
        is_there = (
            f"of order {line.order_reference}, whose it is not"
            if named is not None
            else f"of order {line.order_reference}, which is not in this database"
        )
        return moved.named(
            Name.PAYMENT_OF_UNKNOWN_ORDER,
            f"It says that it is {is_there}: of another shop of this account, or of an order that is gone.",
            f"look it up (cachao stripe {line.payment_key}), and ask whose it is. Do not refund it before.",
        )
    if shared:
        return moved.named(Name.OTHER_APPLICATION)
    return moved.named(
        Name.FOREIGN_PAYMENT,
        "It names no order of this shop, and the account is said to sell nothing else.",
        f"look it up: cachao stripe {line.payment_key}. If the account sells other things, too, set"
        " StripeAccountShared to true. Do not refund it before.",
    )


def _charge(moved: Moved, order: Row, known: Known) -> BookLine:
    line, payment = moved.line, known.payment_of(order, moved.line)
    if payment is None or (payment.role == "refunded_early" and payment.amount_minor == 0):
        if payment is None and order["stripe_payment_intent_id"] == line.payment_intent_id is not None:
            return _by_hand(moved, order)
        return _not_recorded(moved, order)
    moved.books_minor, moved.books_currency = payment.amount_minor, payment.currency.lower()
    if (payment.amount_minor, payment.currency.lower()) != (line.source_minor, line.source_currency):
        return _differs(moved)
    left = _left_over(order, payment, known)
    if left and not moved.is_fresh:
        return moved.named(
            Name.MONEY_TO_GIVE_BACK, f"{payment.payment_key} buys nothing: {_why(order, payment)}.", left
        )
    return _agrees(moved)


def _agrees(moved: Moved) -> BookLine:
    line = moved.line
    if line.exchange_rate is None:
        return moved.named(Name.AGREES)
    taken = money.format_amount(line.source_minor, line.source_currency)
    return moved.named(
        Name.CONVERTED,
        f"Stripe made {_amount(line.amount_minor, line)} of {taken}, at a rate of {line.exchange_rate}.",
    )


def _by_hand(moved: Moved, order: Row) -> BookLine:
    """Name the payment of an order of the time before, or of one that somebody marked paid: the order alone has it."""
    currency = str(order["currency"]).lower()
    moved.books_minor, moved.books_currency = money.to_minor_units(order["total_amount"], currency), currency
    if (moved.books_minor, currency) != (moved.line.source_minor, moved.line.source_currency):
        return _differs(moved)
    return _agrees(moved)


def _differs(moved: Moved) -> BookLine:
    line = moved.line
    taken = money.format_amount(line.source_minor, line.source_currency)
    booked = money.format_amount(moved.books_minor, moved.books_currency)
    if line.source_currency != moved.books_currency:
        # Not the same money, so there is no difference to name; what Stripe has counts.
        moved.books_currency, moved.books_minor = line.source_currency, 0
    return moved.named(
        Name.AMOUNT_DIFFERS,
        f"Stripe took {taken}, and the books say {booked}.",
        f"run: cachao show {moved.order_id}. Stripe's amount is what was paid; the order's is put right by"
        f" cachao correct {moved.order_id} --amount.",
    )


def _not_recorded(moved: Moved, order: Row) -> BookLine:
    line = moved.line
    if moved.is_fresh or (line.status == "pending" and order["status"] == OrderStatus.PROCESSING):
        return moved.named(Name.UNDER_WAY, "It is not recorded yet: its event may be on its way.")
    other = f", and is {order['status']}"
    otherwise = f"run: cachao mark-paid {order['id']} --payment {line.payment_key}."
    if order["status"] == OrderStatus.PAID:
        other = ", and is paid by another payment: once recorded, this one has to go back"
        otherwise = f"refund {line.payment_key} in Stripe's dashboard."
    # Of payments it looks at the Checkout Sessions, too, which Stripe keeps for longer than events.
    return moved.named(
        Name.PAYMENT_NOT_RECORDED,
        f"Order {order['id']} does not know of it{other}.",
        f"run: {reconcile(moved)}, which finds its Checkout Session. If it finds none, {otherwise}",
    )


def _left_over(order: Row, payment: LedgerPayment, known: Known) -> str:
    """Say what to do with a payment that buys nothing and whose money is with the shop; empty for any other."""
    payments = known.payments[order["id"]]
    if not payment.left_minor or not standing.superfluous(order, payment, payments):
        return ""
    now = situation.of_rows(
        order, payment.payment_key, payments, known.refunds[order["id"]], known.disputes[order["id"]]
    )
    return "" if now.of(DisputePhase.OPENED) else situation.what_to_do(now)


def _why(order: Row, payment: LedgerPayment) -> str:
    reasons = {
        "duplicate": f"order {order['id']} is paid by another one",
        "sold_out": "the seats were gone",
        "closed_order": f"order {order['id']} had ended",
    }
    return reasons.get(payment.role, f"order {order['id']} is {order['status']}")


def _failure(moved: Moved, order: Row, known: Known) -> BookLine:
    """Name the line by which a delayed payment's money leaves again: it has failed after all."""
    payment = known.payment_of(order, moved.line)
    if payment is None or payment.went_back:
        moved.books_minor, moved.books_currency = moved.line.source_minor, moved.line.source_currency
        return moved.named(Name.AGREES)
    return moved.named(
        Name.PAYMENT_FAILURE_NOT_RECORDED,
        f"The payment failed after all, and order {order['id']} is {order['status']} by it.",
        f"take the seats back: cachao take-back {order['id']}.",
    )
