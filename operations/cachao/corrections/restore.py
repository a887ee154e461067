"""`cachao restore`: makes a ticket or a discount code anew that was deleted although orders stand on it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from cachao.aws import operator
from cachao.command_context import CommandContext
from cachao.corrections.frame import DryRun, Reason, Yes, check_reason
from cachao.problems import BROKEN, FINE, USAGE, Problem
from cachao.view.output import escape, table
from ticketing.operators.restore_row import RestoreReport


def restore(  # noqa: PLR0913 -- one parameter an option
    ctx: typer.Context,
    *,
    ticket: Annotated[int | None, typer.Option(help="This ticket, by the id that it had.", min=1)] = None,
    code: Annotated[int | None, typer.Option(help="This discount code, by the id that it had.", min=1)] = None,
    name: Annotated[
        str | None, typer.Option(help="The ticket's name, or the code's text. Default: as its orders have it.")
    ] = None,
    price: Annotated[str | None, typer.Option(help="The ticket's price. Default: what its newest order paid.")] = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Make a ticket or a discount code anew whose row was deleted although orders stand on it.

    It has its own id again, its counters are what the orders say, and alerts CountsOff that waited for it are settled.
    It is not on sale and has no free seat: cachao limit and cachao sale change that. What no order knows (its picture,
    its discounts, a code's text and discount) is given in the shop's admin.

    [bold]Examples[/bold]

        cachao restore --ticket 12 --dry-run

        cachao restore --code 3 --name SALSA10
    """
    context: CommandContext = ctx.obj
    check_reason(reason)
    if (ticket is None) is (code is None):
        raise Problem("Say one of --ticket NUMBER and --code NUMBER.", exit_code=USAGE)
    if price is not None and code is not None:
        raise Problem("A discount code has no price.", exit_code=USAGE)
    wanted = {"kind": "code" if code else "ticket", "counter_id": code or ticket, "name": name, "price": price}
    preview = _ask(context, {"restore": wanted})
    if dry_run:
        _answer(context, preview, dry_run=True)
        raise typer.Exit(FINE)
    what = f"{preview.kind} {preview.counter_id}"
    if not yes:
        context.output.errors.print(_table(preview))
    context.output.confirm(f"Make {what} anew, not on sale, in {context.environment.name}?", yes=yes)
    by = operator.name_of(context.environment)
    seen = {"seen": preview.counted + preview.held}
    done = _ask(context, {"restore": wanted | seen, "by": by, "reason": reason})
    if done.moved_on:
        raise Problem(
            f"The orders of {what} have changed meanwhile. Nothing was made.", advice="Say the command again."
        )
    _answer(context, done, dry_run=False)
    left = done.counts
    raise typer.Exit(BROKEN if left is not None and (left.orders or any(s.is_off for s in left.counters)) else FINE)


def _ask(context: CommandContext, given: dict[str, Any]) -> RestoreReport:
    answer = context.environment.invoke("CorrectCountsFunction", {"execution_id": "cachao restore", **given})
    report = msgspec.convert(answer, RestoreReport)
    if report.refused:
        raise Problem(f"{report.refused} Nothing was made.", advice=report.advice)
    return report


def _answer(context: CommandContext, report: RestoreReport, *, dry_run: bool) -> None:
    what = f"{report.kind} {report.counter_id}"
    said = [
        f"What else it is: in the shop's admin. Then cachao limit --{what} --to NUMBER, cachao sale --{what} --open"
    ]
    if report.counts is not None and report.counts.orders:
        said = [f"Something is left: cachao counts --{what}"]
    context.output.answer(
        {**msgspec.to_builtins(report), "dry_run": dry_run}, _table(report), *(map(escape, said) if report.done else [])
    )


def _table(report: RestoreReport) -> RenderableType:
    title = "Made" if report.done else "What would be made"
    row = [
        f"{report.kind} {report.counter_id}",
        escape(report.name),
        str(report.event_id),
        escape(report.price),
        str(report.counted),
        str(report.held),
        str(report.counted + report.held),
    ]
    return table(title, "of", "name", "event", "price", "sold or used", "held", "limit", rows=[row])
