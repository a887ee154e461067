"""Orders that are paid and were never counted are found by the tables alone, and counted once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import create_code, create_counted_orders, create_order, create_ticket, row_of
from tests.ticketing.paid_orders import code_uses, order_row, pay, seats
from ticketing.database import Database
from ticketing.payments.counts import count_discount_use, count_ticket_sale
from ticketing.reconciliation import uncounted_orders
from ticketing.reconciliation.uncounted_orders import settle_uncounted


def settle(database: Database, *, dry_run: bool = False) -> dict[int | None, str]:
    return {row.order_id: row.action for row in settle_uncounted(database, dry_run=dry_run)}


def paid_long_ago(database: Database, **columns: Any) -> int:
    order = create_order(database, **columns)
    pay(database, order, count=False)
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET paid_at = paid_at - INTERVAL 1 HOUR WHERE id = %s", order)
    return order


def test_what_was_paid_and_never_counted_is_counted_once(database: Database) -> None:
    code = create_code(database)
    order = paid_long_ago(database, quantity=2, discount_code_id=code)
    assert (seats(database, order), code_uses(database, code)) == ((0, 2), (0, 1))
    assert settle(database, dry_run=True) == {order: "counted"}
    assert seats(database, order) == (0, 2)
    assert settle(database) == {order: "counted"}
    assert (seats(database, order), code_uses(database, code)) == ((2, 0), (1, 0))
    assert settle(database) == {}


@pytest.mark.parametrize("counted", [count_ticket_sale, count_discount_use])
def test_a_count_of_which_only_one_half_was_made_is_finished(database: Database, counted: object) -> None:
    code = create_code(database)
    order = paid_long_ago(database, discount_code_id=code)
    assert callable(counted)
    counted(database, order)
    assert settle(database) == {order: "counted"}
    assert (seats(database, order), code_uses(database, code)) == ((1, 0), (1, 0))


def test_an_execution_that_may_still_run_is_left_alone(database: Database) -> None:
    order = create_order(database)
    pay(database, order, count=False)
    assert settle(database) == {}
    assert seats(database, order) == (0, 1)


def test_an_order_that_the_shop_before_marked_paid_is_left_alone(database: Database) -> None:
    ticket = create_ticket(database, sold_quantity=1)
    order = create_order(database, ticket_id=ticket, hold=False, status="paid")
    assert settle(database) == {}
    assert row_of(database, "tickets", ticket)["sold_quantity"] == 1
    assert order_row(database, order)["ticket_counted_at"] is None


def test_what_cannot_be_counted_is_told_once_and_counted_when_it_can_be(database: Database) -> None:
    order, other = paid_long_ago(database), paid_long_ago(database)
    ticket = order_row(database, order)["ticket_id"]
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET ticket_id = 987654, held_ticket_id = 987654 WHERE id = %s", order)
    assert settle(database) == {order: "reported", other: "counted"}
    assert settle(database) == {}
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET ticket_id = %s, held_ticket_id = %s WHERE id = %s", ticket, ticket, order)
    assert settle(database) == {order: "counted"}


def test_many_are_counted_page_by_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncounted_orders, "_PAGE_SIZE", 3)
    ticket = create_ticket(database)
    orders = [paid_long_ago(database, ticket_id=ticket) for _ in range(7)]
    assert settle(database) == dict.fromkeys(orders, "counted")
    assert row_of(database, "tickets", ticket)["sold_quantity"] == 7


def test_each_question_has_an_index(database: Database) -> None:
    create_counted_orders(database, 5000)
    with database.transaction() as tx:
        tx.all("ANALYZE TABLE ticket_orders")
        for query, index in (
            (uncounted_orders._SEATS, "ticket_orders_by_count"),
            (uncounted_orders._USES, "ticket_orders_by_held_use"),
        ):
            plan = next(
                row for row in tx.all(f"EXPLAIN {query}", "paid", 20, 0, 100) if row["table"] == "ticket_orders"
            )
            assert plan["key"] == index
            assert int(plan["rows"]) < 100
