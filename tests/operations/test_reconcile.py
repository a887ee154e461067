"""`cachao reconcile` where its calls come no further, or fail: what was found is shown, and nobody waits for long."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from cachao import reconcile
from cachao.aws.environment import Environment
from cachao.problems import FunctionFailed
from local.stripe_stand_in import StripeStandIn
from tests.conftest import TEMPLATE
from tests.factories import create_order, row_of
from tests.operations.conftest import Cachao
from ticketing.database import Database

MISSING = {"order_id": 7, "session_id": "cs_test_7", "finding": "session_missing", "action": "reported", "note": "odd"}
GONE = FunctionFailed("ReconcileOrdersFunction", "StripeUnavailable", "Stripe answered none of 16 requests.")


def report(place: int | None, *rows: dict[str, Any]) -> dict[str, Any]:
    """A call's answer; `place` stands for the cursor, None for a run that is complete."""
    counts = [{"finding": row["finding"], "action": row["action"], "number": 1} for row in rows]
    cursor = None if place is None else {"now": "2026-11-21T17:00:00", "orders": {"after_id": place}}
    return {
        "complete": place is None,
        "cursor": cursor,
        "done": len(rows),
        "total": 9,
        "counts": counts,
        "rows": list(rows),
    }


class Function:
    """ReconcileOrders, with the answers that the test gives; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: Iterator[dict[str, Any] | Exception] = iter(())
        self.asked: list[dict[str, Any]] = []

    def invoke(self, name: str, payload: dict[str, Any]) -> Any:
        assert name == "ReconcileOrdersFunction"
        self.asked.append(payload)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Function:
    pretended = Function()
    monkeypatch.setattr(Environment, "invoke", lambda _, name, payload: pretended.invoke(name, payload))
    return pretended


def test_what_earlier_calls_found_is_shown_when_a_later_one_fails(cachao: Cachao, function: Function) -> None:
    function.answers = iter([report(1, MISSING), GONE])
    answer = cachao("reconcile", "--yes")
    assert answer.exit_code == 1
    assert "cs_test_7" in answer.text
    assert "failed with StripeUnavailable: Stripe answered none of 16 requests." in answer.notes


def test_in_json_what_was_found_and_what_failed_are_one_document(cachao: Cachao, function: Function) -> None:
    function.answers = iter([report(1, MISSING), GONE])
    answer = cachao("reconcile", "--yes", json=True)
    assert answer.exit_code == 1
    assert (answer.data["orders"], answer.data["rows"]) == (1, [MISSING])
    assert "StripeUnavailable" in answer.data["error"]
    assert "StripeUnavailable" in answer.notes


def test_a_first_call_that_fails_has_nothing_to_show(cachao: Cachao, function: Function) -> None:
    function.answers = iter([GONE])
    answer = cachao("reconcile", "--yes", json=True)
    assert answer.exit_code == 1
    assert set(answer.data) == {"error", "advice"}


def test_a_call_after_one_that_came_no_further_is_given_more_time(cachao: Cachao, function: Function) -> None:
    function.answers = iter([report(0), report(0), report(0), report(5, MISSING), report(None)])
    answer = cachao("reconcile", "--yes", json=True)
    assert answer.data["orders"] == 1
    assert [call["seconds"] for call in function.asked] == [15, 15, 30, 60, 60]
    cursors = [json.dumps(call["cursor"]) for call in function.asked]
    assert len(set(cursors)) == 3  # none, the one that came no further, the last


def test_in_the_end_a_stripe_that_is_too_slow_is_given_up(cachao: Cachao, function: Function) -> None:
    function.answers = iter([report(0)] * 10)
    answer = cachao("reconcile", "--yes")
    assert answer.exit_code == 3
    assert "made no progress in 240 seconds" in answer.notes
    assert max(call["seconds"] for call in function.asked) == 240


# --- The deployed function --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_while_stripe_hangs_the_command_comes_back(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "_SECONDS_A_CALL", 2)
    orders = [create_order(database) for _ in range(100)]
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP() - INTERVAL 1 HOUR")
    stripe_stand_in.fail_next(10_000, status="timeout")
    try:
        began = time.monotonic()
        answer = cachao("reconcile", "--yes")
        # Its two seconds, and the eight that a request may take that was begun by then.
        assert time.monotonic() - began < 25
    finally:
        stripe_stand_in.clear_faults()
    assert answer.exit_code == 1
    assert "StripeUnavailable: Stripe answered none of" in answer.notes
    assert {row_of(database, "ticket_orders", order)["status"] for order in orders} == {"pending"}


def test_lambda_does_not_repeat_a_scheduled_run_by_itself() -> None:
    function = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Resources"]["ReconcileOrdersFunction"]["Properties"]
    assert function["EventInvokeConfig"]["MaximumRetryAttempts"] == 0
