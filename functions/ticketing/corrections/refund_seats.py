"""Takes some seats of a paid order back and refunds their price: Stripe, the books and the seats.

The wish is written down before Stripe is asked, and the refund bears its number. So whatever dies in between, the same
command goes on where it was: it finds the refund that was made, or makes it, and takes the seats back once.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import ClassVar, Protocol

import msgspec

from ticketing import money
from ticketing.corrections import take_back
from ticketing.corrections.frame import ANY_STATE, COLUMNS, CorrectionReport, Outcome, correct, fingerprint
from ticketing.corrections.refusal import CorrectionRefused
from ticketing.corrections.states import require_movable
from ticketing.database import Database, Row, Transaction
from ticketing.errors import RefundFailed
from ticketing.orders import corrections
from ticketing.orders.corrections import Ordered
from ticketing.orders.lock import lock_order
from ticketing.orders.status import OrderStatus
from ticketing.payments import issue_refund, ledger, refunds, situation, standing
from ticketing.payments.standing import LedgerPayment
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.objects import Refund
from ticketing.stripe.states import NOTHING_WENT_BACK


class SeatRefunds(Protocol):
    """Where refunds are made: `ticketing.stripe.refunds.StripeRefunds`."""

    def refund(
        self,
        payment_intent_id: str,
        *,
        order_id: int,
        idempotency_key: str,
        amount_minor: int | None = None,
        correction_id: int | None = None,
    ) -> Refund | None:
        """Refund a part; None when nothing is left."""

    def made_for(self, payment_intent_id: str, correction_id: int) -> Refund | None:
        """Give the refund that was made for a correction."""


class RefundSeats(msgspec.Struct, frozen=True, kw_only=True, tag="refund_seats", tag_field="kind"):
    """Take back so many seats, and refund them.

    Attributes:
        seats: how many go; `of`: how many the order has before, where that is said.
        amount: how much goes back, e.g. `15.00`, in the payment's currency; None: what those seats cost.
        although_disputed: also while the bank asks about the payment (an inquiry).
    """

    kind: ClassVar[str] = "refund_seats"

    seats: int
    of: int | None = None
    amount: str | None = None
    although_disputed: bool = False

    def tickets(self) -> Iterable[int]:
        """Give none: the order keeps its ticket."""
        return []

    def codes(self, tx: Transaction, order: Row) -> Iterable[int]:  # noqa: ARG002 -- it needs none
        """Give none."""
        return []

    def request(self, order: Row) -> str:
        """Give the words by which a repeat is known."""
        return f"refund {order['id']} --seats {self.seats}" + (f" --amount {self.amount}" if self.amount else "")

    def apply(self, tx: Transaction, order: Row) -> Outcome:
        """Show what goes back. The money itself goes back outside of any transaction (`refund_seats`)."""
        order_id, has = order["id"], int(order["quantity"])
        outcome = Outcome(
            request=self.request(order),
            undo="It cannot be undone: the buyer would have to pay again.",
            entry="corrected_seats_refunded",
        )
        begun = corrections.under_way(tx, order_id)
        if begun is not None and begun["request"] != outcome.request:
            raise CorrectionRefused(
                f"Something else is under way with order {order_id} (correction {begun['id']}).",
                advice=f"Let it end first: cachao {begun['request']}",
            )
        if begun is None:
            outcome.already = take_back.done_before(tx, order, outcome.request, seats=self.seats, of=self.of)
            if outcome.already:
                return outcome
        if begun is not None and order["status"] != OrderStatus.PAID:
            outcome.notes = [
                f"Its refund was begun before (correction {begun['id']}); this writes down what came of it."
            ]
            return outcome
        if order["status"] != OrderStatus.PAID:
            raise CorrectionRefused(f"Order {order_id} is {order['status']}, not paid.")
        require_movable(order)
        payment = self.payment(tx, order)
        minor = self.minor(order, payment) if begun is None else int(begun["amount_minor"])
        take_back.take_seats_back(tx, order, self.seats)
        self._check(tx, order, payment, minor, begun)
        amount, left = (money.format_amount(value, payment.currency) for value in (minor, payment.left_minor))
        outcome.payment_key, outcome.amount_minor = payment.payment_key, minor
        outcome.notes = [
            f"{amount} of the {left} that are left of {payment.payment_key} goes back through Stripe.",
            f"Of {has} seats {self.seats} go back on sale, and the order stays paid with {has - self.seats}.",
        ]
        if begun is not None:
            outcome.notes.append(f"It was begun before (correction {begun['id']}); this goes on with it.")
        return outcome

    def payment(self, tx: Transaction, order: Row) -> LedgerPayment:
        """Give the payment that pays the order."""
        payments = ledger.payments_of(tx, order["id"])
        paying = [known for known in payments if standing.pays(order, known, payments) and known.left_minor]
        if not paying or paying[0].stripe_payment_intent_id is None:
            raise CorrectionRefused(
                f"No payment at Stripe pays order {order['id']}: there is nothing to refund.",
                advice=f"Without money: cachao take-back {order['id']} --seats {self.seats}",
            )
        return paying[0]

    def minor(self, order: Row, payment: LedgerPayment) -> int:
        """Give what goes back, in minor units of the payment's currency."""
        if self.amount is not None:
            try:
                return money.to_minor_units(Decimal(self.amount), payment.currency)
            except (ArithmeticError, ValueError):
                raise CorrectionRefused(
                    f"{self.amount!r} is no amount of {payment.currency.upper()}.", advice="Write it as 12 or 12.50."
                ) from None
        total = Decimal(order["total_amount"])
        if not total:
            return 0
        # The same share of what was charged, which adaptive pricing may have charged in another currency.
        share = Decimal(payment.amount_minor) * Decimal(order["unit_price"]) * self.seats / total
        exact = money.from_minor_units(int(share.quantize(Decimal(1), ROUND_HALF_UP)), payment.currency)
        return money.to_minor_units(money.round_to_chargeable(exact, payment.currency), payment.currency)

    def _check(self, tx: Transaction, order: Row, payment: LedgerPayment, minor: int, begun: Row | None) -> None:
        order_id = order["id"]
        now = situation.read(tx, order_id, payment.payment_key)
        disputes = [known for known in now.disputes if known.is_open]
        if disputes and not (self.although_disputed and all(known.phase == "inquiry" for known in disputes)):
            raise CorrectionRefused(
                f"The buyer's bank disputes {payment.payment_key} ({disputes[0].stripe_dispute_id},"
                f" {disputes[0].phase}).",
                advice=f"Answer it (cachao dispute {disputes[0].stripe_dispute_id}); refund nothing meanwhile."
                " An inquiry: --although-disputed. See docs/runbook.md#disputeopened.",
            )
        # What was begun may be in the books already.
        if begun is None and not 0 < minor < payment.left_minor:
            amount, left = (money.format_amount(value, payment.currency) for value in (minor, payment.left_minor))
            raise CorrectionRefused(
                f"{amount} is not a part of the {left} that are left of {payment.payment_key}.",
                advice=f"--amount says another one; cachao refund {order_id} --end-order gives all of it back.",
            )


