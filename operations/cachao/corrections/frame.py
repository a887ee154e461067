"""What every correction does: show rows and counts before and after, ask, do it, and say how it is undone."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import RenderableType

from cachao.aws import operator
from cachao.command_context import CommandContext
from cachao.problems import FINE, USAGE, Problem
from cachao.view.output import escape, table
from ticketing.corrections.frame import CorrectionReport

FUNCTION: Final = "CorrectOrderFunction"
_LONGEST_REASON: Final = 255

Order = Annotated[int, typer.Argument(help="The order's id.", min=1)]
Reason = Annotated[str | None, typer.Option(help="Why; it is kept with the correction.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def correct(
    context: CommandContext,
    order: int,
    correction: dict[str, Any],
    *,
    doing: str,
    reason: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Preview, ask, do. `correction` is the function's; `doing` completes "… order 1234 in …?", e.g. `Move`.

    Raises:
        Problem: it cannot be done, the answer was no, or the order is another one by now.
    """
    check_reason(reason)
    given = {"execution_id": f"cachao {correction['kind'].replace('_', '-')}", "order_id": order}
    given |= {"correction": correction}
    preview = _ask(context, given)
    if dry_run or preview.already:
        context.output.answer(_data(preview, dry_run=dry_run), *_shown(preview))
        raise typer.Exit(FINE)
    if not yes:
        for part in _shown(preview):
            context.output.errors.print(part)
    context.output.confirm(f"{doing} order {order} in {context.environment.name}?", yes=yes)
    by = operator.name_of(context.environment)
    done = _ask(context, given | {"seen": preview.seen, "by": by, "reason": reason})
    if done.moved_on:
        raise Problem(f"Order {order} has changed meanwhile. Nothing was done.", advice="Say the command again.")
    context.output.answer(_data(done, dry_run=False), *_shown(done))


def check_reason(reason: str | None) -> None:
    """See to it that the reason can be kept.

    Raises:
        Problem: it is too long.
    """
    if reason is not None and len(reason) > _LONGEST_REASON:
        raise Problem(f"The reason has at most {_LONGEST_REASON} characters.", exit_code=USAGE)


def _ask(context: CommandContext, given: dict[str, Any]) -> CorrectionReport:
    report = msgspec.convert(context.environment.invoke(FUNCTION, given), CorrectionReport)
    if report.refused:
        raise Problem(f"{report.refused} Nothing was changed.", advice=report.advice)
    return report


def _data(report: CorrectionReport, *, dry_run: bool) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(report)
    return {**data, "dry_run": dry_run}


def _shown(report: CorrectionReport) -> list[RenderableType]:
    if report.already:
        return [escape(report.already)]
    rows = [[escape(c.of), escape(c.what), escape(c.before), escape(c.after)] for c in report.changes]
    title = f"Corrected (correction {report.correction_id})" if report.done else "What changes"
    parts: list[RenderableType] = [table(title, "of", "what", "before", "after", rows=rows)]
    parts += [escape(f"Note: {note}") for note in report.notes]
    parts += [escape(alert.message) for alert in report.alerts]
    parts.append(escape(f"To undo it: {report.undo}" if report.undo.startswith("cachao") else report.undo))
    return parts
