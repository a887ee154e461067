"""`cachao counts`: tickets' and discount codes' counters beside what their orders say, and puts them right."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import RenderableType

from cachao.aws import operator
from cachao.aws.environment import Environment
from cachao.command_context import CommandContext
from cachao.corrections.frame import Yes, check_reason
from cachao.counter_history import show_history
from cachao.problems import BROKEN, FINE, USAGE, Problem
from cachao.view.output import escape, pluralize, table
from ticketing.operators.counter_correction import CounterState, CountsReport, OrderOff

_FUNCTION: Final = "CorrectCountsFunction"
_NOUNS: Final = {"ticket": "ticket", "code": "discount code"}


def counts(  # noqa: PLR0913 -- one parameter an option
    ctx: typer.Context,
    *,
    ticket: Annotated[int | None, typer.Option(help="The counters of this ticket, by its id.", min=1)] = None,
    code: Annotated[int | None, typer.Option(help="Those of this discount code, by its id.", min=1)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are not what their orders say.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept with the correction.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show; ends with 1 while something is off.")] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Show who changed counters, limits and sales, when and why; nothing else.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="With --history: as CSV, for a spreadsheet.")] = False,
    yes: Yes = False,
) -> None:
    """Show what is sold, used and held as stored and as the orders say, and put it right.

    For the alert CountsOff, and for what cachao doctor says does not add up. All that is shown is corrected at once, or
    nothing; seats that could not be counted then are counted where there is room. Buyers go on buying meanwhile, and it
    is safe to repeat. Who corrected what, when and why is kept: --history shows it.

    More seats sold than the orders say, of a ticket that is older than this shop, may have been sold elsewhere: --all
    leaves those alone, --ticket corrects them.

    [bold]Examples[/bold]

        cachao counts --ticket 12

        cachao counts --all --dry-run

        cachao counts --all --yes --reason "restored a backup"

        cachao counts --ticket 12 --history
    """
    context: CommandContext = ctx.obj
    wanted = _wanted(ticket, code, everything=everything)
    check_reason(reason)
    if history:
        named = {"kind": "code" if code else "ticket", "counter_id": code or ticket} if wanted else {}
        show_history(context, named, as_csv=as_csv)
        return
    if as_csv:
        raise Problem("--csv goes with --history.", exit_code=USAGE)
    report = _ask(context.environment, {"wanted": wanted})
    if wanted and not report.counters:
        raise Problem(f"There is no {_NOUNS['code' if code else 'ticket']} {code or ticket}, and no order of it.")
    due = _due(report, named=bool(wanted))
    if dry_run or not (due or report.orders):
        _answer(context, report, due, dry_run=dry_run)
        raise typer.Exit(BROKEN if due or report.orders else FINE)
    if not yes:
        for part in _shown(report, due):
            context.output.errors.print(part)
    context.output.confirm(_question(context.environment, due, report.orders), yes=yes)
    after = _ask(
        context.environment,
        {
            "execution_id": "cachao counts",
            "wanted": wanted,
            "seen": msgspec.to_builtins(due),
            "by": operator.name_of(context.environment),
            "reason": reason,
        },
    )
    if after.moved_on:
        raise Problem(
            "The counters are off by other numbers by now. Nothing was changed.", advice="Say the command again."
        )
    left = _due(after, named=bool(wanted))
    _answer_corrected(context, due, after, left)
    raise typer.Exit(BROKEN if left or after.orders or after.more else FINE)


def _due(report: CountsReport, *, named: bool) -> list[CounterState]:
    """Give what is to be corrected: what may be right after all only where it was named."""
    return [state for state in report.counters if state.is_off and (named or not state.may_be_sold_elsewhere)]


def _wanted(ticket: int | None, code: int | None, *, everything: bool) -> dict[str, int]:
    if [ticket is not None, code is not None, everything].count(True) != 1:
        raise Problem("Say one of --ticket NUMBER, --code NUMBER and --all.", exit_code=USAGE)
    named = {"ticket_id": ticket, "code_id": code}
    return {name: row_id for name, row_id in named.items() if row_id is not None}


def _ask(environment: Environment, given: dict[str, Any]) -> CountsReport:
    return msgspec.convert(environment.invoke(_FUNCTION, given), CountsReport)


def _question(environment: Environment, due: list[CounterState], orders: list[OrderOff]) -> str:
    parts = [f"correct the counters of {pluralize(len(due), 'ticket or code', 'tickets and codes')}"] if due else []
    parts += [f"settle {pluralize(len(orders), 'alert')} CountsOff"] if orders else []
    what = " and ".join(parts)
    return f"{what[0].upper()}{what[1:]} in {environment.name}?"


def _answer(context: CommandContext, report: CountsReport, due: list[CounterState], *, dry_run: bool) -> None:
    context.output.answer({**msgspec.to_builtins(report), "dry_run": dry_run}, *_shown(report, due))


def _answer_corrected(
    context: CommandContext, before: list[CounterState], after: CountsReport, left: list[CounterState]
) -> None:
    said = [_table("Corrected", before)] if before else []
    said += ["Nothing is off any more."] if not left and not after.orders else _shown(after, left)
    context.output.answer(
        {**msgspec.to_builtins(after), "dry_run": False, "before": msgspec.to_builtins(before)}, *said
    )
    if after.more:
        context.output.note("There are more: say the command again.")


def _shown(report: CountsReport, due: list[CounterState]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    others = [state for state in report.counters if state not in due]
    if due:
        parts.append(_table("Not what the orders say", due))
    if others:
        parts.append(_table("Left as they are", others))
    if report.orders:
        parts.append(table("What counters could not follow", "order", "what", rows=[_row_of(o) for o in report.orders]))
    if report.more:
        parts.append("There are more than these.")
    return parts or ["All counters are what their orders say."]


def _table(title: str, states: list[CounterState]) -> RenderableType:
    columns = ("what", "sold or used", "orders say", "held", "orders hold", "of", "")
    return table(title, *columns, rows=[_row(state) for state in states])


def _row(state: CounterState) -> list[str]:
    return [
        f"{_NOUNS[state.kind]} {state.counter_id}",
        str(state.counted),
        _marked(state.should_be_counted, state.counted),
        str(state.held),
        _marked(state.should_be_held, state.held),
        "no limit" if state.limit is None else str(state.limit),
        escape(_note(state)),
    ]


def _marked(number: int, stored: int) -> str:
    return str(number) if number == stored else f"[red]{number}[/red]"


def _note(state: CounterState) -> str:
    if state.is_gone:
        return f"its row is gone: cachao restore --{state.kind} {state.counter_id}"
    notes = []
    if state.may_be_sold_elsewhere:
        notes.append("older than this shop: perhaps sold elsewhere")
    if state.before_us:
        notes.append(f"{state.before_us} paid before this shop")
    taken = state.should_be_counted + state.should_be_held
    if state.limit is not None and taken > state.limit:
        notes.append(f"{taken - state.limit} too many are sold")
    return "; ".join(notes)


def _row_of(order: OrderOff) -> list[str]:
    return [str(order.order_id), escape(order.sentence)]
