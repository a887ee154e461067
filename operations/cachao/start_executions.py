"""Starts executions and waits for them, with progress."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import typer
from rich.progress import Progress

from cachao.aws import execution_names, executions
from cachao.aws.environment import Environment
from cachao.aws.execution_input import summarise
from cachao.aws.executions import Execution
from cachao.command_context import CommandContext
from cachao.problems import BROKEN, STILL_RUNNING, Problem, error_code, explain
from cachao.view import executions as execution_view
from cachao.view.output import Output, escape, pluralize

_LOOK_EVERY_SECONDS: Final = (0.2, 3.0)
# So many of the ended ones are described between two looks at the clock: five seconds' worth on AWS.
_SLICE: Final = 40
# The status of an execution that was started, and then not looked at any more.
_NOT_LOOKED_AT: Final = "STARTED"

Started = Literal["started", "was started before"]


@dataclass
class Begun:
    """What a command has started, and when: inputs by the executions' ARNs, and what kept it from starting the rest."""

    inputs: dict[str, str] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    stopped_by: BaseException | None = None


def start(environment: Environment, name: str, text: str) -> tuple[Started, str]:
    """Start an execution with this name and input; safe to repeat, because a name is taken for 90 days.

    Returns:
        Whether it was started now, and its ARN.
    """
    client, machine = environment.client("stepfunctions"), environment.state_machine_arn
    try:
        answer = client.start_execution(stateMachineArn=environment.workflow_arn, name=name, input=text)
        return "started", answer["executionArn"]
    except Exception as error:
        if error_code(error) != "ExecutionAlreadyExists":
            raise
        return "was started before", execution_names.arn_of(machine, name)


def wait(environment: Environment, output: Output, begun: Begun, *, timeout_seconds: float) -> list[Execution]:
    """Wait until the executions have ended, or the time is over; give them as they are then, in the order given.

    Ctrl-C, and AWS's asking to slow down, end the waiting only: executions go on by themselves. What was not looked
    at any more has the status `STARTED`.
    """
    seen: dict[str, Execution] = {}
    if timeout_seconds and begun.stopped_by is None:
        with Progress(console=output.errors, disable=not output.is_live, transient=True) as progress:
            bar = progress.add_task("waiting for the executions", total=len(begun.inputs))
            try:
                _follow(environment, begun.inputs, seen, timeout_seconds, lambda: progress.advance(bar))
            except KeyboardInterrupt:
                output.note("Stopped waiting; the executions go on.")
            except Exception as error:  # noqa: BLE001 -- told in `report`, after what was started
                begun.stopped_by = error
    return [seen.get(arn) or _only_started(arn, text, begun.at) for arn, text in begun.inputs.items()]


def _follow(
    environment: Environment,
    inputs: Mapping[str, str],
    seen: dict[str, Execution],
    timeout_seconds: float,
    on_progress: Callable[[], object],
) -> None:
    """Describe each execution when it has ended; which ones still run, one request tells of a thousand of them."""
    deadline, pause = time.monotonic() + timeout_seconds, _LOOK_EVERY_SECONDS[0]
    looked: Counter[str] = Counter()
    open_ = set(inputs)
    while open_:
        for arn in open_:
            seen.pop(arn, None)  # what it was a while ago is not told as what it is
        running = {found["executionArn"]: found for found in executions.listed(environment, status=executions.RUNNING)}
        seen.update({arn: _listed(running[arn], inputs[arn]) for arn in open_ & running.keys()})
        # The list may come later than the start: what was looked at in vain waits for its turn.
        over = sorted(open_ - running.keys(), key=lambda arn: looked[arn])
        looked.update(over[:_SLICE])
        found = executions.describe_all(environment, over[:_SLICE])
        seen.update({execution.arn: execution for execution in found})
        ended = {execution.arn for execution in found if execution.status != executions.RUNNING}
        for _ in ended:
            on_progress()
        open_ -= ended
        if open_ and not (ended and len(over) > _SLICE):
            if time.monotonic() >= deadline:
                return
            time.sleep(pause)
            pause = min(pause * 1.5, _LOOK_EVERY_SECONDS[1])


def _listed(found: Mapping[str, Any], text: str) -> Execution:
    return _open(found["executionArn"], text, executions.RUNNING, found["startDate"])


def _only_started(arn: str, text: str, at: datetime) -> Execution:
    return _open(arn, text, _NOT_LOOKED_AT, at)


def _open(arn: str, text: str, status: str, started: datetime) -> Execution:
    return Execution(
        arn=arn,
        name=arn.rpartition(":")[2],
        status=status,
        started=started,
        stopped=None,
        event=summarise(text),
        input=text,
        error=None,
        cause=None,
        output=None,
    )


def report(context: CommandContext, begun: Begun, *, wait_seconds: float, extra: dict[str, Any] | None = None) -> None:
    """Wait for executions and show what became of them.

    Ends the command with 1 where one failed, with 4 where one still runs although it was waited for, and after the
    list with the problem that kept it from starting or from looking, where there was one.
    """
    output = context.output
    results = wait(context.environment, output, begun, timeout_seconds=wait_seconds)
    problem = explain(begun.stopped_by) if begun.stopped_by is not None else None
    output.answer(
        {
            "replays": [execution_view.as_data(execution) for execution in results],
            **({"problem": problem.sentence} if problem else {}),
            **(extra or {}),
        },
        execution_view.listing("Results", results) if results else "Nothing was started.",
    )
    _end(output, results, begun.stopped_by, problem, waited=bool(wait_seconds))


def _end(
    output: Output, results: list[Execution], stopped_by: BaseException | None, problem: Problem | None, *, waited: bool
) -> None:
    open_ = sum(execution.stopped is None for execution in results)
    failed = any(execution.failed for execution in results)
    if failed:
        output.note(
            "Some failed again. To see the step and the reason, run: cachao show EXECUTION. Then see docs/runbook.md."
        )
    if open_:
        output.note(
            f"{pluralize(open_, 'execution')} had not ended, or could not be looked at: cachao executions --running"
            " shows what runs. Say the same command again later (without --again): it starts only what no replay"
            " repaired, and what does not run."
        )
    if problem is not None:
        output.note(f"[red]{escape(problem.sentence)}[/red] {escape(problem.advice) if problem.advice else ''}")
        raise typer.Exit(problem.exit_code)
    if stopped_by is not None:
        raise stopped_by
    if failed:
        raise typer.Exit(BROKEN)
    if open_ and waited:
        raise typer.Exit(STILL_RUNNING)
