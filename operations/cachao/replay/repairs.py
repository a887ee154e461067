"""What became of failed executions since: which of them a replay has repaired, as far as their names tell.

A replay is named after its original, and the list of executions has names and states: so a thousand are told by one
request. What reconciliation or a refund settled stands in no name: `cachao doctor` asks the database about that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from cachao.aws import execution_names, executions
from cachao.aws.environment import Environment
from cachao.aws.executions import Execution


@dataclass(frozen=True)
class Repair:
    """The replay that repaired an execution, or that runs."""

    replay: str
    runs: bool


class Repairs:
    """The replays of some failed executions."""

    def __init__(self, listed: Iterable[tuple[str, str]], *, all_seen: bool = True) -> None:
        """Look for replays among executions, given by name and status. Not `all_seen`: there are older ones."""
        self._by_root: dict[str, Repair] = {}
        self.all_seen = all_seen
        for name, status in listed:
            self._see(name, status)

    def _see(self, name: str, status: str) -> None:
        if not execution_names.is_replay(name):
            return
        root = execution_names.root_of(name)
        known = self._by_root.get(root)
        if status == "SUCCEEDED" and (known is None or known.runs):
            self._by_root[root] = Repair(name, runs=False)
        elif status == executions.RUNNING and known is None:
            self._by_root[root] = Repair(name, runs=True)

    def of(self, execution: Execution) -> Repair | None:
        """Give what repaired a failed execution, or is about to; None: it is open."""
        return self._by_root.get(execution_names.root_of(execution.name)) if execution.failed else None


def look_for(environment: Environment, shown: list[Execution]) -> Repairs:
    """Look for the replays of those of these executions that failed."""
    failed = [execution for execution in shown if execution.failed]
    if not failed:
        return Repairs([])
    since = min(execution.started for execution in failed)
    listed = islice(executions.listed(environment, since=since), executions.LOOKED_THROUGH)
    found = [(execution["name"], execution["status"]) for execution in listed]
    return Repairs(found, all_seen=len(found) < executions.LOOKED_THROUGH)
