"""`cachao replay`: starts executions anew with the input of failed ones, or of events that were never delivered.

Redriving would only re-enter the Fail state, so a repair is a new execution (docs/rules.md, "Failures"). Replaying
is safe at any time and any number of times: every effect happens once per order. An original whose replay succeeded,
or still runs, is not replayed again unless it is named.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import typer

from operations import dead_letters, execution_names, executions, starting
from operations.desk import Desk
from operations.environment import Environment
from operations.execution_input import summarise
from operations.executions import Execution
from operations.output import coloured, moment, plain, table
from operations.problems import USAGE, Problem
from operations.time_spans import parse_since

_AT_ONCE: Final = 8

Intention = Literal["replay", "repaired already", "being replayed"]


@dataclass(frozen=True)
class Plan:
    """What is to happen to one original."""

    original: Execution
    intention: Intention
    name: str
    latest_replay: Execution | None


def replay(  # noqa: PLR0913 -- one parameter an option
    context: typer.Context,
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="[EXECUTION]...", help="Names or ARNs of executions.")
    ] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed since --since.")] = False,
    since: Annotated[str, typer.Option(help="With --failed: 30m, 12h, 2d, or a date (UTC).")] = "2d",
    error: Annotated[str | None, typer.Option(help="With --failed: only those that failed with this error.")] = None,
    order: Annotated[
        int | None, typer.Option(help="Of one EXECUTION: with this order in its event's metadata.", min=1)
    ] = None,
    dead: Annotated[
        bool, typer.Option("--dead-letters", help="The events that EventBridge could not deliver.")
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
    if dead:
        dead_letters.replay(desk, yes=yes, wait_seconds=wait)
        return
    if order is not None and len(wanted or []) != 1:
        raise Problem("--order goes with one execution that is named.", exit_code=USAGE)
    environment = desk.environment
    if wanted:
        named = [executions.get(environment, name) for name in wanted]
        plans = plan(environment, named if order is None else [_as_of_order(named[0], order)], named=True)
    else:
        plans = plan(environment, _failed(environment, since, error), named=False)
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


def _failed(environment: Environment, since: str, error: str | None) -> list[Execution]:
    moment_ = parse_since(since)
    arns = [
        found["executionArn"]
        for status in executions.FAILED
        for found in executions.listed(environment, status=status, since=moment_)
    ]
    found = executions.describe_all(environment, arns)
    return [execution for execution in found if error is None or execution.error == error]


def plan(environment: Environment, originals: Iterable[Execution], *, named: bool) -> list[Plan]:
    """Say what is to happen to each; replays of one original are one. `named`: also what is repaired already."""
    firsts: dict[str, Execution] = {}
    for original in sorted(originals, key=lambda execution: execution.started):
        firsts.setdefault(execution_names.root_of(original.name), original)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda first: _plan_one(environment, first[1], first[0], named=named), firsts.items()))


def _plan_one(environment: Environment, original: Execution, root: str, *, named: bool) -> Plan:
    number, latest = 1, None
    while found := executions.describe(
        environment,
        execution_names.arn_of(environment.state_machine_arn, execution_names.replay_name(root, number)),
    ):
        number, latest = number + 1, found
    intention: Intention = "replay"
    if latest is not None and latest.status == executions.RUNNING:
        intention = "being replayed"
    elif latest is not None and latest.status == "SUCCEEDED" and not named:
        intention = "repaired already"
    return Plan(original, intention, execution_names.replay_name(root, number), latest)


def _carry_out(desk: Desk, plans: list[Plan], *, yes: bool, wait_seconds: float) -> None:
    environment, output = desk.environment, desk.output
    due = [planned for planned in plans if planned.intention == "replay"]
    if not output.as_json:
        output.answer(None, _plan_table(plans))
    if not due and not any(planned.intention == "being replayed" for planned in plans):
        output.answer({"replays": []}, "Nothing is to be replayed.")
        return
    if due:
        output.confirm(f"Start {len(due)} new execution{'s' if len(due) > 1 else ''} in {environment.name}?", yes=yes)
    arns = [planned.latest_replay.arn for planned in plans if _runs(planned) and planned.latest_replay]
    arns += [starting.start(environment, planned.name, planned.original.input)[1] for planned in due]
    starting.report(desk, arns, wait_seconds=wait_seconds)


def _runs(planned: Plan) -> bool:
    return planned.intention == "being replayed"


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
