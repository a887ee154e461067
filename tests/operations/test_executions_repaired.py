"""`cachao executions` says of what failed whether a replay has repaired it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cachao.aws import executions
from cachao.aws.execution_input import EventSummary
from tests.operations.conftest import Cachao, set_total
from tests.workflow.conftest import Ended
from ticketing.database import Database

BEGIN = datetime(2026, 11, 21, 12, tzinfo=UTC)


def told(cachao: Cachao, order_id: int) -> dict[str, tuple[Any, Any]]:
    listed = cachao("executions", "--order", order_id, json=True).data["executions"]
    return {one["execution"]: (one.get("repaired_by"), one.get("being_replayed_by")) for one in listed}


def test_what_failed_is_open_until_a_replay_repairs_it(
    cachao: Cachao, database: Database, mismatched: tuple[int, Ended]
) -> None:
    order_id, original = mismatched
    answer = cachao("executions", "--failed", "--limit", 1)
    assert "since then" in answer.text
    assert "  open  " in answer.text
    assert "Open: no replay has repaired it." in answer.notes
    cachao("replay", original.name, "--yes")
    first, second = (f"replay-{number}-{original.name[:69]}" for number in (1, 2))
    assert told(cachao, order_id) == {original.name: (None, None), first: (None, None)}
    set_total(database, order_id, 20)
    cachao("replay", original.name, "--yes")
    # The failed replay is repaired by the same.
    assert told(cachao, order_id) == {original.name: (second, None), first: (second, None), second: (None, None)}
    repaired = cachao("executions", "--order", order_id)
    assert repaired.text.count("repaired by replay-2-…") == 2
    assert "Open:" not in repaired.notes


def test_where_nothing_failed_nothing_is_said_of_repairs(cachao: Cachao) -> None:
    assert "since then" not in cachao("executions", "--running").text


def test_it_says_where_it_did_not_look_through_all(
    cachao: Cachao, mismatched: tuple[int, Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cachao.executions.LOOKED_THROUGH", 1)
    monkeypatch.setattr(executions, "LOOKED_THROUGH", 1)
    notes = cachao("executions", "--order", mismatched[0]).notes
    assert "Only the newest 1 executions were searched for replays." in notes


def test_a_replay_that_runs_is_told_as_such(environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from cachao.replay.repairs import Repair, look_for  # noqa: PLC0415 -- of this test only

    name = "a" * 73
    names = {f"replay-2-{name[:69]}": "RUNNING", f"replay-1-{name[:69]}": "FAILED", "other": "SUCCEEDED"}
    monkeypatch.setattr(
        executions, "listed", lambda *_args, **_named: ({"name": n, "status": s} for n, s in names.items())
    )
    failed = executions.Execution("arn", name, "FAILED", BEGIN, None, EventSummary(), "{}", "E", "c", None)
    assert look_for(environment, [failed]).of(failed) == Repair(f"replay-2-{name[:69]}", runs=True)
