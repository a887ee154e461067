"""A line of Stripe on its way to its name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ticketing.books.lines import BookLine, Name
from ticketing.stripe.balance import BalanceLine
from ticketing.stripe.event_list import KEPT

# Stripe's events come within seconds, and are tried again for days; what is so new is not called lost.
_FRESH_SECONDS: Final = 15 * 60
# The lines that are not the shop's, whatever its books say.
_NOT_OURS: Final = frozenset(
    {
        Name.OTHER_APPLICATION,
        Name.FOREIGN_PAYMENT,
        Name.PAYMENT_OF_UNKNOWN_ORDER,
        Name.STRIPE_FEE,
        Name.ADJUSTMENT,
        Name.OTHER_MOVEMENT,
        Name.PAYOUT,
        Name.PAYOUT_FAILED,
    }
)


@dataclass
class Moved:
    """A line, and what the books say of the same money so far. `now` is Unix time."""

    line: BalanceLine
    now: int
    order_id: int | None = None
    books_minor: int = 0
    books_currency: str = ""

    @property
    def is_fresh(self) -> bool:
        """Tell whether it moved so lately that its event may be on its way."""
        return self.now - self.line.created < _FRESH_SECONDS

    @property
    def has_events(self) -> bool:
        """Tell whether Stripe still lists the events of it."""
        return self.now - self.line.created < KEPT.total_seconds()

    def named(self, name: Name, what: str = "", to_do: str = "") -> BookLine:
        """Give the line by its name."""
        line, ours = self.line, name not in _NOT_OURS
        return BookLine(
            name=name,
            category=line.category,
            created=line.created,
            transaction_id=line.transaction_id,
            object_id=line.source_id,
            order_id=self.order_id,
            payment_key=line.payment_key,
            currency=line.currency,
            amount_minor=line.amount_minor,
            fee_minor=line.fee_minor,
            net_minor=line.net_minor,
            books_currency=(self.books_currency or line.source_currency) if ours else "",
            stripe_minor=line.source_minor if ours else 0,
            books_minor=self.books_minor if ours else 0,
            what=what,
            to_do=to_do,
            method=line.method,
        )


def advice_for_lost_event(moved: Moved, otherwise: str) -> str:
    """Say how what an event would have told comes into the books: by the event while Stripe has it, or otherwise.

    `otherwise` begins with a verb.
    """
    if not moved.has_events:
        return otherwise
    return f"run: {reconcile(moved)}, which sends the lost event. If it finds none, {otherwise}"


def send_as(moved: Moved, event_type: str) -> str:
    """Say how a refund or a dispute is sent as an event, where Stripe has none of it any more."""
    plural = f"{moved.line.source}s"
    return f"run: stripe {plural} retrieve {moved.line.source_id} | cachao event - --as {event_type}"


def reconcile(moved: Moved) -> str:
    """Give the command that finds what no event told of a line: a Checkout Session is made a day before it at most."""
    day = datetime.fromtimestamp(moved.line.created, UTC) - timedelta(days=1)
    return f"cachao reconcile --since {day:%Y-%m-%d}"
