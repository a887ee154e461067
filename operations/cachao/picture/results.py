"""What became of the states in one execution, to be laid over the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# succeeded: it went on as planned. caught: it failed, and the machine went on by a catcher. failed: the execution or
# branch ended here with an error. running: it has not ended yet. stopped: the execution was ended while it ran.
# A state that is not named was not reached.
Status = Literal["succeeded", "caught", "failed", "running", "stopped"]


@dataclass(frozen=True)
class StateResult:
    """What became of one state.

    Attributes:
        status: how it ended.
        attempts: how often it was tried; more than 1 means that it was retried.
        seconds: how long it took with all its attempts; None where nobody knows.
        error: name of its error, the last one where there were several.
        started: seconds from the execution's start to the state's, for the timeline.
    """

    status: Status
    attempts: int = 1
    seconds: float | None = None
    error: str | None = None
    started: float | None = None


@dataclass(frozen=True)
class Overlay:
    """One execution.

    Attributes:
        states: results by state name.
        transitions: pairs of states that followed each other; without them they are concluded from the results.
    """

    states: Mapping[str, StateResult]
    transitions: frozenset[tuple[str, str]] | None = None


def format_seconds(seconds: float) -> str:
    """Give a duration as a person reads it: `45 ms`, `1.2 s`, `3:20 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < 60:  # noqa: PLR2004 -- seconds of a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min"
