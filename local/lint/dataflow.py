"""Is every variable assigned before it is read, on every path?

Forward, path by path: what is assigned on all ways into a state is assigned in it. A catcher's Assign counts for its
way only, a branch's for its branch only (https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.lint.expressions import (
    KNOWN_FUNCTIONS,
    ExpressionError,
    expressions_in,
    half_expressions_in,
    read_by,
)
from local.lint.findings import Finding
from local.lint.graph import Edge, Scope, all_states, edges, scopes
from local.lint.subject import Subject

_Assigned = frozenset[str]

# What `$states` has where: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html#reserved-variable-states
_ALWAYS: Final = frozenset({"input", "context"})
_AFTER_SUCCESS: Final = _ALWAYS | {"result"}
_AFTER_ERROR: Final = _ALWAYS | {"errorOutput"}
_WITH_RESULT: Final = frozenset({"Task", "Parallel", "Map"})
# Fields of a state that hold other states, or that are visited by themselves.
_NOT_EXPRESSIONS: Final = frozenset({"Branches", "Catch", "Choices", "Comment", "ItemProcessor"})


def check_expressions(subject: Subject) -> Iterator[Finding]:
    """Every expression parses, and is one: `{% … %}` as a whole."""
    for name, state in all_states(subject.definition):
        body = {key: value for key, value in state.items() if key not in {"Branches", "Comment", "ItemProcessor"}}
        for expression in expressions_in(body):
            try:
                read_by(expression)
            except ExpressionError as error:
                yield subject.in_definition(
                    name, "expression", f"this is no JSONata: {_shown(expression)} ({error})", "mend the expression"
                )
        for text in half_expressions_in(body):
            yield subject.in_definition(
                name,
                "expression",
                f"this is taken literally: {_shown(text)}",
                "an expression is {% … %} and nothing else",
            )


def check_variables(subject: Subject) -> Iterator[Finding]:
    """Every variable that is read is assigned on each path to that place."""
    yield from _check_scope(subject, next(scopes(subject.definition)), frozenset())


def check_states_fields(subject: Subject) -> Iterator[Finding]:
    """`$states.result` and `$states.errorOutput` are read only where they exist."""
    for name, state in all_states(subject.definition):
        for place, value in _places(state):
            allowed = _allowed_fields(place, state)
            for read in _reads(value):
                for missing in sorted(read.states_fields - allowed):
                    yield subject.in_definition(
                        name,
                        "states-field",
                        f"$states.{missing} does not exist in {place}",
                        f"there are {', '.join(sorted(allowed))}",
                    )


def check_unused_variables(subject: Subject) -> Iterator[Finding]:
    """Every variable that is assigned is read somewhere."""
    used = {
        variable
        for _, state in all_states(subject.definition)
        for _, value in _places(state)
        for read in _reads(value)
        for variable in read.variables
    }
    for name, state in all_states(subject.definition):
        assigned = set(_assigns(state)).union(*(_assigns(edge.through) for edge in edges(state)))
        for variable in sorted(assigned - used):
            yield subject.in_definition(name, "unused-variable", f"nothing reads ${variable}", "do not assign it")


def _check_scope(subject: Subject, scope: Scope, outside: _Assigned) -> Iterator[Finding]:
    assigned = _assigned_on_entry(scope, outside)
    for name in sorted(assigned):
        state, known = scope.states[name], assigned[name]
        for place, value in _places(state):
            for read in _reads(value):
                for variable in sorted(read.variables - known - KNOWN_FUNCTIONS):
                    yield subject.in_definition(
                        name,
                        "variable",
                        f"{place} reads ${variable}, which is not assigned on every path to here",
                        "assign it on each path, also where an error was caught",
                    )
        for variable in sorted(outside & set(_assigns(state))):
            yield subject.in_definition(
                name, "variable", f"it assigns ${variable}, which belongs to the scope around it", "use another name"
            )
        for branch in scope.inner(name):
            yield from _check_scope(subject, branch, known)


def _assigned_on_entry(scope: Scope, outside: _Assigned) -> dict[str, _Assigned]:
    """Variables that are certainly assigned when a state begins, for each state that can be reached."""
    known: dict[str, _Assigned] = {}
    ahead = [(scope.start, outside)]
    while ahead:
        name, arriving = ahead.pop()
        if name not in scope.states:
            continue
        together = known[name] & arriving if name in known else arriving
        if known.get(name) == together:
            continue
        known[name] = together
        state = scope.states[name]
        ahead.extend((edge.target, together | _assigned_by(state, edge)) for edge in edges(state))
    return known


def _assigned_by(state: Mapping[str, Any], edge: Edge) -> _Assigned:
    if edge.kind in {"catch", "choice"}:
        return _assigns(edge.through)  # a state's own Assign is not made on these ways
    return _assigns(state)


def _assigns(part: Mapping[str, Any]) -> _Assigned:
    assign = part.get("Assign", {})
    return frozenset(assign) if isinstance(assign, Mapping) else frozenset()


def _places(state: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Give each part of a state that is evaluated on its own, with its name."""
    for key, value in state.items():
        if key not in _NOT_EXPRESSIONS:
            yield key, value
    for kind in ("Choices", "Catch"):
        for number, part in enumerate(state.get(kind, [])):
            for key, value in part.items():
                yield f"{kind}[{number}].{key}", value


def _allowed_fields(place: str, state: Mapping[str, Any]) -> frozenset[str]:
    if place.startswith("Catch["):
        return _AFTER_ERROR
    if place in {"Assign", "Output"} and state.get("Type") in _WITH_RESULT:
        return _AFTER_SUCCESS
    return _ALWAYS


def _reads(value: object) -> Iterator[Any]:
    for expression in expressions_in(value):
        try:
            yield read_by(expression)
        except ExpressionError:
            continue  # `expression` tells


def _shown(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 80 else one_line[:77] + "…"  # noqa: PLR2004 -- a line of a terminal
