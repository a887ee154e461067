"""`cachao replay`: starts executions anew with the input of failed ones, or of events that were never delivered.

Redriving would only re-enter the Fail state, so a repair is a new execution (docs/rules.md, "Failures"). Replaying
is safe at any time and any number of times: every effect happens once per order. What a replay has repaired already,
and what runs, is left alone (`replay_plans`).
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import Progress

from cachao import start_executions
from cachao.aws import executions
from cachao.aws.executions import Execution
from cachao.command_context import CommandContext
from cachao.problems import USAGE, Problem
from cachao.replay import dead_letters, plans
from cachao.replay.other_order import as_of_order
from cachao.replay.plans import Plan, plan
from cachao.replay.preview import preview, said
from cachao.view.output import pluralize
from cachao.view.time_spans import parse_since


def replay(  # noqa: PLR0913 -- one parameter an option
    ctx: typer.Context,
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="[EXECUTION]...", help="Names or ARNs of executions.")
    ] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Replay all that failed since --since.")] = False,
    since: Annotated[str, typer.Option(help="With --failed: 30m, 12h, 2d, or a date (UTC).")] = "2d",
    error: Annotated[
        str | None, typer.Option(help="With --failed: only those with this error, or this status (ABORTED).")
    ] = None,
    order: Annotated[
        int | None, typer.Option(help="Replay one EXECUTION with this order in its event's metadata.", min=1)
    ] = None,
    dead: Annotated[
        bool, typer.Option("--dead-letters", help="Replay the events that EventBridge could not deliver.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="With --dead-letters: delete messages that are not events of Stripe.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="With named executions: replay also what a replay has already repaired.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the results; 0: do not wait.")] = 900,
) -> None:
    """Start new executions with the same input, and show what became of them.

    Says first what will happen, and asks. Safe to repeat: every effect happens once per order. What was replayed with
    success already is left out, and what runs is only waited for; also where it is named.

    [bold]Examples[/bold]

        cachao replay 4f0c6a1e-…

        cachao replay --failed --since 2d --error DatabaseUnavailable

        cachao replay --dead-letters --yes

        cachao replay 4f0c6a1e-… --order 1234
    """
    context: CommandContext = ctx.obj
    _check(wanted, failed=failed, dead=dead, discard=discard, again=again, order=order)
    if dead:
        dead_letters.replay(context, dry_run=dry_run, yes=yes, wait_seconds=wait, discard=discard)
        return
    if wanted:
        named = [_named(context, name) for name in wanted]
        originals = named if order is None else [as_of_order(context, named[0], order)]
        planned = plan(context.environment, originals, named=True, again=again)
    else:
        planned = plans.failed(context, parse_since(since), error)
    if dry_run:
        _answer_dry_run(context, planned)
        return
    _carry_out(context, planned, yes=yes, wait_seconds=wait)


def _answer_dry_run(context: CommandContext, plans: list[Plan]) -> None:
    due = [planned.original.name for planned in plans if planned.intention == "replay"]
    others = [planned for planned in plans if planned.intention != "replay"]
    context.output.answer(
        {
            "dry_run": True,
            "replays": due,
            "left_out": [{"execution": planned.original.name, "why": said(planned)} for planned in others],
        },
        *(preview(plans) if plans else []),
        f"It would start {pluralize(len(due), 'new execution')} in {context.environment.name}.",
    )


def _check(
    wanted: list[str] | None, *, failed: bool, dead: bool, discard: bool, again: bool, order: int | None
) -> None:
    if sum((bool(wanted), failed, dead)) != 1:
        raise Problem(
            "Choose what to replay.",
            advice="Name executions, or use --failed, or --dead-letters: one of the three.",
            exit_code=USAGE,
        )
    if discard and not dead:
        raise Problem("--discard needs --dead-letters.", exit_code=USAGE)
    if again and not wanted:
        raise Problem("--again needs named executions.", exit_code=USAGE)
    if order is not None and len(wanted or []) != 1:
        raise Problem("--order needs one named execution.", exit_code=USAGE)


def _named(context: CommandContext, name: str) -> Execution:
    try:
        return executions.get(context.environment, name, note=context.output.note)
    except Problem as problem:
        if name.startswith(("evt_", "cs_", "pi_")):
            problem.advice = f"That is an id of Stripe. To list its executions, run: cachao show {name}"
        raise


def _carry_out(context: CommandContext, plans: list[Plan], *, yes: bool, wait_seconds: float) -> None:
    environment, output = context.environment, context.output
    due = [planned for planned in plans if planned.intention == "replay"]
    running = {planned.runs_already: planned.original.input for planned in plans if planned.runs_already}
    repaired = [planned for planned in plans if planned.intention == "repaired already"]
    left_out = {"left_out": [{"execution": planned.original.name, "why": said(planned)} for planned in repaired]}
    if plans and not output.as_json:
        output.answer(None, *preview(plans))
    if repaired:
        output.note(
            f"{pluralize(len(repaired), 'execution')} left out, replayed with success already: to do it all the same,"
            " name it with --again."
        )
    if not due and not running:
        output.answer({"replays": [], **left_out}, "There is nothing to replay.")
        return
    if due:
        output.confirm(f"Start {pluralize(len(due), 'new execution')} in {environment.name}?", yes=yes)
    begun = start_executions.Begun({arn: text for arn, text in running.items() if arn})
    _start_all(context, due, begun)
    start_executions.report(context, begun, wait_seconds=wait_seconds, extra=left_out)


def _start_all(context: CommandContext, due: list[Plan], begun: start_executions.Begun) -> None:
    environment, output = context.environment, context.output
    with Progress(console=output.errors, disable=not output.is_live, transient=True) as progress:
        bar = progress.add_task("starting", total=len(due))
        try:
            for planned in due:
                _, arn = start_executions.start(environment, planned.name, planned.original.input)
                begun.inputs[arn] = planned.original.input
                progress.advance(bar)
        except (Exception, KeyboardInterrupt) as error:
            if not begun.inputs:
                raise
            # What was started is told all the same.
            begun.stopped_by = error
