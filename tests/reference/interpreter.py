"""A second interpreter of the state machine's definition, from AWS's documents alone; it shares nothing with moto.

It knows what `statemachine/` uses: JSONata, variables, Task, Retry, Catch, Choice, Pass, Parallel, an inline Map,
Succeed and Fail. The world outside (what a task answers) is given to it. What it does at each step:
https://states-language.net/spec.html, https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html,
.../workflow-variables.html, .../concepts-error-handling.html.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from tests.reference.jsonata import Answer, Failed, ReferenceJsonata, Value

_NOBODY_CATCHES: Final = frozenset({"States.DataLimitExceeded", "States.Runtime"})
_LARGEST_ARGUMENTS: Final = 262_144
_USUAL_ATTEMPTS: Final = 3
_FIELDS: Final = "Type Comment Resource TimeoutSeconds Arguments Assign Output Retry Catch Next End Choices Default"
_FIELDS_OF_FEW: Final = "Branches Items ItemProcessor Error Cause"
_USED_FIELDS: Final = frozenset(f"{_FIELDS} {_FIELDS_OF_FEW}".split())


class StateFailed(Exception):
    """A state, and with it its machine unless something catches it, failed with an error and its cause."""

    def __init__(self, error: str, cause: str | None) -> None:
        """Take both as `$states.errorOutput` has them."""
        super().__init__(error, cause)
        self.error, self.cause = error, cause

    @property
    def output(self) -> dict[str, str]:
        return {"Error": self.error, **({} if self.cause is None else {"Cause": self.cause})}


class NotUnderstood(Exception):
    """The definition uses what this interpreter does not know."""


@dataclass(frozen=True)
class Evaluation:
    """One expression that was evaluated, with what it could see."""

    state: str
    where: str
    expression: str
    variables: Mapping[str, object]
    answer: Answer


class World(Protocol):
    """What is outside of the machine."""

    def attempt(self, state: str, arguments: object) -> object:
        """Run a task once and give its result. Raises `StateFailed`."""

    def now(self, state: str) -> float:
        """Give the time in that state, in milliseconds since 1970."""


@dataclass(frozen=True)
class Outcome:
    """How an execution ended."""

    status: str
    output: object = None
    error: str | None = None
    cause: str | None = None


@dataclass
class Interpreter:
    """Runs one execution. `entered` are the states in order, `evaluations` all expressions."""

    definition: Mapping[str, Any]
    execution: Mapping[str, object]
    world: World
    jsonata: ReferenceJsonata
    entered: list[str] = field(default_factory=list)
    left: list[tuple[str, object]] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)

    def run(self, given: object) -> Outcome:
        """Run the machine with an input."""
        if self.definition.get("QueryLanguage") != "JSONata":
            raise NotUnderstood("only JSONata")
        try:
            return Outcome("SUCCEEDED", self._machine(self.definition, given, {}, {"Execution": self.execution}))
        except StateFailed as failed:
            return Outcome("FAILED", error=failed.error, cause=failed.cause)

    def _machine(
        self, machine: Mapping[str, Any], given: object, outer: Mapping[str, object], context: Mapping[str, object]
    ) -> object:
        name, variables = machine["StartAt"], dict(outer)
        while True:
            state = machine["States"][name]
            if unknown := set(state) - _USED_FIELDS:
                raise NotUnderstood(f"{name}: {sorted(unknown)}")
            self.entered.append(name)
            given, following = _State(self, name, state, variables, context).run(given)
            self.left.append((name, given))
            if following is None:
                return given
            name = following


@dataclass
class _State:
    """One visit of a state."""

    run_by: Interpreter
    name: str
    state: Mapping[str, Any]
    variables: dict[str, object]
    context: Mapping[str, object]

    def run(self, given: object) -> tuple[object, str | None]:
        """Give the output and the next state; None at the end."""
        kinds: dict[str, Callable[[object], tuple[object, str | None]]] = {
            "Task": lambda given: self._guarded(given, self._task),
            "Parallel": lambda given: self._guarded(given, self._parallel),
            "Map": lambda given: self._guarded(given, self._map),
            "Pass": lambda given: (self._finished({"input": given}, given), self.state.get("Next")),
            "Succeed": lambda given: (self._finished({"input": given}, given), None),
            "Choice": self._choice,
            "Fail": self._fail,
        }
        if self.state["Type"] not in kinds:
            raise NotUnderstood(f"{self.name}: {self.state['Type']}")
        return kinds[self.state["Type"]](given)

    # --- Kinds --------------------------------------------------------------------------------------------------------

    def _task(self, given: object) -> object:
        arguments = self._value(self.state.get("Arguments", {}), {"input": given}, "Arguments")
        if len(json.dumps(arguments, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")) > (
            _LARGEST_ARGUMENTS
        ):
            cause = f"The arguments of the state '{self.name}' exceed the maximum number of bytes service limit."
            raise StateFailed("States.DataLimitExceeded", cause)
        return self.run_by.world.attempt(self.name, arguments)

    def _parallel(self, given: object) -> object:
        arguments = (
            self._value(self.state["Arguments"], {"input": given}, "Arguments") if "Arguments" in self.state else given
        )
        # One after the other: they see each other neither here nor on AWS.
        return [
            self.run_by._machine(branch, arguments, self.variables, self.context) for branch in self.state["Branches"]
        ]

    def _map(self, given: object) -> object:
        items = self._value(self.state["Items"], {"input": given}, "Items") if "Items" in self.state else given
        if not isinstance(items, list):
            raise StateFailed("States.QueryEvaluationError", "Items is not an array.")
        if self.state["ItemProcessor"].get("ProcessorConfig", {}).get("Mode", "INLINE") != "INLINE":
            raise NotUnderstood(f"{self.name}: a distributed Map")
        return [
            self.run_by._machine(
                self.state["ItemProcessor"],
                item,
                self.variables,
                {**self.context, "Map": {"Item": {"Index": index, "Value": item}}},
            )
            for index, item in enumerate(items)
        ]

    def _choice(self, given: object) -> tuple[object, str | None]:
        for number, choice in enumerate(self.state["Choices"]):
            holds = self._value(choice["Condition"], {"input": given}, f"Choices {number}")
            if not isinstance(holds, bool):
                raise StateFailed("States.QueryEvaluationError", "A Condition is neither true nor false.")
            if holds:
                return given, choice["Next"]
        if "Default" not in self.state:
            raise StateFailed("States.NoChoiceMatched", None)
        return given, self.state["Default"]

    def _fail(self, given: object) -> tuple[object, str | None]:
        states = {"input": given}
        error = self._value(self.state["Error"], states, "Error") if "Error" in self.state else None
        cause = self._value(self.state["Cause"], states, "Cause") if "Cause" in self.state else None
        for value in (error, cause):
            if value is not None and not isinstance(value, str):
                raise StateFailed("States.QueryEvaluationError", "Error or Cause is no text.")
        raise StateFailed(str(error), cause if isinstance(cause, str) else None)

    # --- Retry, Catch, Assign, Output ---------------------------------------------------------------------------------

    def _guarded(self, given: object, work: Callable[[object], object]) -> tuple[object, str | None]:
        used: dict[int, int] = {}
        while True:
            try:
                result = work(given)
                return self._finished({"input": given, "result": result}, result), self.state.get("Next")
            except StateFailed as failed:
                if self._may_retry(failed, used):
                    continue
                caught = self._caught(given, failed)
                if caught is None:
                    raise
                return caught

    def _may_retry(self, failed: StateFailed, used: dict[int, int]) -> bool:
        for number, retrier in enumerate(self.state.get("Retry", ())):
            if _names(retrier["ErrorEquals"], failed.error):
                used[number] = used.get(number, 0) + 1
                return used[number] <= int(retrier.get("MaxAttempts", _USUAL_ATTEMPTS))
        return False

    def _caught(self, given: object, failed: StateFailed) -> tuple[object, str] | None:
        for catcher in self.state.get("Catch", ()):
            if _names(catcher["ErrorEquals"], failed.error):
                states = {"input": given, "errorOutput": failed.output}
                return self._assigned_and_output(catcher, states, failed.output), catcher["Next"]
        return None

    def _finished(self, states: Mapping[str, object], usual: object) -> object:
        return self._assigned_and_output(self.state, states, usual)

    def _assigned_and_output(self, at: Mapping[str, Any], states: Mapping[str, object], usual: object) -> object:
        """Evaluate Assign and Output side by side: neither sees what the other makes."""
        assigned = {name: self._value(value, states, f"Assign/{name}") for name, value in at.get("Assign", {}).items()}
        output = self._value(at["Output"], states, "Output") if "Output" in at else usual
        self.variables.update(assigned)
        return output

    # --- Values -------------------------------------------------------------------------------------------------------

    def _value(self, template: object, states: Mapping[str, object], where: str) -> Any:
        if isinstance(template, str):
            text = template.strip()
            if text.startswith("{%") and text.endswith("%}"):
                return self._evaluated(text[2:-2].strip(), states, where)
            return template
        if isinstance(template, list):
            return [self._value(item, states, f"{where}/{index}") for index, item in enumerate(template)]
        if isinstance(template, dict):
            return {key: self._value(item, states, f"{where}/{key}") for key, item in template.items()}
        return template

    def _evaluated(self, expression: str, states: Mapping[str, object], where: str) -> object:
        variables = {**self.variables, "states": {**states, "context": self.context}}
        answer = self.run_by.jsonata.evaluate(expression, variables, now=self.run_by.world.now(self.name))
        self.run_by.evaluations.append(Evaluation(self.name, where, expression, variables, answer))
        if isinstance(answer, Value):
            return answer.value
        about = f"The JSONata expression '{expression}'"
        if isinstance(answer, Failed):
            cause = f"{about} specified for the field '{where}' threw an error during evaluation. {answer.message}"
        else:
            cause = f"{about} returned nothing (undefined)."
        raise StateFailed("States.QueryEvaluationError", cause)


def _names(listed: list[str], error: str) -> bool:
    """Tell whether ErrorEquals has an error, by name or by one of AWS's two names for many."""
    if error in listed:
        return True
    if error in _NOBODY_CATCHES:
        return False
    return "States.ALL" in listed or ("States.TaskFailed" in listed and error != "States.Timeout")


def machines(definition: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give the machine itself, the machine of each branch of a Parallel state, and that of each item of a Map."""
    yield definition
    for state in definition["States"].values():
        inner = [*state.get("Branches", ()), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]
        for machine in inner:
            yield from machines(machine)
