"""`cachao executions`: which executions there were, and what became of them."""

from __future__ import annotations

from typing import Annotated

import typer

from operations import execution_view, order_view
from operations import executions as executions_of_workflow
from operations.desk import Desk
from operations.problems import USAGE, Problem
from operations.time_spans import parse_since


def executions(
    context: typer.Context,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed, timed out or were ended.")] = False,
    running: Annotated[bool, typer.Option("--running", help="Only those that run.")] = False,
    since: Annotated[str | None, typer.Option(help="Only since: 30m, 12h, 2d, or a date (UTC).")] = None,
    order: Annotated[int | None, typer.Option(help="Only those of this order.", min=1)] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 20,
) -> None:
    """List executions of the payment workflow, newest first.

    Those of one order are found by the order's history and by an index of the logs, without looking through all.

    [bold]Examples[/bold]

        cachao executions --failed --since 2d

        cachao executions --order 1234
    """
    desk: Desk = context.obj
    if failed and running:
        raise Problem("--failed or --running, not both.", exit_code=USAGE)
    statuses = executions_of_workflow.FAILED if failed else (executions_of_workflow.RUNNING,) if running else ()
    moment = parse_since(since) if since else None
    # One more than is shown, to know whether there are more.
    found = (
        executions_of_workflow.recent(desk.environment, statuses=statuses, since=moment, limit=limit + 1)
        if order is None
        else [
            execution
            for execution in reversed(_of_order(desk, order).executions)
            if (not statuses or execution.status in statuses) and (moment is None or execution.started >= moment)
        ]
    )
    more = len(found) > limit
    found = found[:limit]
    desk.output.answer(
        {"executions": [execution_view.as_data(execution) for execution in found], "more": more},
        execution_view.listing("", found) if found else "There are none.",
    )
    if more:
        desk.output.note(f"There are more than these {limit}: say --limit NUMBER, or a shorter --since.")


def _of_order(desk: Desk, order: int) -> executions_of_workflow.Found:
    inspected, reachable = order_view.find_if_reachable(desk, str(order))
    if inspected is None and reachable:
        raise Problem(f"There is no order {order}.")
    found = (
        executions_of_workflow.of_order(desk.environment, inspected)
        if inspected
        else executions_of_workflow.of_logged(desk.environment, "order_id", str(order))
    )
    if not found.complete:
        desk.output.note("The functions' logs did not answer: only executions that changed the order are listed.")
    return found
