"""`cachao replay --failed` after a large outage, where AWS bounds how often one may ask."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from cachao.aws.environment import Environment
from cachao.cli import app
from tests.operations.step_functions import MACHINE, Clock, Known, StepFunctions

# Above what may be asked at once: 250.
MANY = 400


def failed(number: int, now: float) -> list[Known]:
    return [Known(f"payment-{one}", "FAILED", now - 3600 + one / 100, now - 1800) for one in range(number)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def service(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> StepFunctions:
    """A stack on AWS in which many executions failed, an hour ago by the clock of the machine."""
    service = StepFunctions(clock)
    clock.now = time.time()
    service.add(failed(MANY, clock.now))
    session = boto3.Session(region_name="eu-north-1", aws_access_key_id="testing", aws_secret_access_key="testing")
    environment = Environment(session, stack="payments")
    outputs = [{"OutputKey": "StateMachineArn", "OutputValue": MACHINE}]
    environment.__dict__["stack"] = {"StackName": "payments", "Outputs": outputs}
    service.serve(environment.client("stepfunctions"))
    monkeypatch.setattr("cachao.command_context.environment.find", lambda _: environment)
    return service


def replay(*words: str) -> tuple[int, dict[str, Any], str]:
    result = CliRunner().invoke(app, ["replay", *words, "--failed", "--since", "2h", "--yes", "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout), result.stderr


def test_a_thousand_are_replayed_within_what_aws_allows(service: StepFunctions, clock: Clock) -> None:
    service.add(failed(1000, clock.now))
    began = clock.now
    exit_code, data, _ = replay()
    assert exit_code == 0
    assert [found["status"] for found in data["replays"]] == ["SUCCEEDED"] * 1000
    assert service.throttled == {}
    # Once for its input, once for its result.
    assert service.answered["DescribeExecution"] <= 2 * 1000 + 50
    assert service.answered["ListExecutions"] < 150
    assert clock.now - began < 400


def test_without_the_pace_aws_refuses(service: StepFunctions, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the quota is really there."""
    monkeypatch.setattr("cachao.aws.rate_limit.Bucket.take", lambda _: None)
    replay()
    assert service.throttled["DescribeExecution"] > 0


def test_when_aws_goes_on_refusing_it_says_to_try_again_and_starts_nothing(service: StepFunctions) -> None:
    service.refuse_after["DescribeExecution"] = 150
    exit_code, data, notes = replay()
    assert exit_code == 3
    assert "asks to slow down (DescribeExecution" in data["error"]
    assert "Try again" in notes
    assert service.answered["StartExecution"] == 0


def test_what_is_repaired_costs_no_request(service: StepFunctions) -> None:
    assert replay()[0] == 0
    before = service.answered["DescribeExecution"]
    exit_code, data, notes = replay()
    assert (exit_code, data) == (0, {"replays": [], "left_out": []})
    assert f"{MANY} executions that failed since then: already repaired" in notes
    assert service.answered["DescribeExecution"] == before


def test_what_was_started_is_told_when_aws_refuses_to_start_the_rest(service: StepFunctions) -> None:
    service.refuse_after["StartExecution"] = 300
    exit_code, data, notes = replay()
    assert exit_code == 3
    assert [found["execution"] for found in data["replays"]] == [f"replay-1-payment-{number}" for number in range(300)]
    assert "StartExecution" in data["problem"]
    assert "Try again" in notes
    # The next time it starts the others only.
    service.refuse_after.clear()
    exit_code, data, _ = replay()
    assert (exit_code, len(data["replays"])) == (0, MANY - 300)


def test_what_was_started_is_told_when_it_cannot_be_followed(service: StepFunctions) -> None:
    service.refuse_after["DescribeExecution"] = MANY + 100
    exit_code, data, notes = replay()
    assert exit_code == 3
    assert len(data["replays"]) == MANY
    assert {found["status"] for found in data["replays"]} == {"SUCCEEDED", "STARTED"}
    assert "Try again" in notes


def test_what_still_runs_after_the_waiting_is_no_success(service: StepFunctions) -> None:
    service._take_seconds = 3600
    exit_code, data, notes = replay("--wait", "60")
    assert exit_code == 4
    assert {found["status"] for found in data["replays"]} == {"RUNNING"}
    assert f"{MANY} executions had not ended" in notes
    # Said again, it starts nothing that runs.
    assert replay("--wait", "1")[0] == 4
    assert service.answered["StartExecution"] == MANY


def test_not_to_wait_asks_nothing_more(service: StepFunctions) -> None:
    exit_code, data, _ = replay("--wait", "0")
    assert exit_code == 0
    assert {found["status"] for found in data["replays"]} == {"STARTED"}
    assert service.answered["DescribeExecution"] == MANY


def test_executions_without_an_error_are_chosen_by_their_status(service: StepFunctions, clock: Clock) -> None:
    service.add([Known("stopped-by-hand", "ABORTED", clock.now - 60, clock.now - 30)])
    exit_code, data, _ = replay("--error", "ABORTED")
    assert (exit_code, [found["execution"] for found in data["replays"]]) == (0, ["replay-1-stopped-by-hand"])


def test_those_of_another_error_are_left_alone_and_said(service: StepFunctions, clock: Clock) -> None:
    service.add([Known("stopped-by-hand", "ABORTED", clock.now - 60, clock.now - 30)])
    _, _, notes = replay("--error", "ABORTED")
    assert f"Open with other errors, not replayed: DatabaseUnavailable {MANY}." in notes
    assert "already repaired" not in notes
    exit_code, data, notes = replay("--error", "Nonsense")
    assert (exit_code, data["error"].partition(" since ")[0]) == (1, "No execution failed with Nonsense")
    assert f"Open are: DatabaseUnavailable {MANY}." in notes


def test_when_all_of_an_error_is_repaired_a_few_looks_tell_so(service: StepFunctions) -> None:
    assert replay()[0] == 0
    before = service.answered["DescribeExecution"]
    exit_code, data, notes = replay("--error", "DatabaseUnavailable")
    assert (exit_code, data["replays"]) == (0, [])
    assert "What failed with DatabaseUnavailable since" in notes
    assert "is already repaired. None is open." in notes
    assert service.answered["DescribeExecution"] - before <= 50
    exit_code, _, notes = replay("--error", "Nonsense")
    assert (exit_code, "No execution failed with Nonsense" in notes) == (0, True)
