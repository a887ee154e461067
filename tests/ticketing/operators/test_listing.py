"""Lists of orders: each statement by an index, none reads all of a table, and no buyer is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from handlers.maintenance import inspect_order
from tests.factories import create_order
from ticketing.database import Database, Row, Transaction
from ticketing.errors import UnexpectedResult
from ticketing.operators import listing as order_listing
from ticketing.operators.listing import OrdersWanted, list_orders

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ROWS = 5000


def test_each_statement_uses_an_index_and_looks_at_no_more_than_its_bound(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.transaction() as tx:
        tx.change("INSERT INTO events (name) SELECT CONCAT('Event ', seq) FROM seq_1_to_2000")
        tx.change("INSERT INTO tickets (event_id, name, price) SELECT id, 'Standard', 20 FROM events")
        tx.change(
            "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
            " created_at) SELECT 1, 1, CONCAT('b', seq %% 1000, '@example.com'), 1, 20, 20, 'paid',"
            f" UTC_TIMESTAMP() - INTERVAL seq MINUTE FROM seq_1_to_{ROWS}"
        )
        for table in ("ticket_orders", "events", "tickets"):
            tx.all(f"ANALYZE TABLE {table}")
    monkeypatch.setattr(order_listing, "_LOOKED_AT", 100)
    asked: list[tuple[str, tuple[object, ...]]] = []

    def watching(real: Callable[..., Any]) -> Callable[..., Any]:
        def run(tx: Transaction, sql: str, *parameters: object) -> Any:
            asked.append((sql, parameters))
            return real(tx, sql, *parameters)

        return run

    for name in ("one", "all"):
        monkeypatch.setattr(Transaction, name, watching(getattr(Transaction, name)))
    questions: list[dict[str, Any]] = [
        {},
        {"status": "cancelled"},
        {"total": Decimal(42)},
        {"email": "b7@example.com"},
        {"email": "b7@example.com", "status": "paid", "total": Decimal(20)},
    ]
    found = [list_orders(database, OrdersWanted(since=LONG_AGO, **question)) for question in questions]
    monkeypatch.undo()
    assert [len(one.orders) for one in found] == [50, 0, 0, 5, 5]
    assert [one.looked_back_to is None for one in found] == [False, False, False, True, True]
    assert len(asked) == 8
    with database.transaction() as tx:
        for sql, parameters in asked:
            for step in tx.all(f"EXPLAIN {sql}", *parameters):
                derived = str(step["table"]).startswith("<")
                assert derived or step["type"] in {"range", "ref", "eq_ref"}, f"{step} in {sql}"
                assert derived or step["key"], sql
            # Of the list itself: no more rows than the bound says, and those that were made in the same second.
            assert reads(tx, sql, parameters) < 500, sql


def reads(tx: Transaction, sql: str, parameters: tuple[object, ...]) -> int:
    """Count the rows that a statement reads, as the server counts them."""

    def counted() -> int:
        rows: list[Row] = tx.all("SHOW SESSION STATUS LIKE 'Handler_read%%'")
        return sum(int(row["Value"]) for row in rows if row["Variable_name"] != "Handler_read_rnd_deleted")

    before = counted()
    tx.all(sql, *parameters)
    return counted() - before


def test_the_newest_come_first_and_the_rest_is_told(database: Database) -> None:
    made = [create_order(database) for _ in range(3)]
    found = list_orders(database, OrdersWanted(since=LONG_AGO, limit=2))
    assert [row["id"] for row in found.orders] == made[:0:-1]
    assert (found.more, found.looked_back_to) == (True, None)
    assert list_orders(database, OrdersWanted(since=LONG_AGO, limit=3)).more is False
    assert list_orders(database, OrdersWanted(since=LONG_AGO, until=LONG_AGO)).orders == []


def test_an_address_is_found_regardless_of_case_and_blanks(database: Database) -> None:
    order_id = create_order(database, email="Jenny@Example.com")
    for email in ("jenny@example.com", " JENNY@example.com "):
        [row] = list_orders(database, OrdersWanted(since=LONG_AGO, email=email)).orders
        assert row["id"] == order_id
        assert "jenny" not in msgspec.json.encode(row).decode().lower()


@pytest.mark.parametrize(
    "orders",
    [
        {"email": "secret.person@example.com"},
        {"since": "2026-01-01T00:00:00Z", "email": f"secret.person{'x' * 300}"},
        {"since": "secret.person"},
        {"since": "2026-01-01T00:00:00Z", "email": ["secret.person"]},
    ],
)
def test_an_address_is_in_no_error_and_in_no_log_line(
    orders: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnexpectedResult) as raised:
        inspect_order.handler({"orders": orders}, SimpleNamespace(aws_request_id="request-1"))
    written = capsys.readouterr()
    assert "secret.person" not in f"{raised.value}{written.out}{written.err}"
