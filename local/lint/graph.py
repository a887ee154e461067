"""The state machine as a graph: scopes (the machine itself, each branch of a Parallel or Map), states and edges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

# The states that end an execution or a branch by themselves.
ENDS = frozenset({"Succeed", "Fail"})


@dataclass(frozen=True)
class Edge:
    """A way out of a state.

    Attributes:
        kind: `next`, `choice`, `default` or `catch`.
        target: name of the next state, which may not exist.
        through: the Choice rule or the catcher that takes this way; the state itself for `next` and `default`.
    """

    kind: str
    target: str
    through: Mapping[str, Any]


@dataclass(frozen=True)
class Scope:
    """States that can name each other: the whole machine, or one branch of a Parallel or Map.

    Attributes:
        path: where it is, e.g. `UpdateCounts[0]`; empty for the machine itself.
        start: name of its first state.
        states: its states by name, without those of branches within.
    """

    path: str
    start: str
    states: Mapping[str, Mapping[str, Any]]

    def inner(self, name: str) -> list[Scope]:
        """Branches of one of its states, or what a Map does with each item; none where it is neither."""
        state = self.states[name]
        branches = [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]
        return [_scope(branch, f"{name}[{number}]") for number, branch in enumerate(branches)]

    def reachable(self, *, without: AbstractSet[str] = frozenset()) -> set[str]:
        """Names of the states that can be reached from the start, when those of `without` cannot be entered."""
        seen: set[str] = set()
        ahead = [self.start]
        while ahead:
            name = ahead.pop()
            if name in seen or name in without or name not in self.states:
                continue
            seen.add(name)
            ahead.extend(edge.target for edge in edges(self.states[name]))
        return seen


def scopes(definition: Mapping[str, Any]) -> Iterator[Scope]:
    """Give the machine's own scope first, then the branches within it."""
    ahead = [_scope(definition, "")]
    while ahead:
        scope = ahead.pop(0)
        yield scope
        for name in scope.states:
            ahead.extend(scope.inner(name))


def all_states(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give each state's name and body, those of branches too."""
    for scope in scopes(definition):
        yield from scope.states.items()


def edges(state: Mapping[str, Any]) -> list[Edge]:
    """Give the ways out of a state, in the order in which they are written."""
    found = []
    if "Next" in state:
        found.append(Edge("next", state["Next"], state))
    found.extend(Edge("choice", rule["Next"], rule) for rule in state.get("Choices", []) if "Next" in rule)
    if "Default" in state:
        found.append(Edge("default", state["Default"], state))
    found.extend(Edge("catch", catcher["Next"], catcher) for catcher in state.get("Catch", []) if "Next" in catcher)
    return found


def ends(state: Mapping[str, Any]) -> bool:
    """Tell whether its scope can end with this state."""
    return state.get("Type") in ENDS or bool(state.get("End"))


def _scope(body: Mapping[str, Any], path: str) -> Scope:
    return Scope(path, body.get("StartAt", ""), body.get("States", {}))
