"""How long the longest way through the state machine can take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.lint.graph import Scope, edges, scopes

# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-retrying-after-an-error
_DEFAULT_ATTEMPTS, _DEFAULT_INTERVAL, _DEFAULT_BACKOFF = 3, 1, 2.0


class _Loop(Exception):
    """The states form a loop."""


@dataclass(frozen=True)
class WorstPath:
    """Seconds, and the states in their order; those of the slowest branch stand after their Parallel."""

    seconds: float
    states: tuple[str, ...]


def worst_path(definition: Mapping[str, Any]) -> WorstPath | None:
    """Give the path on which every attempt runs into its time-out and every wait is as long as it can be.

    Returns:
        None when the states form a loop.
    """
    try:
        return _Walk(next(scopes(definition))).from_state(None)
    except _Loop:
        return None


def retry_waits(retrier: Mapping[str, Any]) -> list[float]:
    """Give the longest waits before each retry, in seconds; full jitter waits between 0 and these."""
    wait = float(retrier.get("IntervalSeconds", _DEFAULT_INTERVAL))
    rate = float(retrier.get("BackoffRate", _DEFAULT_BACKOFF))
    longest = float(retrier.get("MaxDelaySeconds", "inf"))
    return [min(longest, wait * rate**number) for number in range(int(retrier.get("MaxAttempts", _DEFAULT_ATTEMPTS)))]


class _Walk:
    """Depth first through one scope, each state once."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._known: dict[str, WorstPath] = {}
        self._open: set[str] = set()

    def from_state(self, name: str | None) -> WorstPath:
        name = self._scope.start if name is None else name
        if name in self._open:
            raise _Loop
        if name not in self._scope.states:
            return WorstPath(0, ())  # `target` tells
        if name not in self._known:
            self._open.add(name)
            self._known[name] = self._measure(name)
            self._open.remove(name)
        return self._known[name]

    def _measure(self, name: str) -> WorstPath:
        state = self._scope.states[name]
        within = max((_Walk(branch).from_state(None) for branch in self._scope.inner(name)), key=_seconds, default=None)
        once = float(state.get("TimeoutSeconds", 0)) if within is None else within.seconds
        waits = [wait for retrier in state.get("Retry", []) for wait in retry_waits(retrier)]
        own = once * (1 + len(waits)) + sum(waits)
        after = max((self.from_state(edge.target) for edge in edges(state)), key=_seconds, default=WorstPath(0, ()))
        return WorstPath(own + after.seconds, (name, *(within.states if within else ()), *after.states))


def _seconds(path: WorstPath) -> float:
    return path.seconds
