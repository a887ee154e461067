"""What a Checkout Session at Stripe means for an unpaid order (https://docs.stripe.com/api/checkout/sessions/object)."""

from __future__ import annotations

from typing import Any, Final, Literal

from ticketing.payments.standing import LedgerDispute, lost_amount
from ticketing.stripe.objects import SessionObject
from ticketing.stripe.states import DisputePhase

Finding = Literal[
    "paid",
    "refunded",
    "lost_to_dispute",
    "payment_awaited",
    "payment_failed",
    "expired",
    "open",
    "no_session",
    "session_missing",
    "refused",
    "unanswered",
]

PAID_STATUSES: Final = frozenset({"paid", "no_payment_required"})
# What a PaymentIntent is when a delayed payment did not succeed; anything else may still become a payment
# (https://docs.stripe.com/payments/paymentintents/lifecycle).
_FAILED_INTENTS: Final = frozenset({"requires_payment_method", "canceled"})


def finding_of(session: SessionObject | None) -> Finding:
    """Say what a session, with its PaymentIntent and latest charge expanded, means. None: Stripe has none."""
    if session is None:
        return "session_missing"
    if session["status"] == "expired":
        return "expired"
    if session["status"] != "complete":
        return "open"
    if session["payment_status"] in PAID_STATUSES:
        if _is_refunded_in_full(charge_of(session)):
            return "refunded"
        return "lost_to_dispute" if is_lost(session) else "paid"
    intent = session.get("payment_intent")
    failed = isinstance(intent, dict) and intent.get("status") in _FAILED_INTENTS
    return "payment_failed" if failed else "payment_awaited"


def charge_of(session: SessionObject) -> dict[str, Any] | None:
    """Give the charge that paid an expanded session, if one did."""
    intent = session.get("payment_intent")
    charge = intent.get("latest_charge") if isinstance(intent, dict) else None
    return charge if isinstance(charge, dict) else None


def is_disputed(session: SessionObject) -> bool:
    """Tell whether a bank ever disputed the charge of an expanded session, however that ended."""
    charge = charge_of(session)
    return charge is not None and bool(charge.get("disputed"))


def lost_disputes_of(session: SessionObject) -> list[dict[str, Any]]:
    """Give the disputes by which a session's money, or a part of it, was lost, where its `disputes` were asked for.

    Stripe takes the money back without a refund: session, PaymentIntent and charge all go on saying paid.
    """
    disputes: list[dict[str, Any]] = session.get("disputes") or []
    return [dispute for dispute in disputes if dispute["status"] == "lost"]


def is_lost(session: SessionObject) -> bool:
    """Tell whether all of a session's money was lost to disputes, besides what was refunded of it."""
    charge, disputes = charge_of(session), lost_disputes_of(session)
    if charge is None or not disputes:
        return False
    lost = [
        LedgerDispute(
            stripe_dispute_id=dispute["id"],
            payment_key=payment_key(session),
            amount_minor=dispute["amount"],
            currency=dispute["currency"],
            status=dispute["status"],
            phase=DisputePhase.LOST,
        )
        for dispute in disputes
    ]
    gone = lost_amount(paid=charge["amount"], currency=charge["currency"], disputes=lost)
    return bool(charge["amount_refunded"] + gone >= charge["amount"])


def payment_key(session: SessionObject) -> str:
    """Give the identity of a session's payment, as `ticketing.stripe.objects.Session.payment_key` has it."""
    intent = session.get("payment_intent")
    if isinstance(intent, dict):
        intent = intent.get("id")
    return str(intent or session["id"])


def _is_refunded_in_full(charge: dict[str, Any] | None) -> bool:
    return charge is not None and 0 < charge["amount"] <= charge["amount_refunded"]
