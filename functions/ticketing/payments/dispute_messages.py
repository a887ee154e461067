"""What an alert says of a dispute: what happened, whether money was taken, what to do now."""

from __future__ import annotations

from typing import Final

from ticketing import money
from ticketing.alerts import Alert, AlertName
from ticketing.payments import situation
from ticketing.payments.situation import IN_NO_WAY, Situation
from ticketing.payments.standing import LedgerDispute, lost_amount
from ticketing.stripe.states import DisputePhase

ALERTS: Final[dict[DisputePhase, AlertName]] = {
    DisputePhase.INQUIRY: "DisputeOpened",
    DisputePhase.OPENED: "DisputeOpened",
    DisputePhase.SETTLED: "DisputeClosed",
    DisputePhase.INQUIRY_CLOSED: "DisputeWon",
    DisputePhase.WON: "DisputeWon",
    DisputePhase.LOST: "DisputeLost",
}
# Payments that pay nothing: the bank may as well give their money back.
_BUYS_NOTHING: Final = frozenset({"duplicate", "sold_out", "closed_order"})


def alert_of(dispute: LedgerDispute, now: Situation, *, before: DisputePhase | None) -> Alert:
    """Make the alert of a dispute.

    Args:
        dispute: as it is now.
        now: all that is known of its payment, this dispute included.
        before: how far the dispute was known to be until now; None: it was not known.
    """
    describe = {
        DisputePhase.INQUIRY: _inquiry,
        DisputePhase.OPENED: _opened,
        DisputePhase.SETTLED: _settled,
        DisputePhase.INQUIRY_CLOSED: _inquiry_closed,
        DisputePhase.WON: _won,
        DisputePhase.LOST: _lost,
    }[dispute.phase]
    what = f"{{}} {dispute.stripe_dispute_id} of {_amount(dispute)}, payment {now.payment_key} of order {now.order_id},"
    message, money_taken, what_to_do = describe(dispute, now, what, before)
    return Alert(name=ALERTS[dispute.phase], message=message, money_taken=money_taken, what_to_do=what_to_do)


def _inquiry(dispute: LedgerDispute, now: Situation, what: str, _: DisputePhase | None) -> tuple[str, str, str]:
    message = (
        f"{what.format('Inquiry')} was opened: the bank asks before it disputes, and the shop still has the money."
        f"{_reason(dispute)}{situation.went_back(now)} {situation.order_is(now)}"
    )
    if now.left_minor == 0:
        to_do = _answer_that_it_went_back(dispute, now)
    else:
        to_do = (
            f"answer it {situation.deadline(dispute)}: {situation.answer_command(dispute)}"
            f" Or refund it, which settles the inquiry: {situation.refund_command(now)} --although-disputed"
        )
    return message, "yes; the shop still has it.", to_do


def _opened(dispute: LedgerDispute, now: Situation, what: str, before: DisputePhase | None) -> tuple[str, str, str]:
    became = before is DisputePhase.INQUIRY or before is DisputePhase.INQUIRY_CLOSED
    again = before is DisputePhase.WON or before is DisputePhase.LOST
    begins = (
        f"{what.format('Inquiry')} became a dispute"
        if became
        else f"{what.format('Dispute')} was opened{' again' if again else ''}"
    )
    message = (
        f"{begins}: the bank holds the money now.{_reason(dispute)}{situation.went_back(now)} {situation.order_is(now)}"
    )
    if now.left_minor == 0:
        to_do = _answer_that_it_went_back(dispute, now)
    elif now.payment is not None and now.payment.role in _BUYS_NOTHING and not now.pays:
        to_do = (
            f"accept it, since this payment buys nothing ({now.payment.role}): cachao dispute"
            f" {dispute.stripe_dispute_id} --accept. Also, {IN_NO_WAY}."
        )
    else:
        to_do = (
            f"answer it {situation.deadline(dispute)}, or accept it: {situation.answer_command(dispute)}"
            f" Also, {IN_NO_WAY}."
        )
    return message, "yes; the bank holds it until the dispute is decided.", to_do


