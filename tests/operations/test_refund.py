"""`cachao refund`: what it says when there is nothing (more) to refund, and what it does while a dispute is open."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import charge_of, create_order, dispute_of, envelope, names_of, refund_of, row_of
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
        assert f"no payment to refund: {payment} pays it. Nothing was refunded." in answer.notes
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
    assert f"To refund the payment that pays nothing, run: cachao refund {order_id}" in refused.notes
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
        assert f"The shop has no payment of order {order_id} (pending)." in answer.notes
        assert "correct the order and replay" in answer.notes
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
    assert (answer.exit_code, "was free" in answer.notes) == (1, True)


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
    assert f"Refund 12.50 EUR of the remaining 80.00 EUR of payment {payment}" in asked.notes
    assert "The order stays as it is, and keeps its seats." in asked.notes
    answer = cachao("refund", order_id, "--amount", "12.50", "--yes", json=True)
    assert (answer.exit_code, answer.data["amount"], answer.data["status"]) == (0, "12.50 EUR", "succeeded")
    assert status(database, order_id) == "paid"
    assert str(row_of(database, "ticket_orders", order_id)["refunded_amount"]) == "12.50"
    same = cachao("refund", order_id, "--amount", "12.50", "--yes")
    assert (same.exit_code, "add --again" in same.text) == (0, True)
    assert cachao("refund", order_id, "--amount", "12.50", "--yes", json=True).data["already_refunded"]
    assert str(row_of(database, "ticket_orders", order_id)["refunded_amount"]) == "12.50"
    again = cachao("refund", order_id, "--amount", "12.50", "--again")
    assert "So far 12.50 EUR of 80.00 EUR went back, by refund re_" in again.notes


@pytest.mark.parametrize("amount", ["0", "-1", "80", "80.01", "1.005", "twelve", "1e3", "NaN"])
def test_what_is_no_part_is_said_so(cachao: Cachao, database: Database, paid: Paid, amount: str) -> None:
    order_id, _ = paid(quantity=4)
    answer = cachao("refund", order_id, f"--amount={amount}", "--yes")
    assert answer.exit_code == 2, answer.notes
    assert str(row_of(database, "ticket_orders", order_id)["refunded_amount"]) == "0.00"


def test_a_part_that_failed_is_made_anew_without_more_words(
    cachao: Cachao, database: Database, paid: Paid, stripe_stand_in: StripeStandIn
) -> None:
    order_id, payment = paid(quantity=4)
    stripe_stand_in.set_refund_outcome(payment, "fails_at_once")
    assert cachao("refund", order_id, "--amount", "12.50", "--yes").exit_code == 1
    stripe_stand_in.set_refund_outcome(payment, "succeeds")
    made = cachao("refund", order_id, "--amount", "12.50", "--yes", json=True).data
    assert (made["status"], made["already_refunded"]) == ("succeeded", [])


def test_a_part_and_the_end_of_the_order_are_two_things(cachao: Cachao, paid: Paid) -> None:
    order_id, _ = paid()
    answer = cachao("refund", order_id, "--amount", "5", "--end-order", "--yes")
    assert (answer.exit_code, "use one of them" in answer.notes) == (2, True)


# --- Some seats ------------------------------------------------------------------------------------------------------


def counted(database: Database, order_id: int) -> tuple[int, int, int]:
    """Seats of the order, seats sold of its ticket, refunds in the books."""
    order = row_of(database, "ticket_orders", order_id)
    with database.transaction() as tx:
        refunds = tx.all("SELECT * FROM order_refunds WHERE order_id = %s", order_id)
    return order["quantity"], row_of(database, "tickets", order["ticket_id"])["sold_quantity"], len(refunds)


def test_one_of_four_goes_back_with_its_price_its_seat_and_its_line_in_the_books(
    cachao: Cachao, database: Database, paid: Paid, stripe_stand_in: StripeStandIn
) -> None:
    order_id, payment = paid(quantity=4)
    shown = cachao("refund", order_id, "--seats", 1, "--dry-run")
    assert (shown.exit_code, counted(database, order_id)) == (0, (4, 4, 0))
    assert f"20.00 EUR of the 80.00 EUR that are left of {payment} goes back" in shown.text
    asked = cachao("refund", order_id, "--seats", 1)
    assert (asked.exit_code, counted(database, order_id)) == (2, (4, 4, 0))
    done = cachao("refund", order_id, "--seats", 1, "--yes", "--reason", "ill")
    assert done.exit_code == 0, done.notes
    assert f"20.00 EUR of {payment} went back: refund re_" in done.text
    assert "1 seat went back on sale." in done.text
    assert (counted(database, order_id), status(database, order_id)) == ((3, 3, 1), "paid")
    assert str(row_of(database, "ticket_orders", order_id)["refunded_amount"]) == "20.00"
    again = cachao("refund", order_id, "--seats", 1, "--yes")
    assert (again.exit_code, "add --of 3" in again.text, counted(database, order_id)) == (0, True, (3, 3, 1))
    assert cachao("refund", order_id, "--seats", 1, "--of", 3, "--amount", "15.00", "--yes").exit_code == 0
    assert counted(database, order_id) == (2, 2, 2)
    assert str(row_of(database, "ticket_orders", order_id)["refunded_amount"]) == "35.00"
    assert "cachao refund" in cachao("show", order_id).text
    # The rest, as the last of several: the order ends, and what is still counted goes back once.
    assert cachao("refund", order_id, "--end-order", "--yes", "--reason", "all ill").exit_code == 0
    assert (counted(database, order_id)[1], status(database, order_id)) == (0, "refunded")


def test_the_events_that_follow_change_nothing_twice(
    cachao: Cachao, database: Database, run: Run, paid: Paid, stripe_stand_in: StripeStandIn
) -> None:
    order_id, payment = paid(quantity=4)
    assert cachao("refund", order_id, "--seats", 1, "--yes").exit_code == 0
    order = row_of(database, "ticket_orders", order_id)
    run(envelope("charge.refunded", charge_of(order, amount_refunded=2000, amount=8000, payment_intent=payment)))
    with database.transaction() as tx:
        [made] = tx.all("SELECT * FROM order_refunds WHERE order_id = %s", order_id)
    run(envelope("refund.created", refund_of(order, amount=2000, id=made["stripe_refund_id"], payment_intent=payment)))
    assert counted(database, order_id) == (3, 3, 1)
    assert str(row_of(database, "ticket_orders", order_id)["refunded_amount"]) == "20.00"


def test_a_refund_of_seats_that_was_cut_off_goes_on_where_it_was(
    cachao: Cachao, database: Database, paid: Paid, stripe_stand_in: StripeStandIn
) -> None:
    order_id, _ = paid(quantity=4)
    # Stripe makes the refund, and its answer is lost, however often it is asked.
    stripe_stand_in.fail_next(9, status="reset", path_prefix="/v1/refunds", method="POST", when="after")
    cut_off = cachao("refund", order_id, "--seats", 1, "--yes")
    assert (cut_off.exit_code, "StripeUnavailable" in cut_off.notes) == (1, True)
    stripe_stand_in.clear_faults()
    assert counted(database, order_id)[:2] == (4, 4)
    # Nothing else may begin meanwhile, and the books may know of the refund already.
    other = cachao("refund", order_id, "--seats", 2, "--yes")
    assert (other.exit_code, f"cachao refund {order_id} --seats 1" in other.notes) == (1, True)
    done = cachao("refund", order_id, "--seats", 1, "--yes")
    assert done.exit_code == 0, done.notes
    assert counted(database, order_id) == (3, 3, 1)
    assert "Already done" in cachao("refund", order_id, "--seats", 1, "--yes").text


def test_what_stripe_refuses_or_cannot_carry_out_leaves_the_order_its_seats(
    cachao: Cachao, database: Database, paid: Paid, stripe_stand_in: StripeStandIn
) -> None:
    order_id, payment = paid(quantity=4)
    stripe_stand_in.set_refund_outcome(payment, "fails_at_once")
    failed = cachao("refund", order_id, "--seats", 1, "--yes")
    assert (failed.exit_code, "the money did not reach the buyer" in failed.notes) == (1, True)
    assert counted(database, order_id)[:2] == (4, 4)
    stripe_stand_in.set_refund_outcome(payment, "succeeds")
    stripe_stand_in.open_dispute(payment)
    refused = cachao("refund", order_id, "--seats", 1, "--yes")
    assert (refused.exit_code, "the order keeps its seats" in refused.notes) == (1, True)
    assert counted(database, order_id)[:2] == (4, 4)


def test_seats_of_a_disputed_payment_and_more_than_there_are_are_refused(
    cachao: Cachao, database: Database, run: Run, paid: Paid
) -> None:
    order_id, payment = paid(quantity=2)
    for words, said in {
        ("--seats", 2): "is not a part of that",
        ("--seats", 1, "--amount", "40"): "40.00 EUR is not a part of the 40.00 EUR",
        ("--seats", 1, "--amount", "x"): "is no amount",
        ("--seats", 1, "--of", 3): "has 2 seats, not 3",
    }.items():
        answer = cachao("refund", order_id, *words, "--yes")
        assert (answer.exit_code, said in answer.notes) == (1, True), answer.notes
    for words in (("--seats", 1, "--end-order"), ("--of", 2), ("--seats", 1, "--payment", payment)):
        assert cachao("refund", order_id, *words, "--yes").exit_code == 2
    dispute(run, database, order_id, payment)
    refused = cachao("refund", order_id, "--seats", 1, "--yes")
    assert (refused.exit_code, "disputes" in refused.notes) == (1, True)
    free = create_order(database, unit_price=0, quantity=2)
    run(paid_event(database, free, payment_intent=None, payment_status="no_payment_required"))
    answer = cachao("refund", free, "--seats", 1, "--yes")
    assert (answer.exit_code, f"cachao take-back {free} --seats 1" in answer.notes) == (1, True)


def test_a_refund_says_what_it_would_do_and_keeps_who_ordered_it_and_why(
    cachao: Cachao, database: Database, paid: Paid
) -> None:
    order_id, _ = paid()
    shown = cachao("refund", order_id, "--end-order", "--dry-run", json=True).data
    assert (shown["dry_run"], shown["amount"], status(database, order_id)) == (True, "20.00 EUR", "paid")
    assert "It would ask: Refund 20.00 EUR" in cachao("refund", order_id, "--end-order", "--dry-run").text
    for _ in range(2):
        assert cachao("refund", order_id, "--end-order", "--yes", "--reason", "cancelled").exit_code == 0
    with database.transaction() as tx:
        [kept] = tx.all("SELECT * FROM order_corrections WHERE order_id = %s", order_id)
    assert (kept["kind"], kept["reason"], kept["amount_minor"]) == ("refund", "cancelled", 2000)
    assert kept["done_at"] is not None
