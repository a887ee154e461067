"""`cachao executions` and `cachao show`: an order is found by any of its ids, and the step that failed is named."""

from __future__ import annotations

import pytest

from tests.factories import create_order, envelope, row_of, session_of
from tests.operations.conftest import Cachao
from tests.workflow.conftest import Run, run  # noqa: F401 -- a fixture
from ticketing.database import Database


def test_all(run: Run, cachao: Cachao, database: Database) -> None:
    order_id = create_order(database)
    event = envelope("checkout.session.completed", session_of(row_of(database, "ticket_orders", order_id)))
    run(event)
    run(event)
    bad = envelope(
        "checkout.session.completed", session_of(row_of(database, "ticket_orders", order_id), amount_total=1)
    )
    ended = run(bad)
    for words in (
        ["executions"],
        ["executions", "--failed"],
        ["executions", "--order", order_id],
        ["show", order_id],
        ["show", ended.name],
        ["show", ended.name, "--full"],
        ["show", bad["detail"]["id"]],
        ["replay", ended.name, "-y"],
        ["replay", "--failed", "-y"],
        ["replay", "--failed", "-y"],
        ["migrate"],
        ["executions", "--order", order_id, "--json"],
        ["show", ended.name, "--json"],
    ):
        answer = cachao(*words)
        print("$", *words, "->", answer.exit_code)
        print(answer.text)
        print(answer.notes)
