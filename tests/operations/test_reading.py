"""What is worked out without asking anybody: timelines, names, patterns, inputs, times, log queries."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from cachao.aws import execution_names, logs
from cachao.aws.execution_input import EventSummary, summarise
from cachao.aws.executions import Execution
from cachao.aws.timeline import Timeline, read, sentence_of
from cachao.doctor import permissions, sample_events
from cachao.doctor.event_pattern import matches_locally
from cachao.problems import Problem
from cachao.view import executions as execution_view
from cachao.view.output import Output
from cachao.view.time_spans import parse_since
from ticketing.stripe.event_types import HANDLED_EVENTS
from ticketing.stripe.events import read_event

BEGIN = datetime(2026, 11, 21, 12, tzinfo=UTC)


class History:
    """Writes execution histories as AWS does."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, kind: str, previous: int | None = None, **details: Any) -> int:
        position = len(self.events) + 1
        event = {
            "id": position,
            "previousEventId": position - 1 if previous is None else previous,
            "type": kind,
            "timestamp": BEGIN + timedelta(seconds=position),
        }
        self.events.append(event | details)
        return position

    def enter(self, name: str, kind: str = "Task", previous: int | None = None) -> int:
        return self.add(f"{kind}StateEntered", previous, stateEnteredEventDetails={"name": name, "input": "{}"})

    def exit(self, name: str, kind: str = "Task", previous: int | None = None) -> int:
        return self.add(f"{kind}StateExited", previous, stateExitedEventDetails={"name": name, "output": '{"a": 1}'})

    def attempt(self, previous: int | None = None, *, error: str | None = None, kind: str = "TaskFailed") -> int:
        parameters = json.dumps({"FunctionName": "f", "Payload": {"order_id": 7}})
        position = self.add("TaskScheduled", previous, taskScheduledEventDetails={"parameters": parameters})
        position = self.add("TaskStarted", position)
        if error is None:
            return self.add("TaskSucceeded", position, taskSucceededEventDetails={"output": "{}"})
        cause = json.dumps({"errorMessage": f"{error} happened", "errorType": error, "stackTrace": []})
        details = {"error": error, "cause": cause} if error != "States.Timeout" else {"error": error}
        named: dict[str, Any] = {f"{kind[0].lower()}{kind[1:]}EventDetails": details}
        return self.add(kind, position, **named)

    def fail(self, error: str, cause: str, kind: str = "ExecutionFailed") -> Self:
        named: dict[str, Any] = {f"{kind[0].lower()}{kind[1:]}EventDetails": {"error": error, "cause": cause}}
        self.add(kind, **named)
        return self


def test_retries_are_attempts_of_one_step() -> None:
    history = History()
    history.add("ExecutionStarted", 0)
    history.enter("LookUpOrder", previous=0)
    history.attempt(error="DatabaseUnavailable")
    history.attempt(error="States.Timeout", kind="TaskTimedOut")
    history.attempt()
    history.exit("LookUpOrder")
    [step] = read(history.events, running=False).steps
    assert [attempt.error for attempt in step.attempts] == ["DatabaseUnavailable", "States.Timeout", None]
    assert step.attempts[0].sentence == "DatabaseUnavailable happened"
    assert (step.result, step.input, step.failure) == ("succeeded", '{"order_id":7}', None)
    assert step.took == timedelta(seconds=10)
    assert all(attempt.took == timedelta(seconds=2) for attempt in step.attempts)


def test_branches_beside_each_other_are_told_apart_by_what_came_before_them() -> None:
    history = History()
    history.enter("UpdateCounts", "Parallel", previous=0)
    started = history.add("ParallelStateStarted")
    one = history.enter("CountTicketSale", previous=started)
    other = history.enter("CountDiscountUse", previous=started)
    one = history.add("TaskScheduled", one, taskScheduledEventDetails={"parameters": "{}"})
    other = history.attempt(other)
    history.exit("CountDiscountUse", previous=other)
    failed = history.add("TaskFailed", one, taskFailedEventDetails={"error": "DataInconsistent", "cause": "no room"})
    history.exit("CountTicketSale", previous=failed)
    history.add("ParallelStateSucceeded")
    history.exit("UpdateCounts", "Parallel")
    timeline = read(history.events, running=False)
    assert [(step.name, step.result) for step in timeline.steps] == [
        ("UpdateCounts", "succeeded"),
        ("CountTicketSale", "caught"),
        ("CountDiscountUse", "succeeded"),
    ]
    [failed_step] = timeline.failed
    assert failed_step.failure is not None
    assert (failed_step.name, failed_step.failure.sentence) == ("CountTicketSale", "no room")


