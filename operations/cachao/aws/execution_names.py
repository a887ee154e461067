"""Names of executions that operators start, so that everybody sees what they are and what they belong to.

`replay-2-<name of the original>` is the second replay of an execution, `dead-letter-<event id>` the event that
EventBridge could not deliver. A name has at most 80 characters, and is taken for 90 days: that is what makes starting
safe to repeat (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html).
"""

from __future__ import annotations

import re
from typing import Final

from ticketing.orders.history import REPLAY_PREFIX

_LONGEST: Final = 80
# What is left of the original's name beside `replay-` and a number of up to three digits. EventBridge's own names,
# `<event id>_<another id>`, lose their last few characters and stay unique.
_LONGEST_ROOT: Final = _LONGEST - len(f"{REPLAY_PREFIX}999-")
_REPLAY = re.compile(REPLAY_PREFIX + r"(\d{1,3})-(.+)\Z")
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_-]")


def root_of(name: str) -> str:
    """Give what a chain of replays has in common: the original's name, cut to what fits into a replay's."""
    replay = _REPLAY.match(name)
    return (replay[2] if replay else name)[:_LONGEST_ROOT]


def original_of(name: str) -> str | None:
    """Give the original's name, whole, out of a replay's; None where that may have cut it."""
    root = root_of(name)
    return root if is_replay(name) and len(root) < _LONGEST_ROOT else None


def is_replay(name: str) -> bool:
    """Tell whether an execution was started by `cachao replay`."""
    return _REPLAY.match(name) is not None


def number_of(name: str) -> int:
    """Give the number of a replay: 2 of `replay-2-…`; 0 of anything else."""
    replay = _REPLAY.match(name)
    return int(replay[1]) if replay else 0


def replay_name(root: str, number: int) -> str:
    """Name the replay of this number of an original (`root_of`)."""
    return f"{REPLAY_PREFIX}{number}-{root}"


def dead_letter_name(event_id: str) -> str:
    """Name the execution for an event out of the dead-letter queue: one event, one name."""
    return f"dead-letter-{_NOT_ALLOWED.sub('-', event_id)}"[:_LONGEST]


def arn_of(state_machine_arn: str, name_or_arn: str) -> str:
    """Give an execution's ARN from its name, or from itself."""
    if name_or_arn.startswith("arn:"):
        return name_or_arn
    return f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{name_or_arn}"
