"""Reads a comparison, call after call of CompareBooks, and hands each line on as it comes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from cachao.command_context import CommandContext
from cachao.problems import FunctionFailed
from ticketing.books.answer import BooksAnswer
from ticketing.books.lines import BookLine
from ticketing.books.recorded import KINDS, RecordedItem, not_looked_up
from ticketing.books.tally import Tally
from ticketing.stripe.balance import PAGE_SIZE, Payout

_FUNCTION: Final = "CompareBooksFunction"
_PASSING: Final = frozenset({"DatabaseUnavailable", "StripeUnavailable", "DeadlineExceeded"})
# Calls that fail, one after the other, before it gives up; and the pause between them.
_MOST_FAILED: Final = 8
_PAUSE_SECONDS: Final = 5.0
# What the books have and the lines have not is asked for one by one: so many, or one for so many lines, so that a
# comparison costs no more than a request for fifty lines.
_LOOK_UPS: Final = 20
_LINES_FOR_A_LOOK_UP: Final = PAGE_SIZE


class Reading:
    """One comparison of a span or a payout.

    Args:
        context: where the shop is.
        tally: takes all lines.
        rate: requests to Stripe a second.
        tell: is called after each step, with what is being done.
    """

    def __init__(self, context: CommandContext, tally: Tally, *, rate: float, tell: Callable[[str], None]) -> None:
        """Take where and how; see the class."""
        self._context = context
        self._tally = tally
        self._rate = rate
        self._tell = tell
        self.requests = 0

    def lines(self, **scope: Any) -> Iterator[BookLine]:  # noqa: ANN401 -- JSON
        """Give every line of Stripe's, newest first; `scope`: `since` and `until` in Unix time, or `payout`."""
        after = None
        while True:
            answer = self._ask("lines", after=after, **scope)
            for line in answer.lines:
                yield self._tally.add(line)
            self._tell(f"{self._tally.lines} lines")
            after = answer.after
            if after is None:
                return

    def paid_out(self, payouts: Iterable[Payout]) -> None:
        """Ask of each payout of the schedule what it paid out: then the lines have their payouts."""
        for payout in payouts:
            after = None
            while payout.lists_lines:
                answer = self._ask("paid_out", payout=payout.payout_id, after=after)
                self._tally.paid_out(payout, answer.paid_out)
                self._tell("the payouts")
                after = answer.after
                if after is None:
                    break

    def recorded(self, since: int, until: int) -> Iterator[BookLine]:
        """Give a line for each thing that the books recorded in a span and that Stripe does not have."""
        left = max(_LOOK_UPS, self._tally.lines // _LINES_FOR_A_LOOK_UP)
        missing = self._missing(since, until)
        while batch := tuple(itertools.islice(missing, min(left, PAGE_SIZE))):
            rest = batch
            while rest:
                answer = self._ask("look_up", since=since, until=until, items=msgspec.to_builtins(rest))
                yield from map(self._tally.add, answer.lines)
                rest = rest[answer.looked_up :]
                self._tell("what Stripe did not list")
            left -= len(batch)
        for item in missing:
            yield self._tally.add(not_looked_up(item))

    def _missing(self, since: int, until: int) -> Iterator[RecordedItem]:
        for kind in KINDS:
            place: Any = None
            while True:
                page = self._ask("recorded", since=since, until=until, kind=kind, place=place).recorded
                if page is None:
                    break
                yield from (item for item in page.items if not self._tally.has_seen(item))
                if page.after is None:
                    break
                place = msgspec.to_builtins(page.after)
                self._tell("the books")

    def payouts(self, since: int, until: int) -> list[Payout]:
        """Give the payouts of a span, newest first."""
        found: list[Payout] = []
        after = None
        while True:
            answer = self._ask("payouts", since=since, until=until, after=after)
            found += answer.payouts
            after = answer.after
            if after is None:
                return found

    def _ask(self, action: str, **question: Any) -> BooksAnswer:  # noqa: ANN401 -- JSON
        answer = ask(self._context, action, requests_per_second=self._rate, **question)
        self.requests += answer.requests
        return answer


def read_payout(context: CommandContext, payout_id: str) -> Payout | None:
    """Give a payout of Stripe's; None where there is none of this id."""
    return ask(context, "payout", payout=payout_id).payout


def ask(context: CommandContext, action: str, **question: Any) -> BooksAnswer:  # noqa: ANN401 -- JSON
    """Call the function; while Stripe or the database is away, again.

    Raises:
        FunctionFailed: it failed for good, or too often.
    """
    payload = {"execution_id": "cachao books", "action": action, **question}
    for failed in itertools.count(1):
        try:
            return msgspec.convert(context.environment.invoke(_FUNCTION, payload), BooksAnswer)
        except FunctionFailed as failure:
            if failure.error not in _PASSING or failed > _MOST_FAILED:
                raise
            context.output.note(f"{failure.sentence} It is asked again.")
            time.sleep(_PAUSE_SECONDS)
    raise AssertionError
