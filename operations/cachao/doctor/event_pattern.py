"""Whether an EventBridge pattern matches an event: asked of EventBridge, or worked out here where it cannot be asked.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import json
import operator as op
import re
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError

from cachao.aws.environment import Environment

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": op.eq,
    "<": op.lt,
    "<=": op.le,
    ">": op.gt,
    ">=": op.ge,
}


_TEXTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "prefix": str.startswith,
    "suffix": str.endswith,
    "equals-ignore-case": lambda value, operand: value.lower() == operand.lower(),
}


def matches(environment: Environment, pattern: str, event: dict[str, Any]) -> bool:
    """Tell whether a rule with this pattern lets the event through."""
    try:
        answer = environment.client("events").test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
    except ClientError:
        answer = {}
    if "Result" in answer:
        return bool(answer["Result"])
    return matches_locally(json.loads(pattern), event)


def matches_locally(pattern: Any, event: Any) -> bool:  # noqa: ANN401 -- any JSON
    """Work out whether a pattern matches, as EventBridge documents it."""
    for name, wanted in pattern.items():
        if name == "$or":
            if not any(matches_locally(one, event) for one in wanted):
                return False
            continue
        there = isinstance(event, dict) and name in event
        value = event[name] if there else None
        if isinstance(wanted, dict):
            if not there or not matches_locally(wanted, value):
                return False
        elif not _matches_any(wanted, value, there=there):
            return False
    return True


def _matches_any(wanted: list[Any], value: Any, *, there: bool) -> bool:  # noqa: ANN401 -- any JSON
    values = value if isinstance(value, list) else [value]
    return any(_matches_one(one, item, there=there) for one in wanted for item in values or [None])


def _matches_one(wanted: Any, value: Any, *, there: bool) -> bool:  # noqa: ANN401 -- any JSON
    if not isinstance(wanted, dict):
        return there and bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)
    [(operator, operand)] = wanted.items()
    if operator == "exists":
        return there is bool(operand)
    return there and _operate(operator, operand, value)


def _operate(operator: str, operand: Any, value: Any) -> bool:  # noqa: ANN401 -- any JSON
    if operator == "anything-but":
        return not _matches_any(_as_list(operand), value, there=True)
    if operator == "numeric":
        pairs = zip(operand[::2], operand[1::2], strict=True)
        return isinstance(value, int | float) and all(_COMPARISONS[sign](value, limit) for sign, limit in pairs)
    if not isinstance(value, str):
        return False
    if isinstance(operand, dict):  # {"prefix": {"equals-ignore-case": "…"}}
        return _operate(operator, operand["equals-ignore-case"].lower(), value.lower())
    if operator == "wildcard":
        return re.fullmatch(re.escape(str(operand)).replace(r"\*", ".*"), value, re.DOTALL) is not None
    test = _TEXTS.get(operator)
    return test is not None and test(value, str(operand))


def _as_list(operand: Any) -> list[Any]:  # noqa: ANN401 -- any JSON
    return operand if isinstance(operand, list) else [operand]
