from __future__ import annotations

import pytest

from ticketing.payments.ledger import LOST_TO_DISPUTE, standing_refund


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
        ([(1, LOST_TO_DISPUTE)], 0, 2000),
        ([(500, "failed"), (2100, LOST_TO_DISPUTE)], 500, 2000),
    ],
)
def test_what_stands_of_two_incomplete_views(refunds: list[tuple[int, str]], charge_said: int, stands: int) -> None:
    assert standing_refund(paid=2000, charge_said=charge_said, refunds=refunds) == stands
    assert standing_refund(paid=2000, charge_said=charge_said, refunds=refunds[::-1]) == stands


def test_while_the_payments_amount_is_not_known_it_bounds_nothing() -> None:
    assert standing_refund(paid=0, charge_said=0, refunds=[(500, "succeeded"), (400, LOST_TO_DISPUTE)]) == 900
