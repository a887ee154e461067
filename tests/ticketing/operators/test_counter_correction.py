"""Counters are put right from what the orders say: all of it or nothing, once, while others go on buying."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Connect
from tests.factories import create_code, create_order, create_ticket, row_of
from tests.ticketing.paid_orders import code_uses, entries, order_row, pay, refund_charge, seats
from ticketing.database import Database, Row
from ticketing.errors import DatabaseUnavailable, DataInconsistent
from ticketing.operators import counter_correction
from ticketing.operators.count_check import check_counts
from ticketing.operators.counter_correction import CounterState, CountsReport, CountsWanted, look, put_right
from ticketing.orders import holds
from ticketing.payments.counts import count_ticket_sale

ALL = CountsWanted()


def change(database: Database, sql: str, *parameters: object) -> None:
    with database.transaction() as tx:
        assert tx.change(sql, *parameters) > 0


def correct(database: Database, wanted: CountsWanted = ALL, **how: Any) -> CountsReport:
    """As an operator who agrees to what is shown."""
    seen = look(database, wanted).counters
    return put_right(database, wanted, **{"seen": seen, "by": "ann", "reason": None, **how})


def corrections(database: Database) -> list[Row]:
    with database.transaction() as tx:
        return tx.all(
            "SELECT counter, counter_id, counted_change, held_change, corrected_by, reason FROM counter_corrections"
            " ORDER BY id"
        )


def state(kind: str, row_id: int, **known: Any) -> CounterState:
    given: dict[str, Any] = {
        "is_gone": False,
        "limit": 100,
        "before_us": 0,
        "may_be_sold_elsewhere": False,
        **known,
    }
    return CounterState(kind=kind, counter_id=row_id, **given)  # type: ignore[arg-type]


@pytest.fixture
def sold(database: Database) -> tuple[int, int]:
    """A ticket and a code: two seats and a use are sold, three and a use are held."""
    ticket, code = create_ticket(database), create_code(database)
    pay(database, create_order(database, ticket_id=ticket, quantity=2, discount_code_id=code))
    create_order(database, ticket_id=ticket, quantity=3, discount_code_id=code)
    return ticket, code


@pytest.mark.parametrize(("stored_sold", "stored_held"), [(0, 0), (7, 9), (2, 0), (50, 3)])
def test_counters_become_what_the_orders_say(
    database: Database, sold: tuple[int, int], stored_sold: int, stored_held: int
) -> None:
    ticket, code = sold
    change(
        database,
        "UPDATE tickets SET sold_quantity = %s, held_quantity = %s WHERE id = %s",
        stored_sold,
        stored_held,
        ticket,
    )
    change(database, "UPDATE discount_codes SET used_count = %s, held_count = 5 WHERE id = %s", stored_sold, code)
    assert look(database, ALL).counters == [
        state("ticket", ticket, counted=stored_sold, held=stored_held, should_be_counted=2, should_be_held=3),
        state("code", code, counted=stored_sold, held=5, should_be_counted=1, should_be_held=1),
    ]
    assert corrections(database) == []
    report = correct(database, by="arn:aws:iam::1:user/ann", reason="restored a backup")
    assert (report.counters, report.orders, report.corrected) == ([], [], 2)
    kept = row_of(database, "tickets", ticket)
    assert (kept["sold_quantity"], kept["held_quantity"]) == (2, 3)
    assert code_uses(database, code) == (1, 1)
    who = {"corrected_by": "arn:aws:iam::1:user/ann", "reason": "restored a backup"}
    assert corrections(database) == [
        {
            "counter": "ticket",
            "counter_id": ticket,
            "counted_change": 2 - stored_sold,
            "held_change": 3 - stored_held,
            **who,
        },
        {"counter": "code", "counter_id": code, "counted_change": 1 - stored_sold, "held_change": -4, **who},
    ]
    # Again: nothing is to be done, and nothing is done.
    assert correct(database).corrected == 0
    assert len(corrections(database)) == 2


def test_one_is_corrected_and_shown_also_where_it_is_right(database: Database, sold: tuple[int, int]) -> None:
    ticket, code = sold
    change(database, "UPDATE tickets SET sold_quantity = 0")
    change(database, "UPDATE discount_codes SET used_count = 0")
    [shown] = correct(database, CountsWanted(code_id=code)).counters
    assert (shown.counted, shown.should_be_counted, shown.is_off) == (1, 1, False)
    [left] = look(database, ALL).counters
    assert (left.kind, left.counter_id) == ("ticket", ticket)
    assert look(database, CountsWanted(ticket_id=4711)).counters == []


def test_what_others_may_have_sold_is_said(database: Database) -> None:
    old, new = create_ticket(database, sold_quantity=9), create_ticket(database, sold_quantity=9)
    change(
        database,
        "UPDATE tickets SET created_at = (SELECT applied_at - INTERVAL 1 DAY FROM cachao_migrations"
        " WHERE name = '0002_holds_and_counts') WHERE id = %s",
        old,
    )
    create_order(database, ticket_id=old, hold=False, status="paid", quantity=2)
    assert [(s.counter_id, s.may_be_sold_elsewhere, s.before_us) for s in look(database, ALL).counters] == [
        (old, True, 2),
        (new, False, 0),
    ]


def test_what_moved_on_since_it_was_seen_is_not_corrected(database: Database, sold: tuple[int, int]) -> None:
    ticket, code = sold
    change(database, "UPDATE tickets SET sold_quantity = 0")
    change(database, "UPDATE discount_codes SET used_count = 0")
    seen = look(database, ALL).counters
    change(database, "UPDATE tickets SET sold_quantity = 1")
    report = correct(database, seen=seen)
    assert (report.moved_on, report.corrected, corrections(database)) == (True, 0, [])
    assert row_of(database, "tickets", ticket)["sold_quantity"] == 1
    assert code_uses(database, code) == (0, 1)


def test_what_is_sold_meanwhile_changes_nothing_of_what_is_off(database: Database, sold: tuple[int, int]) -> None:
    ticket, _ = sold
    change(database, "UPDATE tickets SET sold_quantity = 0, held_quantity = 0")
    seen = look(database, ALL).counters
    pay(database, create_order(database, ticket_id=ticket, quantity=5))
    assert correct(database, seen=seen).corrected == 1
    kept = row_of(database, "tickets", ticket)
    assert (kept["sold_quantity"], kept["held_quantity"]) == (7, 3)


def test_all_or_nothing(database: Database, sold: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A counter that moved by hand between the sums and the correction, below what is to be taken from it."""
    ticket, _ = sold
    change(database, "UPDATE tickets SET sold_quantity = 9")
    change(database, "UPDATE discount_codes SET used_count = 9")
    seen = look(database, ALL).counters
    correct_now = counter_correction._correct

    def late(*given: Any, **how: Any) -> None:
        change(database, "UPDATE discount_codes SET used_count = 3")
        correct_now(*given, **how)

    monkeypatch.setattr(counter_correction, "_correct", late)
    with pytest.raises(DataInconsistent, match="Nothing was changed"):
        correct(database, seen=seen)
    assert (row_of(database, "tickets", ticket)["sold_quantity"], corrections(database)) == (9, [])


