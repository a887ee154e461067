"""`cachao limit`: how many seats a ticket has, or uses a discount code."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from cachao.aws import operator
from cachao.command_context import CommandContext
from cachao.corrections.frame import FUNCTION, DryRun, Reason, Yes, check_reason
from cachao.problems import FINE, USAGE, Problem
from cachao.view.output import escape, table
from ticketing.corrections.limit import LimitReport


def limit(  # noqa: PLR0913 -- one parameter an option
    ctx: typer.Context,
    *,
    ticket: Annotated[int | None, typer.Option(help="Of this ticket, by its id.", min=1)] = None,
    code: Annotated[int | None, typer.Option(help="Of this discount code, by its id.", min=1)] = None,
    to: Annotated[int | None, typer.Option(help="So many in all, sold and held included.", min=0)] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Any number.")] = False,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Change how many seats a ticket has, or uses a discount code; never fewer than are taken.

    [bold]Examples[/bold]

        cachao limit --ticket 12 --to 52 --reason "two more chairs"

        cachao limit --code 3 --unlimited
    """
    context: CommandContext = ctx.obj
    check_reason(reason)
    if (ticket is None) is (code is None):
        raise Problem("Say one of --ticket NUMBER and --code NUMBER.", exit_code=USAGE)
    if (to is None) is not unlimited:
        raise Problem("Say one of --to NUMBER and --unlimited.", exit_code=USAGE)
    wanted = {"kind": "code" if code else "ticket", "counter_id": code or ticket, "to": to}
    preview = _ask(context, {"limit": wanted | {"dry_run": True}})
    if dry_run or preview.before == preview.after:
        _answer(context, preview, dry_run=dry_run)
        raise typer.Exit(FINE)
    what = f"{preview.kind} {preview.counter_id}"
    context.output.confirm(
        f"Change the limit of {what} from {_text(preview.before)} to {_text(preview.after)} ({preview.counted} sold or"
        f" used, {preview.held} held) in {context.environment.name}?",
        yes=yes,
    )
    by = operator.name_of(context.environment)
    done = _ask(context, {"limit": wanted | {"seen": preview.before}, "by": by, "reason": reason})
    if done.moved_on:
        raise Problem(f"The limit of {what} has changed meanwhile. Nothing was done.", advice="Say the command again.")
    _answer(context, done, dry_run=False)


def _ask(context: CommandContext, given: dict[str, Any]) -> LimitReport:
    answer = context.environment.invoke(FUNCTION, {"execution_id": "cachao limit", **given})
    report = msgspec.convert(answer, LimitReport)
    if report.refused:
        raise Problem(f"{report.refused} Nothing was changed.", advice=report.advice)
    return report


def _answer(context: CommandContext, report: LimitReport, *, dry_run: bool) -> None:
    what = f"{report.kind} {report.counter_id}"
    row = [what, _text(report.before), _text(report.after), str(report.counted), str(report.held)]
    title = "Changed" if report.done else "It is so already" if report.before == report.after else "What changes"
    undo = "--unlimited" if report.before is None else f"--to {report.before}"
    context.output.answer(
        {**msgspec.to_builtins(report), "dry_run": dry_run},
        table(title, "of", "before", "after", "sold or used", "held", rows=[row]),
        *([escape(f"To undo it: cachao limit --{what} {undo}")] if report.before != report.after else []),
    )


def _text(limit: int | None) -> str:
    return "no limit" if limit is None else str(limit)
