"""Holds and counters, statement by statement: what each changes, and what it leaves."""

from __future__ import annotations

import pytest

from tests.factories import create_code, create_order, create_ticket, row_of
from ticketing.database import Database
from ticketing.orders import counters, holds
from ticketing.orders.counters import CODES, TICKETS, Counts, Reason
from ticketing.orders.lock import lock_order


@pytest.mark.parametrize(
    ("most", "sold", "held", "quantity", "is_held"),
    [
        (10, 5, 3, 2, True),
        (10, 5, 3, 3, False),
        (10, 0, 8, 2, True),
        (None, 500, 3, 9, True),
        (0, 0, 0, 1, False),
    ],
)
def test_seats_are_held_while_there_are_so_many(
    database: Database, most: int | None, sold: int, held: int, quantity: int, is_held: bool
) -> None:
    ticket = create_ticket(database, max_quantity=most, sold_quantity=sold, held_quantity=held)
    other = create_ticket(database, max_quantity=most)
    with database.transaction() as tx:
        assert holds.take_seats(tx, ticket_id=ticket, quantity=quantity) is is_held
    assert row_of(database, "tickets", ticket)["held_quantity"] == held + (quantity if is_held else 0)
    assert row_of(database, "tickets", other)["held_quantity"] == 0


@pytest.mark.parametrize(
    ("most", "used", "held", "is_held"),
    [(3, 1, 1, True), (3, 2, 1, False), (None, 9, 9, True)],
)
def test_a_use_is_held_while_there_is_one(
    database: Database, most: int | None, used: int, held: int, is_held: bool
) -> None:
    code = create_code(database, max_uses=most, used_count=used, held_count=held)
    with database.transaction() as tx:
        assert holds.take_code_use(tx, code_id=code) is is_held
    assert row_of(database, "discount_codes", code)["held_count"] == held + is_held


@pytest.mark.parametrize("written_down", [True, False])
def test_what_an_order_holds_goes_back_once(database: Database, written_down: bool) -> None:
    """Orders of the version before did not write down on which ticket and code."""
    ticket = create_ticket(database, max_quantity=9)
    code = create_code(database)
    order = create_order(database, ticket_id=ticket, quantity=2, discount_code_id=code)
    if not written_down:
        with database.transaction() as tx:
            tx.change("UPDATE ticket_orders SET held_ticket_id = NULL, held_code_id = NULL WHERE id = %s", order)
    for _ in range(2):
        with database.transaction() as tx:
            holds.give_back(tx, lock_order(tx, order, holds.COLUMNS, gone="gone"))
    row = row_of(database, "ticket_orders", order)
    assert (row["held_quantity"], row["held_ticket_id"], row["code_held"], row["held_code_id"]) == (0, None, 0, None)
    assert row_of(database, "tickets", ticket)["held_quantity"] == 0
    assert row_of(database, "discount_codes", code)["held_count"] == 0
    assert offs(database) == []


def test_a_use_of_nobody_knows_which_code_is_written_down(database: Database) -> None:
    order = create_order(database, hold=False, code_held=1, quantity=1)
    with database.transaction() as tx:
        locked = lock_order(tx, order, holds.COLUMNS, gone="gone")
        assert holds.held_code(locked) is None
        holds.give_back(tx, locked)
    assert offs(database) == [(order, "release_use", None, 1, "gone")]


@pytest.mark.parametrize(
    ("counted", "held", "moved", "after"),
    [
        (2, -2, None, (6, 1)),
        (-4, 0, None, (0, 3)),
        (-5, 0, "too_low", (4, 3)),
        (0, -3, None, (4, 0)),
        (0, -4, "too_low", (4, 3)),
        (0, 0, None, (4, 3)),
    ],
)
def test_a_counter_moves_or_says_why_not(
    database: Database, counted: int, held: int, moved: Reason | None, after: tuple[int, int]
) -> None:
    ticket = create_ticket(database, sold_quantity=4, held_quantity=3)
    with database.transaction() as tx:
        assert counters.move(tx, TICKETS, ticket, counted=counted, held=held) == moved
        assert counters.lock(tx, TICKETS, ticket) == Counts(*after, limit=100)
        assert counters.move(tx, TICKETS, ticket + 1, counted=1) == "gone"
        assert counters.lock(tx, CODES, 1) is None


@pytest.mark.parametrize(
    ("counts", "most", "free"),
    [
        (Counts(4, 3, limit=10), 9, 3),
        (Counts(4, 3, limit=10), 2, 2),
        (Counts(9, 3, limit=10), 2, 0),
        (Counts(9, 9, limit=None), 7, 7),
    ],
)
def test_what_nobody_has_is_free(counts: Counts, most: int, free: int) -> None:
    assert counts.free(most) == free


def offs(database: Database) -> list[tuple[object, ...]]:
    with database.transaction() as tx:
        rows = tx.all("SELECT order_id, effect, counter_id, amount, reason FROM counts_off ORDER BY id")
    return [tuple(row.values()) for row in rows]