def _settled(dispute: LedgerDispute, now: Situation, what: str, _: DisputePhase | None) -> tuple[str, str, str]:
    message = (
        f"{what.format('Dispute')} was closed as {dispute.status}: neither won nor lost."
        f"{situation.went_back(now)} {situation.order_is(now)}"
    )
    if now.left_minor == 0:
        return message, f"yes. It went back by {situation.by_what(now)}.", f"nothing. {_paid_once(now)}"
    to_do = (
        f"see whether the money went back (cachao stripe {dispute.stripe_dispute_id}: money moved). If it did, the"
        f" ticket must not stay valid: cachao take-back {now.order_id} ends the order without money. If not, do"
        " nothing."
    )
    return message, "yes. Only Stripe knows whether it went back.", to_do


def _inquiry_closed(dispute: LedgerDispute, now: Situation, what: str, _: DisputePhase | None) -> tuple[str, str, str]:
    message = (
        f"{what.format('Inquiry')} was closed: the bank does not dispute the payment."
        f"{situation.went_back(now)} {situation.order_is(now)}"
    )
    return message, *_stands(dispute, now)


def _won(dispute: LedgerDispute, now: Situation, what: str, before: DisputePhase | None) -> tuple[str, str, str]:
    after = " after it had been lost" if before is DisputePhase.LOST else ""
    message = (
        f"{what.format('Dispute')} was won{after}: the bank leaves the disputed money with the shop."
        f"{situation.went_back(now)} {situation.order_is(now)}"
    )
    return message, *_stands(dispute, now)


def _stands(dispute: LedgerDispute, now: Situation) -> tuple[str, str]:
    """Say of money that the bank leaves with the shop whether the buyer has something for it."""
    if now.left_minor == 0:
        return f"yes. It went back by {situation.by_what(now)}.", f"nothing. {_paid_once(now)}"
    other = [known for known in now.disputes if known.is_open and known.stripe_dispute_id != dispute.stripe_dispute_id]
    if other or now.pays or now.order_status in {"pending", "processing"}:
        return "yes. The shop keeps it.", "nothing" + (
            f" for this one; dispute {other[0].stripe_dispute_id} of the same payment is still open." if other else "."
        )
    if now.paid_by is not None:
        return "yes. The shop keeps it, but it buys nothing.", f"refund it; {situation.what_to_do(now)}"
    to_do = (
        "give the buyer a ticket again as the runbook says, or refund the money. To refund it,"
        f" {situation.what_to_do(now)}"
    )
    return "yes. The shop keeps it, and the buyer has no ticket.", to_do


def _lost(_dispute: LedgerDispute, now: Situation, what: str, _: DisputePhase | None) -> tuple[str, str, str]:
    part = bool(now.left_minor)
    message = (
        f"{what.format('Dispute')} was lost: the bank gave {'that part' if part else 'the money'} to the buyer."
        f"{situation.went_back(now)} {situation.order_is(now)}"
    )
    money_taken = "yes. The bank took it back" + (f"; the shop keeps {situation.left(now)}." if part else ".")
    refunds = [refund for refund in now.refunds if refund.went_back]
    if _more_than_paid(now):
        names = ", ".join(refund.stripe_refund_id for refund in refunds)
        to_do = (
            f"pay nothing more. The buyer also got a refund ({names}) and now has more than the payment: ask the buyer"
            " for it. Only Stripe's support can say whether the refund can still be stopped."
        )
    elif part and now.pays:
        to_do = "nothing: only a part went back, and the ticket stays valid. Do not refund that part again."
    else:
        to_do = (
            "refund nothing: the buyer has the money. If the buyer has the ticket, tell the staff at the venue's door."
        )
    return message, money_taken, to_do


def _more_than_paid(now: Situation) -> bool:
    payment = now.payment
    if payment is None or not payment.amount_minor:
        return False
    refunded = sum(refund.amount_minor for refund in now.refunds if refund.went_back)
    lost = lost_amount(paid=payment.amount_minor, currency=payment.currency, disputes=now.disputes)
    return refunded > 0 and refunded + lost > payment.amount_minor


def _answer_that_it_went_back(dispute: LedgerDispute, now: Situation) -> str:
    return (
        f"answer it {situation.deadline(dispute)}, and say that the money already went back:"
        f" {situation.answer_command(dispute)} {_paid_once(now)}"
    )


def _paid_once(now: Situation) -> str:
    return f"Refund nothing more: all of it already went back, by {situation.by_what(now)}."


def _reason(dispute: LedgerDispute) -> str:
    return f" The bank's reason: {dispute.reason}." if dispute.reason else ""


def _amount(dispute: LedgerDispute) -> str:
    return money.format_amount(dispute.amount_minor, dispute.currency)
