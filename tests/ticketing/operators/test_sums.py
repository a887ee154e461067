"""What the orders say of the counters."""

from __future__ import annotations

from tests.factories import create_code, create_order, create_ticket
from tests.ticketing.paid_orders import pay, refund_charge
from ticketing.database import Database
from ticketing.orders.counters import CODES, TICKETS
from ticketing.orders.sums import CounterSums, all_off, sums_of


def test_counters_and_orders_agree_whatever_happened(database: Database) -> None:
    ticket, code, idle = create_ticket(database, max_quantity=50), create_code(database), create_ticket(database)
    orders = [create_order(database, ticket_id=ticket, quantity=2, discount_code_id=code) for _ in range(4)]
    pay(database, orders[0])
    pay(database, orders[1])
    refund_charge(database, orders[1], 4000)
    pay(database, orders[2], count=False)
    with database.transaction() as tx:
        assert (all_off(tx, TICKETS), all_off(tx, CODES)) == ([], [])
        assert sums_of(tx, TICKETS, ticket) == CounterSums(
            row_id=ticket,
            is_gone=False,
            counted=2,
            held=4,
            limit=50,
            orders_counted=2,
            orders_before=0,
            orders_held=4,
        )
        assert sums_of(tx, CODES, code) == CounterSums(
            row_id=code, is_gone=False, counted=1, held=2, limit=100, orders_counted=1, orders_before=0, orders_held=2
        )
        known = sums_of(tx, TICKETS, idle)
        assert known is not None
        assert (known.counted, known.orders_counted, known.is_off) == (0, 0, False)
        assert sums_of(tx, TICKETS, 4711) is None


def test_what_is_off_is_found_by_how_much(database: Database) -> None:
    ticket, other, code = create_ticket(database), create_ticket(database), create_code(database)
    counted, held = (create_order(database, ticket_id=ticket, quantity=2, discount_code_id=code) for _ in range(2))
    pay(database, counted)
    # Paid before this shop: whether it was counted nobody wrote down.
    create_order(database, ticket_id=other, quantity=3, hold=False, status="paid", discount_code_id=code)
    with database.transaction() as tx:
        tx.change("UPDATE tickets SET sold_quantity = 5, held_quantity = 0 WHERE id = %s", ticket)
        # The order was moved, what it was counted on was not.
        tx.change("UPDATE ticket_orders SET ticket_id = %s WHERE id IN (%s, %s)", other, counted, held)
        tx.change("DELETE FROM discount_codes WHERE id = %s", code)
    with database.transaction() as tx:
        first, second = all_off(tx, TICKETS)
        [gone] = all_off(tx, CODES)
    assert (first.row_id, first.missing_counted, first.missing_held) == (ticket, -3, 2)
    assert (second.row_id, second.missing_counted, second.orders_before, second.missing_held) == (other, 3, 3, 0)
    assert (gone.row_id, gone.is_gone, gone.orders_counted, gone.orders_before, gone.orders_held) == (
        code,
        True,
        1,
        1,
        1,
    )
