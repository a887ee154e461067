"""What a comparison finds: a line for each movement at Stripe, and for what the books have and Stripe has not.

Each has a name. docs/runbook.md, "Every cent", says of each what it means and what to do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class Name(StrEnum):
    """What a line is."""

    AGREES = "Agrees"
    # Named, and nothing is wrong.
    UNDER_WAY = "UnderWay"
    CONVERTED = "Converted"
    OTHER_APPLICATION = "OtherApplication"
    STRIPE_FEE = "StripeFee"
    FEE_DIFFERS = "FeeDiffers"
    ADJUSTMENT = "Adjustment"
    OTHER_MOVEMENT = "OtherMovement"
    PAYOUT = "Payout"
    # The shop does not know of it.
    PAYMENT_NOT_RECORDED = "PaymentNotRecorded"
    PAYMENT_OF_UNKNOWN_ORDER = "PaymentOfUnknownOrder"
    FOREIGN_PAYMENT = "ForeignPayment"
    PAYMENT_FAILURE_NOT_RECORDED = "PaymentFailureNotRecorded"
    REFUND_NOT_RECORDED = "RefundNotRecorded"
    DASHBOARD_REFUND_NOT_RECORDED = "DashboardRefundNotRecorded"
    REFUND_FAILURE_NOT_RECORDED = "RefundFailureNotRecorded"
    DISPUTE_NOT_RECORDED = "DisputeNotRecorded"
    DISPUTE_LOST_NOT_RECORDED = "DisputeLostNotRecorded"
    FUNDS_REINSTATED_NOT_RECORDED = "FundsReinstatedNotRecorded"
    # Both know of it, and differ.
    AMOUNT_DIFFERS = "AmountDiffers"
    REFUND_AMOUNT_DIFFERS = "RefundAmountDiffers"
    DISPUTE_DIFFERS = "DisputeDiffers"
    # Stripe does not know of it.
    PAYMENT_NOT_AT_STRIPE = "PaymentNotAtStripe"
    REFUND_NOT_AT_STRIPE = "RefundNotAtStripe"
    DISPUTE_NOT_AT_STRIPE = "DisputeNotAtStripe"
    NOT_LOOKED_UP = "NotLookedUp"
    # Money that has to go somewhere.
    MONEY_TO_GIVE_BACK = "MoneyToGiveBack"
    # At Stripe itself.
    SECOND_LINE = "SecondLine"
    LINE_TWICE = "LineTwice"
    LINE_DOES_NOT_ADD_UP = "LineDoesNotAddUp"
    PAYOUT_FAILED = "PayoutFailed"
    PAYOUT_DOES_NOT_ADD_UP = "PayoutDoesNotAddUp"


# Nobody has to do anything about these.
NO_FAULT: Final = frozenset(
    {
        Name.AGREES,
        Name.UNDER_WAY,
        Name.CONVERTED,
        Name.OTHER_APPLICATION,
        Name.STRIPE_FEE,
        Name.FEE_DIFFERS,
        Name.ADJUSTMENT,
        Name.OTHER_MOVEMENT,
        Name.PAYOUT,
    }
)


class BookLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A movement at Stripe beside what the shop's books say of it.

    Amounts are minor units, negative where money left; times are Unix seconds.

    Attributes:
        category: Stripe's `reporting_category`; `books` where only the shop's books have it.
        amount_minor, fee_minor, net_minor: as the balance has it, in `currency`.
        stripe_minor, books_minor: the same movement as Stripe and as the books have it, in `books_currency`, which is
            the one that the buyer paid in. 0 where it is not the shop's to know.
        what: what it is, in a sentence; empty where the name says it all.
        to_do: what to do about it, beginning with a verb; empty where nothing is.
        method: how was paid, as far as fees depend on it.
        payout_id: which payout paid it out, where that was asked for.
    """

    name: Name
    category: str
    created: int
    transaction_id: str | None = None
    object_id: str | None = None
    order_id: int | None = None
    payment_key: str | None = None
    currency: str = ""
    amount_minor: int = 0
    fee_minor: int = 0
    net_minor: int = 0
    books_currency: str = ""
    stripe_minor: int = 0
    books_minor: int = 0
    what: str = ""
    to_do: str = ""
    method: str = ""
    payout_id: str | None = None

    @property
    def is_fault(self) -> bool:
        """Tell whether somebody has to do something about it."""
        return self.name not in NO_FAULT

    @property
    def difference_minor(self) -> int:
        """By how much Stripe has more than the books."""
        return self.stripe_minor - self.books_minor
