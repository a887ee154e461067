"""The real state machine is clean; and for each check there are broken copies that it finds and names."""

from __future__ import annotations

import dataclasses
import inspect
import json
import shutil
from pathlib import Path

import pytest

from local.lint import CHECKS, dataflow, deployment, entry_points, lint, load, resilience, structure, versions
from local.lint.__main__ import main
from local.lint.expressions import read_by
from local.lint.worst_path import worst_path
from tests.local.lint.broken_machines import BROKEN, Break, Check

PROJECT = Path(__file__).resolve().parents[3]
REAL = load(PROJECT / "template.yaml")


def test_the_real_state_machine_is_clean() -> None:
    assert [str(finding) for finding in lint(REAL)] == []


CASES = [
    pytest.param(check, do, place, message, id=f"{check.__name__}: {what}")
    for check, cases in BROKEN.items()
    for what, do, place, message in cases
]


@pytest.mark.parametrize(("check", "do", "place", "message"), CASES)
def test_a_broken_copy_is_found_and_named(check: Check, do: Break, place: str, message: str) -> None:
    broken = REAL.copy()
    do(broken)
    found = list(check(broken))
    assert any(finding.place == place and message in finding.message for finding in found), found
    assert set(found) <= set(lint(broken)), "lint() runs every check, also on a copy that is broken elsewhere"


def test_every_check_has_a_broken_copy() -> None:
    assert set(BROKEN) == set(CHECKS)


def test_every_check_is_run() -> None:
    written = {
        check
        for module in (structure, resilience, dataflow, deployment, entry_points, versions)
        for name, check in inspect.getmembers(module, inspect.isfunction)
        if name.startswith("check_") and check.__module__ == module.__name__
    }
    assert written == set(CHECKS)


def test_errors_of_the_code_must_be_spoken_of() -> None:
    more = dataclasses.replace(
        REAL,
        retryable_errors=REAL.retryable_errors | {"CacheUnavailable"},
        permanent_errors=REAL.permanent_errors | {"TicketStolen"},
    )
    messages = [finding.message for finding in lint(more)]
    assert "TicketStolen has no advice" in messages
    assert "it does not retry CacheUnavailable" in messages


def test_an_event_type_that_the_code_learns_must_be_let_in() -> None:
    more = dataclasses.replace(REAL, handled_events=REAL.handled_events | {"payout.failed"})
    assert {finding.place for finding in lint(more)} == {"PartnerPaymentRule", "DefaultBusPaymentRule"}


# --- Worst path ------------------------------------------------------------------------------------------------------


def test_the_worst_path_is_the_sum_of_attempts_and_waits() -> None:
    retry = [{"IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 3, "MaxDelaySeconds": 3}]
    first = {"Type": "Task", "TimeoutSeconds": 10, "Retry": retry, "Next": "Both"}
    branch = {"StartAt": "Long", "States": {"Long": {"Type": "Task", "TimeoutSeconds": 50, "End": True}}}
    short = {"StartAt": "Short", "States": {"Short": {"Type": "Task", "TimeoutSeconds": 5, "End": True}}}
    both = {"Type": "Parallel", "Branches": [short, branch], "Next": "Done"}
    worst = worst_path({"StartAt": "First", "States": {"First": first, "Both": both, "Done": {"Type": "Succeed"}}})
    assert worst is not None
    assert worst.seconds == (4 * 10 + 1 + 2 + 3) + 50
    assert worst.states == ("First", "Both", "Long", "Done")


# --- What an expression reads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "variables"),
    [
        ("$a.b & $c", {"a", "c"}),
        ("( $a := 1; $a + $b )", {"b"}),
        ("( ( $a := 1 ); $a )", {"a"}),
        ("( $a := $a + 1; $a )", {"a"}),
        ("( $f := function($n) { $n = 0 ? 1 : $n * $f($n - 1) }; $f($m) )", {"m"}),
        ("$a[$b > 1].c", {"a", "b"}),
        ("$a{$b: $c}", {"a", "b", "c"}),
        ("$a^(>$b)", {"a", "b"}),
        ("$a.items@$i.{'x': $i, 'y': $j}", {"a", "j"}),
        ("$a.items#$n.($n + $o)", {"a", "o"}),
        ("$a ~> |$|{'x': $b}|", {"a", "b"}),
        ("$a ? $b : $c", {"a", "b", "c"}),
        ("[$a, {'x': $b}]", {"a", "b"}),
        ("$substring(?, 0, $n)", {"substring", "n"}),
        ("$ & $$", set()),
        ("'${RunbookUrl}#' & $a", {"a"}),
        ("${Currency} = $a", {"a"}),
    ],
)
def test_variables_of_an_expression(expression: str, variables: set[str]) -> None:
    assert read_by(expression).variables == variables


def test_fields_of_states() -> None:
    read = read_by("$states.result.Payload & $states.context.Execution.Id & $string($states)")
    assert read.states_fields == {"result", "context"}


# --- The command ------------------------------------------------------------------------------------------------------


def test_the_command_says_that_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(PROJECT / "template.yaml"), "--verbose"]) == 0
    printed = capsys.readouterr().out
    assert "0 found" in printed
    assert "Worst path: 3353 s of 3600 s: ValidateEvent → " in printed


@pytest.fixture
def broken_project(tmp_path: Path) -> Path:
    shutil.copy(PROJECT / "template.yaml", tmp_path)
    (tmp_path / "statemachine").mkdir()
    text = (PROJECT / "statemachine" / "ticket_payment.asl.yaml").read_text(encoding="utf-8")
    broken = text.replace("Next: WhatHappened", "Next: WhatElse")
    (tmp_path / "statemachine" / "ticket_payment.asl.yaml").write_text(broken, encoding="utf-8")
    return tmp_path / "template.yaml"


def test_the_command_names_file_and_state(broken_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(broken_project)]) == 1
    line = "ticket_payment.asl.yaml:LookUpOrder: its next target 'WhatElse' is no state here — name a state"
    assert line in capsys.readouterr().out


def test_the_command_writes_json(broken_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(broken_project), "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)
    assert any(finding["place"] == "LookUpOrder" and finding["check"] == "target" for finding in findings)


def test_the_command_says_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing.yaml")]) == 2
    (tmp_path / "empty.yaml").write_text("Resources: {}", encoding="utf-8")
    assert main([str(tmp_path / "empty.yaml")]) == 2
    assert "must have one AWS::Serverless::StateMachine" in capsys.readouterr().err
