"""Refunds against a real MariaDB: in any order, repeated, in parts, failed, and of a doubly paid order."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import Connect
from tests.factories import create_code, create_order, create_ticket, envelope, row_of, session_of
from tests.handlers.workflow.workflow_by_hand import run_workflow
from tests.sizes import size
from tests.ticketing.paid_orders import (
    charge_event,
    code_uses,
    entries,
    order_row,
    pay,
    payment_event,
    refund,
    refund_charge,
    refund_event,
    refunded,
    seats,
    status,
)
from ticketing.database import Database
from ticketing.errors import DuplicatePayment, PaidButSoldOut, PaymentForClosedOrder, RefundFailed
from ticketing.payments.accept import mark_order_paid
from ticketing.payments.counts import count_discount_use, count_ticket_sale
from ticketing.payments.refunds import record_refund
from ticketing.payments.release import release_order
from ticketing.stripe.events import ChargeEvent, RefundEvent, SessionEvent


def order_with_code(database: Database, **columns: Any) -> tuple[int, int]:
    ticket = create_ticket(database)
    code = create_code(database, event_id=row_of(database, "tickets", ticket)["event_id"])
    return create_order(database, ticket_id=ticket, quantity=2, discount_code_id=code, **columns), code


# --- The whole amount ------------------------------------------------------------------------------------------------


def test_a_full_refund_of_a_paid_order_ends_it_and_gives_its_counts_back_once(database: Database) -> None:
    order, code = order_with_code(database)
    pay(database, order)
    assert (seats(database, order), code_uses(database, code)) == ((2, 0), (1, 0))
    for number in range(3):
        recorded = refund_charge(database, order, 4000)
        assert (recorded.status, recorded.changed) == ("refunded", number == 0)
    refund(database, order, 4000)
    assert (seats(database, order), code_uses(database, code)) == ((0, 0), (0, 0))
    assert status(database, order) == "refunded"
    assert refunded(database, order) == Decimal("40.00")
    assert entries(database, order).count("refunded") == 1


def test_the_last_of_several_partial_refunds_ends_the_order(database: Database) -> None:
    order, code = order_with_code(database)
    pay(database, order)
    refund(database, order, 1500, id="re_1")
    refund(database, order, 1500, id="re_1")
    assert (status(database, order), refunded(database, order)) == ("paid", Decimal("15.00"))
    assert (seats(database, order), code_uses(database, code)) == ((2, 0), (1, 0))
    refund(database, order, 2500, id="re_2")
    assert (status(database, order), refunded(database, order)) == ("refunded", Decimal("40.00"))
    assert (seats(database, order), code_uses(database, code)) == ((0, 0), (0, 0))


def test_a_charge_reported_late_with_an_older_sum_takes_nothing_back(database: Database) -> None:
    order, _ = order_with_code(database)
    pay(database, order)
    refund_charge(database, order, 3000)
    recorded = refund_charge(database, order, 1000)
    assert (recorded.status, recorded.refunded_minor) == ("paid", 3000)


def test_a_refund_before_the_counts_gives_the_hold_back_and_nothing_is_counted_later(database: Database) -> None:
    order, code = order_with_code(database)
    pay(database, order, count=False)
    refund_charge(database, order, 4000)
    assert count_ticket_sale(database, order).result == "not_due"
    assert count_discount_use(database, order).result == "not_due"
    assert (seats(database, order), code_uses(database, code)) == ((0, 0), (0, 0))


def test_a_refund_between_the_two_counts_gives_back_what_each_took(database: Database) -> None:
    for counted in (count_ticket_sale, count_discount_use):
        order, code = order_with_code(database)
        pay(database, order, count=False)
        counted(database, order)
        refund_charge(database, order, 4000)
        assert (seats(database, order), code_uses(database, code)) == ((0, 0), (0, 0))


@pytest.mark.parametrize("first", ["charge", "refund"])
@pytest.mark.parametrize("unpaid", ["pending", "processing"])
def test_a_refund_before_the_payment_event_ends_the_order_and_nothing_is_counted(
    database: Database, first: str, unpaid: str
) -> None:
    order, code = order_with_code(database, status=unpaid)
    recorded = refund_charge(database, order, 4000) if first == "charge" else refund(database, order, 4000)
    assert (recorded.status, recorded.changed) == ("refunded", True)
    assert (seats(database, order), code_uses(database, code)) == ((0, 0), (0, 0))
    assert pay(database, order).status == "refunded"  # no alert: no money stands
    assert (status(database, order), seats(database, order)) == ("refunded", (0, 0))


def test_a_partial_refund_before_the_payment_event_is_kept(database: Database) -> None:
    order, _ = order_with_code(database)
    refund(database, order, 1000)
    assert (status(database, order), refunded(database, order)) == ("pending", Decimal("10.00"))
    assert pay(database, order).status == "paid"
    assert (seats(database, order), refunded(database, order)) == ((2, 0), Decimal("10.00"))


@pytest.mark.parametrize("ended", ["expired", "failed", "cancelled"])
def test_a_refund_of_an_order_that_ended_unpaid_is_only_recorded(database: Database, ended: str) -> None:
    order = create_order(database, hold=False, status=ended)
    recorded = refund_charge(database, order, 2000)
    assert (recorded.status, recorded.changed) == (ended, False)
    assert refunded(database, order) == Decimal("20.00")
    if ended != "cancelled":
        assert pay(database, order).status == "refunded"
        assert status(database, order) == ended


# --- Refunds that fail -----------------------------------------------------------------------------------------------


def test_a_failed_refund_is_an_alert_and_the_order_stays_refunded(database: Database) -> None:
    order, _ = order_with_code(database)
    pay(database, order)
    refund(database, order, 4000, status="pending")
    with pytest.raises(
        RefundFailed,
        match=r"40\.00 EUR.*stays refunded: the buyer has no ticket.*cachao refund \d+ --payment pi_order\d+\. ",
    ):
        refund(database, order, 4000, "refund.failed", status="failed")
    assert status(database, order) == "refunded"
    assert refunded(database, order) == Decimal("0.00")
    assert seats(database, order) == (0, 0)
    # Money stands for an order that nobody will honour: a replay of its payment says so.
    with pytest.raises(PaymentForClosedOrder):
        pay(database, order)


def test_a_failed_partial_refund_leaves_the_order_paid(database: Database) -> None:
    order, _ = order_with_code(database)
    pay(database, order)
    refund(database, order, 1000, id="re_1")
    refund(database, order, 500, id="re_2")
    refund_charge(database, order, 1500)
    with pytest.raises(
        RefundFailed, match=r"5\.00 EUR.*the buyer keeps the ticket.*--payment pi_order\d+ --amount 5\.00\."
    ):
        refund(database, order, 500, "refund.failed", id="re_2", status="failed")
    assert (status(database, order), refunded(database, order)) == ("paid", Decimal("10.00"))


def test_what_a_failed_refund_was_never_comes_back(database: Database) -> None:
    order, _ = order_with_code(database)
    pay(database, order)
    with pytest.raises(RefundFailed):
        refund(database, order, 4000, "refund.failed", status="failed")
    assert refund(database, order, 4000, "refund.updated", status="succeeded").refunded_minor == 0
    assert refund(database, order, 4000, "refund.created", status="pending").refunded_minor == 0
    assert status(database, order) == "paid"


def test_a_cancelled_refund_is_an_alert_too(database: Database) -> None:
    order, _ = order_with_code(database)
    pay(database, order)
    with pytest.raises(RefundFailed, match="canceled"):
        refund(database, order, 4000, "refund.updated", status="canceled")


def test_a_second_refund_after_a_failed_one_ends_the_order(database: Database) -> None:
    order, _ = order_with_code(database)
    pay(database, order)
    with pytest.raises(RefundFailed):
        refund(database, order, 4000, "refund.failed", id="re_1", status="failed")
    assert refund(database, order, 4000, id="re_2").status == "refunded"
    assert refunded(database, order) == Decimal("40.00")


@pytest.mark.parametrize("order_of_arrival", list(itertools.permutations(range(5)))[:: size(7, 1)])
def test_refund_events_in_any_order_end_the_same(database: Database, order_of_arrival: tuple[int, ...]) -> None:
    """Two refunds, the second of which fails after the charge had counted it; the payment somewhere between."""
    order, _ = order_with_code(database)
    events: list[SessionEvent | RefundEvent | ChargeEvent] = [
        payment_event(database, order),
        refund_event(database, order, "refund.created", 1000, id="re_1"),
        charge_event(database, order, 2500),
        refund_event(database, order, "refund.created", 1500, id="re_2", status="pending"),
        refund_event(database, order, "refund.failed", 1500, id="re_2", status="failed"),
    ]
    for place in order_of_arrival:
        event = events[place]
        if isinstance(event, SessionEvent):
            mark_order_paid(database, order, event)
            count_ticket_sale(database, order)
        elif event.event_type == "refund.failed":
            with pytest.raises(RefundFailed):
                record_refund(database, order, event)
        else:
            record_refund(database, order, event)
    assert (status(database, order), refunded(database, order)) == ("paid", Decimal("10.00"))
    assert seats(database, order) == (2, 0)


# --- A doubly paid order ---------------------------------------------------------------------------------------------


def test_a_refund_of_the_second_payment_leaves_the_ticket_valid(database: Database) -> None:
    order, code = order_with_code(database)
    pay(database, order)
    with pytest.raises(DuplicatePayment):
        pay(database, order, payment_intent="pi_second")
    assert refund_charge(database, order, 4000, payment_intent="pi_second", id="ch_second").status == "paid"
    assert (seats(database, order), code_uses(database, code)) == ((2, 0), (1, 0))
    assert pay(database, order, payment_intent="pi_second").status == "refunded"


def test_a_refund_of_the_first_payment_lets_the_second_carry_the_order(database: Database) -> None:
    order, _ = order_with_code(database)
    pay(database, order)
    with pytest.raises(DuplicatePayment):
        pay(database, order, payment_intent="pi_second")
    assert refund_charge(database, order, 4000).status == "paid"
    assert order_row(database, order)["stripe_payment_intent_id"] == "pi_second"
    assert pay(database, order, payment_intent="pi_second").changed is False  # no duplicate any more
    assert refund_charge(database, order, 4000).status == "paid"  # again: nothing new
    recorded = refund_charge(database, order, 4000, payment_intent="pi_second", id="ch_second")
    assert (recorded.status, recorded.changed) == ("refunded", True)
    assert (seats(database, order), refunded(database, order)) == ((0, 0), Decimal("40.00"))


def test_a_refund_of_a_second_payment_that_is_not_reported_yet_leaves_the_order_paid(database: Database) -> None:
    order, _ = order_with_code(database)
    pay(database, order)
    assert refund(database, order, 4000, id="re_second", payment_intent="pi_second").status == "paid"
    assert pay(database, order, payment_intent="pi_second").status == "refunded"  # no alert: no money stands
    assert seats(database, order) == (2, 0)


def test_a_refund_of_the_payment_that_an_operator_saw_ends_the_order(database: Database) -> None:
    order = create_order(database, hold=False, status="paid")  # set by hand, without a payment
    assert refund_charge(database, order, 2000).status == "refunded"


def test_a_refund_of_another_payment_leaves_a_free_order_alone(database: Database) -> None:
    order = create_order(database, unit_price=Decimal("0.00"))
    pay(database, order, payment_intent=None, payment_status="no_payment_required")
    assert refund_charge(database, order, 500, amount=500).status == "paid"


# --- Another currency than the order's --------------------------------------------------------------------------------


def test_a_refund_in_the_buyers_currency_is_the_same_share_of_the_order(database: Database) -> None:
    order, _ = order_with_code(database)
    conversion = {"amount_total": 4000, "source_currency": "eur"}
    pay(database, order, amount_total=4600, currency="usd", currency_conversion=conversion)
    assert refund_charge(database, order, 1150, amount=4600, currency="usd").status == "paid"
    assert refunded(database, order) == Decimal("10.00")
    assert refund_charge(database, order, 4600, amount=4600, currency="usd").status == "refunded"
    assert refunded(database, order) == Decimal("40.00")


def test_a_refund_in_another_currency_before_the_payment_event_is_settled_by_it(database: Database) -> None:
    order, code = order_with_code(database)
    assert refund(database, order, 4600, currency="usd").status == "pending"  # of how much, nobody knows yet
    conversion = {"amount_total": 4000, "source_currency": "eur"}
    paid = pay(database, order, amount_total=4600, currency="usd", currency_conversion=conversion)
    assert paid.status == "refunded"
    assert (status(database, order), refunded(database, order)) == ("refunded", Decimal("40.00"))
    assert (seats(database, order), code_uses(database, code)) == ((0, 0), (0, 0))


# --- Two at once ------------------------------------------------------------------------------------------------------


def _give_back_without_lock(database: Database, order: int, barrier: threading.Barrier) -> None:
    """What a refund would be if it read first and wrote then, without a lock and without a mark."""
    with database.transaction() as tx:
        row = tx.one("SELECT status, ticket_id, quantity FROM ticket_orders WHERE id = %s", order)
        assert row is not None
        barrier.wait()
        if row["status"] == "paid":
            tx.change("UPDATE ticket_orders SET status = 'refunded' WHERE id = %s", order)
            tx.change(
                "UPDATE tickets SET sold_quantity = sold_quantity - %s WHERE id = %s", row["quantity"], row["ticket_id"]
            )


def test_two_refunds_at_once_give_back_once(connect: Connect) -> None:
    databases = [Database(connect), Database(connect)]
    order, code = order_with_code(databases[0])
    pay(databases[0], order)
    event = charge_event(databases[0], order, 4000)
    barrier = threading.Barrier(2)

    def refund_now(database: Database) -> bool:
        barrier.wait()
        return record_refund(database, order, event).changed

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(refund_now, databases)) == [False, True]
    assert (seats(databases[0], order), code_uses(databases[0], code)) == ((0, 0), (0, 0))


def test_control_without_lock_and_mark_two_refunds_at_once_give_back_twice(connect: Connect) -> None:
    """The race is real: what the test above shows is the lock's doing."""
    databases = [Database(connect), Database(connect)]
    order, _ = order_with_code(databases[0])
    pay(databases[0], order)
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda database: _give_back_without_lock(database, order, barrier), databases))
    assert seats(databases[0], order) == (-2, 0)


