"""What stands of a payment: what was paid, less what went back by refunds and by lost disputes.

Pure: the ledger computes from its rows, the operators' commands from the same rows as InspectOrder shows them. Amounts
are minor units of the payment's currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, Protocol

import msgspec

from ticketing import money
from ticketing.orders.status import OrderStatus
from ticketing.stripe.states import AWAITS_ANSWER, NOTHING_WENT_BACK, OPEN_PHASES, DisputePhase

# Payments that can pay an order. The others' money must go back, or its payment event did not come yet.
CARRYING_ROLES: Final = frozenset({"accepted", "duplicate"})
# Payments that pay nothing: their money must go back.
_SUPERFLUOUS_ROLES: Final = frozenset({"duplicate", "sold_out", "closed_order"})


class LedgerPayment(msgspec.Struct, kw_only=True):
    """One payment of an order. `amount_minor` 0: nothing had to be paid, or the amount is not known yet."""

    payment_key: str
    stripe_payment_intent_id: str | None
    role: str
    amount_minor: int
    currency: str
    refunded_minor: int
    stripe_checkout_session_id: str | None = None

    @property
    def went_back(self) -> bool:
        """Tell whether all of it went back."""
        return 0 < self.amount_minor <= self.refunded_minor

    @property
    def left_minor(self) -> int:
        """What did not go back; also what a bank holds back until a dispute is decided."""
        return max(self.amount_minor - self.refunded_minor, 0)

    @property
    def amount_unknown(self) -> bool:
        """Tell whether something went back of it before anybody said how much it was."""
        return self.amount_minor == 0 and self.refunded_minor > 0


class LedgerRefund(msgspec.Struct, kw_only=True):
    """One refund; `status` is Stripe's word."""

    stripe_refund_id: str
    payment_key: str
    amount_minor: int
    status: str

    @property
    def went_back(self) -> bool:
        """Tell whether its money went back, or is under way."""
        return self.status not in NOTHING_WENT_BACK


