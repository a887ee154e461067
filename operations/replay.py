"""`cachao replay`: starts executions anew with the input of failed ones, or of events that were never delivered.

Redriving would only re-enter the Fail state, so a repair is a new execution (docs/rules.md, "Failures"). Replaying
is safe at any time and any number of times: every effect happens once per order. An original whose replay succeeded,
or still runs, is not replayed again unless it is named.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import typer
from rich.progress import Progress

from operations import dead_letters, execution_names, executions, starting
from operations.desk import Desk
from operations.environment import Environment
from operations.execution_input import summarise
from operations.executions import Execution
from operations.output import coloured, counted, moment, plain, table
from operations.problems import USAGE, Problem
from operations.time_spans import parse_since

Intention = Literal["replay", "repaired already", "being replayed"]


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


def replay(  # noqa: PLR0913 -- one parameter an option
    context: typer.Context,
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="[EXECUTION]...", help="Names or ARNs of executions.")
    ] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed since --since.")] = False,
    since: Annotated[str, typer.Option(help="With --failed: 30m, 12h, 2d, or a date (UTC).")] = "2d",
    error: Annotated[
        str | None, typer.Option(help="With --failed: only those with this error, or this status (ABORTED).")
    ] = None,
    order: Annotated[
        int | None, typer.Option(help="Of one EXECUTION: with this order in its event's metadata.", min=1)
    ] = None,
    dead: Annotated[
        bool, typer.Option("--dead-letters", help="The events that EventBridge could not deliver.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="With --dead-letters: delete what is no event of Stripe's.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[float, typer.Option(help="Wait so many seconds for the results; 0: do not wait.")] = 900,
) -> None:
    """Start new executions with the same input, and show what became of them.

    Says first what will happen, and asks. Safe to repeat: every effect happens once per order, and what a replay
    has repaired already is left out.

    [bold]Examples[/bold]

        cachao replay 4f0c6a1e-…

        cachao replay --failed --since 12h --error DatabaseUnavailable

        cachao replay --dead-letters --yes

        cachao replay 4f0c6a1e-… --order 1234
    """
    desk: Desk = context.obj
    if sum((bool(wanted), failed, dead)) != 1:
        raise Problem(
            "What is to be replayed?",
            advice="Name executions, or say --failed, or --dead-letters: one of the three.",
            exit_code=USAGE,
        )
    if discard and not dead:
        raise Problem("--discard goes with --dead-letters.", exit_code=USAGE)
    if dead:
        dead_letters.replay(desk, yes=yes, wait_seconds=wait, discard=discard)
        return
    if order is not None and len(wanted or []) != 1:
        raise Problem("--order goes with one execution that is named.", exit_code=USAGE)
    environment = desk.environment
    if wanted:
        named = [executions.get(environment, name) for name in wanted]
        plans = plan(environment, named if order is None else [_as_of_order(named[0], order)], named=True)
    else:
        plans = _failed(desk, since, error)
    _carry_out(desk, plans, yes=yes, wait_seconds=wait)


def _as_of_order(original: Execution, order: int) -> Execution:
    """Give the execution with the order's id in its event, for a payment whose session did not name its order.

    The workflow checks session, amount and currency against the order as ever.
    """
    try:
        envelope = json.loads(original.input)
        body = envelope["detail"]["data"]["object"]
        body["metadata"] = {**(body.get("metadata") or {}), "order_id": str(order)}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Problem(f"The input of {original.name} is no Stripe event.") from None
    text = json.dumps(envelope, ensure_ascii=False)
    return dataclasses.replace(original, input=text, event=summarise(text))


def _failed(desk: Desk, since: str, error: str | None) -> list[Plan]:
    """Plan what failed since then; what a replay has repaired is only counted, because each look costs a request."""
    environment, output = desk.environment, desk.output
    listed = list(executions.listed(environment, since=parse_since(since)))
    replays = _latest_replays(listed)
    failed: dict[str, str] = {}
    for found in listed:
        if found["status"] in executions.FAILED:
            failed.setdefault(execution_names.root_of(found["name"]), found["executionArn"])
    due = [arn for root, arn in failed.items() if root not in replays or replays[root].status != "SUCCEEDED"]
    if len(due) < len(failed):
        output.note(f"{counted(len(failed) - len(due), 'execution')} that failed since then: repaired already.")
    with Progress(console=output.errors, disable=not output.is_live, transient=True) as progress:
        bar = progress.add_task("reading what failed", total=len(due))
        described = executions.describe_all(environment, due, told=lambda: progress.advance(bar))
    wanted = [found for found in described if error is None or error == (found.error or found.status)]
    return [_plan_one(found, replays) for found in sorted(wanted, key=lambda one: one.started)]


def plan(environment: Environment, originals: Iterable[Execution], *, named: bool) -> list[Plan]:
    """Say what is to happen to each; replays of one original are one: the last of those that are given.

    Their replays are found in the list of all executions since then, or (`named`: a few, of any age, also what is
    repaired already) by asking for each.
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
    return [_plan_one(original, replays, named=named) for original in latest.values()]


