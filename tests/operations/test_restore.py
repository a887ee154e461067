"""`cachao restore`: a row that was deleted under its orders comes back, and all that waited for it is settled."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pymysql
import pytest

from tests.factories import create_code, create_order, create_ticket, row_of
from tests.operations.conftest import Cachao
from tests.ticketing.paid_orders import pay, refund_charge
from ticketing.database import Database, Transaction
from ticketing.errors import DataInconsistent
from ticketing.operators.restore_row import Restore, restore


def delete(database: Database, table: str, row_id: int) -> None:
    with database.transaction() as tx:
        tx.change(f"DELETE FROM {table} WHERE id = %s", row_id)


def off(database: Database) -> int:
    with database.transaction() as tx:
        return len(tx.all("SELECT id FROM counts_off WHERE settled_at IS NULL"))


@pytest.fixture
def gone(database: Database) -> tuple[int, int]:
    """A ticket that is gone: two seats of it are sold, one was paid when it was gone, one is held. And its event."""
    ticket = create_ticket(database, name="Balcony", price=20, max_quantity=10)
    event = row_of(database, "tickets", ticket)["event_id"]
    pay(database, create_order(database, ticket_id=ticket, quantity=2, bought_ticket="Balcony"))
    late = create_order(database, ticket_id=ticket, unit_price=15, discount_amount=5, bought_ticket="Balcony")
    create_order(database, ticket_id=ticket, unit_price=15, discount_amount=5, bought_ticket="Balcony")
    delete(database, "tickets", ticket)
    pay(database, late)
    assert off(database) == 1
    return ticket, event


def test_a_ticket_comes_back_with_what_its_orders_took_and_not_on_sale(
    cachao: Cachao, database: Database, gone: tuple[int, int]
) -> None:
    ticket, event = gone
    shown = cachao("restore", "--ticket", ticket, "--dry-run", json=True).data
    assert (shown["name"], shown["price"], shown["event_id"]) == ("Balcony", "20.00", event)
    # The one that was paid without its ticket still holds its seat.
    assert (shown["counted"], shown["held"]) == (2, 2)
    assert cachao("restore", "--ticket", ticket).exit_code == 2
    with database.transaction() as tx:
        assert tx.one("SELECT id FROM tickets WHERE id = %s", ticket) is None
    done = cachao("restore", "--ticket", ticket, "--yes", "--reason", "deleted by mistake")
    assert (done.exit_code, "cachao limit" in done.text) == (0, True), done.notes
    row = row_of(database, "tickets", ticket)
    assert (row["event_id"], row["name"], row["price"]) == (event, "Balcony", Decimal("20.00"))
    assert (row["sold_quantity"], row["held_quantity"], row["max_quantity"], row["is_active"]) == (3, 1, 4, 0)
    assert off(database) == 0
    assert "All counters are what their orders say." in cachao("counts", "--all", "--dry-run").text
    assert "deleted by mistake" in cachao("counts", "--ticket", ticket, "--history").text
    again = cachao("restore", "--ticket", ticket, "--yes")
    assert (again.exit_code, f"There is a ticket {ticket}" in again.notes) == (1, True)


def test_what_the_operator_knows_better_goes_before(cachao: Cachao, database: Database, gone: tuple[int, int]) -> None:
    words = ["restore", "--ticket", gone[0], "--name", "Gallery", "--price", "22.50"]
    assert cachao(*words, "--yes").exit_code == 0
    row = row_of(database, "tickets", gone[0])
    assert (row["name"], row["price"]) == ("Gallery", Decimal("22.50"))


def test_a_code_comes_back_for_its_uses_and_gives_no_discount(cachao: Cachao, database: Database) -> None:
    code = create_code(database, code="SALSA10", max_uses=10)
    order = create_order(database, discount_code_id=code)
    delete(database, "discount_codes", code)
    pay(database, order)
    assert off(database) == 1
    assert cachao("restore", "--code", code, "--yes").exit_code == 0
    row = row_of(database, "discount_codes", code)
    assert (row["code"], row["used_count"], row["max_uses"], row["is_active"]) == (f"RESTORED-{code}", 1, 1, 0)
    assert (row["discount_value"], off(database)) == (Decimal(0), 0)
    refund_charge(database, order, 2000)
    assert row_of(database, "discount_codes", code)["used_count"] == 0


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        ([], 2, "Say one of"),
        (["--ticket", "1", "--code", "1"], 2, "Say one of"),
        (["--code", "1", "--price", "1"], 2, "has no price"),
        (["--ticket", "987654"], 1, "No order stands on ticket 987654"),
    ],
)
def test_what_cannot_be_meant_is_said(
    cachao: Cachao, database: Database, words: list[str], exit_code: int, says: str
) -> None:
    answer = cachao("restore", *words, "--yes")
    assert (answer.exit_code, says in answer.notes) == (exit_code, True), answer.notes


def test_a_price_that_is_none_is_refused(cachao: Cachao, gone: tuple[int, int]) -> None:
    answer = cachao("restore", "--ticket", gone[0], "--price", "12.345", "--yes")
    assert (answer.exit_code, "is no price in EUR" in answer.notes) == (1, True)


def test_orders_that_changed_since_they_were_shown_are_looked_at_again(
    database: Database, gone: tuple[int, int]
) -> None:
    wanted = Restore(kind="ticket", counter_id=gone[0], seen=3)
    report = restore(database, wanted, by="ann", reason=None)
    assert (report.moved_on, report.done) == (True, False)


def test_a_table_that_takes_no_such_row_says_what_to_do(
    database: Database, gone: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live table may have a column without a default, or a foreign key to an event that is gone, too."""
    real = Transaction.change

    def refusing(tx: Transaction, sql: str, *parameters: Any) -> int:
        if sql.startswith("INSERT INTO tickets"):
            raise pymysql.err.IntegrityError(1452, "Cannot add or update a child row")
        return real(tx, sql, *parameters)

    monkeypatch.setattr(Transaction, "change", refusing)
    with pytest.raises(DataInconsistent, match=r"error 1452.*from a backup"):
        restore(database, Restore(kind="ticket", counter_id=gone[0], seen=4), by="ann", reason=None)
    assert off(database) == 1