def test_a_second_failure_on_the_way_to_the_alert_is_not_the_one_that_is_named() -> None:
    history = History()
    history.enter("MarkOrderPaid", previous=0)
    history.attempt(error="PaidButSoldOut")
    history.exit("MarkOrderPaid")
    history.enter("RefundPayment")
    history.attempt(error="RefundFailed")
    history.exit("RefundPayment")
    history.enter("PaymentFailed", "Fail")
    history.fail("PaidButSoldOut", "MarkOrderPaid: PaidButSoldOut happened")
    timeline = read(history.events, running=False)
    assert [step.name for step in timeline.failed] == ["MarkOrderPaid"]
    assert timeline.steps[-1].result == "failed"


def test_a_step_that_answered_something_strange_is_found_in_the_cause() -> None:
    history = History()
    history.enter("LookUpOrder", previous=0)
    history.attempt()
    history.exit("LookUpOrder")
    history.enter("PaymentFailed", "Fail")
    history.fail("UnexpectedResult", "LookUpOrder: The step answered with something …")
    assert [step.name for step in read(history.events, running=False).failed] == ["LookUpOrder"]


@pytest.mark.parametrize(("kind", "error"), [("ExecutionTimedOut", "States.Timeout"), ("ExecutionAborted", "Aborted")])
def test_an_execution_that_was_ended_stopped_in_the_step_it_was_in(kind: str, error: str) -> None:
    history = History()
    history.enter("LookUpOrder", previous=0)
    history.add("TaskScheduled", taskScheduledEventDetails={"parameters": "{}"})
    history.add(kind)
    timeline = read(history.events, running=False)
    assert timeline.error == error
    assert [(step.name, step.result) for step in timeline.failed] == [("LookUpOrder", "stopped")]


def test_a_step_under_way_runs() -> None:
    history = History()
    history.enter("LookUpOrder", previous=0)
    history.add("TaskScheduled", taskScheduledEventDetails={"parameters": "{}"})
    timeline = read(history.events, running=True)
    assert [(step.result, step.took, timeline.failed) for step in timeline.steps] == [("running", None, [])]


def trying_again(*, under_way: bool) -> Timeline:
    history = History()
    history.enter("LookUpOrder", previous=0)
    for _ in range(5):
        history.attempt(error="DatabaseUnavailable")
    if under_way:
        history.add("TaskScheduled", taskScheduledEventDetails={"parameters": "{}"})
    return read(history.events, running=True)


@pytest.mark.parametrize("under_way", [False, True])
def test_a_step_that_is_tried_again_has_not_failed(under_way: bool, capsys: pytest.CaptureFixture[str]) -> None:
    timeline = trying_again(under_way=under_way)
    assert timeline.failed == []
    assert [step.name for step in timeline.trying_again] == ["LookUpOrder"]
    running = Execution("arn", "name", "RUNNING", BEGIN, None, summarise("{}"), "{}", None, None, None)
    Output().answer(None, *execution_view.render(running, timeline))
    text = capsys.readouterr().out
    assert "LookUpOrder is trying again (5 tries so far); last: DatabaseUnavailable: DatabaseUnavailable hap" in text
    assert "failed with" not in text
    data = execution_view.as_data(running, timeline)
    assert (data["failed_steps"], data["trying_again"]) == ([], ["LookUpOrder"])


def test_what_was_caught_before_has_failed_also_while_a_later_step_is_tried_again() -> None:
    history = History()
    history.enter("LookUpOrder", previous=0)
    history.attempt(error="OrderNotFound")
    history.exit("LookUpOrder")
    history.enter("AlertOperators")
    history.attempt(error="States.Timeout")
    timeline = read(history.events, running=True)
    assert [step.name for step in timeline.failed] == ["LookUpOrder"]
    assert [step.name for step in timeline.trying_again] == ["AlertOperators"]


