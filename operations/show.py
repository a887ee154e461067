"""`cachao show`: an order with all that happened to it, or one execution step by step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from operations import execution_view, executions, order_view
from operations.desk import Desk
from operations.environment import Environment
from operations.executions import Execution, Found
from operations.pictures import write_picture
from operations.problems import Problem
from operations.task_log import Field
from operations.timeline import Timeline

_STRIPE_ID = re.compile(r"(cs|pi|evt)_[A-Za-z0-9_]+\Z")
_FIELDS: dict[str, Field] = {
    "cs": "stripe_session_id",
    "pi": "stripe_payment_intent_id",
    "evt": "stripe_event_id",
}
_SOME_MISSING = (
    "[yellow]The functions' logs did not answer: only executions that changed the order are shown."
    " You need logs:StartQuery and logs:GetQueryResults.[/yellow]"
)


def show(
    context: typer.Context,
    wanted: Annotated[str, typer.Argument(metavar="EXECUTION|ORDER|evt_…|cs_…|pi_…", help="What to show.")],
    picture: Annotated[
        Path | None, typer.Option(help="Also draw the path taken, into this .svg or .html file.")
    ] = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="Inputs and outputs of the steps, uncut.")] = False,
    last: Annotated[int, typer.Option(min=1, help="Of an order: the steps of so many executions.")] = 3,
) -> None:
    """Show an order as the database has it, or an execution, with a timeline of its steps.

    It names the step that failed, not the one that caught it.

    [bold]Examples[/bold]

        cachao show 1234

        cachao show evt_1RWIaFPLMCn9OYH0FPPvZ1hz

        cachao show replay-1-4f0c… --full --picture out.svg
    """
    desk: Desk = context.obj
    environment = desk.environment
    if wanted.isascii() and wanted.isdigit():
        inspected, reachable = order_view.find_if_reachable(desk, wanted)
        if inspected is None and reachable:
            raise Problem(f"There is no order {wanted}.", advice="cachao executions lists what came in lately.")
        found = (
            executions.of_order(environment, inspected)
            if inspected
            else executions.of_logged(environment, "order_id", wanted)
        )
        _show_order(desk, inspected, found, picture=picture, full=full, last=last)
    elif _STRIPE_ID.match(wanted):
        _show_stripe_id(desk, wanted, picture=picture, full=full, last=last)
    else:
        execution = executions.get(environment, wanted)
        timeline = executions.timeline(environment, execution)
        desk.output.answer(
            execution_view.as_data(execution, timeline), *execution_view.render(execution, timeline, full=full)
        )
        _draw(desk, picture, execution, timeline)


def _show_stripe_id(desk: Desk, wanted: str, *, picture: Path | None, full: bool, last: int) -> None:
    environment = desk.environment
    inspected, reachable = order_view.find_if_reachable(desk, wanted)
    found = executions.of_logged(environment, _FIELDS[wanted.split("_", 1)[0]], wanted)
    if inspected is not None and not wanted.startswith("evt_"):
        found = executions.of_order(environment, inspected)
    elif inspected is not None and not found.complete:
        found = _of_event(environment, inspected, wanted)
    if inspected is None and reachable and not found.executions:
        raise Problem(
            f"Neither the orders nor the workflow know {wanted}.",
            advice="If Stripe has it, its event has not come in: cachao doctor walks the chain from Stripe to here.",
        )
    _show_order(desk, inspected, found, picture=picture, full=full, last=last)


def _of_event(environment: Environment, inspected: dict[str, Any], event_id: str) -> Found:
    entries = [entry for entry in inspected["history"] if entry["stripe_event_id"] == event_id]
    named = [entry["execution_id"] for entry in entries if (entry["execution_id"] or "").startswith("arn:")]
    return Found(executions.describe_all(environment, named), complete=False)


def _show_order(
    desk: Desk, inspected: dict[str, Any] | None, found: Found, *, picture: Path | None, full: bool, last: int
) -> None:
    environment, newest = desk.environment, found.executions[-last:]
    timelines = [(execution, executions.timeline(environment, execution)) for execution in newest]
    shown: list[RenderableType] = []
    if inspected is None:
        shown.append(Text.from_markup("[yellow]No order is known to belong to it.[/yellow]"))
    else:
        shown.extend(_spaced(order_view.render(inspected)))
    shown.append(execution_view.listing("Executions", found.executions))
    if not found.complete:
        shown.append(Text.from_markup(_SOME_MISSING))
    for execution, timeline in timelines:
        shown.extend(["", *execution_view.render(execution, timeline, full=full)])
    data = {
        **(inspected or {"order": None}),
        "executions": [execution_view.as_data(execution) for execution in found.executions[: -len(newest) or None]]
        if len(found.executions) > len(newest)
        else [],
        "complete": found.complete,
    }
    data["executions"] += [execution_view.as_data(execution, timeline) for execution, timeline in timelines]
    desk.output.answer(data, *shown)
    if timelines:
        _draw(desk, picture, *_most_telling(timelines))
    elif picture is not None:
        raise Problem("There is no execution to draw.")


def _most_telling(timelines: list[tuple[Execution, Timeline]]) -> tuple[Execution, Timeline]:
    failed = [pair for pair in timelines if pair[0].failed]
    return (failed or timelines)[-1]


def _draw(desk: Desk, picture: Path | None, execution: Execution, timeline: Timeline) -> None:
    if picture is not None:
        write_picture(desk.environment, execution, timeline, picture)
        desk.output.note(f"The path of {execution.name} is drawn in {picture}.")


def _spaced(parts: list[RenderableType]) -> list[RenderableType]:
    return [item for part in parts for item in (part, "")]