@pytest.mark.parametrize("rival", ["expiry", "failure", "refund"])
def test_a_release_and_a_refund_at_once_give_the_hold_back_once(connect: Connect, rival: str) -> None:
    databases = [Database(connect), Database(connect)]
    for _ in range(10):
        order, code = order_with_code(databases[0])
        event = charge_event(databases[0], order, 4000)
        barrier = threading.Barrier(2)

        def refund_now(order: int = order, barrier: threading.Barrier = barrier, event: Any = event) -> None:
            barrier.wait()
            record_refund(databases[0], order, event)

        def release_now(order: int = order, barrier: threading.Barrier = barrier, event: Any = event) -> None:
            barrier.wait()
            if rival == "refund":
                record_refund(databases[1], order, event)
            else:
                lost_as: Any = {"expiry": "expired", "failure": "failed"}[rival]
                release_order(databases[1], order, lost_as=lost_as, stripe_event_id="evt_lost")

        with ThreadPoolExecutor(2) as threads:
            for future in [threads.submit(refund_now), threads.submit(release_now)]:
                future.result()
        assert (seats(databases[0], order), code_uses(databases[0], code)) == ((0, 0), (0, 0))


@pytest.mark.parametrize("goes_back_first", ["the second payment", "the one that paid the order"])
def test_a_second_payment_closes_its_case_also_when_the_order_was_refunded_since(
    database: Database, goes_back_first: str
) -> None:
    order = create_order(database)
    pay(database, order)
    first = order_row(database, order)["stripe_payment_intent_id"]
    again = {"id": "cs_test_again", "payment_intent": "pi_again"}
    event = envelope("checkout.session.completed", session_of(order_row(database, order), **again))
    assert run_workflow(database, event) == "DuplicatePayment"
    back = ["pi_again", first] if goes_back_first == "the second payment" else [first, "pi_again"]
    for payment in back:
        refund_charge(database, order, 2000, payment_intent=payment)
    assert status(database, order) == "refunded"
    # Replayed: no money of it stands.
    assert run_workflow(database, event) == "refunded"


