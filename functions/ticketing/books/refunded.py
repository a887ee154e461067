"""Compares refunds at Stripe, and those that failed, with the books."""

from __future__ import annotations

from typing import Final

from ticketing import money
from ticketing.books.known import Known
from ticketing.books.lines import BookLine, Name
from ticketing.books.moved import Moved, advice_for_lost_event, send_as
from ticketing.database import Row
from ticketing.payments import standing
from ticketing.payments.standing import LedgerPayment, LedgerRefund
from ticketing.stripe.states import NOTHING_WENT_BACK

REFUND: Final = "refund"
REFUND_FAILURE: Final = "refund_failure"


def compare(moved: Moved, order: Row, known: Known) -> BookLine:
    """Give what a line of a refund of an order is."""
    line = moved.line
    refund = next((one for one in known.refunds[order["id"]] if one.stripe_refund_id == line.source_id), None)
    if line.category == REFUND_FAILURE:
        return _failed(moved, refund)
    payment = known.payment_of(order, line)
    if refund is None:
        if line.status in NOTHING_WENT_BACK or _counted_by_its_charge(moved, order, payment, known):
            # Its failure has a line of its own; or the charge's event told of it, and none of the refund's.
            return _agrees(moved)
        return _not_recorded(moved)
    if refund.amount_minor != -line.source_minor:
        moved.books_minor = -refund.amount_minor
        return moved.named(
            Name.REFUND_AMOUNT_DIFFERS,
            f"Stripe gave back {_amount(-line.source_minor, moved)}, and the books say"
            f" {_amount(refund.amount_minor, moved)}.",
            f"run: cachao show {moved.order_id}. What Stripe gave back counts.",
        )
    if not refund.went_back and line.status not in NOTHING_WENT_BACK:
        return _not_recorded(moved)
    return _agrees(moved)


def _failed(moved: Moved, refund: LedgerRefund | None) -> BookLine:
    if refund is not None and not refund.went_back:
        return _agrees(moved)
    if moved.is_fresh:
        return moved.named(Name.UNDER_WAY, "It is not recorded yet: its event may be on its way.")
    if refund is None:
        # Neither the refund nor its failure is known: in the books nothing moved, as in the end at Stripe.
        moved.books_minor = moved.line.source_minor
    return moved.named(
        Name.REFUND_FAILURE_NOT_RECORDED,
        f"The refund did not arrive, and its money is with the shop again: the buyer of order {moved.order_id} still"
        " waits for it.",
        advice_for_lost_event(moved, f"{send_as(moved, 'refund.failed')}.") + " Then pay the buyer in another way.",
    )


def _not_recorded(moved: Moved) -> BookLine:
    line = moved.line
    if moved.is_fresh:
        return moved.named(Name.UNDER_WAY, "It is not recorded yet: its event may be on its way.")
    name = Name.REFUND_NOT_RECORDED if line.by_shop else Name.DASHBOARD_REFUND_NOT_RECORDED
    who = "This shop made it" if line.by_shop else "Somebody made it in Stripe's dashboard"
    return moved.named(
        name,
        f"{who}, and order {moved.order_id} does not know of it: as the order stands, its buyer has the ticket and the"
        " money.",
        advice_for_lost_event(moved, _by_hand(moved)),
    )


def _by_hand(moved: Moved) -> str:
    line = moved.line
    if line.charge_refunded_minor >= line.charge_minor > 0:
        # All of it went back, so that this refunds nothing more.
        return (
            f"run: cachao refund {moved.order_id} --payment {line.payment_key} --end-order. Nothing is left of the"
            " payment: it records what went back."
        )
    return f"{send_as(moved, 'refund.created')}."


def _agrees(moved: Moved) -> BookLine:
    moved.books_minor = moved.line.source_minor
    return moved.named(Name.AGREES)


def _counted_by_its_charge(moved: Moved, order: Row, payment: LedgerPayment | None, known: Known) -> bool:
    if payment is None:
        return False
    disputes = [one for one in known.disputes[order["id"]] if one.payment_key == payment.payment_key]
    lost = standing.lost_amount(paid=payment.amount_minor, currency=payment.currency, disputes=disputes)
    return payment.refunded_minor - lost >= moved.line.charge_refunded_minor > 0


def _amount(minor: int, moved: Moved) -> str:
    return money.format_amount(minor, moved.line.source_currency)
