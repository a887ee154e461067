"""`cachao executions`: which executions there were, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from cachao.aws import execution_names
from cachao.aws import executions as executions_of_workflow
from cachao.aws.executions import LOOKED_THROUGH, Execution
from cachao.command_context import CommandContext
from cachao.problems import BROKEN, USAGE, FunctionFailed, Problem
from cachao.replay.repairs import Repairs, look_for
from cachao.view import executions as execution_view
from cachao.view import orders as order_view
from cachao.view.output import escape
from cachao.view.progress import progress
from cachao.view.spreadsheet import refuse_json_and_csv, write_csv
from cachao.view.time_spans import parse_since

_SHOWN: Final = 20
_EXPORTED: Final = 1000
# As in --json; a time is in UTC.
_COLUMNS: Final = (
    "started", "stopped", "seconds", "status", "order", "event_type", "event", "object", "result", "error", "cause",
    "repaired_by", "being_replayed_by", "by_reconciliation", "replay_of", "execution",
)  # fmt: skip


def executions(
    ctx: typer.Context,
    *,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only those that failed, timed out or were stopped.")
    ] = False,
    running: Annotated[bool, typer.Option("--running", help="Only those that run.")] = False,
    since: Annotated[str | None, typer.Option(help="Only those started since: 30m, 12h, 2d, or a date (UTC).")] = None,
    order: Annotated[int | None, typer.Option(help="Only those of this order.", min=1)] = None,
    limit: Annotated[
        int | None,
        typer.Option(help=f"Show at most this many; else {_SHOWN}, as CSV {_EXPORTED}.", min=1, max=LOOKED_THROUGH),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Answer as CSV, for a spreadsheet.")] = False,
) -> None:
    """List executions of the payment workflow, newest first, and whether a replay has repaired what failed.

    Those of one order are found by the order's history and by an index of the logs, without looking through all.

    [bold]Examples[/bold]

        cachao executions --failed --since 2d

        cachao executions --order 1234

        cachao executions --since 7d --csv > executions.csv
    """
    context: CommandContext = ctx.obj
    if as_csv:
        refuse_json_and_csv(context.output)
    limit = limit or (_EXPORTED if as_csv else _SHOWN)
    if failed and running:
        raise Problem("--failed or --running, not both.", exit_code=USAGE)
    statuses = executions_of_workflow.FAILED if failed else (executions_of_workflow.RUNNING,) if running else ()
    moment = parse_since(since) if since else None
    failure: FunctionFailed | None = None
    nothing = "There are none."
    if order is None:
        # One more than is shown, to know whether there are more.
        arns = executions_of_workflow.newest(context.environment, statuses=statuses, since=moment, limit=limit + 1)
        with progress(context.output, "reading executions", len(arns)) as done:
            found = executions_of_workflow.describe_all(context.environment, arns, on_progress=lambda: done(1))
    else:
        of_order, failure = _of_order(context, order)
        if failure is not None and not of_order.complete:
            nothing = "Its executions are unknown."
        found = [
            execution
            for execution in reversed(of_order.executions)
            if (not statuses or execution.status in statuses) and (moment is None or execution.started >= moment)
        ]
    more = len(found) > limit
    _answer(context, Listed(found[:limit], order, more, nothing), as_csv=as_csv)
    if more:
        context.output.note(f"There are more than these {limit}: use --limit NUMBER, or a shorter --since.")
    if failure is not None:
        context.output.note(failure.advice)
        raise typer.Exit(BROKEN)


@dataclass(frozen=True)
class Listed:
    """What is to be told: executions, newest first, all of one order or not; `nothing`: what is said of none."""

    found: list[Execution]
    order: int | None
    more: bool
    nothing: str


def _answer(context: CommandContext, listed: Listed, *, as_csv: bool) -> None:
    found = listed.found
    repairs = look_for(context.environment, found)
    reported = _rows(listed, repairs)
    if as_csv:
        write_csv(context.output, _COLUMNS, ([one.get(name) for name in _COLUMNS] for one in reported))
    else:
        any_failed = any(execution.failed for execution in found)
        since = (lambda execution: _since_then(execution, repairs)) if any_failed else None
        context.output.answer(
            {"executions": reported, "more": listed.more},
            execution_view.listing("", found, order=listed.order, since=since) if found else listed.nothing,
        )
    if any(execution.failed and repairs.of(execution) is None for execution in found):
        context.output.note(
            "Open: no replay has repaired it. Run cachao doctor to see what reconciliation or a refund has settled."
        )
    if not repairs.all_seen:
        context.output.note(f"Only the newest {LOOKED_THROUGH} executions were searched for replays.")


def _rows(listed: Listed, repairs: Repairs) -> list[dict[str, Any]]:
    names = {execution_names.root_of(execution.name): execution.name for execution in listed.found}  # the oldest stays

    def data(execution: Execution) -> dict[str, Any]:
        original = names[execution_names.root_of(execution.name)]
        reported = execution_view.as_data(
            execution, original=None if execution_names.is_replay(original) else original, order=listed.order
        )
        if execution.failed:
            repair = repairs.of(execution)
            reported["repaired_by"] = repair.replay if repair and not repair.runs else None
            reported["being_replayed_by"] = repair.replay if repair and repair.runs else None
        return reported

    return [data(execution) for execution in listed.found]


def _since_then(execution: Execution, repairs: Repairs) -> str:
    repair = repairs.of(execution)
    if repair is None:
        return "open" if execution.failed else ""
    # The original's own name stands beside it.
    name = f"{escape(repair.replay.removesuffix(execution_names.root_of(repair.replay)))}…"
    return f"{name} runs" if repair.runs else f"repaired by {name}"


def _of_order(context: CommandContext, order: int) -> tuple[executions_of_workflow.Found, FunctionFailed | None]:
    inspected, failure = order_view.find_if_reachable(context.environment, str(order))
    if failure is not None:
        context.output.note(f"[yellow]{escape(order_view.not_read(failure))}[/yellow]")
        found = executions_of_workflow.of_logged(context.environment, "order_id", str(order))
    elif inspected is None:
        raise Problem(f"There is no order {order}.", advice="Run cachao orders to list the latest orders.")
    else:
        found = executions_of_workflow.of_order(context.environment, inspected)
    if not found.complete:
        context.output.note(
            "The functions' logs did not answer"
            + (": only executions that changed the order are listed." if failure is None else ", either.")
        )
    return found, failure
