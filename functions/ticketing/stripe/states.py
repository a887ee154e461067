"""What the states of a refund and of a dispute mean for the money.

See https://docs.stripe.com/refunds#failed-refunds, https://docs.stripe.com/disputes/how-disputes-work,
https://docs.stripe.com/api/refunds/object and https://docs.stripe.com/api/disputes/object.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

# A refund that ended so never becomes anything else, whatever arrives later: the money is with the shop.
NOTHING_WENT_BACK: Final = frozenset({"failed", "canceled"})
SUCCEEDED: Final = "succeeded"

FUNDS_WITHDRAWN: Final = "charge.dispute.funds_withdrawn"
FUNDS_REINSTATED: Final = "charge.dispute.funds_reinstated"
CLOSED: Final = "charge.dispute.closed"


class DisputePhase(StrEnum):
    """How far a dispute is, as the money has it.

    Attributes:
        INQUIRY: the bank asks; the money is with the shop, and a refund of all of it settles the matter.
        INQUIRY_CLOSED: the bank asked, and dropped it.
        OPENED: the bank has taken the money until the dispute is decided; Stripe refuses a refund.
        SETTLED: ended without a decision, as a rule by giving the money back (Visa's Rapid Dispute Resolution).
        LOST: the money went back to the buyer.
        WON: the money stays with the shop, or came back to it.
    """

    INQUIRY = "inquiry"
    INQUIRY_CLOSED = "inquiry_closed"
    OPENED = "opened"
    SETTLED = "settled"
    LOST = "lost"
    WON = "won"


_PHASES: Final = {
    "warning_needs_response": DisputePhase.INQUIRY,
    "warning_under_review": DisputePhase.INQUIRY,
    "warning_closed": DisputePhase.INQUIRY_CLOSED,
    "needs_response": DisputePhase.OPENED,
    "under_review": DisputePhase.OPENED,
    "prevented": DisputePhase.SETTLED,
    "charge_refunded": DisputePhase.SETTLED,
    "lost": DisputePhase.LOST,
    "won": DisputePhase.WON,
}
# Somebody has to answer the bank.
AWAITS_ANSWER: Final = frozenset({"needs_response", "warning_needs_response"})
# Nobody has decided it yet.
OPEN_PHASES: Final = frozenset({DisputePhase.INQUIRY, DisputePhase.OPENED})
# Which of two reports of the same second is the later one.
_ORDER: Final = (
    DisputePhase.INQUIRY,
    DisputePhase.INQUIRY_CLOSED,
    DisputePhase.OPENED,
    DisputePhase.SETTLED,
    DisputePhase.LOST,
    DisputePhase.WON,
)


def phase_of(status: str, event_type: str) -> DisputePhase:
    """Say how far a dispute is: its status decides, and what the event says of the money.

    A dispute that was lost and whose funds were reinstated is won, whatever its status says still.
    """
    phase = _PHASES.get(status)
    if phase is None:
        phase = DisputePhase.SETTLED if event_type == CLOSED else DisputePhase.OPENED
    if phase is DisputePhase.INQUIRY and event_type == FUNDS_WITHDRAWN:
        return DisputePhase.OPENED
    if phase is DisputePhase.LOST and event_type == FUNDS_REINSTATED:
        return DisputePhase.WON
    return phase


def is_later(phase: DisputePhase, than: DisputePhase) -> bool:
    """Tell whether a dispute comes to `phase` after `than`, where no clock says so."""
    return _ORDER.index(phase) > _ORDER.index(than)
