"""What CompareBooks answers and `cachao books` reads: one call's part of a comparison."""

from __future__ import annotations

import msgspec

from ticketing.books.lines import BookLine
from ticketing.books.recorded import RecordedPage
from ticketing.stripe.balance import PaidOut, Payout


class BooksAnswer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was asked for. `after`: where to go on; None: there is no more. `requests`: how many Stripe answered."""

    lines: list[BookLine] = []
    after: str | None = None
    payout: Payout | None = None
    payouts: list[Payout] = []
    paid_out: list[PaidOut] = []
    recorded: RecordedPage | None = None
    looked_up: int = 0
    requests: int = 0
