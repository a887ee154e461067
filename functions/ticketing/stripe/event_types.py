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

# Thin events are named after their snapshots (https://docs.stripe.com/webhooks#thin-events).
THIN_PREFIX: Final = "v1."


def thin_type(event_type: str) -> str:
    """Name the thin event of a snapshot's type: `v1.checkout.session.completed`."""
    return f"{THIN_PREFIX}{event_type}"


def snapshot_type(event_type: str) -> str:
    """Name the snapshot of a thin event's type; any other type is its own name."""
    return event_type.removeprefix(THIN_PREFIX)


THIN_EVENTS: Final = frozenset(thin_type(event_type) for event_type in HANDLED_EVENTS)
# What the rules let in.
RECEIVED_EVENTS: Final = HANDLED_EVENTS | THIN_EVENTS

# The kind of object that each is about, as its `object` says.
OBJECT_OF: Final = (
    dict.fromkeys(SESSION_EVENTS, "checkout.session")
    | dict.fromkeys(CHARGE_EVENTS, "charge")
    | dict.fromkeys(REFUND_EVENTS, "refund")
    | dict.fromkeys(DISPUTE_EVENTS, "dispute")
)
