"""Needs as an IAM policy: as few statements as there are different places and actions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cachao.policy.needs import Need
from cachao.policy.places import Stack


def document(needs: Iterable[Need], stack: Stack) -> dict[str, Any]:
    """Give the policy that allows these needs, and nothing else."""
    by_place: dict[tuple[str, ...], set[str]] = {}
    for need in needs:
        by_place.setdefault(tuple(need.place.arns(stack)), set()).update(need.actions)
    by_actions: dict[tuple[str, ...], list[str]] = {}
    for arns, actions in by_place.items():
        by_actions.setdefault(tuple(sorted(actions)), []).extend(arns)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(actions), "Resource": sorted(arns)}
            for actions, arns in sorted(by_actions.items())
        ],
    }