def test_a_payment_that_a_refunded_order_never_knew_is_a_mismatch(database: Database) -> None:
    order = create_order(database)
    pay(database, order)
    refund_charge(database, order, 2000)
    again = {"id": "cs_test_again", "payment_intent": "pi_again"}
    event = envelope("checkout.session.completed", session_of(order_row(database, order), **again))
    assert run_workflow(database, event) == "OrderMismatch"


# --- What is written on the order is of the payment that carries it --------------------------------------------------


def other_session_was_refunded(database: Database, order: int) -> None:
    """A payment of another session of the order, known by its refund alone."""
    refund_charge(database, order, 4000, id="ch_other", payment_intent="pi_other")
    assert refunded(database, order) == Decimal("40.00")


def test_a_payment_of_another_session_that_went_back_is_no_refund_of_the_one_that_pays(database: Database) -> None:
    order, _ = order_with_code(database)
    release_order(database, order, lost_as="failed", stripe_event_id="evt_failed")
    other_session_was_refunded(database, order)
    assert pay(database, order).status == "paid"
    assert (status(database, order), refunded(database, order)) == ("paid", Decimal(0))


def test_a_payment_of_another_session_that_went_back_is_no_refund_of_one_for_which_no_seat_was_left(
    database: Database,
) -> None:
    order, _ = order_with_code(database)
    release_order(database, order, lost_as="failed", stripe_event_id="evt_failed")
    other_session_was_refunded(database, order)
    with database.transaction() as tx:
        tx.change("UPDATE tickets SET max_quantity = 1")
    with pytest.raises(PaidButSoldOut):
        pay(database, order)
    assert refunded(database, order) == Decimal(0)


def test_a_payment_that_turns_out_to_be_a_second_one_is_no_refund_of_what_was_paid_by_hand(database: Database) -> None:
    order, _ = order_with_code(database, status="paid")
    refund(database, order, 1500, id="re_other", payment_intent="pi_other", charge="ch_other")
    assert refunded(database, order) == Decimal("15.00")
    with pytest.raises(DuplicatePayment):
        pay(database, order, id="cs_other", payment_intent="pi_other", count=False)
    assert refunded(database, order) == Decimal(0)