def _latest_replays(listed: Iterable[dict[str, Any]]) -> dict[str, Replay]:
    """Give the last replay of each original that has one, by the original's name as replays have it."""
    latest: dict[str, Replay] = {}
    for found in listed:
        name = found["name"]
        if execution_names.is_replay(name):
            replay_ = Replay(execution_names.number_of(name), found["executionArn"], name, found["status"])
            root = execution_names.root_of(name)
            latest[root] = max(latest.get(root, replay_), replay_)
    return latest


def _ask_for_replays(environment: Environment, root: str) -> Replay | None:
    number, latest = 1, None
    while found := executions.describe(
        environment,
        execution_names.arn_of(environment.state_machine_arn, execution_names.replay_name(root, number)),
    ):
        number, latest = number + 1, Replay(number, found.arn, found.name, found.status)
    return latest


def _plan_one(original: Execution, replays: Mapping[str, Replay], *, named: bool = False) -> Plan:
    root = execution_names.root_of(original.name)
    latest = replays.get(root)
    intention: Intention = "replay"
    if latest is not None and latest.status == executions.RUNNING:
        intention = "being replayed"
    elif latest is not None and latest.status == "SUCCEEDED" and not named:
        intention = "repaired already"
    return Plan(original, intention, execution_names.replay_name(root, latest.number + 1 if latest else 1), latest)


def _carry_out(desk: Desk, plans: list[Plan], *, yes: bool, wait_seconds: float) -> None:
    environment, output = desk.environment, desk.output
    due = [planned for planned in plans if planned.intention == "replay"]
    running = [planned for planned in plans if planned.intention == "being replayed"]
    if plans and not output.as_json:
        output.answer(None, _plan_table(plans))
    if not due and not running:
        output.answer({"replays": []}, "Nothing is to be replayed.")
        return
    if due:
        output.confirm(f"Start {counted(len(due), 'new execution')} in {environment.name}?", yes=yes)
    begun = starting.Begun({one.latest_replay.arn: one.original.input for one in running if one.latest_replay})
    _start_all(desk, due, begun)
    starting.report(desk, begun, wait_seconds=wait_seconds)


def _start_all(desk: Desk, due: list[Plan], begun: starting.Begun) -> None:
    environment, output = desk.environment, desk.output
    with Progress(console=output.errors, disable=not output.is_live, transient=True) as progress:
        bar = progress.add_task("starting", total=len(due))
        try:
            for planned in due:
                _, arn = starting.start(environment, planned.name, planned.original.input)
                begun.inputs[arn] = planned.original.input
                progress.advance(bar)
        except (Exception, KeyboardInterrupt) as error:
            if not begun.inputs:
                raise
            # What was started is told all the same.
            begun.stopped_by = error


def _shortened(planned: Plan) -> str:
    # The original's own name stands beside it.
    name = planned.latest_replay.name if planned.latest_replay and planned.intention != "replay" else planned.name
    return name.removesuffix(execution_names.root_of(name)) + "…"


def _plan_table(plans: list[Plan]) -> Any:  # noqa: ANN401 -- rich's
    rows = [
        [
            moment(planned.original.started),
            coloured(planned.original.status),
            plain(planned.original.error),
            plain(planned.original.event.order_reference),
            plain(planned.original.event.event_type),
            plain(planned.original.name),
            f"starts {plain(_shortened(planned))}"
            if planned.intention == "replay"
            else f"{planned.intention}, by {plain(_shortened(planned))}",
        ]
        for planned in plans
    ]
    return table("To be replayed", "started (UTC)", "status", "error", "order", "event", "execution", "then", rows=rows)
