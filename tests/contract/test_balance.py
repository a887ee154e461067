"""What moves on the balance, as `cachao books` reads it: each line with what moved the money, and its charge."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import stripe

from tests.contract.conftest import DISPUTED, REFUND_FAILS, Account, refused
from ticketing.stripe.balance import BalanceLine, StripeBalance, converted

Eventually = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def lines_of(client: stripe.StripeClient, eventually: Eventually) -> Callable[[str, int], list[BalanceLine]]:
    """Give the lines of a payment, the oldest first, as soon as there are so many."""
    balance = StripeBalance(client)

    def listed(payment: str, number: int) -> list[BalanceLine]:
        def found() -> list[BalanceLine] | None:
            lines, more, after = [], True, None
            while more:
                page, more = balance.made_between(int(time.time()) - 600, int(time.time()) + 60, after=after)
                lines += [line for line in page if line.payment_intent_id == payment]
                after = page[-1].transaction_id if page else None
            return lines[::-1] if len(lines) >= number else None

        lines: list[BalanceLine] = eventually(found)
        return lines

    return listed


def adds_up(line: BalanceLine) -> bool:
    assert line.net_minor == line.amount_minor - line.fee_minor
    assert line.fee_minor == line.fees_minor
    if line.exchange_rate is not None:
        assert abs(converted(line.source_minor, line.exchange_rate) - line.amount_minor) <= Decimal("1.5")
    return line.is_own


def test_a_payment_and_its_refund_are_lines_that_name_each_other(
    account: Account, client: stripe.StripeClient, lines_of: Callable[[str, int], list[BalanceLine]]
) -> None:
    payment = account.pay(3000, order_id="17", order_mark="mark")
    client.v1.refunds.create({"payment_intent": payment, "amount": 1000, "metadata": {"order_id": "17"}})
    client.v1.refunds.create({"payment_intent": payment, "amount": 500})
    charge, first, second = lines_of(payment, 3)
    assert (charge.kind, charge.category, charge.source, charge.status) == ("charge", "charge", "charge", "succeeded")
    assert (charge.source_minor, charge.source_currency) == (3000, "eur")
    assert charge.fee_minor > 0
    assert charge.method.startswith("card visa")
    for refund, amount in ((first, -1000), (second, -500)):
        assert (refund.kind, refund.category, refund.source) == ("refund", "refund", "refund")
        assert refund.source_minor == amount
        # Of a refund the charge comes with it, and what went back of that by now.
        assert (refund.charge_id, refund.charge_refunded_minor) == (charge.source_id, 1500)
    assert [line.by_shop for line in (charge, first, second)] == [False, True, False]
    for line in (charge, first, second):
        assert adds_up(line)
        assert (line.order_reference, line.order_mark) == ("17", "mark")


def test_a_refund_that_fails_has_a_second_line_of_its_own(
    account: Account, client: stripe.StripeClient, lines_of: Callable[[str, int], list[BalanceLine]]
) -> None:
    payment = account.pay(3000, REFUND_FAILS)
    refund = client.v1.refunds.create({"payment_intent": payment})
    *_, back = lines_of(payment, 3)
    assert (back.category, back.source_id, back.status) == ("refund_failure", refund.id, "failed")
    assert back.source_minor == 3000
    assert adds_up(back)


def test_what_a_bank_takes_is_a_line_of_its_dispute(
    account: Account, lines_of: Callable[[str, int], list[BalanceLine]], client: stripe.StripeClient
) -> None:
    payment = account.pay(3000, DISPUTED)
    charge, taken = lines_of(payment, 2)
    assert (taken.category, taken.source, taken.status) == ("dispute", "dispute", "needs_response")
    assert (taken.source_minor, taken.charge_id) == (-3000, charge.source_id)
    assert adds_up(taken)
    assert taken.source_id is not None
    found = StripeBalance(client).movement("dispute", taken.source_id)
    assert found is not None
    assert found.moved_at == [taken.created]


def test_what_is_asked_for_by_its_id(account: Account, client: stripe.StripeClient, eventually: Eventually) -> None:
    balance = StripeBalance(client)
    payment = account.pay(3000)
    refund = client.v1.refunds.create({"payment_intent": payment})
    for kind, object_id in (("payment", payment), ("refund", refund.id)):
        found = eventually(functools.partial(_moved, balance, kind, object_id))
        assert time.time() - 600 < found.moved_at[0] <= time.time() + 60
    for kind, object_id in (("payment", "pi_3nobody"), ("refund", "re_3nobody"), ("dispute", "dp_1nobody")):
        assert balance.movement(kind, object_id) is None
    assert balance.payout("po_1nobody") is None


def _moved(balance: StripeBalance, kind: str, object_id: str) -> Any:
    found = balance.movement(kind, object_id)
    return found if found is not None and found.moved_at else None


def test_of_a_payout_that_is_not_there_nothing_is_listed(client: stripe.StripeClient) -> None:
    error = refused(lambda: client.v1.balance_transactions.list({"payout": "po_1nobody"}))
    assert error.http_status in {400, 404}
