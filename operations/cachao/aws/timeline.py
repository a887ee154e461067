"""The steps of an execution out of its history: when, how often tried, with what, and which one failed.

See https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

Result = Literal["succeeded", "failed", "caught", "running", "stopped"]

_ENTERED: Final = "StateEntered"
_EXITED: Final = "StateExited"
_ATTEMPT_BEGINS: Final = frozenset({"TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled"})
_ATTEMPT_SUCCEEDS: Final = frozenset({"TaskSucceeded", "LambdaFunctionSucceeded", "ActivitySucceeded"})
_ATTEMPT_FAILS: Final = frozenset(
    {
        "TaskFailed",
        "TaskTimedOut",
        "TaskStartFailed",
        "TaskSubmitFailed",
        "LambdaFunctionFailed",
        "LambdaFunctionTimedOut",
        "LambdaFunctionScheduleFailed",
        "LambdaFunctionStartFailed",
        # A JSONata expression that could not be evaluated.
        "EvaluationFailed",
    }
)
_EXECUTION_FAILS: Final = frozenset({"ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"})


@dataclass
class Attempt:
    """One try of a step; `error` and `sentence` where it failed. Not `ended`: it runs, or nobody knows."""

    started: datetime
    ended: datetime | None = None
    error: str | None = None
    sentence: str | None = None

    @property
    def took(self) -> timedelta | None:
        """How long it took."""
        return None if self.ended is None else self.ended - self.started


@dataclass
class Step:
    """A state that the execution entered. `input` and `output` are JSON texts; of a task the payload alone."""

    name: str
    kind: str
    entered: datetime
    position: int
    exited: datetime | None = None
    exit_position: int | None = None
    input: str | None = None
    output: str | None = None
    attempts: list[Attempt] = field(default_factory=list)
    result: Result = "running"

    @property
    def took(self) -> timedelta | None:
        """How long it took, waits between attempts included."""
        return None if self.exited is None else self.exited - self.entered

    @property
    def failure(self) -> Attempt | None:
        """The last attempt, where that failed."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].error is not None else None

    @property
    def failed_attempts(self) -> list[Attempt]:
        """The attempts that failed, whatever came after them."""
        return [attempt for attempt in self.attempts if attempt.error is not None]


@dataclass
class Timeline:
    """The steps in the order in which they were entered, and how the execution ended."""

    steps: list[Step]
    error: str | None = None
    cause: str | None = None

    @property
    def failed(self) -> list[Step]:
        """The step that failed, not the one that caught it; both, where two failed beside each other."""
        broken = [step for step in self.steps if step.failure is not None and step.result != "running"]
        if broken:
            end = broken[0].exit_position
            # The cause names both counts, "A and B: …": the second may begin when the first has failed already.
            named = (self.cause or "").partition(":")[0].split(" and ")
            return [step for step in broken if end is None or step.position <= end or step.name in named]
        if self.error is None:
            return []
        # No attempt failed: a step answered something strange, which the cause names; or time ran out in one.
        spoken_of = [step for step in self.steps if (self.cause or "").startswith(f"{step.name}:")]
        return spoken_of or [step for step in self.steps if step.result == "stopped"][-1:]

    @property
    def trying_again(self) -> list[Step]:
        """The steps that failed, and are tried again: nobody knows yet whether they fail."""
        return [step for step in self.steps if step.result == "running" and step.failed_attempts]


def read(events: Iterable[Mapping[str, Any]], *, running: bool) -> Timeline:
    """Read the events of `GetExecutionHistory`, in order. `running`: whether the execution still runs."""
    timeline = Timeline([])
    owners: dict[int, Step] = {}
    open_steps: dict[str, Step] = {}
    for event in events:
        kind, position = event["type"], event["id"]
        if kind.endswith(_ENTERED):
            step = _entered(event)
            timeline.steps.append(step)
            owners[position] = open_steps[step.name] = step
            continue
        if kind.endswith(_EXITED):
            # By its name, which is unique in a state machine: a Parallel's exit follows its last branch's event.
            owner = open_steps.pop(event["stateExitedEventDetails"]["name"], None)
            if owner is not None:
                _exit(owner, event)
        else:
            owner = owners.get(event.get("previousEventId", 0))
            if owner is not None:
                _happen(owner, event)
        if owner is not None:
            owners[position] = owner
        if kind in _EXECUTION_FAILS:
            details = _details(event)
            timeline.error, timeline.cause = details.get("error") or _SAID.get(kind), details.get("cause")
    for step in open_steps.values():
        _leave_open(step, running=running)
    return timeline


_SAID: Final = {"ExecutionTimedOut": "States.Timeout", "ExecutionAborted": "Aborted", "ExecutionFailed": "Failed"}


def sentence_of(cause: str | None) -> str | None:
    """Give the sentence in an error's cause: Lambda wraps it, with the stack trace, in JSON."""
    try:
        wrapped = json.loads(cause or "")
    except ValueError:
        return cause
    return str(wrapped["errorMessage"]) if isinstance(wrapped, dict) and "errorMessage" in wrapped else cause


def _entered(event: Mapping[str, Any]) -> Step:
    details = event["stateEnteredEventDetails"]
    return Step(
        name=details["name"],
        kind=event["type"].removesuffix(_ENTERED),
        entered=event["timestamp"],
        position=event["id"],
        input=details.get("input"),
    )


def _exit(step: Step, event: Mapping[str, Any]) -> None:
    step.exited, step.exit_position = event["timestamp"], event["id"]
    step.output = event["stateExitedEventDetails"].get("output")
    step.result = "caught" if step.failure is not None else "succeeded"


def _happen(step: Step, event: Mapping[str, Any]) -> None:
    kind = event["type"]
    if kind in _ATTEMPT_BEGINS:
        step.attempts.append(Attempt(event["timestamp"]))
        step.input = _payload(event) or step.input
    elif kind in _ATTEMPT_SUCCEEDS and step.attempts:
        step.attempts[-1].ended = event["timestamp"]
    elif kind in _ATTEMPT_FAILS:
        if not step.attempts or step.attempts[-1].ended is not None:
            step.attempts.append(Attempt(event["timestamp"]))
        details, attempt = _details(event), step.attempts[-1]
        attempt.ended = event["timestamp"]
        attempt.error = str(details.get("error") or "States.Timeout")
        attempt.sentence = sentence_of(details.get("cause"))


def _leave_open(step: Step, *, running: bool) -> None:
    if running:
        step.result = "running"
    elif step.kind == "Succeed":
        step.result = "succeeded"
    elif step.kind == "Fail" or step.failure is not None:
        step.result = "failed"
    else:
        step.result = "stopped"


def _payload(event: Mapping[str, Any]) -> str | None:
    details = _details(event)
    text = details.get("parameters") or details.get("input")
    try:
        parameters = json.loads(text or "")
    except ValueError:
        return text
    if isinstance(parameters, dict) and "Payload" in parameters:
        return json.dumps(parameters["Payload"], ensure_ascii=False, separators=(",", ":"))
    return text


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((value for name, value in event.items() if name.endswith("EventDetails")), {})
