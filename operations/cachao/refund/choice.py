"""Which payment of an order an operator means to refund, and what to say where there is none or it is done already.

Works on an order as `InspectOrder` shows it: `order`, `payments`, `refunds`, `disputes`, `history`.
"""

from __future__ import annotations

from typing import Any

from cachao.problems import USAGE, Problem
from cachao.view.output import pluralize
from ticketing import money
from ticketing.payments import situation, standing
from ticketing.payments.situation import Situation
from ticketing.payments.standing import CARRYING_ROLES, LedgerDispute, LedgerPayment
from ticketing.stripe.states import DisputePhase

Row = dict[str, Any]


def choose(inspected: Row, payment_key: str | None, *, end_order: bool) -> LedgerPayment | None:
    """Give the payment that is to go back; None where all that can be meant went back already.

    Raises:
        Problem: there is none, more than one, or it pays the order and nobody said that it is to end.
    """
    order, named = inspected["order"], _named(inspected, payment_key)
    left = [known for known in named if known.left_minor]
    meant = [known for known in left if payment_key or end_order or not _pays(inspected, known)]
    if len(meant) > 1:
        raise Problem(
            f"Order {order['id']} has more than one such payment: {_keys(meant)}.",
            advice="Say --payment.",
            exit_code=USAGE,
        )
    if meant and _pays(inspected, meant[0]) and not end_order:
        raise Problem(
            f"Payment {meant[0].payment_key} pays order {order['id']}. Nothing was refunded.",
            advice=_instead(inspected),
            exit_code=USAGE,
        )
    if meant:
        return meant[0]
    if not any(known.went_back for known in named):
        raise _nothing_to_refund(inspected, left)
    return None


def choose_part(inspected: Row, payment_key: str | None) -> LedgerPayment:
    """Give the payment of which a part is to go back: the named one, or the one that pays the order, or the only one.

    Raises:
        Problem: there is none of which anything is left, or more than one.
    """
    left = [known for known in _named(inspected, payment_key) if known.left_minor]
    paying = [known for known in left if _pays(inspected, known)]
    meant = paying if len(paying) == 1 else left
    if len(meant) > 1:
        raise Problem(
            f"Order {inspected['order']['id']} has more than one such payment: {_keys(meant)}.",
            advice="Say --payment.",
            exit_code=USAGE,
        )
    if not meant:
        raise _nothing_to_refund(inspected, left)
    return meant[0]


def went_back(inspected: Row, payment_key: str | None) -> list[Row]:
    """Give the payments that went back in full: as `RefundPayment` answers, and by what."""
    found = []
    for known in _named(inspected, payment_key):
        if known.went_back:
            now = situation_of(inspected, known.payment_key)
            refunds = [refund for refund in now.refunds if refund.went_back]
            found.append(
                {
                    "refund_id": refunds[-1].stripe_refund_id if refunds else None,
                    "amount_minor": known.refunded_minor,
                    "currency": known.currency,
                    "amount": money.format_amount(known.refunded_minor, known.currency),
                    "payment_key": known.payment_key,
                    "status": refunds[-1].status if refunds else None,
                    "by": situation.by_what(now),
                }
            )
    return found


def consequence(inspected: Row, chosen: LedgerPayment) -> str:
    """Say what a refund of all of this payment does to the order; empty where it does nothing to it."""
    if not _pays(inspected, chosen):
        return ""
    other = next(
        (
            known
            for known in payments_of(inspected)
            if known.role in CARRYING_ROLES and not known.went_back and known.payment_key != chosen.payment_key
        ),
        None,
    )
    if other is not None:
        return f" The order stays paid, by {other.payment_key}."
    return f" This payment pays the order: {_ending(inspected)}."


def disputes_in_the_way(inspected: Row, payment: LedgerPayment) -> list[LedgerDispute]:
    """Give the disputes of a payment that nobody has decided yet, those that hold its money first."""
    disputes = [known for known in situation_of(inspected, payment.payment_key).disputes if known.is_open]
    return sorted(disputes, key=lambda known: known.phase is not DisputePhase.OPENED)


def payments_of(inspected: Row) -> list[LedgerPayment]:
    """Give the payments of an order."""
    return standing.payments_in(inspected["payments"])


def situation_of(inspected: Row, payment_key: str) -> Situation:
    """Give all that is known of a payment."""
    return situation.of_rows(
        inspected["order"],
        payment_key,
        payments_of(inspected),
        standing.refunds_in(inspected["refunds"]),
        # A function of an older deployment knows no disputes.
        standing.disputes_in(inspected.get("disputes", [])),
    )


def _pays(inspected: Row, payment: LedgerPayment) -> bool:
    return standing.pays(inspected["order"], payment, payments_of(inspected))


def _named(inspected: Row, payment_key: str | None) -> list[LedgerPayment]:
    order, payments = inspected["order"], payments_of(inspected)
    if not payments:
        raise Problem(
            f"The shop has no payment of order {order['id']} ({order['status']}). Nothing was refunded.",
            advice="Where an alert tells of one (AmountMismatch, OrderMismatch), correct the order and replay, as the"
            " runbook says of it: the payment is known then.",
        )
    named = [known for known in payments if payment_key in {None, known.payment_key}]
    if not named:
        raise Problem(
            f"Order {order['id']} has no payment {payment_key}. Nothing was refunded.",
            advice=f"It has {_keys(payments)}. cachao show pi_… finds the order of another one.",
        )
    return named


def _nothing_to_refund(inspected: Row, left: list[LedgerPayment]) -> Problem:
    order = inspected["order"]["id"]
    unknown = [known for known in payments_of(inspected) if known.amount_unknown]
    if unknown and not left:
        return Problem(
            f"The shop does not know the amount of {_keys(unknown)} of order {order} yet. Nothing was refunded.",
            advice="Its payment event did not come yet: cachao reconcile --since DATE brings it through. Then again.",
        )
    if not left:
        return Problem(f"Order {order} was free: there is nothing to refund.")
    return Problem(
        f"Order {order} has no payment to refund: {_keys(left)} pays it. Nothing was refunded.",
        advice=_instead(inspected),
    )


def _instead(inspected: Row) -> str:
    """Advise whoever named, or met, the payment that pays the order; its end is offered only where it can be meant."""
    order, payments = inspected["order"]["id"], payments_of(inspected)
    if any(known.left_minor and not _pays(inspected, known) for known in payments):
        return f"To refund the payment that pays nothing, run: cachao refund {order}"
    if len(payments) == 1 and not payments[0].refunded_minor:
        left = money.format_amount(payments[0].amount_minor, payments[0].currency)
        return (
            f"To give its {left} back all the same: cachao refund {order} --end-order. Then {_ending(inspected)},"
            " and the buyer has no ticket any more."
        )
    return f"A part was already refunded. Run cachao show {order} first, then see cachao refund --help."


def _ending(inspected: Row) -> str:
    seats = inspected["order"]["quantity"]
    return f"the order ends, and its {pluralize(seats, 'seat')} {'goes' if seats == 1 else 'go'} back on sale"


def _keys(payments: list[LedgerPayment]) -> str:
    return ", ".join(known.payment_key for known in payments)
