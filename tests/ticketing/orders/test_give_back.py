"""What was counted goes back once, of this order alone; what was not counted does not."""

from __future__ import annotations

import pytest

from tests.factories import create_code, create_order, create_ticket, row_of
from ticketing.database import Database
from ticketing.orders import give_back
from ticketing.orders.lock import lock_order


@pytest.fixture
def orders(database: Database) -> tuple[int, int]:
    """Two orders of two seats of ticket 1 and a use of code 1 each, paid and counted."""
    create_ticket(database, id=1, sold_quantity=6)
    create_code(database, id=1, used_count=3)
    fields = {"ticket_id": 1, "discount_code_id": 1, "quantity": 2, "status": "paid", "paid_at": "2026-01-01"}
    first, second = (create_order(database, hold=False, **fields) for _ in range(2))
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET ticket_counted_at = NOW(6), discount_counted_at = NOW(6)")
    return first, second


def give_all_back(database: Database, order: int) -> list[tuple[object, ...]]:
    """Give back; gives what is off then."""
    with database.transaction() as tx:
        row = lock_order(tx, order, give_back.COLUMNS, gone="gone")
        give_back.give_back_everything(tx, row)
        offs = tx.all("SELECT effect, counter_id, amount, reason FROM counts_off ORDER BY id")
    return [tuple(off.values()) for off in offs]


def counted(database: Database) -> tuple[int, int]:
    return row_of(database, "tickets", 1)["sold_quantity"], row_of(database, "discount_codes", 1)["used_count"]


def test_what_was_counted_goes_back_once_and_of_this_order_alone(database: Database, orders: tuple[int, int]) -> None:
    for _ in range(2):
        assert give_all_back(database, orders[0]) == []
        assert counted(database) == (4, 2)
    for order, is_back in zip(orders, (True, False), strict=True):
        row = row_of(database, "ticket_orders", order)
        assert (row["ticket_returned_at"] is not None, row["discount_returned_at"] is not None) == (is_back, is_back)


def test_what_was_not_counted_does_not_go_back(database: Database, orders: tuple[int, int]) -> None:
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET ticket_counted_at = NULL, discount_counted_at = NULL")
    assert give_all_back(database, orders[0]) == []
    assert counted(database) == (6, 3)
    assert row_of(database, "ticket_orders", orders[0])["ticket_returned_at"] is None


def test_a_use_of_nobody_knows_which_code_is_off(database: Database, orders: tuple[int, int]) -> None:
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET discount_code_id = NULL, quantity = 9")
    assert give_all_back(database, orders[0]) == [
        ("return_seats", 1, 9, "too_low"),
        ("return_use", None, 1, "gone"),
    ]