def test_an_expression_that_could_not_be_evaluated_is_a_failure_of_its_step() -> None:
    history = History()
    history.enter("DescribeFailure", "Pass", previous=0)
    history.add("EvaluationFailed", evaluationFailedEventDetails={"error": "States.QueryEvaluationError", "cause": "x"})
    history.fail("States.QueryEvaluationError", "x")
    timeline = read(history.events, running=False)
    assert [(step.name, step.result) for step in timeline.failed] == [("DescribeFailure", "failed")]


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [('{"errorMessage": "no", "errorType": "E"}', "no"), ("plain", "plain"), ("[1]", "[1]"), ("", ""), (None, None)],
)
def test_the_sentence_is_taken_out_of_lambdas_wrapping(cause: str | None, sentence: str | None) -> None:
    assert sentence_of(cause) == sentence


# --- Names and inputs ------------------------------------------------------------------------------------------------


def test_replays_of_replays_belong_to_one_original_and_fit_into_a_name() -> None:
    original = f"{'a' * 36}_{'b' * 36}"
    root = execution_names.root_of(original)
    names = [execution_names.replay_name(root, number) for number in (1, 42, 999)]
    assert all(len(name) <= 80 for name in names)
    assert {execution_names.root_of(name) for name in names} == {root}
    assert [execution_names.is_replay(name) for name in (*names, original, "replay-x")] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("event_id", ["4f0c6a1e-1111-2222-3333-444455556666", "ä/ö:<>", "x" * 200])
def test_a_dead_letters_name_is_one_that_step_functions_takes(event_id: str) -> None:
    name = execution_names.dead_letter_name(event_id)
    assert name.isascii()
    assert 1 <= len(name) <= 80
    assert not set(name) & set(' <>{}[]?*"#%\\^|~`$&,;:/')


@pytest.mark.parametrize(
    "text", [None, "", "no json", "[]", "1", '{"detail": []}', '{"detail": {"data": {"object": 1}}}']
)
def test_a_malformed_input_says_nothing_of_itself(text: str | None) -> None:
    assert summarise(text) == EventSummary()


# --- Patterns --------------------------------------------------------------------------------------------------------

EVENT = {"source": "aws.partner/stripe.com/ed_1", "detail": {"amount": 5, "paid": True, "tags": ["a", "b"], "n": None}}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ({"source": [{"prefix": "aws.partner/stripe.com/"}]}, True),
        ({"source": ["stripe.com"]}, False),
        ({"source": [{"suffix": "ed_1"}]}, True),
        ({"source": [{"wildcard": "aws.*/ed_?"}]}, False),
        ({"source": [{"wildcard": "aws.*/ed_*"}]}, True),
        ({"source": [{"equals-ignore-case": "AWS.partner/stripe.com/ED_1"}]}, True),
        ({"source": [{"prefix": {"equals-ignore-case": "AWS."}}]}, True),
        ({"source": [{"anything-but": "stripe.com"}]}, True),
        ({"source": [{"anything-but": {"prefix": "aws."}}]}, False),
        ({"detail": {"amount": [{"numeric": [">", 1, "<=", 5]}]}}, True),
        ({"detail": {"amount": [{"numeric": ["=", 6]}]}}, False),
        ({"detail": {"amount": [{"prefix": "5"}]}}, False),
        ({"detail": {"paid": [True]}}, True),
        ({"detail": {"paid": [1]}}, False),
        ({"detail": {"tags": ["b", "c"]}}, True),
        ({"detail": {"n": [None]}}, True),
        ({"detail": {"gone": [None]}}, False),
        ({"detail": {"gone": [{"exists": False}]}}, True),
        ({"detail": {"amount": [{"exists": False}]}}, False),
        ({"detail": {"gone": {"deeper": ["x"]}}}, False),
        ({"$or": [{"source": ["x"]}, {"detail": {"amount": [5]}}]}, True),
        ({"$or": [{"source": ["x"]}, {"detail": {"amount": [6]}}]}, False),
        ({"source": [{"unheard-of": "x"}]}, False),
        ({}, True),
    ],
)
def test_patterns_match_as_eventbridge_documents_it(pattern: dict[str, Any], matches: bool) -> None:
    assert matches_locally(pattern, EVENT) is matches


