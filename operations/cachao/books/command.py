"""`cachao books`: order, payment, refund or dispute, balance transaction with its fee, payout: what is left over."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cachao.books import shown
from cachao.books.reading import Reading, read_payout
from cachao.command_context import CommandContext
from cachao.problems import BROKEN, INTERRUPTED, USAGE, Problem
from cachao.view.spreadsheet import refuse_json_and_csv, write_csv
from cachao.view.time_spans import parse_since
from ticketing.books.lines import BookLine
from ticketing.books.tally import Tally
from ticketing.stripe.balance import Payout

_PAYOUT: Final = "po_"


def books(
    ctx: typer.Context,
    *,
    payout: Annotated[str | None, typer.Option(help="What this payout paid out (po_…).")] = None,
    since: Annotated[str | None, typer.Option(help="What moved since: 12h, 2d, 1w, or a date (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="What moved before; written like --since. Default: now.")] = None,
    with_payouts: Annotated[
        bool,
        typer.Option("--with-payouts", help="Of a span: also which payout paid out a line; twice the requests."),
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every line, as CSV for a spreadsheet.")] = False,
    rate: Annotated[float, typer.Option(help="Requests to Stripe per second, at most.", min=0.1, max=80)] = 20,
) -> None:
    """Hold the shop's books against the balance at Stripe: every line of it agrees, or is named, with what to do.

    For a payout: it comes to the sum of its lines. For a span: all that moved, what the books have besides, and the
    payouts. It reads only, and may be interrupted. Ends with 1 where somebody has to do something.

    [bold]Examples[/bold]

        cachao books --since 2026-11-01 --until 2026-12-01

        cachao books --payout po_1Q…

        cachao books --since 30d --csv > books.csv
    """
    context: CommandContext = ctx.obj
    if (payout is None) is (since is None):
        raise Problem(
            "Give --payout, or --since.", advice="cachao books --since 30d also lists the payouts.", exit_code=USAGE
        )
    if as_csv:
        refuse_json_and_csv(context.output)
    if payout is not None and (until is not None or with_payouts):
        raise Problem("--until and --with-payouts go with --since.", exit_code=USAGE)
    try:
        if payout is not None:
            faults = _of_payout(context, payout, rate=rate, as_csv=as_csv)
        else:
            span = _span(str(since), until)
            faults = _of_span(context, *span, rate=rate, with_payouts=with_payouts, as_csv=as_csv)
    except KeyboardInterrupt:
        raise Problem("Interrupted. Nothing was changed; it has to begin anew.", exit_code=INTERRUPTED) from None
    if faults:
        raise typer.Exit(BROKEN)


def _span(since: str, until: str | None) -> tuple[int, int]:
    begin = int(parse_since(since).timestamp())
    end = int((datetime.now(UTC) if until is None else parse_since(until)).timestamp())
    if end <= begin:
        raise Problem("--until must be after --since.", exit_code=USAGE)
    return begin, end


def _of_payout(context: CommandContext, name: str, *, rate: float, as_csv: bool) -> bool:
    found = read_payout(context, name) if name.startswith(_PAYOUT) else None
    if found is None:
        raise Problem(
            f"Stripe has no payout {name} in this account and mode.",
            advice="cachao books --since 30d lists those of the last 30 days.",
        )
    _check_lists_lines(found)
    tally = Tally(found)
    with _reading(context, tally, rate) as reading:
        _tell(context, itertools.chain(reading.lines(payout=name), _ended(tally)), as_csv=as_csv)
    return _answer(context, tally, reading, shown.heading_of_payout(found), [found], as_csv=as_csv)


def _check_lists_lines(payout: Payout) -> None:
    if not payout.is_automatic:
        raise Problem(
            f"Payout {payout.payout_id} was made by hand: Stripe cannot say what it paid out.",
            advice="Look at a span instead: cachao books --since.",
        )
    if not payout.lists_lines:
        raise Problem(
            f"Stripe has not yet put together what payout {payout.payout_id} paid out.",
            advice="Try again in a few hours; or look at a span: cachao books --since.",
        )


def _of_span(context: CommandContext, since: int, until: int, *, rate: float, with_payouts: bool, as_csv: bool) -> bool:
    tally = Tally()
    with _reading(context, tally, rate) as reading:
        if with_payouts:
            # What moved in the span was paid out in it, or after it.
            reading.paid_out(reading.payouts(since, int(datetime.now(UTC).timestamp())))
        lines = itertools.chain(reading.lines(since=since, until=until), reading.recorded(since, until), _ended(tally))
        _tell(context, lines, as_csv=as_csv)
        payouts = reading.payouts(since, until)
    return _answer(context, tally, reading, shown.heading_of_span(since, until), payouts, as_csv=as_csv)


def _ended(tally: Tally) -> Iterator[BookLine]:
    # A generator: what only shows at the end is asked for when the lines before it have come.
    yield from tally.end()


def _tell(context: CommandContext, lines: Iterable[BookLine], *, as_csv: bool) -> None:
    """Let all lines come; each is written as CSV where that is wanted, and then forgotten, or kept by the tally."""
    if as_csv:
        write_csv(context.output, shown.COLUMNS, map(shown.cells_of, lines))
    for _ in lines:
        pass


@contextlib.contextmanager
def _reading(context: CommandContext, tally: Tally, rate: float) -> Iterator[Reading]:
    output = context.output
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=output.errors, disable=not output.is_live, transient=True) as progress:
        bar = progress.add_task("asking Stripe", total=None)
        yield Reading(
            context, tally, rate=rate, tell=lambda done: progress.update(bar, description=f"comparing: {done}")
        )


def _answer(
    context: CommandContext, tally: Tally, reading: Reading, heading: str, payouts: list[Payout], *, as_csv: bool
) -> bool:
    if as_csv:
        context.output.note(shown.summary(tally, reading.requests))
    else:
        context.output.answer(
            shown.data(tally, reading.requests, payouts), *shown.tables(tally, reading.requests, heading, payouts)
        )
    return any(line.is_fault for line in tally.findings) or any(sums.left_over_minor for sums in tally.books)
