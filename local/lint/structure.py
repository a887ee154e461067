"""Does the graph hold together, and can a person read it?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from local.lint.findings import Finding
from local.lint.graph import ENDS, Scope, all_states, edges, ends, scopes
from local.lint.subject import Subject

# A step says what it does, in two words or more (`CountTicketSale`); an end may be one word (`Ignored`).
_WORDS = re.compile(r"(?:[A-Z][a-z]+){2,}\Z")
_WORD = re.compile(r"(?:[A-Z][a-z]+)+\Z")


def check_targets(subject: Subject) -> Iterator[Finding]:
    """Every Next, Default, Choices.Next, Catch.Next and StartAt names a state of its own scope."""
    for scope in scopes(subject.definition):
        if scope.start not in scope.states:
            yield subject.in_definition(
                scope.path,
                "target",
                f"StartAt names {scope.start!r}, which is no state here",
                "name a state of this scope",
            )
        for name, state in scope.states.items():
            for edge in edges(state):
                if edge.target not in scope.states:
                    yield subject.in_definition(
                        name,
                        "target",
                        f"its {edge.kind} target {edge.target!r} is no state here",
                        "name a state of the same scope",
                    )


def check_ways_out(subject: Subject) -> Iterator[Finding]:
    """Every state goes on or ends; a Choice has a Default, so that no execution ends as NoChoiceMatched."""
    for name, state in all_states(subject.definition):
        kind = state.get("Type")
        if kind == "Choice":
            if "Default" not in state:
                yield subject.in_definition(name, "way-out", "it has no Default", "say where all else goes")
        elif kind not in ENDS and ("Next" in state) == bool(state.get("End")):
            yield subject.in_definition(name, "way-out", "it has not exactly one of Next and End", "keep one of them")


def check_reachable(subject: Subject) -> Iterator[Finding]:
    """Every state can be entered."""
    for scope in scopes(subject.definition):
        for name in scope.states.keys() - scope.reachable():
            yield subject.in_definition(name, "reachable", "no way leads to it", "lead one there, or remove it")


def check_ending(subject: Subject) -> Iterator[Finding]:
    """From every state an end can be reached."""
    for scope in scopes(subject.definition):
        ending = {name for name, state in scope.states.items() if ends(state)}
        grown = True
        while grown:
            before = len(ending)
            ending |= {name for name, state in scope.states.items() if any(e.target in ending for e in edges(state))}
            grown = len(ending) > before
        for name in scope.states.keys() - ending:
            yield subject.in_definition(name, "ending", "no end can be reached from it", "lead it on to an end")


def check_comments(subject: Subject) -> Iterator[Finding]:
    """The machine and every state say why they are there."""
    for name, state in [("", subject.definition), *all_states(subject.definition)]:
        if not str(state.get("Comment") or "").strip():
            yield subject.in_definition(name, "comment", "it has no Comment", "say why it is there")


def check_names(subject: Subject) -> Iterator[Finding]:
    """States are called what they do, in words; each name is there once, as Step Functions wants it."""
    seen: set[str] = set()
    for name, state in all_states(subject.definition):
        pattern = _WORD if state.get("Type") in ENDS else _WORDS
        if not pattern.match(name):
            yield subject.in_definition(
                name, "name", "its name is not CamelCase words", "call it what it does: CountTicketSale"
            )
        if name in seen:
            yield subject.in_definition(name, "name", "two states have this name", "give one of them another name")
        seen.add(name)


def check_failures_are_alerted(subject: Subject) -> Iterator[Finding]:
    """No way leads to a Fail state past the alert, and none from a caught error to a success."""
    for scope in scopes(subject.definition):
        if scope.path:
            continue  # a branch hands its failure on as its output; AreCountsMade and its like judge that
        alerts = {name for name, state in scope.states.items() if _alerts_operators(state)}
        for name in scope.reachable(without=alerts):
            if scope.states[name].get("Type") == "Fail":
                yield subject.in_definition(
                    name, "failure-told", "it can be reached without an alert", "lead every failure through the alert"
                )
        yield from _caught_but_succeeded(subject, scope)


def _caught_but_succeeded(subject: Subject, scope: Scope) -> Iterator[Finding]:
    for name, state in scope.states.items():
        for edge in edges(state):
            if edge.kind != "catch":
                continue
            after = Scope(scope.path, edge.target, scope.states).reachable()
            for end in sorted(after):
                if scope.states[end].get("Type") == "Succeed":
                    yield subject.in_definition(
                        name,
                        "failure-told",
                        f"an error caught here can end as the success {end}",
                        "lead it to the alert and a Fail state",
                    )


def check_failed_step(subject: Subject) -> Iterator[Finding]:
    """A catcher that notes which step failed names the state that it belongs to."""
    for name, state in all_states(subject.definition):
        for catcher in state.get("Catch", []):
            for note in (catcher.get("Output"), _mapping(catcher.get("Assign")).get("failure")):
                step = _mapping(note).get("step", name)
                if step != name:
                    yield subject.in_definition(
                        name, "failed-step", f"its catcher blames the step {step!r}", f"write step: {name}"
                    )


def _alerts_operators(state: Mapping[str, Any]) -> bool:
    """Tell whether it publishes an alert, or has a branch that does."""
    inner = [body for branch in state.get("Branches", []) for body in branch.get("States", {}).values()]
    return str(state.get("Resource", "")).endswith(":sns:publish") or any(map(_alerts_operators, inner))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