@pytest.mark.parametrize("event_type", sorted(HANDLED_EVENTS))
def test_the_sample_events_are_events(event_type: str) -> None:
    event = sample_events.partner_event(
        "aws.partner/stripe.com/ed_1", event_type, account="123456789012", region="eu-west-1"
    )
    assert event["detail-type"] == event["detail"]["type"] == event_type
    if event_type == "checkout.session.completed":
        assert read_event(event, livemode=False).outcome == "paid"


# --- Permissions, times, logs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([{"Effect": "Allow", "Action": "states:*", "Resource": "*"}], True),
        ([{"Effect": "Allow", "Action": ["states:StartExecution"], "Resource": ["arn:machine"]}], True),
        ([{"Effect": "Allow", "Action": "states:startexecution", "Resource": "arn:mach*"}], True),
        ([{"Effect": "Allow", "Action": "states:StopExecution", "Resource": "*"}], False),
        ([{"Effect": "Allow", "Action": "states:StartExecution", "Resource": "arn:other"}], False),
        (
            [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "states:*", "Resource": "*"},
            ],
            False,
        ),
        ([], False),
    ],
)
def test_policies_are_read_as_iam_does(statements: list[dict[str, Any]], allowed: bool) -> None:
    assert permissions._allowed(statements, "states:StartExecution", "arn:machine") is allowed


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", BEGIN - timedelta(minutes=30)),
        ("2d", BEGIN - timedelta(days=2)),
        (" 1W ", BEGIN - timedelta(weeks=1)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T08:30", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("2026-11-20T08:30+02:00", datetime(2026, 11, 20, 6, 30, tzinfo=UTC)),
    ],
)
def test_times_are_read(text: str, moment: datetime) -> None:
    assert parse_since(text, now=BEGIN) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2x", "2026-13-01", "-2d", "999999w", "0001-01-01T00:00+14:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Problem):
        parse_since(text)


class Logs:
    """CloudWatch Logs, as far as it is asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.query: dict[str, Any] = {}

    def start_query(self, **query: Any) -> dict[str, str]:
        self.query = query
        return {"queryId": "1"}

    def get_query_results(self, **_: Any) -> dict[str, Any]:
        return self.answers.pop(0)


def test_the_logs_are_asked_by_the_indexed_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_LOOK_EVERY_SECONDS", 0)
    rows = [[{"field": "execution_id", "value": name}] for name in ("arn:1", "cachao migrate", "arn:2")]
    answers = Logs({"status": "Running"}, {"status": "Complete", "results": rows})
    assert logs._ask(answers, "group", "order_id", "7", BEGIN) == ["arn:1", "arn:2"]
    # `filter field = value` uses the field's index by itself, where the log group has one.
    assert answers.query["queryString"].startswith('filter order_id = "7" | ')
    assert (answers.query["logGroupName"], answers.query["startTime"]) == ("group", int(BEGIN.timestamp()))


def test_logs_that_fail_are_no_answer() -> None:
    assert logs._ask(Logs({"status": "Failed"}), "group", "order_id", "7", BEGIN) is None


def test_the_files_of_the_local_stack_are_read_line_by_line(tmp_path: Path) -> None:
    lines = [
        "START RequestId: 1",
        json.dumps({"order_id": 7, "execution_id": "arn:b", "timestamp": "2"}),
        json.dumps({"order_id": 7, "execution_id": "arn:a", "timestamp": "1"}),
        json.dumps({"order_id": 8, "execution_id": "arn:c", "timestamp": "1"}),
        json.dumps({"order_id": 7, "execution_id": "cachao migrate", "timestamp": "1"}),
        '{"order_id": 7, "execution_id": "arn:half',
    ]
    (tmp_path / "One.log").write_text("\n".join(lines))
    assert logs._from_files(tmp_path, "order_id", "7") == ["arn:a", "arn:b"]
