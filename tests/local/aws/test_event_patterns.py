"""The template's event patterns by a second matcher, made from AWS's document alone: the same as the local stack's.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from cfnlint.decode.cfn_yaml import load  # type: ignore[import-untyped]
from moto.events.models import EventPattern

from local.sample_events.cases import SAMPLES
from local.sample_events.files import envelope

TEMPLATE: Final[Any] = load(str(Path(__file__).parents[3] / "template.yaml"))
INSTEAD: Final[list[Any]] = [
    None,
    "",
    "stripe",
    "stripe.com",
    "Stripe.com",
    "aws.partner/stripe.com",
    7,
    [],
    ["stripe.com"],
    {},
]


def patterns(node: object, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "EventPattern":
                yield name, value
            else:
                yield from patterns(value, key if key.endswith(("Rule", "Function")) else name)
    elif isinstance(node, list):
        for value in node:
            yield from patterns(value, name)


# Those with an intrinsic function in them are resolved by CloudFormation only.
PATTERNS: Final = [
    (name, json.loads(json.dumps(pattern)))
    for name, pattern in patterns(TEMPLATE["Resources"])
    if not any(function in json.dumps(pattern) for function in ('"Ref"', '"Fn::'))
]


def matches(pattern: dict[str, Any], event: object) -> bool:
    """Every field of the pattern must be there; a field matches when one of its values does, by type and case."""
    for key, wanted in pattern.items():
        if not isinstance(event, dict):
            return False
        if isinstance(wanted, dict):
            if not matches(wanted, event.get(key)):
                return False
        elif key not in event:
            return False
        else:
            there = event[key] if isinstance(event[key], list) else [event[key]]
            if not any(_one(rule, value) for rule in wanted for value in there):
                return False
    return True


def _one(rule: object, value: object) -> bool:
    if isinstance(rule, dict):
        assert set(rule) == {"prefix"}, f"this matcher does not know {rule}"
        return isinstance(value, str) and value.startswith(rule["prefix"])
    return type(rule) is type(value) and rule == value


def events() -> Iterator[dict[str, Any]]:
    for sample in SAMPLES:
        for event in (envelope(sample, "partner"), envelope(sample, "default")):
            yield event
            for key in ("source", "detail-type"):
                yield {k: v for k, v in event.items() if k != key}
                yield from ({**event, key: value} for value in INSTEAD)
                yield {**event, key: f"{event[key]}x"}
                yield {**event, key: str(event[key]).upper()}


@pytest.mark.parametrize(("name", "pattern"), PATTERNS, ids=[name for name, _ in PATTERNS])
def test_both_matchers_agree(name: str, pattern: dict[str, Any]) -> None:
    theirs = EventPattern.load(json.dumps(pattern))
    different = [event for event in events() if bool(theirs.matches_event(event)) != matches(pattern, event)]
    assert [(event.get("source"), event.get("detail-type")) for event in different] == []


def test_there_are_patterns_and_events_on_both_sides() -> None:
    answers = {(name, matches(pattern, event)) for name, pattern in PATTERNS for event in events()}
    assert {answer for _, answer in answers} == {True, False}
