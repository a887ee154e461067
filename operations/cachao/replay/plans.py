"""What is to happen to each execution that is to be replayed: is a replay due, or was there one, or does it run?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from cachao.aws import execution_names, executions
from cachao.aws.environment import Environment
from cachao.aws.executions import Execution
from cachao.command_context import CommandContext
from cachao.problems import Problem
from cachao.view.output import escape, moment, pluralize
from cachao.view.progress import progress

Intention = Literal["replay", "repaired already", "being replayed", "running"]

# So many of those that are repaired are described at a time, to find one with a certain error.
_SLICE: Final = 40


class Replay(NamedTuple):
    """A replay of an original, by its number."""

    number: int
    arn: str
    name: str
    status: str


@dataclass(frozen=True)
class Plan:
    """What is to happen to one original."""

    original: Execution
    intention: Intention
    name: str
    latest_replay: Replay | None

    @property
    def runs_already(self) -> str | None:
        """The ARN of what runs of it already, and is only waited for."""
        if self.intention == "running":
            return self.original.arn
        return self.latest_replay.arn if self.latest_replay and self.intention == "being replayed" else None


def plan(environment: Environment, originals: Iterable[Execution], *, named: bool, again: bool = False) -> list[Plan]:
    """Say what is to happen to each; replays of one original are one: the last of those that are given.

    Their replays are found in the list of all executions since then, or (`named`: a few, of any age) by asking for
    each. `again`: also what a replay has repaired already.
    """
    latest: dict[str, Execution] = {}
    for original in sorted(originals, key=lambda execution: execution.started):
        latest[execution_names.root_of(original.name)] = original
    if not latest:
        return []
    if named:
        replays = {root: found for root in latest if (found := _ask_for_replays(environment, root)) is not None}
    else:
        since = min(original.started for original in latest.values())
        replays = _latest_replays(executions.listed(environment, since=since))
    return [_plan_one(original, replays, again=again) for original in latest.values()]


def failed(context: CommandContext, since: datetime, error: str | None) -> list[Plan]:
    """Plan what failed since then; what a replay has repaired is left out, and described only if it must be.

    Raises:
        Problem: nothing failed with this error, and what is open has others.
    """
    listed = list(executions.listed(context.environment, since=since))
    replays = _latest_replays(listed)
    newest: dict[str, str] = {}
    for found in listed:
        if found["status"] in executions.FAILED:
            newest.setdefault(execution_names.root_of(found["name"]), found["executionArn"])
    repaired = [arn for root, arn in newest.items() if root in replays and replays[root].status == "SUCCEEDED"]
    due = [arn for arn in newest.values() if arn not in set(repaired)]
    open_ = sorted(_described(context, due), key=lambda one: one.started)
    wanted = [found for found in open_ if error in {None, error_of(found)}]
    if error is None:
        if repaired:
            context.output.note(f"{pluralize(len(repaired), 'execution')} that failed since then: already repaired.")
    else:
        _report_others(context, since, error, open_, repaired)
    return [_plan_one(found, replays) for found in wanted]


def error_of(execution: Execution) -> str:
    """Give what `--error` calls a failed execution by: its error, or its status where it has none (ABORTED)."""
    return execution.error or execution.status


def _report_others(
    context: CommandContext, since: datetime, error: str, open_: list[Execution], repaired: list[str]
) -> None:
    """Say what `--error` leaves out; where it leaves out all, whether there was such an error at all."""
    errors = Counter(error_of(found) for found in open_)
    number = errors.pop(error, 0)
    others = ", ".join(f"{escape(name)} {count}" for name, count in errors.most_common())
    if number:
        if others:
            context.output.note(f"Open with other errors, not replayed: {others}.")
        return
    open_said = f"Open are: {others}." if others else "None is open."
    since_said = f"with {error} since {moment(since)} UTC"
    if _any_with(context, repaired, error):
        context.output.note(f"What failed {escape(since_said)} is already repaired. {open_said}")
        return
    if others:
        raise Problem(
            f"No execution failed {since_said}. {open_said}",
            advice="To see what failed, run: cachao executions --failed",
        )
    context.output.note(f"No execution failed {escape(since_said)}. {open_said}")


def _any_with(context: CommandContext, arns: list[str], error: str) -> bool:
    # After an outage they are many, and most have the same error: the first few tell.
    return any(
        error_of(found) == error
        for start in range(0, len(arns), _SLICE)
        for found in _described(context, arns[start : start + _SLICE])
    )


def _described(context: CommandContext, arns: list[str]) -> list[Execution]:
    with progress(context.output, "reading what failed", len(arns)) as done:
        return executions.describe_all(context.environment, arns, on_progress=lambda: done(1))


def _latest_replays(listed: Iterable[dict[str, Any]]) -> dict[str, Replay]:
    """Give the last replay of each original that has one, by the original's name as replays have it."""
    latest: dict[str, Replay] = {}
    for found in listed:
        name = found["name"]
        if execution_names.is_replay(name):
            replay = Replay(execution_names.number_of(name), found["executionArn"], name, found["status"])
            root = execution_names.root_of(name)
            latest[root] = max(latest.get(root, replay), replay)
    return latest


def _ask_for_replays(environment: Environment, root: str) -> Replay | None:
    number, latest = 1, None
    while found := executions.describe(
        environment,
        execution_names.arn_of(environment.state_machine_arn, execution_names.replay_name(root, number)),
    ):
        number, latest = number + 1, Replay(number, found.arn, found.name, found.status)
    return latest


def _plan_one(original: Execution, replays: Mapping[str, Replay], *, again: bool = False) -> Plan:
    root = execution_names.root_of(original.name)
    latest = replays.get(root)
    intention: Intention = "replay"
    if original.status == executions.RUNNING:
        intention = "running"
    elif latest is not None and latest.status == executions.RUNNING:
        intention = "being replayed"
    elif latest is not None and latest.status == "SUCCEEDED" and not again:
        intention = "repaired already"
    return Plan(original, intention, execution_names.replay_name(root, latest.number + 1 if latest else 1), latest)
