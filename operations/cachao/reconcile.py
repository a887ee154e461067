"""`cachao reconcile`: compares unpaid orders with Stripe and brings them right, now rather than at the next sweep."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cachao.command_context import CommandContext
from cachao.problems import BROKEN, CANNOT_REACH, Problem, explain
from cachao.view.output import Output, escape, table
from cachao.view.time_spans import parse_since
from ticketing.reconciliation.repair import NEED_A_PERSON

# How long each call works before it answers, so that there is progress to show, in seconds; and the most that one is
# given after others came no further.
_SECONDS_A_CALL: Final = 15
_MOST_SECONDS_A_CALL: Final = 300


@dataclass
class _Found:
    """What all calls together found so far, and how many orders they looked at."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: list[dict[str, Any]] = field(default_factory=list)
    orders: int = 0


def reconcile(
    ctx: typer.Context,
    since: Annotated[
        str | None,
        typer.Option(help="Check all unpaid orders since (2d, or a date), not only those past their hold."),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    close_missing: Annotated[
        bool,
        typer.Option(
            "--close-missing", help="End orders whose session Stripe does not have, also those reported before."
        ),
    ] = False,
    rate: Annotated[float, typer.Option(help="Requests to Stripe per second.", min=0.1, max=80)] = 20,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Ask Stripe about orders that are still unpaid, and about payments that no order knows.

    A paid one goes through the workflow, an expired one is released, an open one past its hold is ended at Stripe
    first. May be interrupted: what is done is not due any more, so run it again and it goes on.

    [bold]Examples[/bold]

        cachao reconcile

        cachao reconcile --since 2025-01-01 --dry-run
    """
    context: CommandContext = ctx.obj
    environment, output = context.environment, context.output
    question: dict[str, Any] = {
        "execution_id": "cachao reconcile",
        "dry_run": dry_run,
        "close_missing": close_missing,
        "requests_per_second": rate,
        # In a dry run each order is of interest; otherwise what needs a person.
        "all_rows": dry_run,
    }
    if since is not None:
        question["since"] = parse_since(since).isoformat()
    if not dry_run:
        which = f"all unpaid orders since {since}" if since else "the unpaid orders past their hold"
        ended = " This ends those whose session Stripe does not have." if close_missing else ""
        output.confirm(f"Ask Stripe about {which} in {environment.name}, and settle them?{ended}", yes=yes)
    found = _Found()
    try:
        _run(context, question, found)
    except Exception as error:
        problem = explain(error)
        if problem is None or not found.counts:
            raise
        # What was found is settled all the same, and the next run does not find it again.
        _show(output, found, dry_run=dry_run, problem=problem)
        raise typer.Exit(problem.exit_code) from error
    _show(output, found, dry_run=dry_run)
    if not dry_run and any(row["action"] in NEED_A_PERSON for row in found.rows):
        output.note("[yellow]Some need a person: see docs/runbook.md#reconciliation.[/yellow]")
        raise typer.Exit(BROKEN)


def _run(context: CommandContext, question: dict[str, Any], found: _Found) -> None:
    columns = (TextColumn("asking Stripe"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=context.output.errors, disable=not context.output.is_live, transient=True
    ) as progress:
        bar = progress.add_task("", total=None)
        cursor, seconds = None, _SECONDS_A_CALL
        while True:
            asked = {**question, "cursor": cursor, "seconds": seconds}
            report = context.environment.invoke("ReconcileOrdersFunction", asked)
            progress.update(bar, completed=found.orders + report["done"], total=found.orders + report["total"])
            found.orders += report["done"]
            found.counts.update({(count["finding"], count["action"]): count["number"] for count in report["counts"]})
            found.rows += report["rows"]
            if report["complete"]:
                return
            if report["cursor"] == cursor:
                seconds = _more(seconds)
            cursor = report["cursor"]


def _more(seconds: int) -> int:
    """Give the time of the next call after one that came no further: Stripe answers, but slowly.

    Raises:
        Problem: it is no use.
    """
    if seconds * 2 > _MOST_SECONDS_A_CALL:
        raise Problem(
            f"Stripe answers too slowly: reconciliation made no progress in {seconds} seconds.",
            advice="Try again later, or with a higher --rate. The schedule continues by itself.",
            exit_code=CANNOT_REACH,
        )
    return seconds * 2


def _show(output: Output, found: _Found, *, dry_run: bool, problem: Problem | None = None) -> None:
    shown = [row for row in found.rows if dry_run or row["action"] in NEED_A_PERSON]
    # One JSON document, whatever happened.
    failure = {"error": problem.sentence, "advice": problem.advice} if problem is not None else {}
    output.answer(
        {"dry_run": dry_run, "orders": found.orders, "counts": _as_list(found.counts), "rows": found.rows, **failure},
        _counts_table(found.counts, dry_run=dry_run)
        if found.counts
        else "There is nothing to do: no order waits that is to be asked about.",
        *([_rows_table(shown, dry_run=dry_run)] if shown else []),
    )
    if problem is not None and output.as_json:
        output.note(f"[red]{escape(problem.sentence)}[/red]")
    elif problem is not None:
        output.problem(problem)


def _as_list(counts: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"finding": finding, "action": action, "number": n} for (finding, action), n in sorted(counts.items())]


def _counts_table(counts: Counter[tuple[str, str]], *, dry_run: bool) -> Any:  # noqa: ANN401 -- rich's
    rows = [
        [escape(finding.replace("_", " ")), escape(action.replace("_", " ")), str(number)]
        for (finding, action), number in sorted(counts.items())
    ]
    return table("What was found", "at Stripe", "would be done" if dry_run else "done", "number", rows=rows)


def _rows_table(found: list[dict[str, Any]], *, dry_run: bool) -> Any:  # noqa: ANN401 -- rich's
    rows = [
        [
            escape(row["order_id"]),
            escape(row["session_id"]),
            escape(row["finding"].replace("_", " ")),
            escape(row["action"].replace("_", " ")),
            escape(row.get("note")),
        ]
        for row in found
    ]
    title = "Order by order" if dry_run else "These need a person"
    return table(title, "order", "session", "at Stripe", "would be done" if dry_run else "done", "why", rows=rows)
