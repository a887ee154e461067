"""The state machine as nodes and edges, read from its definition (Amazon States Language, https://states-language.net)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

Kind = Literal["lambda", "publish", "task", "choice", "parallel", "map", "pass", "wait", "succeed", "fail"]

_RESOURCES: Final[dict[str, Kind]] = {"lambda:invoke": "lambda", "sns:publish": "publish"}
_TYPES: Final[dict[str, Kind]] = {
    "Choice": "choice",
    "Parallel": "parallel",
    "Map": "map",
    "Pass": "pass",
    "Wait": "wait",
    "Succeed": "succeed",
    "Fail": "fail",
}
_QUOTED = re.compile(r"'([^']*)'")
_MOST_WORDS = 2


@dataclass(frozen=True)
class Node:
    """One state. `branches` are those of a Parallel, or what a Map does with each item."""

    name: str
    kind: Kind
    comment: str
    ends: bool
    branches: tuple[Graph, ...] = ()


@dataclass(frozen=True)
class Edge:
    """One way from a state to another. Several ways between the same two states, of one sort, are one edge."""

    source: str
    target: str
    is_error: bool
    labels: tuple[str, ...] = ()
    label_limit: int = field(default=_MOST_WORDS, compare=False)

    @property
    def text(self) -> str:
        """What stands beside the edge; empty where it would say too much or nothing."""
        return ", ".join(self.labels) if len(self.labels) <= self.label_limit else ""

    @property
    def whole_text(self) -> str:
        """All that leads this way, for a tooltip."""
        return ", ".join(self.labels)


@dataclass(frozen=True)
class Graph:
    """The states of one scope: the machine, or a branch of a Parallel."""

    start: str
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]

    def after(self, name: str) -> list[str]:
        """Names of the states that can follow, in the order of the definition."""
        return list(dict.fromkeys(edge.target for edge in self.edges if edge.source == name))

    def before(self, name: str) -> list[str]:
        """Names of the states that can come before."""
        return list(dict.fromkeys(edge.source for edge in self.edges if edge.target == name))

    @cached_property
    def doomed(self) -> set[str]:
        """Names of the states from which only a failure can follow; none where nothing can succeed anyway."""
        succeeding = {name for name, node in self.nodes.items() if node.kind == "succeed" or node.ends}
        return set(self.nodes) - self._leading_to(succeeding) if succeeding else set()

    def _leading_to(self, ends: Iterable[str]) -> set[str]:
        """Names of the states from which one of these can be reached, these included."""
        found = set(ends)
        ahead = list(found)
        while ahead:
            for name in self.before(ahead.pop()):
                if name not in found:
                    found.add(name)
                    ahead.append(name)
        return found


def read_graph(definition: Mapping[str, Any]) -> Graph:
    """Read a definition, or a branch.

    Raises:
        ValueError: it has no states, or a way leads to a state that is not there.
    """
    states = definition.get("States", {})
    if definition.get("StartAt") not in states:
        raise ValueError("StartAt names what is not a state")
    edges = [edge for name, state in states.items() for edge in _edges(name, state)]
    for edge in edges:
        if edge.target not in states:
            raise ValueError(f"{edge.source} leads to {edge.target}, which is not a state")
    return Graph(definition["StartAt"], {name: _node(name, state) for name, state in states.items()}, _merged(edges))


def _node(name: str, state: Mapping[str, Any]) -> Node:
    kind = _TYPES.get(state["Type"])
    if kind is None:
        service = str(state.get("Resource", "")).rpartition(":::")[2]
        kind = _RESOURCES.get(service, "task")
    within = [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]
    branches = tuple(read_graph(branch) for branch in within)
    return Node(name, kind, str(state.get("Comment", "")).strip(), bool(state.get("End")), branches)


def _edges(name: str, state: Mapping[str, Any]) -> list[Edge]:
    found = [Edge(name, state["Next"], is_error=False)] if "Next" in state else []
    found += [Edge(name, rule["Next"], is_error=False, labels=_words(rule)) for rule in state.get("Choices", [])]
    if "Default" in state:
        found.append(Edge(name, state["Default"], is_error=False, labels=("else",)))
    for catcher in state.get("Catch", []):
        named = tuple(error for error in catcher["ErrorEquals"] if error != "States.ALL")
        found.append(Edge(name, catcher["Next"], is_error=True, labels=named))
    return found


def _words(rule: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the values that a condition compares with: `$payment.outcome = 'paid'` says `paid`."""
    condition = str(rule.get("Condition", ""))
    if "$not(" in condition or "$type(" in condition:
        return ()
    return tuple(word for word in _QUOTED.findall(condition) if re.fullmatch(r"\w+", word))


def _merged(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    together: dict[tuple[str, str, bool], Edge] = {}
    for edge in edges:
        key = (edge.source, edge.target, edge.is_error)
        labels = (*together[key].labels, *edge.labels) if key in together else edge.labels
        together[key] = Edge(edge.source, edge.target, edge.is_error, labels)
    return tuple(together.values())
