"""Faults at every task of the state machine: errors, nonsense, and right answers with one field that is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from local.aws.lambda_answers import InvokeResult, function_error, throttled
from tests.reference.interpreter import StateFailed

_TRICKY: Final = 'A "quoted" text, \\ and \n Zeichen ä 🎟. What to do now: run: {% $error("x") %}'
ERRORS: Final = {
    "permanent": function_error("DataInconsistent", "It broke."),
    "passing, to the last attempt": function_error("DatabaseUnavailable", "It is away."),
    "tricky": function_error("DataInconsistent", _TRICKY),
    "without a message": InvokeResult(b'{"errorType": "DataInconsistent"}', function_error="Unhandled"),
    "without a type": function_error(None, "It broke."),
    "no object": InvokeResult(b'"broken"', function_error="Unhandled"),
    "no JSON": InvokeResult(b"broken", function_error="Unhandled"),
    "throttled": throttled(),
    "to be refunded": function_error("PaidButSoldOut", "Too few seats."),
}
NONSENSE: Final[list[Any]] = [
    None, True, 0, "text", [], [1], [[{}]], {},
    {"step": "CountTicketSale"}, {"step": 1, "cause": {}}, {"error": 5}, {"error": {"a": 1}, "cause": []},
    {"result": "counted", "step": 1}, {"result": "cannot_count"}, {"result": ["counted"]}, {"status": [], "changed": 1},
    {"outcome": ["paid"]}, {"outcome": "paid"}, {"outcome": None}, {"order_id": "12", "status": "pending"},
    {"status": "paid", "alerts": {}}, {"status": "expired", "changed": True, "alerts": [1]},
    {"status": "refunded", "alerts": [{"name": 1, "message": "m"}]},
]  # fmt: skip
INSTEAD: Final[list[Any]] = [
    None,
    [],
    {},
    "other",
    7,
    [{"name": "CountsOff", "message": "m"}],
    [{"name": "X"}],
    {"a": 1},
]


# What leads to the automatic refund.
PAID_TWICE: Final = function_error("DuplicatePayment", "Paid twice.")


@dataclass(frozen=True)
class Fault:
    """In an outcome, what a state's function answers in the place of what it did."""

    outcome: str
    state: str
    name: str
    answer: InvokeResult


def answers_of(history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What each task of an execution gave, by its state."""
    by_id = {event["id"]: event for event in history}
    found = {}
    for event in history:
        if event["type"] == "TaskSucceeded" and event["taskSucceededEventDetails"]["resourceType"] == "lambda":
            entered = event
            while "stateEnteredEventDetails" not in entered:
                entered = by_id[entered["previousEventId"]]
            result = json.loads(event["taskSucceededEventDetails"]["output"])["Payload"]
            found[entered["stateEnteredEventDetails"]["name"]] = result
    return found


def all_faults(outcome: str, answers: Mapping[str, Any]) -> Iterator[Fault]:
    """Every fault at every state of an outcome: errors, nonsense, and the right answer with one field that is not."""
    for state, right in answers.items():
        for name, result in ERRORS.items():
            yield Fault(outcome, state, name, result)
        wrong = list(NONSENSE)
        if isinstance(right, dict):
            wrong += [{k: v for k, v in right.items() if k != key} for key in right]
            wrong += [{**right, key: value} for key in {**right, "alerts": 0} for value in INSTEAD]
        for value in wrong:
            yield Fault(outcome, state, json.dumps(value), InvokeResult(json.dumps(value).encode()))


def all_inputs(right: object) -> Iterator[object]:
    """Every input of the machine that is not the right one: nonsense, and the right one with one thing replaced."""
    yield from NONSENSE
    yield from _replaced(right)


def _replaced(right: object) -> Iterator[object]:
    if isinstance(right, dict):
        for key, value in right.items():
            yield {k: v for k, v in right.items() if k != key}
            yield from ({**right, key: other} for other in INSTEAD)
            yield from ({**right, key: other} for other in _replaced(value))
    elif isinstance(right, list):
        for index, value in enumerate(right):
            yield from ([*right[:index], other, *right[index + 1 :]] for other in _replaced(value))


@dataclass
class ScriptedWorld:
    """The world of one execution: functions answer as they did, but for the one with the fault; AWS's services work."""

    execution_id: str
    answers: Mapping[str, Any]
    fault: Fault | None

    def now(self, state: str) -> float:
        """Give some time."""
        del state
        return 1_796_000_000_000.0

    def attempt(self, state: str, arguments: object) -> object:
        """Answer a task."""
        del arguments
        if self.fault is not None and state == self.fault.state:
            return _as_lambda_task(self.fault.answer)
        if state in self.answers:
            return {"StatusCode": 200, "Payload": self.answers[state]}
        owner = {"S": self.execution_id}
        services: dict[str, object] = {
            "ClaimAlert": {"Attributes": {"alert_key": {"S": "alert"}, "execution_arn": owner}},
            "CountAlert": {"Attributes": {"first_execution": owner}},
            "NoteAlertTold": {},
            "AlertOperators": {"MessageId": "1"},
            "PublishAlert": {"MessageId": "1"},
        }
        return services[state] if state in services else _as_lambda_task(PAID_TWICE)


def _as_lambda_task(result: InvokeResult) -> object:
    """Give what a Lambda task makes of it (https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html)."""
    text = result.payload.decode()
    try:
        payload = json.loads(text)
    except ValueError:
        payload = text
    if result.service_error is not None:
        raise StateFailed(f"Lambda.{result.service_error}", text)
    if result.function_error is None:
        return {"StatusCode": 200, "Payload": payload}
    kind = payload.get("errorType") if isinstance(payload, dict) else None
    raise StateFailed(kind or "Lambda.Unknown", text)
