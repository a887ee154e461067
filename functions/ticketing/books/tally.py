"""Adds up the lines of a comparison as they come, and keeps of them what has to be told: the rest may be forgotten."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from ticketing import money
from ticketing.books.compare import CHARGE, FAILED_PAYOUTS, PAYOUT
from ticketing.books.fees import Fees
from ticketing.books.ids import SeenIds, digest_of
from ticketing.books.lines import BookLine, Name
from ticketing.books.recorded import RecordedItem
from ticketing.stripe.balance import PaidOut, Payout

_NOT_THE_SHOPS: Final = frozenset({Name.OTHER_APPLICATION, Name.FOREIGN_PAYMENT, Name.PAYMENT_OF_UNKNOWN_ORDER})

_WITHOUT_A_USUAL_FEE: Final = _NOT_THE_SHOPS | {Name.SECOND_LINE, Name.LINE_DOES_NOT_ADD_UP}


class BalanceSum(msgspec.Struct, kw_only=True):
    """Lines of one kind and currency of the balance, in minor units."""

    what: str
    currency: str
    lines: int = 0
    amount_minor: int = 0
    fee_minor: int = 0
    net_minor: int = 0


class BooksSum(msgspec.Struct, kw_only=True):
    """The shop's own money in one currency, in minor units: at Stripe, in the books, and what of that has a name."""

    currency: str
    stripe_minor: int = 0
    books_minor: int = 0
    named_minor: int = 0

    @property
    def left_over_minor(self) -> int:
        """What nobody can name."""
        return self.stripe_minor - self.books_minor - self.named_minor


class Tally:
    """Sums, findings, and what was seen: a few bytes of each object's and each transaction's id."""

    def __init__(self, payout: Payout | None = None) -> None:
        """Begin; with a payout: its lines alone."""
        self._payout = payout
        self._seen = SeenIds()
        self._transactions = SeenIds()
        self._balance: dict[tuple[str, str], BalanceSum] = {}
        self._books: dict[str, BooksSum] = defaultdict(lambda: BooksSum(currency=""))
        self.fees = Fees()
        self.findings: list[BookLine] = []
        self.names: Counter[str] = Counter()
        # By the digest of a transaction's id; and what is known of each payout by now.
        self._paid_out: dict[int, str] = {}
        self._payouts: dict[str, tuple[Payout, int]] = {}
        self.lines = 0

    def add(self, line: BookLine) -> BookLine:
        """Take a line, and give it as it is to be told: under another name where it was there before."""
        if line.transaction_id is not None:
            if not self._transactions.add(line.transaction_id):
                line.name = Name.LINE_TWICE
                line.what = "Stripe lists this very transaction a second time; it counts once."
                line.to_do = "ask Stripe's support: name the transaction."
                line.stripe_minor = line.books_minor = 0
            self.lines += 1
            by = self._paid_out.pop(digest_of(line.transaction_id), None)
            line.payout_id = by if self._payout is None else self._payout.payout_id
            self._add_to_balance(line)
        if line.name is not Name.LINE_TWICE:
            # A payment by its key, a refund or dispute by its own id: so the books name them, too.
            about = line.payment_key if line.category == CHARGE else line.object_id
            if about is not None:
                self._seen.add(about)
            if line.category == CHARGE and line.name not in _WITHOUT_A_USUAL_FEE:
                self.fees.add(line)
        if line.books_currency:
            sums = self._books[line.books_currency]
            sums.currency = line.books_currency
            sums.stripe_minor += line.stripe_minor
            sums.books_minor += line.books_minor
            sums.named_minor += line.difference_minor if line.name is not Name.AGREES else 0
        self._tell(line)
        return line

    def _tell(self, line: BookLine) -> None:
        self.names[line.name] += 1
        if line.name is not Name.AGREES:
            self.findings.append(line)

    def _add_to_balance(self, line: BookLine) -> None:
        what = line.name if line.name in _NOT_THE_SHOPS else line.category
        sums = self._balance.setdefault((line.currency, what), BalanceSum(what=what, currency=line.currency))
        sums.lines += 1
        sums.amount_minor += line.amount_minor
        sums.fee_minor += line.fee_minor
        sums.net_minor += line.net_minor

    def has_seen(self, item: RecordedItem) -> bool:
        """Tell whether a line was about something that the books have."""
        return item.object_id in self._seen

    def end(self) -> list[BookLine]:
        """Give what only shows when all lines are there; it is among the findings, too."""
        found = self.fees.findings()
        if self._payout is not None:
            found += _of_payout(self._payout, self._net_of_lines(self._payout)) + _of_failed(self._payout)
        for payout, net in self._payouts.values():
            found += _of_payout(payout, net)
        for line in found:
            self._tell(line)
        return found

    def paid_out(self, payout: Payout, lines: Iterable[PaidOut]) -> None:
        """Take what a payout has paid out, before the lines come: each then has its payout."""
        net = self._payouts.get(payout.payout_id, (payout, 0))[1]
        for line in lines:
            self._paid_out[digest_of(line.transaction_id)] = payout.payout_id
            net += 0 if line.is_payout else line.net_minor
        self._payouts[payout.payout_id] = payout, net

    def _net_of_lines(self, payout: Payout) -> int:
        of_currency = [sums for sums in self._balance.values() if sums.currency == payout.currency]
        return sum(sums.net_minor for sums in of_currency if sums.what != PAYOUT)

    @property
    def balance(self) -> list[BalanceSum]:
        """What moved on the balance, by currency and kind."""
        return [self._balance[key] for key in sorted(self._balance)]

    @property
    def books(self) -> list[BooksSum]:
        """The shop's own money, by currency."""
        return [self._books[currency] for currency in sorted(self._books)]


def _of_payout(payout: Payout, net_minor: int) -> list[BookLine]:
    if net_minor == payout.amount_minor:
        return []
    return [
        _about(
            payout,
            Name.PAYOUT_DOES_NOT_ADD_UP,
            f"It is of {money.format_amount(payout.amount_minor, payout.currency)}, and its lines come to"
            f" {money.format_amount(net_minor, payout.currency)}.",
            "ask Stripe's support: name the payout.",
        )
    ]


def _of_failed(payout: Payout) -> list[BookLine]:
    if payout.status not in FAILED_PAYOUTS:
        return []
    return [
        _about(
            payout,
            Name.PAYOUT_FAILED,
            f"It is {payout.status} ({payout.failure_code or 'Stripe gives no reason'}): its money is on the balance"
            " again.",
            "check the bank account in Stripe's dashboard (Settings, Payouts): Stripe pays out no more before.",
        )
    ]


def _about(payout: Payout, name: Name, what: str, to_do: str) -> BookLine:
    return BookLine(
        name=name, category=PAYOUT, created=payout.created, object_id=payout.payout_id, what=what, to_do=to_do
    )
