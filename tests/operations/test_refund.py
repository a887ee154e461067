"""`cachao refund`: what it says when there is nothing (more) to refund, and what it does while a dispute is open."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_order, dispute_of, envelope, names_of, row_of
from tests.operations.conftest import Cachao, paid_event
from tests.operations.test_commands import doubly_paid, status
from tests.workflow.conftest import Ended, Run
from ticketing.database import Database

__all__ = ["doubly_paid"]

Paid = Callable[..., tuple[int, str]]


@pytest.fixture
def paid(run: Run, database: Database, stripe_stand_in: StripeStandIn) -> Paid:
    """Pay an order at the stand-in and here; gives its id and its payment."""

    def pay(*, quantity: int = 1) -> tuple[int, str]:
        order_id = create_order(database, quantity=quantity)
        order = row_of(database, "ticket_orders", order_id)
        seed = SessionSeed(
            amount_total=int(order["total_amount"] * 100),
            metadata=names_of(order),
            session_id=order["stripe_checkout_session_id"],
        )
        payment = stripe_stand_in.session(stripe_stand_in.seed_session(seed))["payment_intent"]
        run(paid_event(database, order_id, payment_intent=payment))
        return order_id, payment

    return pay


def dispute(run: Run, database: Database, order_id: int, payment: str, kind: str = "created", **fields: str) -> Ended:
    order = row_of(database, "ticket_orders", order_id)
    return run(envelope(f"charge.dispute.{kind}", dispute_of(order, payment_intent=payment, **fields)))


# --- Nothing (more) to refund --------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [False, True])
def test_a_repeat_says_what_went_back_and_is_no_failure(
    cachao: Cachao, database: Database, doubly_paid: tuple[int, str, str], named: bool
) -> None:
    order_id, _, second = doubly_paid
    words = ["refund", order_id, *(["--payment", second] if named else []), "--yes"]
    first = cachao(*words, json=True)
    again = cachao(*words)
    assert again.exit_code == 0, again.notes
    assert again.text == (
        f"Already refunded: 20.00 EUR of {second} by refund {first.data['refund_id']}; nothing to do.\n"
    )
    assert "--end-order" not in again.text + again.notes
    same = cachao(*words, json=True)
    told = {name: same.data[name] for name in first.data if name != "already_refunded"}
    assert told == {name: first.data[name] for name in told}
    assert [known["payment_key"] for known in same.data["already_refunded"]] == [second]
    assert status(database, order_id) == "paid"


def test_an_order_that_was_ended_needs_no_second_end(cachao: Cachao, database: Database, paid: Paid) -> None:
    order_id, payment = paid()
    assert cachao("refund", order_id, "--end-order", "--yes").exit_code == 0
    again = cachao("refund", order_id, "--end-order", "--yes")
    assert (again.exit_code, f"Already refunded: 20.00 EUR of {payment}" in again.text) == (0, True)


def test_what_a_dispute_took_is_called_so(cachao: Cachao, database: Database, run: Run, paid: Paid) -> None:
    order_id, payment = paid()
    dispute(run, database, order_id, payment, "closed", status="lost")
    answer = cachao("refund", order_id, "--end-order", "--yes")
    assert answer.exit_code == 0, answer.notes
    assert f"by the lost dispute dp_order{order_id}; nothing to do." in answer.text


def test_ending_the_order_is_offered_with_what_it_does_where_one_payment_pays_it(cachao: Cachao, paid: Paid) -> None:
    for quantity, seats in ((1, "its 1 seat goes back on sale"), (3, "its 3 seats go back on sale")):
        order_id, payment = paid(quantity=quantity)
        answer = cachao("refund", order_id, "--yes")
        assert answer.exit_code == 1
        assert f"no payment that is to go back: {payment} pays it. Nothing was refunded." in answer.notes
        assert f"cachao refund {order_id} --end-order" in answer.notes
        assert seats in answer.notes
        assert "no ticket any more" in answer.notes
        asked = cachao("refund", order_id, "--end-order")
        assert (asked.exit_code, seats in asked.notes) == (2, True)


def test_ending_the_order_is_not_offered_where_another_payment_stands_or_one_went_back(
    cachao: Cachao, database: Database, doubly_paid: tuple[int, str, str]
) -> None:
    order_id, first, second = doubly_paid
    refused = cachao("refund", order_id, "--payment", first, "--yes")
    assert refused.exit_code == 2
    assert f"cachao refund {order_id} refunds what paid nothing." in refused.notes
    assert "--end-order" not in refused.notes
    # Meant all the same: the order does not end, because the other payment pays it then.
    asked = cachao("refund", order_id, "--payment", first, "--end-order")
    assert f"The order stays paid, by {second}." in asked.notes
    assert cachao("refund", order_id, "--yes").exit_code == 0
    refused = cachao("refund", order_id, "--payment", first, "--yes")
    assert refused.exit_code == 2
    assert "--end-order" not in refused.notes
    assert status(database, order_id) == "paid"


def test_an_order_without_payments_says_where_its_money_is_refunded(cachao: Cachao, database: Database) -> None:
    order_id = create_order(database)
    for words in ([], ["--payment", "pi_of_the_alert"], ["--end-order"]):
        answer = cachao("refund", order_id, *words, "--yes")
        assert answer.exit_code == 1
        assert f"The shop knows no payment of order {order_id} (pending)." in answer.notes
        assert "in Stripe's dashboard" in answer.notes
        assert "--end-order" not in answer.notes


def test_a_payment_that_is_not_the_orders_is_answered_with_those_that_are(cachao: Cachao, paid: Paid) -> None:
    order_id, payment = paid()
    answer = cachao("refund", order_id, "--payment", "pi_other", "--yes")
    assert answer.exit_code == 1
    assert f"It has {payment}." in answer.notes


def test_what_cost_nothing_has_nothing_to_refund(cachao: Cachao, database: Database, run: Run) -> None:
    order_id = create_order(database, unit_price=0)
    run(paid_event(database, order_id, payment_intent=None, payment_status="no_payment_required"))
    answer = cachao("refund", order_id, "--end-order", "--yes")
    assert (answer.exit_code, "Nothing had to be paid" in answer.notes) == (1, True)


# --- Disputes ------------------------------------------------------------------------------------------------------


def test_while_a_dispute_is_open_nothing_is_refunded_unless_that_is_said(
    cachao: Cachao, database: Database, run: Run, paid: Paid, stripe_stand_in: StripeStandIn
) -> None:
    order_id, payment = paid()
    stripe_stand_in.open_dispute(payment)
    dispute(run, database, order_id, payment)
    refused = cachao("refund", order_id, "--end-order", "--yes")
    assert refused.exit_code == 2
    assert f"Dispute dp_order{order_id} of payment {payment} is open: the bank has taken the money" in refused.notes
    assert "Nothing was refunded." in refused.notes
    assert "--although-disputed" not in refused.notes
    assert "docs/runbook.md#disputeopened" in refused.notes
    asked = cachao("refund", order_id, "--end-order", "--although-disputed")
    assert asked.exit_code == 2
    assert "Stripe refuses a refund (charge_disputed)" in asked.notes
    # Stripe has the last word.
    tried = cachao("refund", order_id, "--end-order", "--although-disputed", "--yes")
    assert (tried.exit_code, "charge_disputed" in tried.notes) == (1, True)
    assert status(database, order_id) == "paid"


def test_an_inquiry_can_be_refunded_and_a_dispute_that_ended_is_none(
    cachao: Cachao, database: Database, run: Run, paid: Paid
) -> None:
    inquired, payment = paid()
    dispute(run, database, inquired, payment, status="warning_needs_response")
    refused = cachao("refund", inquired, "--end-order", "--yes")
    assert refused.exit_code == 2
    assert f"Inquiry dp_order{inquired} of payment {payment} is open: the money is still with the shop" in refused.notes
    assert "--although-disputed" in refused.notes
    assert cachao("refund", inquired, "--end-order", "--although-disputed", "--yes").exit_code == 0
    assert status(database, inquired) == "refunded"
    won, payment = paid()
    # Their events come in any order.
    dispute(run, database, won, payment, "closed", status="won")
    dispute(run, database, won, payment)
    assert cachao("refund", won, "--end-order", "--yes").exit_code == 0


def test_a_dispute_stands_in_the_way_of_its_own_payment_only(
    cachao: Cachao, database: Database, run: Run, doubly_paid: tuple[int, str, str]
) -> None:
    order_id, first, second = doubly_paid
    dispute(run, database, order_id, first)
    refused = cachao("refund", order_id, "--payment", first, "--end-order", "--yes")
    assert (refused.exit_code, f"of payment {first} is open" in refused.notes) == (2, True)
    assert cachao("refund", order_id, "--yes", json=True).data["payment_key"] == second


def test_what_stands_after_a_lost_dispute_was_won_is_refunded_without_ending_what_has_ended(
    cachao: Cachao, database: Database, run: Run, paid: Paid
) -> None:
    order_id, payment = paid()
    dispute(run, database, order_id, payment, "closed", status="lost")
    dispute(run, database, order_id, payment, "closed", status="won")
    answer = cachao("refund", order_id, "--yes", json=True)
    assert (answer.exit_code, answer.data["payment_key"], answer.data["amount"]) == (0, payment, "20.00 EUR")


# --- A part ----------------------------------------------------------------------------------------------------------


def test_a_part_goes_back_and_the_order_keeps_its_seats(cachao: Cachao, database: Database, paid: Paid) -> None:
    order_id, payment = paid(quantity=4)
    asked = cachao("refund", order_id, "--amount", "12.50")
    assert asked.exit_code == 2
    assert f"Refund 12.50 EUR of the 80.00 EUR that are left of payment {payment}" in asked.notes
    assert "The order stays as it is, and keeps its seats." in asked.notes
    answer = cachao("refund", order_id, "--amount", "12.50", "--yes", json=True)
    assert (answer.exit_code, answer.data["amount"], answer.data["status"]) == (0, "12.50 EUR", "succeeded")
    assert status(database, order_id) == "paid"
    assert str(row_of(database, "ticket_orders", order_id)["refunded_amount"]) == "12.50"
    again = cachao("refund", order_id, "--amount", "12.50")
    assert "So far 12.50 EUR of 80.00 EUR went back, by refund re_" in again.notes


@pytest.mark.parametrize("amount", ["0", "-1", "80", "80.01", "1.005", "twelve", "1e3", "NaN"])
def test_what_is_no_part_is_said_so(cachao: Cachao, database: Database, paid: Paid, amount: str) -> None:
    order_id, _ = paid(quantity=4)
    answer = cachao("refund", order_id, f"--amount={amount}", "--yes")
    assert answer.exit_code == 2, answer.notes
    assert str(row_of(database, "ticket_orders", order_id)["refunded_amount"]) == "0.00"


def test_a_part_and_the_end_of_the_order_are_two_things(cachao: Cachao, paid: Paid) -> None:
    order_id, _ = paid()
    answer = cachao("refund", order_id, "--amount", "5", "--end-order", "--yes")
    assert (answer.exit_code, "say one of them" in answer.notes) == (2, True)
