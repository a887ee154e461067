"""`cachao sale`: whether a ticket, an event or a discount code is to be had."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from cachao.aws import operator
from cachao.command_context import CommandContext
from cachao.corrections.frame import FUNCTION, DryRun, Reason, Yes, check_reason
from cachao.problems import FINE, USAGE, Problem
from cachao.view.output import escape, table
from ticketing.corrections.sale import SaleReport


def sale(  # noqa: PLR0913 -- one parameter an option
    ctx: typer.Context,
    *,
    event: Annotated[int | None, typer.Option(help="Of this event: all its tickets.", min=1)] = None,
    ticket: Annotated[int | None, typer.Option(help="Of this ticket, by its id.", min=1)] = None,
    code: Annotated[int | None, typer.Option(help="Of this discount code: its use.", min=1)] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Nobody can buy it, or use it, from now on.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="It is to be had again.")] = False,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Stop the sale of an event, a ticket or a discount code, or open it again, also after `refund --event`.

    A checkout that is under way comes to its end: who pays in time has a ticket. Of an event only those tickets are
    opened again that were stopped by cachao; what somebody took off sale in the shop stays so.

    [bold]Examples[/bold]

        cachao sale --event 12 --stop --reason "the hall is too small"

        cachao sale --ticket 34 --open
    """
    context: CommandContext = ctx.obj
    check_reason(reason)
    if sum(one is not None for one in (event, ticket, code)) != 1:
        raise Problem("Say one of --event NUMBER, --ticket NUMBER and --code NUMBER.", exit_code=USAGE)
    if stop is open_:
        raise Problem("Say one of --stop and --open.", exit_code=USAGE)
    wanted = {"event_id": event, "ticket_id": ticket, "code_id": code, "open": open_}
    preview = _ask(context, {"sale": wanted})
    if dry_run or not preview.changes:
        _answer(context, preview, dry_run=dry_run)
        raise typer.Exit(FINE)
    if not yes:
        for part in _shown(preview):
            context.output.errors.print(part)
    verb = "Open" if open_ else "Stop"
    context.output.confirm(f"{verb} the sale of {preview.of} in {context.environment.name}?", yes=yes)
    by = operator.name_of(context.environment)
    done = _ask(context, {"sale": wanted, "seen": preview.seen, "by": by, "reason": reason})
    if done.moved_on:
        raise Problem(f"{preview.of.capitalize()} has changed meanwhile. Nothing was done.", advice="Say it again.")
    _answer(context, done, dry_run=False)


def _ask(context: CommandContext, given: dict[str, Any]) -> SaleReport:
    report = msgspec.convert(context.environment.invoke(FUNCTION, {"execution_id": "cachao sale", **given}), SaleReport)
    if report.refused:
        raise Problem(f"{report.refused} Nothing was changed.", advice=report.advice)
    return report


def _answer(context: CommandContext, report: SaleReport, *, dry_run: bool) -> None:
    context.output.answer({**msgspec.to_builtins(report), "dry_run": dry_run}, *_shown(report))


def _shown(report: SaleReport) -> list[RenderableType]:
    rows = [
        [
            f"{report.kind} {row.counter_id}",
            escape(row.name),
            _text(row.before),
            _text(row.after),
            str(row.counted),
            str(row.held),
            "no limit" if row.limit is None else str(row.limit),
        ]
        for row in report.rows
    ]
    title = "Changed" if report.done else "What changes" if report.changes else "It is so already"
    columns = ("of", "name", "before", "after", "sold or used", "held", "limit")
    parts: list[RenderableType] = [table(title, *columns, rows=rows)]
    parts += [escape(f"Note: {note}") for note in report.notes]
    if report.changes:
        undo = "--stop" if report.changes[0].after else "--open"
        parts.append(escape(f"To undo it: cachao sale --{report.of} {undo}"))
    return parts


def _text(on_sale: bool) -> str:  # noqa: FBT001 -- a state, not a switch
    return "on sale" if on_sale else "stopped"
