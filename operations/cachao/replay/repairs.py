"""What became of failed executions since: which of them a replay has repaired, as far as their names tell.

A replay is named after its original, and the list of executions has names and states: so a thousand are told by one
request. What reconciliation or a refund settled stands in no name: `cachao doctor` asks the database about that.
"""

from __future__ import annotations

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

    def __init__(self, environment: Environment, shown: list[Execution]) -> None:
        """Look for the replays of those of these that failed."""
        failed = [execution for execution in shown if execution.failed]
        self._by_root: dict[str, Repair] = {}
        self.all_seen = True
        if not failed:
            return
        since = min(execution.started for execution in failed)
        looked_through = 0
        for found in islice(executions.listed(environment, since=since), executions.LOOKED_THROUGH):
            looked_through += 1
            self._see(found["name"], found["status"])
        self.all_seen = looked_through < executions.LOOKED_THROUGH

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
