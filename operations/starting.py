"""Starts executions and waits for them, with progress."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final, Literal

import typer
from rich.progress import Progress

from operations import execution_names, execution_view, executions
from operations.desk import Desk
from operations.environment import Environment
from operations.executions import Execution
from operations.output import Output
from operations.problems import BROKEN, error_code

_LOOK_EVERY_SECONDS: Final = (0.2, 3.0)

Started = Literal["started", "was started before"]


def start(environment: Environment, name: str, text: str) -> tuple[Started, str]:
    """Start an execution with this name and input; safe to repeat, because a name is taken for 90 days.

    Returns:
        Whether it was started now, and its ARN.
    """
    client, machine = environment.client("stepfunctions"), environment.state_machine_arn
    try:
        return "started", client.start_execution(stateMachineArn=machine, name=name, input=text)["executionArn"]
    except Exception as error:
        if error_code(error) != "ExecutionAlreadyExists":
            raise
        return "was started before", execution_names.arn_of(machine, name)


def wait(environment: Environment, output: Output, arns: Sequence[str], *, timeout_seconds: float) -> list[Execution]:
    """Wait until the executions have ended, or the time is over; give them as they are then, in the order given.

    Ctrl-C ends the waiting only: executions go on by themselves.
    """
    running, ended = list(arns), dict[str, Execution]()
    deadline, pause = time.monotonic() + timeout_seconds, _LOOK_EVERY_SECONDS[0]
    with Progress(console=output.errors, disable=not output.is_live, transient=True) as progress:
        bar = progress.add_task("waiting for the executions", total=len(running))
        try:
            while running and time.monotonic() < deadline:
                for execution in executions.describe_all(environment, running):
                    if execution.status != executions.RUNNING:
                        ended[execution.arn] = execution
                running = [arn for arn in running if arn not in ended]
                progress.update(bar, completed=len(ended))
                if running:
                    time.sleep(pause)
                    pause = min(pause * 1.5, _LOOK_EVERY_SECONDS[1])
        except KeyboardInterrupt:
            output.note("Not waited for any longer; the executions go on. cachao executions --running shows them.")
    found = {execution.arn: execution for execution in executions.describe_all(environment, running)} | ended
    return [found[arn] for arn in arns if arn in found]


def report(desk: Desk, arns: list[str], *, wait_seconds: float, extra: dict[str, Any] | None = None) -> None:
    """Wait for executions and show what became of them; ends the command with 1 where one failed."""
    results = wait(desk.environment, desk.output, arns, timeout_seconds=wait_seconds)
    desk.output.answer(
        {"replays": [execution_view.as_data(execution) for execution in results], **(extra or {})},
        execution_view.listing("What became of them", results) if results else "Nothing was started.",
    )
    if any(execution.failed for execution in results):
        desk.output.note("Some failed again: cachao show EXECUTION says in which step and why; see docs/runbook.md.")
        raise typer.Exit(BROKEN)
