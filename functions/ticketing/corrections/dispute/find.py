"""Finds the dispute that an operator means, by any of its ids or its order's number, and that order."""

from __future__ import annotations

from typing import Protocol

from ticketing.corrections.refusal import CorrectionRefused
from ticketing.database import Database
from ticketing.operators.inspection import InspectedOrder, find_order
from ticketing.orders.numbers import order_id_of
from ticketing.stripe.disputes import StripeDispute
from ticketing.stripe.states import OPEN_PHASES, phase_of


class Disputes(Protocol):
    """Where disputes are: `ticketing.stripe.disputes.StripeDisputes`."""

    def retrieve(self, dispute_id: str) -> StripeDispute | None:
        """Give a dispute; None where there is none such."""

    def of_payment(self, payment_intent_id: str) -> list[StripeDispute]:
        """Give the disputes of a payment."""

    def of_charge(self, charge_id: str) -> list[StripeDispute]:
        """Give the disputes of a charge."""

    def give(self, dispute: StripeDispute, evidence: dict[str, str], *, submit: bool) -> StripeDispute:
        """Stage or submit evidence."""

    def accept(self, dispute: StripeDispute) -> StripeDispute:
        """Accept a dispute."""


def find(database: Database, stripe: Disputes, wanted: str) -> tuple[StripeDispute, InspectedOrder]:
    """Find the dispute that is meant, and its order.

    Raises:
        CorrectionRefused: there is none, there are several, or it is of no order of this shop.
        StripeUnavailable: try again.
        DatabaseUnavailable: try again.
    """
    dispute = _the_one(_candidates(database, stripe, wanted), wanted)
    order = find_order(database, dispute_id=dispute.dispute_id) or (
        find_order(database, payment_intent_id=dispute.payment_intent_id) if dispute.payment_intent_id else None
    )
    if order is None:
        raise CorrectionRefused(
            f"No order has the payment of dispute {dispute.dispute_id} ({dispute.payment_intent_id}), so it is not"
            " known to be this shop's.",
            advice="If its payment event was lost: cachao reconcile --since DATE, then again. If another application"
            " took the payment, whoever runs that answers.",
        )
    return dispute, order


def _candidates(database: Database, stripe: Disputes, wanted: str) -> list[StripeDispute]:
    if wanted.startswith(("du_", "dp_")):
        found = stripe.retrieve(wanted)
        return [] if found is None else [found]
    if wanted.startswith(("ch_", "py_")):
        return stripe.of_charge(wanted)
    if wanted.startswith("pi_"):
        return stripe.of_payment(wanted)
    order_id = order_id_of(wanted)
    order = None if order_id is None else find_order(database, order_id=order_id)
    if order is None:
        raise CorrectionRefused(f"There is no order {wanted}.")
    payments = [payment["stripe_payment_intent_id"] for payment in order.payments]
    own = order.order["stripe_payment_intent_id"]
    return [dispute for payment in dict.fromkeys([own, *payments]) if payment for dispute in stripe.of_payment(payment)]


def _the_one(found: list[StripeDispute], wanted: str) -> StripeDispute:
    if not found:
        raise CorrectionRefused(f"Stripe has no dispute of {wanted}.", advice="cachao disputes lists the open ones.")
    is_open = [dispute for dispute in found if phase_of(dispute.status, "") in OPEN_PHASES]
    chosen = found if len(found) == 1 else is_open
    if len(chosen) != 1:
        names = ", ".join(f"{dispute.dispute_id} ({dispute.status})" for dispute in found)
        raise CorrectionRefused(f"Stripe has several disputes of {wanted}: {names}.", advice="Say which one.")
    return chosen[0]
