"""InspectOrder as operators' commands call it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from handlers.maintenance import inspect_order
from tests.conftest import Connect
from tests.factories import create_order, row_of
from ticketing.database import Database

CONTEXT = SimpleNamespace(aws_request_id="request-1")


@pytest.fixture(autouse=True)
def _on_the_test_database(monkeypatch: pytest.MonkeyPatch, database: Database, connect: Connect) -> None:
    monkeypatch.setattr(inspect_order, "database", database)
    monkeypatch.setattr(inspect_order, "connect_with_the_secret_as_it_is", connect)


def ask(**question: object) -> Any:
    return inspect_order.handler(question, CONTEXT)


def test_an_order_is_found_and_can_be_written_as_json(database: Database) -> None:
    order_id = create_order(database)
    session_id = row_of(database, "ticket_orders", order_id)["stripe_checkout_session_id"]
    for question in ({"order_id": order_id}, {"session_id": session_id}):
        found = ask(**question)["found"]
        assert (found["order"]["id"], found["order"]["total_amount"]) == (order_id, "20.00")
        assert found["order"]["created_at"].endswith("Z")
    assert ask(order_id=999_999)["found"] is None


def test_a_migrated_database_tells_its_health() -> None:
    answer = ask(health=True)
    assert answer["pending_migrations"] == []
    assert "MariaDB" in answer["health"].pop("server_version")
    assert answer["health"] == {"past_hold": 0, "oldest_past_hold": None, "without_hold": 0, "write_obstacle": None}


def test_a_database_that_is_not_migrated_says_only_that(empty_schema: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect_order, "database", Database(empty_schema))
    monkeypatch.setattr(inspect_order, "connect_with_the_secret_as_it_is", empty_schema)
    answer = ask(health=True)
    assert "0001_live_schema" in answer["pending_migrations"]
    assert answer["health"] is None
