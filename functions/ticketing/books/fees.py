"""Looks for fees that are not the usual ones: of the same amount, paid in the same way."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

import msgspec

from ticketing import money
from ticketing.books.lines import BookLine, Name

_Kind = tuple[str, str, int, str, int]
# More kinds of payments than this are not compared: what is kept must not grow with the number of lines.
_MOST_KINDS: Final = 20_000


class _Seen(msgspec.Struct):
    """Payments of one kind with one fee: how many, and the first of them."""

    number: int
    first: BookLine


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times, first here"


class Fees:
    """Keeps, of each kind of payment, which fees there were and how often."""

    def __init__(self) -> None:
        """Begin with none."""
        self._seen: dict[_Kind, dict[int, _Seen]] = defaultdict(dict)
        self.not_compared = 0

    def add(self, line: BookLine) -> None:
        """Take a payment's line."""
        kind = (line.method, line.books_currency, line.stripe_minor, line.currency, line.amount_minor)
        if kind not in self._seen and len(self._seen) >= _MOST_KINDS:
            self.not_compared += 1
            return
        seen = self._seen[kind]
        if line.fee_minor in seen:
            seen[line.fee_minor].number += 1
        else:
            seen[line.fee_minor] = _Seen(1, line)

    def findings(self) -> list[BookLine]:
        """Give a line for each fee that is not the usual one, without an amount: its money stands in other lines."""
        return [found for kind, seen in self._seen.items() for found in _unusual(kind, seen)]


def _unusual(kind: _Kind, seen: dict[int, _Seen]) -> list[BookLine]:
    if len(seen) == 1:
        return []
    numbers = Counter({fee: found.number for fee, found in seen.items()})
    # Of two as frequent ones the lower.
    usual = max(numbers, key=lambda fee: (numbers[fee], -fee))
    method, _, _, currency, amount = kind
    return [
        BookLine(
            name=Name.FEE_DIFFERS,
            category="fee",
            created=found.first.created,
            transaction_id=found.first.transaction_id,
            object_id=found.first.object_id,
            order_id=found.first.order_id,
            payment_key=found.first.payment_key,
            what=f"Stripe kept {money.format_amount(fee, currency)} of {money.format_amount(amount, currency)} paid by"
            f" {method or 'an unknown method'}, {_times(found.number)}; usually it was"
            f" {money.format_amount(usual, currency)} ({numbers[usual]} payments). Other kinds of cards cost more.",
        )
        for fee, found in seen.items()
        if fee != usual
    ]