def test_two_corrections_do_not_run_at_once(database: Database, connect: Connect, sold: tuple[int, int]) -> None:
    assert sold
    change(database, "UPDATE tickets SET sold_quantity = 0")
    other = Database(connect)
    with counter_correction._alone(other), pytest.raises(DatabaseUnavailable, match="Another correction"):
        correct(database)
    assert correct(database).corrected == 1


def test_a_correction_waits_for_no_buyer_and_keeps_none_waiting(
    database: Database, connect: Connect, sold: tuple[int, int]
) -> None:
    """Buyers take and give back seats of the very ticket all the while: not one is refused, and all adds up."""
    ticket, _ = sold
    change(database, "UPDATE tickets SET max_quantity = NULL")
    stop, failures = threading.Event(), []

    def buy(own: Database) -> None:
        while not stop.is_set():
            try:
                order = create_order(own, ticket_id=ticket)
                pay(own, order)
                refund_charge(own, order, 2000)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is a buyer's trouble
                failures.append(error)
                return

    buyers = [threading.Thread(target=buy, args=(Database(connect),)) for _ in range(3)]
    for buyer in buyers:
        buyer.start()
    try:
        for wrong in range(1, 8):
            change(
                database,
                "UPDATE tickets SET sold_quantity = sold_quantity + %s, held_quantity = held_quantity + 1",
                wrong,
            )
            report = correct(database)
            assert (report.moved_on, report.corrected, report.counters) == (False, 1, [])
    finally:
        stop.set()
        for buyer in buyers:
            buyer.join()
    assert failures == []
    assert look(database, ALL).counters == []


