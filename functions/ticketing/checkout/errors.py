"""Why a checkout is refused. What a buyer is told of it, and in which words of HTTP, is said in handlers/api.

After each of these nothing is held and nothing was changed, or it was undone.
"""

from __future__ import annotations

from typing import Literal

from ticketing.errors import TicketingError
from ticketing.orders.checkouts import EarlierCheckout

CodeRefusal = Literal["code_unknown", "code_inactive", "code_not_yet_valid", "code_expired", "code_used_up"]


class CheckoutRefused(TicketingError):
    """This cannot be ordered, for a reason that the buyer may know."""


class InvalidForm(CheckoutRefused):
    """The buyer filled in something wrong; the sentence says what, and never what was filled in."""


class TicketNotFound(CheckoutRefused):
    """There is no such ticket, or it belongs to another event."""


class NotOnSale(CheckoutRefused):
    """The ticket is not active, or its event is over."""


class NotEnoughSeats(CheckoutRefused):
    """Fewer seats are free than wanted."""

    def __init__(self, *, available: int, unsold: int) -> None:
        """Take the number of seats that are free, and of those not sold: free or held. Below 0 where oversold."""
        super().__init__(f"Only {max(available, 0)} seats are free, and {max(unsold, 0)} not sold.")
        self.available = max(available, 0)
        self.unsold = max(unsold, 0)


class TooManyHeld(CheckoutRefused):
    """The account, or the guest's network, holds as many seats of this ticket as one may."""


class EarlierFound(TicketingError):
    """The buyer has another checkout for this ticket that waits for its payment (`obstacles`)."""

    def __init__(self, earlier: EarlierCheckout) -> None:
        """Take that checkout."""
        super().__init__(f"The buyer has the checkout of order {earlier.order_id} open.")
        self.earlier = earlier


class CodeRefused(CheckoutRefused):
    """The discount code cannot be used."""

    def __init__(self, reason: CodeRefusal) -> None:
        """Take the reason."""
        super().__init__(f"The discount code was refused: {reason}.")
        self.reason = reason


class AmountTooSmall(CheckoutRefused):
    """The total is above 0, but less than Stripe charges."""

    def __init__(self, minimum: str | None = None) -> None:
        """Take the smallest amount that can be charged, with its currency; None where only Stripe knows it."""
        super().__init__(f"The total is below {minimum or 'what Stripe charges'}.")
        self.minimum = minimum


class AmountTooLarge(CheckoutRefused):
    """The total is more than Stripe charges at once."""

    def __init__(self, maximum: str | None = None) -> None:
        """Take the largest amount that can be charged, with its currency; None where only Stripe knows it."""
        super().__init__(f"The total is above {maximum or 'what Stripe charges at once'}.")
        self.maximum = maximum


class KeyConflict(CheckoutRefused):
    """The idempotency key stands for another request."""


class KeyNotNoted(TicketingError):
    """The idempotency key is another request's, or is gone: what the order was to be noted for (`placement`)."""


class CheckoutBusy(CheckoutRefused):
    """The same request is still running, or there is no time left to finish this one. It may be sent again."""
