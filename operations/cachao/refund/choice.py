"""Which payment of an order an operator means to refund, and what to say where there is none or it is done already.

Works on an order as `InspectOrder` shows it: `order`, `payments`, `refunds`, `history`.
"""

from __future__ import annotations

from typing import Any, Final

from cachao.problems import USAGE, Problem
from cachao.view.output import pluralize
from ticketing import money
from ticketing.payments.ledger import CARRYING_ROLES, LOST_TO_DISPUTE
from ticketing.stripe.objects import NOTHING_WENT_BACK

Row = dict[str, Any]

_DISPUTE_ENDED: Final = frozenset({"dispute_won", "dispute_lost", "dispute_closed"})


def choose(inspected: Row, payment_key: str | None, *, end_order: bool) -> Row | None:
    """Give the payment that is to go back; None where all that can be meant went back already.

    Raises:
        Problem: there is none, more than one, or it pays the order and nobody said that it is to end.
    """
    payments = _named(inspected, payment_key)
    standing = [known for known in payments if known["amount_minor"] > known["refunded_minor"]]
    meant = [known for known in standing if payment_key or end_order or known["role"] != "accepted"]
    if len(meant) > 1:
        raise Problem(
            f"Order {inspected['order']['id']} has more than one such payment: {_keys(meant)}.",
            advice="Say --payment.",
            exit_code=USAGE,
        )
    if meant and meant[0]["role"] == "accepted" and not end_order:
        raise Problem(
            f"Payment {meant[0]['payment_key']} is what pays order {inspected['order']['id']}. Nothing was refunded.",
            advice=_instead(inspected),
            exit_code=USAGE,
        )
    if meant:
        return meant[0]
    if not any(_went_back(known) for known in payments):
        raise _nothing_to_refund(inspected, standing)
    return None


def went_back(inspected: Row, payment_key: str | None) -> list[Row]:
    """Give the payments that went back in full: as `RefundPayment` answers, and by which refunds."""
    return [
        {
            "refund_id": refunds[-1]["stripe_refund_id"] if refunds else None,
            "amount_minor": known["refunded_minor"],
            "currency": known["currency"],
            "amount": money.format_amount(known["refunded_minor"], known["currency"]),
            "payment_key": known["payment_key"],
            "by": ", ".join(_as_said(refund) for refund in refunds) or "what Stripe says of its charge",
        }
        for known in _named(inspected, payment_key)
        if _went_back(known)
        for refunds in [_refunds_of(inspected, known)]
    ]


def consequence(inspected: Row, chosen: Row) -> str:
    """Say what a refund of this payment does to the order; empty where it does nothing to it."""
    if chosen["role"] != "accepted" or inspected["order"]["status"] != "paid":
        return ""
    other = next((known for known in inspected["payments"] if _can_carry(known) and known is not chosen), None)
    if other is not None:
        return f" The order stays paid, by {other['payment_key']}."
    return f" This payment pays the order: {_ending(inspected)}."


def open_disputes(inspected: Row) -> list[str]:
    """Give the disputes of an order that nobody has decided yet. Their events come in any order."""
    ended = {entry["stripe_object_id"] for entry in inspected["history"] if entry["entry"] in _DISPUTE_ENDED}
    opened = [entry["stripe_object_id"] for entry in inspected["history"] if entry["entry"] == "dispute_opened"]
    return [str(dispute) for dispute in dict.fromkeys(opened) if dispute not in ended]


def _named(inspected: Row, payment_key: str | None) -> list[Row]:
    order, payments = inspected["order"], inspected["payments"]
    if not payments:
        raise Problem(
            f"The shop knows no payment of order {order['id']} ({order['status']}). Nothing was refunded.",
            advice="Where an alert tells of one (AmountMismatch, OrderMismatch), refund that payment, the alert's"
            " pi_…, in Stripe's dashboard.",
        )
    named: list[Row] = [known for known in payments if payment_key in {None, known["payment_key"]}]
    if not named:
        raise Problem(
            f"Order {order['id']} has no payment {payment_key}. Nothing was refunded.",
            advice=f"It has {_keys(payments)}. cachao show pi_… finds the order of another one.",
        )
    return named


def _nothing_to_refund(inspected: Row, standing: list[Row]) -> Problem:
    order = inspected["order"]["id"]
    unknown = [known for known in inspected["payments"] if known["refunded_minor"] and not known["amount_minor"]]
    if unknown and not standing:
        return Problem(
            f"How much {_keys(unknown)} of order {order} was, the shop does not know yet. Nothing was refunded.",
            advice="Refund what is left of it in Stripe's dashboard.",
        )
    if not standing:
        return Problem(f"Nothing had to be paid for order {order}: there is nothing to refund.")
    return Problem(
        f"Order {order} has no payment that is to go back: {_keys(standing)} pays it. Nothing was refunded.",
        advice=_instead(inspected),
    )


def _instead(inspected: Row) -> str:
    """Advise whoever named, or met, the payment that pays the order; its end is offered only where it can be meant."""
    order, payments = inspected["order"]["id"], inspected["payments"]
    if any(known["role"] != "accepted" and known["amount_minor"] > known["refunded_minor"] for known in payments):
        return f"cachao refund {order} refunds what paid nothing."
    if len(payments) == 1 and not payments[0]["refunded_minor"]:
        left = money.format_amount(payments[0]["amount_minor"], payments[0]["currency"])
        return (
            f"To give its {left} back all the same: cachao refund {order} --end-order. Then {_ending(inspected)},"
            " and the buyer has no ticket any more."
        )
    return f"Some of what was paid went back already: look at cachao show {order} first, then at cachao refund --help."


def _ending(inspected: Row) -> str:
    seats = inspected["order"]["quantity"]
    return f"the order ends, and its {pluralize(seats, 'seat')} {'goes' if seats == 1 else 'go'} back on sale"


def _went_back(known: Row) -> bool:
    return bool(0 < known["amount_minor"] <= known["refunded_minor"])


def _can_carry(known: Row) -> bool:
    return known["role"] in CARRYING_ROLES and not _went_back(known)


def _refunds_of(inspected: Row, known: Row) -> list[Row]:
    return [
        refund
        for refund in inspected["refunds"]
        if refund["payment_key"] == known["payment_key"] and refund["status"] not in NOTHING_WENT_BACK
    ]


def _as_said(refund: Row) -> str:
    if refund["status"] == LOST_TO_DISPUTE:
        return f"the lost dispute {refund['stripe_refund_id']}"
    under_way = "" if refund["status"] == "succeeded" else f" ({refund['status']})"
    return f"{refund['stripe_refund_id']}{under_way}"


def _keys(payments: list[Row]) -> str:
    return ", ".join(str(known["payment_key"]) for known in payments)