# --- What counters could not follow -----------------------------------------------------------------------------------


def refund(database: Database, order: int) -> None:
    refund_charge(database, order, 2000)


def expire(database: Database, order: int) -> None:
    with database.transaction() as tx:
        row = tx.one(f"SELECT {holds.COLUMNS} FROM ticket_orders WHERE id = %s FOR UPDATE", order)
        assert row is not None
        tx.change("UPDATE ticket_orders SET status = 'expired' WHERE id = %s", order)
        holds.give_back(tx, row)


@pytest.mark.parametrize("ended", [refund, expire])
def test_alerts_are_settled_with_the_counters(database: Database, ended: Callable[[Database, int], None]) -> None:
    ticket, code = create_ticket(database), create_code(database)
    order, other = (create_order(database, ticket_id=ticket, discount_code_id=code) for _ in range(2))
    if ended is refund:
        pay(database, order)
        pay(database, other)
    change(database, "UPDATE tickets SET sold_quantity = 0, held_quantity = 0")
    change(database, "UPDATE discount_codes SET used_count = 0, held_count = 0")
    ended(database, order)
    found = look(database, ALL)
    assert [(o.order_id, o.kind, o.counter_id) for o in found.orders] == [
        (order, "ticket", ticket),
        (order, "code", code),
    ]
    assert f"of order {order} is not subtracted" in found.orders[0].sentence
    report = correct(database, CountsWanted(ticket_id=ticket))
    assert [o.kind for o in look(database, ALL).orders] == ["code"]
    assert report.orders == []
    assert correct(database).orders == []
    expected = (1, 0) if ended is refund else (0, 1)
    assert (seats(database, other), code_uses(database, code)) == (expected, expected)
    assert entries(database, order).count("counts_corrected") == 2
    assert check_counts(database).told.number == 0


def test_what_is_left_wrong_keeps_its_alert(database: Database) -> None:
    first, second = create_order(database), create_order(database)
    for order in (first, second):
        pay(database, order)
    # Each has a ticket of its own, with one more seat sold.
    for order in (first, second):
        pay(database, create_order(database, ticket_id=order_row(database, order)["ticket_id"]))
    change(database, "UPDATE tickets SET sold_quantity = 0")
    refund(database, first)
    refund(database, second)
    seen = look(database, ALL).counters
    report = put_right(database, ALL, seen=seen[:1], by="ann", reason=None)
    assert [o.order_id for o in report.orders] == [second]


