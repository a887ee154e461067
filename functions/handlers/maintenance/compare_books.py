"""CompareBooks: holds the shop's books against the balance at Stripe, for `cachao books`. It changes nothing.

One call reads some pages and says where it stopped; whoever calls again goes on there. Nothing of a buyer's is in the
answer.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeVar

from handlers import stripe_access
from handlers.runtime import TaskInput, database, task
from handlers.settings import stripe_account_is_shared
from ticketing.books import known, recorded
from ticketing.books.answer import BooksAnswer
from ticketing.books.compare import compare
from ticketing.books.recorded import Kind, Place, RecordedItem
from ticketing.errors import InvalidEvent
from ticketing.stripe.balance import BalanceLine, PaidOut, StripeBalance
from ticketing.stripe.rate_limit import DeadlineExceeded, RateLimiter

Line = TypeVar("Line", BalanceLine, PaidOut)
# An answer has 6 MB at most; a line has half a kilobyte.
_MOST_PAGES: Final = 20
_MOST_SECONDS: Final = 60.0
_RECORDED: Final = 2000


class CompareBooksInput(TaskInput, kw_only=True):
    """What to give: `lines` of a span (Unix time, `until` is not in it) or of a payout, behind the transaction `after`.

    `payout` alone, `payouts` of a span; what a payout has `paid_out`, behind `after`; what the books `recorded` of a
    `kind` in a span, behind `place`; and of some `items` of these what Stripe says, at most a hundred (`look_up`).
    """

    execution_id: str = "by hand"
    action: Literal["lines", "payout", "payouts", "paid_out", "recorded", "look_up"]
    since: int = 0
    until: int = 0
    payout: str | None = None
    after: str | None = None
    kind: Kind = "payment"
    place: Place | None = None
    items: tuple[RecordedItem, ...] = ()
    requests_per_second: float = 20.0
    seconds: float = 20.0


# The answer is too long for a line of the log.
@task(CompareBooksInput, logs_result=False)
def handler(given: CompareBooksInput) -> BooksAnswer:
    """Raises InvalidEvent; DatabaseUnavailable, StripeUnavailable: ask the same again."""
    if given.requests_per_second <= 0:
        raise InvalidEvent("The requests a second are above 0.")
    if given.action == "recorded":
        page = recorded.recorded(database, given.kind, given.since, given.until, after=given.place, limit=_RECORDED)
        return BooksAnswer(recorded=page)
    work = _Work(given)
    if given.action == "payout":
        return work.payout()
    if given.action == "payouts":
        return work.payouts()
    if given.action == "paid_out":
        return work.paid_out()
    return work.look_up() if given.action == "look_up" else work.lines()


class _Work:
    """One call's work at Stripe."""

    def __init__(self, given: CompareBooksInput) -> None:
        self._given = given
        # The rate limiter repeats; a request must not repeat by itself.
        self._stripe = StripeBalance(stripe_access.client(network_retries=0))
        self._deadline = time.monotonic() + min(given.seconds, _MOST_SECONDS)
        self._limiter = RateLimiter(given.requests_per_second, deadline=self._deadline)

    def lines(self) -> BooksAnswer:
        """Compare some pages of lines."""
        result, shared = BooksAnswer(after=self._given.after), stripe_account_is_shared()
        for page in self._pages(result, self._page):
            books = known.read(database, page)
            result.lines += [compare(line, books, now=int(time.time()), shared=shared) for line in page]
        return result

    def paid_out(self) -> BooksAnswer:
        """Read some pages of what a payout paid out."""
        result, name = BooksAnswer(after=self._given.after), self._named_payout()
        for page in self._pages(result, lambda after: self._stripe.ids_paid_out_by(name, after=after)):
            result.paid_out += page
        return result

    def _pages(
        self, result: BooksAnswer, read: Callable[[str | None], tuple[list[Line], bool]]
    ) -> Iterator[list[Line]]:
        """Give page after page while there is time and room, and note in the result where it stopped."""
        for _ in range(_MOST_PAGES):
            try:
                page, more = self._limiter.ask(lambda: read(result.after))
            except DeadlineExceeded:
                if not result.requests:
                    raise
                return
            result.requests += 1
            yield page
            result.after = page[-1].transaction_id if page and more else None
            if result.after is None:
                return

    def _named_payout(self) -> str:
        if self._given.payout is None:
            raise InvalidEvent("Name a payout.")
        return self._given.payout

    def _page(self, after: str | None) -> tuple[list[BalanceLine], bool]:
        if self._given.payout is not None:
            return self._stripe.paid_out_by(self._given.payout, after=after)
        return self._stripe.made_between(self._given.since, self._given.until, after=after)

    def payout(self) -> BooksAnswer:
        """Read a payout."""
        name = self._named_payout()
        return BooksAnswer(payout=self._limiter.ask(lambda: self._stripe.payout(name)), requests=1)

    def payouts(self) -> BooksAnswer:
        """Read a page of a span's payouts."""
        given = self._given
        page, more = self._limiter.ask(lambda: self._stripe.payouts(given.since, given.until, after=given.after))
        return BooksAnswer(payouts=page, after=page[-1].payout_id if page and more else None, requests=1)

    def look_up(self) -> BooksAnswer:
        """Ask Stripe for what the books have and the lines have not, as many as there is time for."""
        result = BooksAnswer()
        for item in self._given.items:
            try:
                found = self._limiter.ask(functools.partial(self._stripe.movement, item.kind, item.object_id))
            except DeadlineExceeded:
                if not result.looked_up:
                    raise
                return result
            result.requests += 1
            result.looked_up += 1
            line = recorded.compare(item, found, since=self._given.since, until=self._given.until)
            if line is not None:
                result.lines.append(line)
        return result
