"""Compares what banks took and gave back with the books."""

from __future__ import annotations

from typing import Final

from ticketing import money
from ticketing.books.known import Known
from ticketing.books.lines import BookLine, Name
from ticketing.books.moved import Moved, advice_for_lost_event, send_as
from ticketing.database import Row
from ticketing.payments.standing import LedgerDispute
from ticketing.stripe.states import CLOSED, FUNDS_REINSTATED, FUNDS_WITHDRAWN, DisputePhase

DISPUTE: Final = "dispute"
REVERSAL: Final = "dispute_reversal"
_LOST: Final = "lost"
_UNDECIDED: Final = frozenset({"needs_response", "under_review"})
# Phases in which the books know that the bank has taken the money, or had.
_TAKEN: Final = frozenset({DisputePhase.OPENED, DisputePhase.SETTLED, DisputePhase.LOST, DisputePhase.WON})
_GIVEN_BACK: Final = frozenset({DisputePhase.SETTLED, DisputePhase.WON})


def compare(moved: Moved, order: Row, known: Known) -> BookLine:
    """Give what a line of a dispute of an order's payment is."""
    line = moved.line
    dispute = next((one for one in known.disputes[order["id"]] if one.stripe_dispute_id == line.source_id), None)
    name, what = _judged(moved, dispute)
    if name is Name.AGREES:
        moved.books_minor = line.source_minor
        return moved.named(name)
    if moved.is_fresh:
        return moved.named(Name.UNDER_WAY, "It is not recorded yet: its event may be on its way.")
    if name is Name.DISPUTE_DIFFERS and dispute is not None:
        moved.books_minor = dispute.amount_minor if line.amount_minor > 0 else -dispute.amount_minor
    elif name is Name.DISPUTE_LOST_NOT_RECORDED:
        # That the money is with the bank the books know; not that it stays there.
        moved.books_minor = line.source_minor
    return moved.named(
        name,
        what,
        advice_for_lost_event(moved, f"{send_as(moved, _event_type(moved))}."),
    )


def _event_type(moved: Moved) -> str:
    if moved.line.category == REVERSAL:
        return FUNDS_REINSTATED
    return FUNDS_WITHDRAWN if moved.line.status in _UNDECIDED else CLOSED


def _judged(moved: Moved, dispute: LedgerDispute | None) -> tuple[Name, str]:
    if moved.line.category == DISPUTE:
        return _withdrawn(moved, dispute)
    if dispute is not None and dispute.phase in _GIVEN_BACK:
        return Name.AGREES, ""
    what = (
        f"The bank gave the money back, and order {moved.order_id} does not know of it: its buyer may be without a"
        " ticket."
    )
    return Name.FUNDS_REINSTATED_NOT_RECORDED, what


def _withdrawn(moved: Moved, dispute: LedgerDispute | None) -> tuple[Name, str]:
    line, order = moved.line, f"order {moved.order_id}"
    if dispute is None or dispute.phase not in _TAKEN:
        what = f"The bank took the money, and {order} does not know of it. Stripe says {line.status}."
        return Name.DISPUTE_NOT_RECORDED, what
    if line.status == _LOST and dispute.phase is not DisputePhase.LOST:
        what = f"The dispute is lost, and {order} still has its ticket: the books say {dispute.status}."
        return Name.DISPUTE_LOST_NOT_RECORDED, what
    if line.status in _UNDECIDED and dispute.phase is not DisputePhase.OPENED:
        what = f"Nobody has decided it yet: Stripe says {line.status}, and the books say {dispute.status}."
        return Name.DISPUTE_DIFFERS, what
    if (dispute.amount_minor, dispute.currency.lower()) != (abs(line.source_minor), line.source_currency):
        taken = money.format_amount(abs(line.source_minor), line.source_currency)
        what = (
            f"The bank took {taken}, and the books say {money.format_amount(dispute.amount_minor, dispute.currency)}."
        )
        return Name.DISPUTE_DIFFERS, what
    return Name.AGREES, ""
