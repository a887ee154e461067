"""The Lambda tasks of the workflow, read from its definition: a new one is found without being named here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_DEFINITION = Path(__file__).parents[2] / "statemachine" / "ticket_payment.asl.yaml"
_INVOKE = "arn:aws:states:::lambda:invoke"
_PUBLISH = "arn:aws:states:::sns:publish"
_FUNCTION = re.compile(r"\$\{(\w+)Arn\}")


@dataclass(frozen=True)
class LambdaTask:
    """A state that invokes a function; `beside` are the tasks of the other branches of its Parallel state."""

    name: str
    function: str
    beside: tuple[str, ...] = ()


def lambda_tasks() -> list[LambdaTask]:
    """All of them, those in branches too."""
    definition = yaml.safe_load(_DEFINITION.read_text(encoding="utf-8"))
    return list(_tasks(definition["States"], ()))


def _tasks(states: dict[str, Any], beside: tuple[str, ...]) -> Iterator[LambdaTask]:
    for name, state in states.items():
        if state.get("Resource") == _INVOKE:
            found = _FUNCTION.fullmatch(state["Arguments"]["FunctionName"])
            assert found, f"{name} names its function in another way than all others"
            yield LambdaTask(name, found[1], beside)
        branches = [branch["States"] for branch in state.get("Branches", [])]
        branches += [state[key]["States"] for key in ("ItemProcessor", "Iterator") if key in state]
        for branch in branches:
            others = tuple(task.name for other in branches if other is not branch for task in _tasks(other, ()))
            yield from _tasks(branch, others)


def publishing_tasks() -> list[str]:
    """The states that publish an alert."""
    definition = yaml.safe_load(_DEFINITION.read_text(encoding="utf-8"))
    return list(_publishing(definition["States"]))


def _publishing(states: dict[str, Any]) -> Iterator[str]:
    for name, state in states.items():
        if state.get("Resource") == _PUBLISH:
            yield name
        if "ItemProcessor" in state:
            yield from _publishing(state["ItemProcessor"]["States"])