def test_what_is_found_while_it_is_corrected_keeps_its_alert(
    database: Database, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, late = (create_order(database) for _ in range(2))
    for one in (order, late):
        pay(database, one)
    change(database, "UPDATE tickets SET sold_quantity = 0 WHERE id = %s", order_row(database, order)["ticket_id"])
    refund(database, order)
    states = counter_correction._states

    def then_another(*given: Any) -> Any:
        found = states(*given)
        if not looked:
            looked.append(True)
            other = Database(connect)
            change(other, "UPDATE tickets SET sold_quantity = 0 WHERE id = %s", order_row(database, late)["ticket_id"])
            refund(other, late)
        return found

    looked: list[bool] = []
    seen = look(database, ALL).counters
    monkeypatch.setattr(counter_correction, "_states", then_another)
    assert [o.order_id for o in put_right(database, ALL, seen=seen, by="ann", reason=None).orders] == [late]


def test_a_row_that_is_gone_has_nothing_to_be_put_right(database: Database) -> None:
    order = create_order(database)
    pay(database, order)
    change(database, "DELETE FROM tickets WHERE id = %s", order_row(database, order)["ticket_id"])
    [gone] = look(database, ALL).counters
    assert (gone.is_gone, gone.is_off) == (True, False)
    refund(database, order)
    assert len(look(database, ALL).orders) == 1
    assert correct(database).orders == []


# --- What could not be counted ----------------------------------------------------------------------------------------


def test_seats_that_were_not_free_are_counted_when_they_are(database: Database) -> None:
    ticket = create_ticket(database, max_quantity=4)
    order, other = create_order(database, ticket_id=ticket, quantity=2), create_order(database, ticket_id=ticket)
    create_order(database, ticket_id=ticket)
    change(database, "UPDATE ticket_orders SET quantity = 3 WHERE id = %s", order)
    pay(database, order)
    assert seats(database, order) == (2, 2)
    assert "has too few left" in correct(database).orders[0].sentence
    expire(database, other)
    assert correct(database).orders == []
    assert seats(database, order) == (3, 1)
    assert order_row(database, order)["counted_quantity"] == 3
    # What was counted late goes back with the rest.
    refund_charge(database, order, 4000)
    assert seats(database, order) == (0, 1)
    assert look(database, ALL).counters == []


def test_an_order_that_was_moved_is_counted_where_it_is_now(database: Database) -> None:
    full, before = create_ticket(database, max_quantity=1), create_ticket(database)
    holder, order = create_order(database, ticket_id=full), create_order(database, ticket_id=before)
    change(database, "UPDATE ticket_orders SET ticket_id = %s WHERE id = %s", full, order)
    pay(database, order)
    assert row_of(database, "tickets", before)["sold_quantity"] == 1
    assert len(correct(database).orders) == 1
    expire(database, holder)
    assert correct(database).orders == []
    sold = [row_of(database, "tickets", one)["sold_quantity"] for one in (full, before)]
    assert (sold, order_row(database, order)["counted_ticket_id"]) == ([1, 0], full)


def test_a_use_that_was_moved_is_counted_where_it_is_now(database: Database) -> None:
    before, full = create_code(database), create_code(database, max_uses=1)
    holder = create_order(database, discount_code_id=full)
    order = create_order(database, discount_code_id=before)
    change(database, "UPDATE ticket_orders SET discount_code_id = %s WHERE id = %s", full, order)
    pay(database, order)
    assert (code_uses(database, before), code_uses(database, full)) == ((1, 0), (0, 1))
    expire(database, holder)
    assert correct(database).orders == []
    assert (code_uses(database, before), code_uses(database, full)) == ((0, 0), (1, 0))


def test_a_ticket_whose_row_came_back_is_counted(database: Database) -> None:
    order = create_order(database, quantity=2)
    ticket = order_row(database, order)["ticket_id"]
    row = row_of(database, "tickets", ticket)
    change(database, "DELETE FROM tickets WHERE id = %s", ticket)
    pay(database, order)
    assert len(correct(database).orders) == 1
    names = ", ".join(row)
    change(database, f"INSERT INTO tickets ({names}) VALUES ({', '.join(['%s'] * len(row))})", *row.values())
    change(database, "UPDATE tickets SET held_quantity = 0, sold_quantity = 0")
    assert correct(database).orders == []
    assert seats(database, order) == (2, 0)


def test_an_order_that_was_refunded_since_is_counted_no_more(database: Database) -> None:
    order = create_order(database)
    change(database, "DELETE FROM tickets WHERE id = %s", order_row(database, order)["ticket_id"])
    pay(database, order)
    refund(database, order)
    assert correct(database).orders == []
    assert order_row(database, order)["ticket_counted_at"] is None


def test_an_order_that_is_gone_keeps_no_alert(database: Database) -> None:
    order = create_order(database)
    change(database, "DELETE FROM tickets WHERE id = %s", order_row(database, order)["ticket_id"])
    pay(database, order)
    change(database, "DELETE FROM ticket_orders WHERE id = %s", order)
    assert correct(database).orders == []


def test_an_order_of_which_nobody_knew_whether_it_was_counted_is_counted(database: Database) -> None:
    """Paid before this shop, on a ticket whose counter was lower than that."""
    ticket = create_ticket(database)
    orders = [create_order(database, ticket_id=ticket, hold=False, status="paid", quantity=2) for _ in range(2)]
    count_ticket_sale(database, orders[0])
    assert order_row(database, orders[0])["counted_quantity"] == 0
    assert correct(database).orders == []
    assert seats(database, orders[0]) == (4, 0)
    refund_charge(database, orders[0], 4000)
    assert seats(database, orders[0]) == (2, 0)
    assert look(database, ALL).counters == []


def test_many_are_shown_and_corrected_a_part_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter_correction, "_MOST", 3)
    for _ in range(5):
        create_ticket(database, held_quantity=1)
    first = look(database, ALL)
    assert (len(first.counters), first.more) == (3, True)
    report = correct(database)
    assert (report.corrected, len(report.counters), report.more) == (3, 2, False)
    assert correct(database).counters == []