class _Finish(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down when the refund was made."""

    kind: ClassVar[str] = "refund_seats"

    wanted: RefundSeats
    begun: Row
    made: Refund

    def tickets(self) -> Iterable[int]:
        return []

    def codes(self, tx: Transaction, order: Row) -> Iterable[int]:  # noqa: ARG002 -- it needs none
        return []

    def apply(self, tx: Transaction, order: Row) -> Outcome:
        order_id, begun = order["id"], self.begun
        issue_refund.record_made(tx, order_id, [self.made])
        now = lock_order(tx, order_id, COLUMNS, gone=f"Order {order_id} is gone.")
        outcome = Outcome(
            request=begun["request"],
            undo="It cannot be undone: the buyer would have to pay again.",
            entry="corrected_seats_refunded",
            payment_key=begun["payment_key"],
            amount_minor=self.made.amount_minor,
            correction_id=begun["id"],
        )
        payment = ledger.payment_of(tx, order_id, begun["payment_key"])
        currency = self.made.currency if payment is None else payment.currency
        amount = money.format_amount(self.made.amount_minor, currency)
        went = f"{amount} of {begun['payment_key']} went back: refund {self.made.refund_id} ({self.made.status})."
        outcome.notes = [went]
        if now["status"] == OrderStatus.PAID:
            take_back.take_seats_back(tx, now, self.wanted.seats)
            outcome.notes.append(f"{_seats(self.wanted.seats)} went back on sale.")
        else:
            outcome.notes.append(f"The order is {now['status']} by now: all its seats went back.")
        return outcome


def refund_seats(
    database: Database,
    stripe: SeatRefunds,
    order_id: int,
    wanted: RefundSeats,
    *,
    by: str,
    reason: str | None,
    seen: str | None,
) -> CorrectionReport:
    """Show what goes back; with `seen` have it go back, where the order is still as it was seen then.

    Raises:
        RefundFailed: Stripe said no, or could not carry it out. The order keeps its seats.
        StripeUnavailable: nobody knows; the same command goes on where it was.
        OrderNotFound: there is no such order.
        DatabaseUnavailable: the same command goes on where it was.
    """
    preview = correct(database, order_id, wanted)
    if seen is None or preview.refused or preview.already:
        return preview
    with database.transaction() as tx:
        order = lock_order(tx, order_id, COLUMNS, gone=f"There is no order {order_id}.")
        begun = corrections.under_way(tx, order_id)
        if begun is None:
            if fingerprint(order) != seen:
                preview.moved_on = True
                return preview
            begun = _begin(tx, order, wanted, by=by, reason=reason)
        failed = ledger.failed_refunds(tx, order_id=order_id, payment_key=begun["payment_key"])
        now = situation.read(tx, order_id, begun["payment_key"])
    made = _make(database, stripe, order_id, begun, failed, now)
    if made.status in NOTHING_WENT_BACK:
        with database.transaction() as tx:
            refunds.lock_order(tx, order_id)
            issue_refund.record_made(tx, order_id, [made])
            corrections.give_up(tx, begun["id"])
            now = situation.read(tx, order_id, begun["payment_key"])
        raise refunds.refund_failed(now, made)
    finish = _Finish(wanted=wanted, begun=begun, made=made)
    return correct(database, order_id, finish, by=begun["corrected_by"], reason=begun["reason"], seen=ANY_STATE)


def _begin(tx: Transaction, order: Row, wanted: RefundSeats, *, by: str, reason: str | None) -> Row:
    payment = wanted.payment(tx, order)
    ordered = Ordered(
        kind=RefundSeats.kind,
        request=wanted.request(order),
        entry="corrected_seats_refunded",
        by=by,
        reason=reason,
        payment_key=payment.payment_key,
        amount_minor=wanted.minor(order, payment),
    )
    corrections.begin(tx, order["id"], ordered, refunded_minor=payment.refunded_minor)
    return corrections.under_way(tx, order["id"]) or {}


def _make(
    database: Database, stripe: SeatRefunds, order_id: int, begun: Row, failed: int, now: situation.Situation
) -> Refund:
    key = begun["payment_key"]
    # The key of a refund that failed later would be answered with it; so each try after one has its own.
    idempotency_key = f"refund-seats-{order_id}-{begun['id']}" + (f"-{failed}" if failed else "")
    try:
        made = stripe.made_for(key, begun["id"]) or stripe.refund(
            key,
            order_id=order_id,
            idempotency_key=idempotency_key,
            amount_minor=begun["amount_minor"],
            correction_id=begun["id"],
        )
    except StripeRefused as refusal:
        with database.transaction() as tx:
            corrections.give_up(tx, begun["id"])
        raise RefundFailed(
            f"Payment {key} of order {order_id} was not refunded, and the order keeps its seats. {refusal}",
            what_to_do=issue_refund.after_refusal(refusal, now),
        ) from None
    if made is None:
        with database.transaction() as tx:
            corrections.give_up(tx, begun["id"])
        raise RefundFailed(f"Stripe says that payment {key} of order {order_id} went back already.")
    return made


def _seats(number: int) -> str:
    return f"{number} seat{'' if number == 1 else 's'}"
