"""The failures of the last day that are still open. A replay that failed again is the old failure, as old as it was."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Final

from cachao.aws import execution_names, executions
from cachao.aws.environment import Environment
from cachao.aws.executions import Execution
from cachao.doctor import settled
from cachao.replay import plans

# Each is a request of its own.
_MOST: Final = 200
# How far back the original of a replay is looked for; listed a thousand at a time.
_MOST_LISTED: Final = 5000


def still_open(environment: Environment, *, since: datetime) -> list[settled.Open]:
    """Give the payments that failed since then and have come right by nothing that is known."""
    recent = executions.recent(environment, statuses=executions.FAILED, since=since, limit=_MOST)
    # A replay that failed again is the same trouble, not a second one; one that succeeded ended it.
    planned_replays = plans.plan(environment, recent, named=False)
    unrepaired = [planned.original for planned in planned_replays if planned.intention != "repaired already"]
    return settled.still_open(environment, _begun(environment, unrepaired, since))


def _begun(environment: Environment, failed: list[Execution], since: datetime) -> list[Execution]:
    """Leave out replays of what had failed the same way before."""
    roots = {_root(one.name) for one in failed if execution_names.is_replay(one.name)}
    if not roots:
        return failed
    before = [
        found["executionArn"]
        for status in executions.FAILED
        for found in islice(executions.listed(environment, status=status), _MOST_LISTED)
        if found["startDate"] < since and _root(found["name"]) in roots
    ]
    old = {(_root(one.name), plans.error_of(one)) for one in executions.describe_all(environment, before)}
    return [one for one in failed if (_root(one.name), plans.error_of(one)) not in old]


def _root(name: str) -> str:
    return execution_names.root_of(name)
