"""What the doctor says of a link: fine, broken or cannot tell, why, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from cachao.aws.environment import Environment

# The last one: nobody can tell because the local stack does not have it, which is no fault.
State = Literal["fine", "broken", "cannot tell", "only on AWS"]

# The three cases of the troubleshooting list, by which customers name their trouble (docs/runbook.md).
NOT_REACHING: Final = "Events not reaching EventBridge"
NOT_PROCESSED: Final = "Events received but not processed"
NO_ORDER_ID: Final = "order_id not in metadata"


@dataclass(frozen=True)
class Finding:
    """One finding about one link.

    `cause` names a break in one word, e.g. `rule_disabled`; `case` says which of the three troubleshooting cases it
    belongs to. In `todo` a command that is to be copied has a line of its own. `waits`: it breaks nothing else, and
    waits for somebody to settle it.
    """

    link: str
    state: State
    says: str
    cause: str = ""
    todo: str = ""
    case: str = ""
    waits: bool = False


Check = Callable[[Environment], Iterator[Finding]]


def fine(link: str, says: str) -> Finding:
    """Say that a link is as it should be."""
    return Finding(link, "fine", says)


def unknown(link: str, says: str, todo: str = "") -> Finding:
    """Say that nobody can tell."""
    return Finding(link, "cannot tell", says, todo=todo)


def not_local(link: str, says: str) -> Finding:
    """Say that the local stack does not have what would have to be looked at."""
    return Finding(link, "only on AWS", says)
