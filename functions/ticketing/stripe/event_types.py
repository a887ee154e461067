"""The types of Stripe's events that the shop handles, and the two sources under which they reach an event bus.

This is the one list: the rules in template.yaml, the samples in events/, Stripe's destinations as `cachao doctor` looks
at them, the stand-in and the pages are held against it (local/lint, tests).
"""

from __future__ import annotations

from typing import Final

PARTNER_SOURCE_PREFIX: Final = "aws.partner/stripe.com/"
OWN_SOURCE: Final = "stripe.com"

SESSION_EVENTS: Final = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
    }
)
CHARGE_EVENTS: Final = frozenset({"charge.refunded"})
REFUND_EVENTS: Final = frozenset({"refund.created", "refund.updated", "refund.failed"})
DISPUTE_EVENTS: Final = frozenset(
    {
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    }
)
HANDLED_EVENTS: Final = SESSION_EVENTS | CHARGE_EVENTS | REFUND_EVENTS | DISPUTE_EVENTS
