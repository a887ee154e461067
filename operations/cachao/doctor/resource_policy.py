"""Whether a resource's own policy lets a service in: read, since no simulator of IAM's tells."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any, Final

# Conditions on the one on whose behalf a service comes; the two for ARNs are the same to IAM.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
_EXACT: Final = frozenset({"StringEquals"})
_BY_PATTERN: Final = frozenset({"StringLike", "ArnEquals", "ArnLike"})


def accepts(policy: str, service: str, action: str, *, source_arn: str) -> bool:
    """Tell whether a policy, as JSON, lets a service do something on behalf of another resource.

    Conditions on anything but that resource and its account are somebody's own, and nothing here knows them: those of
    an Allow are taken for met, and a Deny with a condition for one that is about others.
    """
    applying = [
        statement
        for statement in _as_list(json.loads(policy or "{}").get("Statement"))
        if _is_about(statement, service, action)
    ]
    if any(statement["Effect"] == "Deny" and not statement.get("Condition") for statement in applying):
        return False
    return any(
        statement["Effect"] == "Allow" and _is_met(statement.get("Condition") or {}, source_arn)
        for statement in applying
    )


def _is_about(statement: dict[str, Any], service: str, action: str) -> bool:
    principal = statement.get("Principal")
    who = _as_list(principal.get("Service") if isinstance(principal, dict) else principal)
    what = [str(one).lower() for one in _as_list(statement.get("Action"))]
    return bool({service, "*"} & set(who)) and any(fnmatchcase(action.lower(), one) for one in what)


def _is_met(condition: dict[str, dict[str, Any]], source_arn: str) -> bool:
    known = {"aws:sourcearn": source_arn, "aws:sourceaccount": source_arn.split(":")[4]}
    for operator, about in condition.items():
        kind = operator.removesuffix("IfExists")
        for key, allowed in about.items():
            value = known.get(key.lower())
            patterns = [str(one) for one in _as_list(allowed)]
            if value is None:
                continue
            if kind in _EXACT and value not in patterns:
                return False
            if kind in _BY_PATTERN and not any(fnmatchcase(value, pattern) for pattern in patterns):
                return False
    return True


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401 -- one or many, as policies have it
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
