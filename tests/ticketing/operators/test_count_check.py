"""What does not add up is found, and what does is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import create_code, create_counted_orders, create_order, create_ticket
from tests.ticketing.paid_orders import pay, refund_charge
from ticketing.database import Database
from ticketing.operators import count_check
from ticketing.operators.count_check import CountCheck, CounterOff, CountersOff, OrdersOff, check_counts


def change(database: Database, sql: str, *parameters: object) -> None:
    with database.transaction() as tx:
        assert tx.change(sql, *parameters) > 0


def off(check: CountCheck) -> dict[str, Any]:
    """What is found to be off, by its name."""
    sizes = {"orders", "tickets", "codes"}
    found = {name: getattr(check, name) for name in check.__struct_fields__ if name not in sizes}
    return {name: value for name, value in found.items() if value not in ([], CountersOff(), OrdersOff())}


def one(row_id: int, counter: int, orders: int) -> CountersOff:
    return CountersOff(number=1, first=[CounterOff(row_id=row_id, counter=counter, orders=orders)])


def paid(database: Database, *, count: bool = True, **columns: Any) -> int:
    order = create_order(database, **columns)
    pay(database, order, count=count)
    return order


def test_whatever_the_shop_does_by_itself_adds_up(database: Database) -> None:
    ticket, code = create_ticket(database), create_code(database)
    create_order(database, ticket_id=ticket, quantity=2, discount_code_id=code)
    paid(database, ticket_id=ticket, quantity=2, discount_code_id=code)
    refund_charge(database, paid(database, ticket_id=ticket, discount_code_id=code), 2000)
    refund_charge(database, paid(database, ticket_id=ticket), 500)
    # Paid a moment ago: its execution counts it.
    paid(database, ticket_id=ticket, count=False)
    found = check_counts(database)
    assert off(found) == {}
    assert (found.orders, found.tickets, found.codes) == (5, 1, 1)


TICKET = [
    ("sold_quantity = 1", "sold_low", 1, 2),
    ("sold_quantity = 3", "sold_high", 3, 2),
    ("held_quantity = 0", "held_low", 0, 3),
    ("held_quantity = 4", "held_high", 4, 3),
]
CODE = [
    ("used_count = 0", "used_low", 0, 1),
    ("used_count = 5", "used_high", 5, 1),
    ("held_count = 0", "uses_held_low", 0, 1),
    ("held_count = 2", "uses_held_high", 2, 1),
]


@pytest.mark.parametrize(
    ("table", "change_to", "name", "counter", "orders"),
    [("tickets", *case) for case in TICKET] + [("discount_codes", *case) for case in CODE],
)
def test_a_counter_that_is_not_what_the_orders_say_is_named(
    database: Database, table: str, change_to: str, name: str, counter: int, orders: int
) -> None:
    ticket, code, other = create_ticket(database), create_code(database), create_ticket(database)
    paid(database, ticket_id=ticket, quantity=2, discount_code_id=code)
    create_order(database, ticket_id=ticket, quantity=3, discount_code_id=code)
    create_order(database, ticket_id=other)
    row = ticket if table == "tickets" else code
    change(database, f"UPDATE {table} SET {change_to} WHERE id = %s", row)
    assert off(check_counts(database)) == {name: one(row, counter, orders)}


def test_what_others_may_have_sold_is_no_trouble(database: Database) -> None:
    """A ticket from before this shop; and orders of which nobody wrote down whether they were counted."""
    old, half = create_ticket(database), create_ticket(database)
    change(
        database,
        "UPDATE tickets SET sold_quantity = 30, created_at = (SELECT applied_at - INTERVAL 1 DAY FROM cachao_migrations"
        " WHERE name = '0002_holds_and_counts') WHERE id = %s",
        old,
    )
    for _ in range(2):
        create_order(database, ticket_id=half, quantity=3, hold=False, status="paid")
    change(database, "UPDATE tickets SET sold_quantity = 3 WHERE id = %s", half)
    assert off(check_counts(database)) == {}
    # Lower than what this shop counted is wrong all the same.
    paid(database, ticket_id=old)
    change(database, "UPDATE tickets SET sold_quantity = 0 WHERE id = %s", old)
    assert off(check_counts(database)) == {"sold_low": one(old, 0, 1)}


@pytest.mark.parametrize("code", [True, False])
def test_what_is_paid_and_not_counted_is_named_after_a_while(database: Database, code: bool) -> None:
    columns = {"discount_code_id": create_code(database)} if code else {}
    order, fresh = paid(database, count=False, **columns), paid(database, count=False)
    change(database, "UPDATE ticket_orders SET paid_at = paid_at - INTERVAL 21 MINUTE WHERE id = %s", order)
    if code:
        # Its seats are counted, its use is not.
        change(
            database,
            "UPDATE ticket_orders AS o JOIN tickets AS t ON t.id = o.ticket_id SET o.ticket_counted_at = o.paid_at,"
            " o.held_quantity = 0, o.counted_ticket_id = t.id, o.counted_quantity = 1, t.held_quantity = 0,"
            " t.sold_quantity = 1 WHERE o.id = %s",
            order,
        )
    found = off(check_counts(database))
    assert set(found) == {"uncounted"}
    assert (found["uncounted"].number, found["uncounted"].ids) == (1, [order])
    assert found["uncounted"].oldest is not None
    assert fresh


@pytest.mark.parametrize("state", ["expired", "failed", "refunded"])
def test_what_is_over_and_still_holds_is_named(database: Database, state: str) -> None:
    seats, use = create_order(database), create_order(database, discount_code_id=create_code(database))
    change(database, "UPDATE ticket_orders SET status = %s WHERE id IN (%s, %s)", state, seats, use)
    change(database, "UPDATE tickets SET held_quantity = 0")
    change(database, "UPDATE ticket_orders SET held_quantity = 0 WHERE id = %s", use)
    change(database, "UPDATE tickets SET held_quantity = 1 WHERE id = (SELECT ticket_id FROM ticket_orders LIMIT 1)")
    assert off(check_counts(database)) == {"idle_holds": OrdersOff(number=2, ids=[seats, use])}


def test_what_was_counted_and_still_holds_is_named(database: Database) -> None:
    order = paid(database)
    change(database, "UPDATE ticket_orders SET held_quantity = 1 WHERE id = %s", order)
    change(database, "UPDATE tickets SET held_quantity = 1")
    assert off(check_counts(database)) == {"idle_holds": OrdersOff(number=1, ids=[order])}


def test_more_back_than_was_paid_is_named(database: Database) -> None:
    order, payment, fine = (paid(database) for _ in range(3))
    change(database, "UPDATE ticket_orders SET refunded_amount = 20.01 WHERE id = %s", order)
    change(database, "UPDATE order_payments SET refunded_minor = 2001 WHERE order_id = %s", payment)
    change(database, "UPDATE ticket_orders SET refunded_amount = 20 WHERE id = %s", fine)
    assert off(check_counts(database)) == {"refunded_too_much": OrdersOff(number=2, ids=[order, payment])}


def test_an_alert_that_is_not_settled_is_named_until_it_is(database: Database) -> None:
    order = paid(database)
    change(database, "UPDATE tickets SET sold_quantity = 0")
    refund_charge(database, order, 2000)
    told = off(check_counts(database))
    assert set(told) == {"told"}
    assert told["told"].ids == [order]
    change(database, "UPDATE counts_off SET settled_at = UTC_TIMESTAMP(6)")
    assert off(check_counts(database)) == {}


def test_of_many_the_first_are_named(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count_check, "_COUNT_AT_MOST", 15)
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO tickets (event_id, name, price, held_quantity) SELECT 1, 'x', 20, 1 FROM seq_1_to_30",
        )
        tx.change(
            "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
            " refunded_amount) SELECT 1, 0, 'b@example.com', 1, 20, 20, 'paid', 30 FROM seq_1_to_30"
        )
    found = check_counts(database)
    assert (found.held_high.number, len(found.held_high.first)) == (30, 10)
    assert (found.refunded_too_much.number, len(found.refunded_too_much.ids)) == (15, 10)


def test_what_takes_too_long_is_given_up_and_said(database: Database) -> None:
    ticket = create_ticket(database)
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
            " paid_at, ticket_counted_at) SELECT 1, %s, 'b@example.com', 1, 20, 20, 'paid', '2026-01-01', '2026-01-01'"
            " FROM seq_1_to_20000",
            ticket,
        )
    assert check_counts(database, seconds=0.02).not_looked_at != []
    # The same connection, without that limit.
    with database.transaction() as tx:
        assert tx.one("SELECT @@max_statement_time AS seconds") == {"seconds": 0}
    found = check_counts(database)
    assert found.not_looked_at == []
    assert set(off(found)) == {"sold_low"}


def test_the_cheap_questions_have_indexes(database: Database) -> None:
    create_counted_orders(database, 5000)
    with database.transaction() as tx:
        tx.all("ANALYZE TABLE ticket_orders")
        ended = count_check._ENDED
        for query, parameters in (
            (count_check._UNCOUNTED, ("paid", 20, "paid", 20)),
            (count_check._IDLE, (ended, "paid", ended, "paid")),
            (count_check._TOLD, ()),
        ):
            plan = tx.all(f"EXPLAIN {query}", *parameters)
            assert sum(int(row["rows"] or 0) for row in plan) < 100, (query, plan[0])
