"""What stands of a payment, as a table: no database is needed to say it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from ticketing.payments.standing import (
    LedgerDispute,
    LedgerPayment,
    carrying,
    disputes_in,
    lost_amount,
    payments_in,
    pays,
    refunded_amount,
    refunds_in,
    standing_refund,
    superfluous,
)
from ticketing.stripe.states import DisputePhase


@pytest.mark.parametrize(
    ("refunds", "charge_said", "stands"),
    [
        ([], 0, 0),
        ([(500, "succeeded")], 0, 500),
        ([(500, "pending"), (300, "requires_action")], 0, 800),
        ([], 700, 700),  # the charge's event came first
        ([(500, "succeeded")], 700, 700),
        ([(1000, "succeeded"), (1000, "failed")], 2000, 1000),  # the charge had counted the one that failed later
        ([(1000, "canceled")], 0, 0),
        ([(1000, "failed")], 500, 0),
        ([(3000, "succeeded")], 0, 2000),  # never more than the payment
    ],
)
def test_what_stands_of_two_incomplete_views(refunds: list[tuple[int, str]], charge_said: int, stands: int) -> None:
    assert standing_refund(paid=2000, charge_said=charge_said, refunds=refunds) == stands
    assert standing_refund(paid=2000, charge_said=charge_said, refunds=refunds[::-1]) == stands


def test_while_the_payments_amount_is_not_known_it_bounds_nothing() -> None:
    assert standing_refund(paid=0, charge_said=0, refunds=[(500, "succeeded")], lost=400) == 900


def payment(
    key: str = "pi_1", *, role: str = "accepted", paid: int = 8000, back: int = 0, **fields: Any
) -> LedgerPayment:
    told = {"stripe_payment_intent_id": key, "currency": "eur", **fields}
    return LedgerPayment(payment_key=key, role=role, amount_minor=paid, refunded_minor=back, **told)


def lost(amount: int, currency: str = "eur", phase: str = "lost") -> LedgerDispute:
    return LedgerDispute(
        stripe_dispute_id="dp_1",
        payment_key="pi_1",
        amount_minor=amount,
        currency=currency,
        status=phase,
        phase=DisputePhase(phase),
    )


@pytest.mark.parametrize(
    ("disputes", "paid", "gone"),
    [
        ([lost(2000)], 8000, 2000),
        ([lost(2000), lost(3000)], 8000, 5000),
        ([lost(8000)], 8000, 8000),
        ([lost(8150)], 8000, 8000),  # with the bank's fee, or by an exchange rate
        ([lost(2000, "usd")], 8000, 8000),
        ([lost(2000, "EUR")], 8000, 2000),
        ([lost(2000)], 0, 2000),  # nobody knows yet what was paid
        ([lost(2000, phase="won"), lost(2000, phase="opened")], 8000, 0),
        ([], 8000, 0),
    ],
)
def test_what_lost_disputes_took(disputes: list[LedgerDispute], paid: int, gone: int) -> None:
    assert lost_amount(paid=paid, currency="eur", disputes=disputes) == gone
    assert standing_refund(paid=paid, charge_said=0, refunds=[], lost=gone) == (min(gone, paid) if paid else gone)


ORDER = {
    "status": "paid",
    "currency": "eur",
    "total_amount": Decimal("80.00"),
    "stripe_payment_intent_id": "pi_1",
    "stripe_checkout_session_id": "cs_1",
}
UNNAMED = {**ORDER, "stripe_payment_intent_id": None}


@pytest.mark.parametrize(
    ("order", "payments", "carries", "amount"),
    [
        (ORDER, [payment(back=2000)], "pi_1", "20.00"),
        (ORDER, [payment(), payment("pi_2", role="duplicate", back=8000)], "pi_1", "0.00"),
        (ORDER, [payment(back=8000), payment("pi_2", role="duplicate", back=8000)], "pi_1", "80.00"),
        (ORDER, [payment(back=9000, paid=9000)], "pi_1", "80.00"),  # never more than the total
        (ORDER, [payment(paid=9000, back=2250, currency="usd")], "pi_1", "20.00"),
        (ORDER, [payment(paid=0, back=2250, currency="usd")], "pi_1", "0"),  # of how much, nobody knows yet
        (ORDER, [payment("pi_2", role="duplicate", back=8000)], None, "0"),
        (UNNAMED, [payment("cs_1", paid=0), payment("pi_2", role="refunded_early", back=500)], "cs_1", "0.00"),
        (UNNAMED, [payment(role="refunded_early", back=500)], "pi_1", "5.00"),
        (UNNAMED, [payment(role="refunded_early", back=500, stripe_checkout_session_id="cs_other")], None, "0"),
        (UNNAMED, [payment(role="sold_out", back=8000, stripe_checkout_session_id="cs_1")], "pi_1", "80.00"),
        (UNNAMED, [payment(role="closed_order", back=8000, stripe_checkout_session_id="cs_1")], None, "0"),
        (UNNAMED, [payment(role="duplicate", back=8000, stripe_checkout_session_id="cs_1")], None, "0"),
        # Nothing had to be paid, and a payment that came back early is of the same session.
        (
            UNNAMED,
            [
                payment("pi_2", role="refunded_early", back=500, stripe_checkout_session_id="cs_1"),
                payment("cs_1", paid=0),
            ],
            "cs_1",
            "0.00",
        ),
        (UNNAMED, [], None, "0"),
        # A third of the payment is a third of the total, rounded half up; currencies match in any case.
        (ORDER, [payment(paid=3, back=1, currency="usd")], "pi_1", "26.67"),
        ({**ORDER, "total_amount": Decimal("0.05")}, [payment(paid=2, back=1, currency="usd")], "pi_1", "0.03"),
        ({**ORDER, "currency": "EUR"}, [payment(paid=9000, back=9000, currency="Eur")], "pi_1", "80.00"),
        ({**ORDER, "currency": "EUR"}, [payment(paid=9000, back=500, currency="Eur")], "pi_1", "5.00"),
    ],
)
def test_what_went_back_of_the_payment_that_carries_the_order(
    order: dict[str, Any], payments: list[LedgerPayment], carries: str | None, amount: str
) -> None:
    found = carrying(order, payments)
    assert (None if found is None else found.payment_key) == carries
    assert refunded_amount(order, payments) == Decimal(amount)
    for known in payments:
        assert pays(order, known, payments) is (known.payment_key == carries)
        assert pays({**order, "status": "refunded"}, known, payments) is False


def test_rows_of_the_database_and_of_an_operators_answer_are_read_alike() -> None:
    row = {"payment_key": "pi_1", "stripe_payment_intent_id": "pi_1", "role": "accepted", "amount_minor": 8000}
    row |= {"currency": "eur", "refunded_minor": 2000, "created_at": "2026-11-28", "charge_refunded_minor": 0}
    [read] = payments_in([row])
    assert (read.left_minor, read.went_back, read.amount_unknown) == (6000, False, False)
    dispute = {"stripe_dispute_id": "dp_1", "payment_key": "pi_1", "amount_minor": 1, "currency": "eur"}
    dispute |= {"status": "needs_response", "phase": "opened", "reason": None}
    as_rows = disputes_in([{**dispute, "due_by": datetime(2026, 12, 7, 12)}])  # noqa: DTZ001 -- as the database gives it
    assert as_rows == disputes_in([{**dispute, "due_by": "2026-12-07T12:00:00"}])
    assert (as_rows[0].is_open, as_rows[0].awaits_answer) == (True, True)
    assert disputes_in([dispute])[0].due_by is None
    assert as_rows[0].due_by == "2026-12-07T12:00:00"
    refund = {"stripe_refund_id": "re_1", "payment_key": "pi_1", "amount_minor": 1, "created_at": "2026-11-28"}
    [pending, failed] = refunds_in([{**refund, "status": "pending"}, {**refund, "status": "failed"}])
    assert (pending.went_back, failed.went_back) == (True, False)


@pytest.mark.parametrize(
    ("status", "role", "key", "is_superfluous"),
    [
        ("paid", "accepted", "pi_1", False),
        ("paid", "duplicate", "pi_2", True),
        ("paid", "refunded_early", "pi_2", False),  # its own event did not come yet
        ("refunded", "accepted", "pi_1", True),
        ("failed", "sold_out", "pi_1", True),
        ("cancelled", "closed_order", "pi_1", True),
    ],
)
def test_which_money_buys_nothing(status: str, role: str, key: str, is_superfluous: bool) -> None:
    known = payment(key, role=role)
    others = [] if key == "pi_1" else [payment()]
    assert superfluous({**ORDER, "status": status}, known, [*others, known]) is is_superfluous


def test_of_several_refunds_that_failed_each_counts() -> None:
    refunds = [(1000, "failed"), (500, "canceled"), (2000, "succeeded")]
    assert standing_refund(paid=8000, charge_said=3500, refunds=refunds) == 2000
    assert standing_refund(paid=8000, charge_said=4000, refunds=refunds) == 2500


@pytest.mark.parametrize(
    ("paid", "back", "went_back", "left", "unknown"),
    [
        (0, 0, False, 0, False),
        (0, 1, False, 0, True),
        (1, 0, False, 1, False),
        (1, 1, True, 0, False),
        (2, 1, False, 1, False),
        (1, 2, True, 0, False),
    ],
)
def test_what_is_left_of_a_payment_to_the_last_cent(
    paid: int, back: int, went_back: bool, left: int, unknown: bool
) -> None:
    known = payment(paid=paid, back=back)
    assert (known.went_back, known.left_minor, known.amount_unknown) == (went_back, left, unknown)