class LedgerDispute(msgspec.Struct, kw_only=True):
    """One dispute. `due_by` is ISO text without a zone, UTC: until when it is to be answered."""

    stripe_dispute_id: str
    payment_key: str
    amount_minor: int
    currency: str
    status: str
    phase: DisputePhase
    reason: str | None = None
    due_by: str | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether nobody has decided it yet."""
        return self.phase in OPEN_PHASES

    @property
    def awaits_answer(self) -> bool:
        """Tell whether somebody has to answer the bank."""
        return self.status in AWAITS_ANSWER


class _OrderRow(Protocol):
    def __getitem__(self, name: str, /) -> Any: ...  # noqa: ANN401 -- a column's value


def payments_in(rows: Iterable[dict[str, Any]]) -> list[LedgerPayment]:
    """Read payments out of rows of `order_payments`, which may have more columns."""
    return msgspec.convert(list(rows), list[LedgerPayment])


def refunds_in(rows: Iterable[dict[str, Any]]) -> list[LedgerRefund]:
    """Read refunds out of rows of `order_refunds`, which may have more columns."""
    return msgspec.convert(list(rows), list[LedgerRefund])


def disputes_in(rows: Iterable[dict[str, Any]]) -> list[LedgerDispute]:
    """Read disputes out of rows of `order_disputes`, which may have more columns."""
    return msgspec.convert([{**row, "due_by": _iso(row.get("due_by"))} for row in rows], list[LedgerDispute])


def _iso(value: Any) -> str | None:  # noqa: ANN401 -- a datetime of the database, or its text as JSON has it
    return value if value is None or isinstance(value, str) else value.isoformat()


def standing_refund(*, paid: int, charge_said: int, refunds: Iterable[tuple[int, str]], lost: int = 0) -> int:
    """Say how much of a payment stays away from the shop, in minor units; never more than the payment.

    Two views of the refunds may each be incomplete, so the larger counts: the refunds that did not fail; and what the
    charge said at most, less the refunds that failed, as the charge may have counted them before they did. Refunds of
    10 and 10, the second failed, while the charge had said 20: both views say 10. What was lost to disputes comes on
    top: a charge does not count it.

    Args:
        paid: the payment's amount; 0 while nobody knows it.
        charge_said: the most that its charge said was refunded.
        refunds: amount and status of each.
        lost: what went back by lost disputes (`lost_amount`).
    """
    stand = failed = 0
    for amount, status in refunds:
        if status in NOTHING_WENT_BACK:
            failed += amount
        else:
            stand += amount
    away = max(stand, charge_said - failed, 0) + lost
    return min(away, paid) if paid else away


def lost_amount(*, paid: int, currency: str, disputes: Iterable[LedgerDispute]) -> int:
    """Say how much of a payment lost disputes took, in minor units of the payment's currency.

    A dispute in another currency than the payment's, or of more than the payment, is one of the whole payment: exchange
    rates and the bank's fees make its amount another one.
    """
    lost = 0
    for dispute in disputes:
        if dispute.phase is DisputePhase.LOST:
            part = not paid or (dispute.currency.lower() == currency.lower() and dispute.amount_minor < paid)
            lost += dispute.amount_minor if part else paid
    return lost


def carrying(order: _OrderRow, payments: Sequence[LedgerPayment]) -> LedgerPayment | None:
    """Give the payment that an order leans on, also after it went back; None where nothing paid it.

    `order` has `stripe_payment_intent_id` and `stripe_checkout_session_id`. Where the order names no payment, nothing
    had to be paid, which an accepted payment says; or its own session's money came back before it could pay (refunded
    early, sold out), or an operator marked the order paid by hand. A duplicate, and money that came for a closed
    order, carries nothing.
    """
    stored, session = order["stripe_payment_intent_id"], order["stripe_checkout_session_id"]
    if stored is not None:
        return next((known for known in payments if known.payment_key == stored), None)
    accepted = next((known for known in payments if known.role == "accepted"), None)
    if accepted is not None:
        return accepted
    own = [known for known in payments if known.role not in {"duplicate", "closed_order"}]
    of_session = [known for known in own if session is not None and known.stripe_checkout_session_id == session]
    unnamed = [known for known in own if known.stripe_checkout_session_id is None]
    return next(iter([*of_session, *unnamed]), None)


def pays(order: _OrderRow, payment: LedgerPayment, payments: Sequence[LedgerPayment]) -> bool:
    """Tell whether a payment is the one by which an order is paid now. `order` has `status` besides (`carrying`)."""
    if order["status"] != OrderStatus.PAID:
        return False
    known = carrying(order, payments)
    return known is not None and known.payment_key == payment.payment_key


def superfluous(order: _OrderRow, payment: LedgerPayment, payments: Sequence[LedgerPayment]) -> bool:
    """Tell whether what stands of a payment buys nothing: the order is not paid, or paid by another payment."""
    if payment.role == "refunded_early":
        return False  # its own event did not come yet
    return not pays(order, payment, payments)


def refunded_amount(order: _OrderRow, payments: Sequence[LedgerPayment]) -> Decimal:
    """Give what went back of the payment that carries an order, in the order's currency; never more than the total.

    With adaptive pricing the buyer was charged in another currency: then the same share of the order's total
    (https://docs.stripe.com/payments/checkout/adaptive-pricing). `order` has `total_amount` and `currency` besides.
    """
    total, currency = Decimal(str(order["total_amount"])), str(order["currency"]).lower()
    known = carrying(order, payments)
    if known is None:
        return Decimal(0)
    if known.currency.lower() == currency:
        return min(money.from_minor_units(known.refunded_minor, currency), total)
    if known.amount_minor == 0:
        return Decimal(0)  # not known yet which share this is
    share = Decimal(money.to_minor_units(total, currency)) * known.refunded_minor / known.amount_minor
    return min(money.from_minor_units(int(share.quantize(Decimal(1), rounding=ROUND_HALF_UP)), currency), total)
