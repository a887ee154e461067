"""`--csv` of `cachao orders`, `executions` and `disputes`: all that there is, as a file that a spreadsheet opens."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from cachao import orders as orders_command
from tests.factories import create_event, create_order, create_ticket
from tests.operations.conftest import Cachao
from tests.workflow.conftest import Ended
from ticketing.database import Database
from ticketing.operators import listing as order_listing


def rows(cachao: Cachao, *words: object) -> list[dict[str, str]]:
    answer = cachao(*words, "--csv")
    assert answer.exit_code == 0, answer.notes
    assert answer.text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(answer.text[1:], newline="")))


def test_orders_are_exported_whole_however_many_pages_that_takes(
    cachao: Cachao, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket_id = create_ticket(database, event_id=create_event(database, name="=Salsa; =Night"))
    made = [create_order(database, ticket_id=ticket_id, unit_price=21) for _ in range(5)]
    # Two pages end in the midst of orders of the same second.
    monkeypatch.setattr(orders_command, "_PAGE", 2)
    found = rows(cachao, "orders")
    assert [int(row["id"]) for row in found] == made[::-1]
    assert {(row["event_name"], row["total_amount"], row["currency"]) for row in found} == {
        ("'=Salsa;' =Night", "21.00", "eur")
    }
    assert all(row["created_at"] and not row["paid_at"] for row in found)
    assert len(rows(cachao, "orders", "--limit", 3)) == 3
    assert rows(cachao, "orders", "--status", "cancelled") == []


def test_an_export_looks_at_all_orders_also_where_a_list_does_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bound stands in the function, which runs in a process of its own: so without the command line.
    monkeypatch.setattr(order_listing, "_LOOKED_AT", 2)
    monkeypatch.setattr(orders_command, "_ask", asking(database))
    made = [
        create_order(database, created_at=f"2026-11-20 {hour}:00:00", hold=False, status=status)
        for hour, status in enumerate(("failed", "paid", "failed", "paid", "paid", "failed"), start=10)
    ]
    question = {"since": "2026-11-20T00:00:00Z", "until": None, "status": "failed"}
    pages: Any = orders_command._pages(SimpleNamespace(environment=None), question, None)  # type: ignore[arg-type]
    assert [row["id"] for page in pages for row in page] == [made[5], made[2], made[0]]


def asking(database: Database) -> Any:

    def ask(_context: object, question: dict[str, object]) -> object:
        wanted = msgspec.convert(question, order_listing.OrdersWanted)
        return msgspec.to_builtins(order_listing.list_orders(database, wanted))

    return ask


def test_an_export_that_is_interrupted_says_so(
    cachao: Cachao, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_order(database)

    def interrupted(*given: Any) -> Any:
        yield from real(*given)
        raise KeyboardInterrupt

    real = orders_command._pages
    monkeypatch.setattr(orders_command, "_pages", interrupted)
    answer = cachao("orders", "--csv")
    assert answer.exit_code == 130
    assert "Interrupted: only the newest were written, 1 order." in answer.notes


def test_executions_are_exported_with_what_repaired_them(cachao: Cachao, mismatched: tuple[int, Ended]) -> None:
    order_id, ended = mismatched
    [row] = [row for row in rows(cachao, "executions", "--since", "1h") if row["execution"] == ended.name]
    assert (row["status"], row["error"], row["order"], row["repaired_by"]) == (
        "FAILED", "AmountMismatch", str(order_id), "",
    )  # fmt: skip
    assert float(row["seconds"]) > 0
    assert [one["execution"] for one in rows(cachao, "executions", "--order", order_id)] == [ended.name]


@pytest.mark.parametrize("command", ["orders", "executions", "disputes"])
def test_csv_and_json_are_not_both_given(cachao: Cachao, command: str) -> None:
    answer = cachao(command, "--csv", json=True)
    assert answer.exit_code == 2
    assert "--json or --csv, not both" in answer.notes
