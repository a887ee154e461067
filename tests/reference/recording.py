"""What the local engine wrote down of an execution, as a world for the second interpreter, and for comparing both."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.reference.interpreter import Interpreter, Outcome, StateFailed, machines
from tests.reference.jsonata import ReferenceJsonata

# A moment or an expiry is evaluated by each engine in its own time.
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z|^17\d{8}$|^18\d{8}$")
# The words of an evaluation's error are its implementation's, as is the name of the field; the expression is ours.
_THREW: Final = re.compile(
    r"(The JSONata expression '.*?') specified for the field '[^']*' threw an error during evaluation\..*", re.DOTALL
)
# Each engine puts this before some errors that nothing caught, where it thinks fit.
_WHERE: Final = re.compile(r"An error occurred while executing the state '[^']*' \(entered at the event id #\d+\)\. ")


class Differs(AssertionError):
    """The two engines do not do the same."""


@dataclass
class _Attempt:
    state: str
    arguments: object
    result: object = None
    failure: StateFailed | None = None
    taken: bool = False


class Recorded:
    """The world as a history tells it: what each attempt of each task was given, and what came back."""

    def __init__(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Take the whole history, in order."""
        self._by_id = {event["id"]: event for event in history}
        self._times: dict[str, float] = {}
        self._attempts: dict[str, list[_Attempt]] = defaultdict(list)
        ends = {event["previousEventId"]: event for event in history if event["type"].startswith("Task")}
        for event in history:
            if entered := event.get("stateEnteredEventDetails"):
                self._times.setdefault(entered["name"], event["timestamp"].timestamp() * 1000)
            if event["type"] == "TaskScheduled":
                end = ends.get(event["id"])
                while end is not None and end["type"] in {"TaskStarted", "TaskSubmitted"}:
                    end = ends.get(end["id"])
                self._note(event, end)

    def attempt(self, state: str, arguments: object) -> object:
        """Give what came back of the first attempt not taken yet that had these arguments."""
        waiting = [attempt for attempt in self._attempts[state] if not attempt.taken]
        for attempt in waiting:
            if alike(attempt.arguments, arguments):
                attempt.taken = True
                if attempt.failure is not None:
                    raise attempt.failure
                return attempt.result
        raise Differs(f"{state} was given {[a.arguments for a in waiting]} on the local engine, and here {arguments}")

    def now(self, state: str) -> float:
        """Give when the state was entered."""
        return self._times.get(state, 0.0)

    def left_over(self) -> list[str]:
        """Give the tasks that the local engine ran and the interpreter did not."""
        return [a.state for attempts in self._attempts.values() for a in attempts if not a.taken]

    def _note(self, scheduled: Mapping[str, Any], end: Mapping[str, Any] | None) -> None:
        state = self._state_of(scheduled)
        attempt = _Attempt(state, json.loads(scheduled["taskScheduledEventDetails"]["parameters"]))
        if end is None or end["type"] == "TaskTimedOut":
            details = {} if end is None else end["taskTimedOutEventDetails"]
            attempt.failure = StateFailed(details.get("error", "States.Timeout"), details.get("cause"))
        elif end["type"] == "TaskFailed":
            details = end["taskFailedEventDetails"]
            attempt.failure = StateFailed(details["error"], details.get("cause"))
        else:
            attempt.result = json.loads(end["taskSucceededEventDetails"]["output"])
        self._attempts[state].append(attempt)

    def _state_of(self, event: Mapping[str, Any]) -> str:
        while "stateEnteredEventDetails" not in event:
            event = self._by_id[event["previousEventId"]]
        name: str = event["stateEnteredEventDetails"]["name"]
        return name


def replay(
    definition: str, execution: Mapping[str, object], history: Sequence[Mapping[str, Any]], jsonata: ReferenceJsonata
) -> tuple[Interpreter, Outcome]:
    """Run on the second interpreter what the local engine ran. Raises `Differs` where they do not do the same."""
    world = Recorded(history)
    given = json.loads(history[0]["executionStartedEventDetails"]["input"])
    parsed = json.loads(definition)
    interpreter = Interpreter(parsed, execution, world, jsonata)
    outcome = interpreter.run(given)
    if left := world.left_over():
        raise Differs(f"Only the local engine ran {left}; the interpreter went {interpreter.entered}")
    _compare_paths(parsed, history, interpreter)
    return interpreter, outcome


def _compare_paths(
    definition: Mapping[str, Any], history: Sequence[Mapping[str, Any]], interpreter: Interpreter
) -> None:
    """Compare the states that were entered and what left them, machine by machine: branches run side by side."""
    entered = [e["stateEnteredEventDetails"]["name"] for e in history if "stateEnteredEventDetails" in e]
    exits = [e["stateExitedEventDetails"] for e in history if "stateExitedEventDetails" in e]
    left = [(e["name"], json.loads(e["output"])) for e in exits if "output" in e]
    for machine in machines(definition):
        states = machine["States"]
        ours, theirs = ([name for name in path if name in states] for path in (interpreter.entered, entered))
        if ours != theirs:
            raise Differs(f"The local engine went {theirs}, the interpreter {ours}")
        for mine, other in zip(
            [pair for pair in interpreter.left if pair[0] in states],
            [pair for pair in left if pair[0] in states],
            strict=True,
        ):
            if not alike(mine[1], other[1]) or mine[0] != other[0]:
                raise Differs(f"{other[0]} gave {other[1]} on the local engine, and {mine[1]} here")


def alike(one: object, other: object) -> bool:
    """Tell whether two JSON values are the same, but for moments and the words of an evaluation's error."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return one == other or plain(one) == plain(other)
    return type(one) is type(other) and one == other


def plain(text: str | None) -> str | None:
    """Give a text without moments, event numbers, and the words of an evaluation's error."""
    if text is None:
        return None
    return _THREW.sub(r"\1 threw an error.", _MOMENT.sub("(moment)", _WHERE.sub("", text)))
