"""`cachao refund --event`, `--ticket`: refunds all orders of what was called off, and reports on each."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
import typer
from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cachao.aws import operator
from cachao.command_context import CommandContext
from cachao.problems import BROKEN, FINE, INTERRUPTED, FunctionFailed, Problem
from cachao.view.output import escape, moment, pluralize, table
from cachao.view.spreadsheet import Cell, refuse_json_and_csv, write_csv
from ticketing import money
from ticketing.corrections.event_refund.lines import Line, Scope
from ticketing.corrections.event_refund.report import EventRefundReport
from ticketing.corrections.event_refund.store import Sum

_FUNCTION: Final = "RefundEventFunction"
# Calls that come no further, one after the other, before the command gives up; and the pause between them.
_MOST_STUCK: Final = 8
_PAUSE_SECONDS: Final = 10.0
_WORDS: Final = {
    ("refund", "due"): "to refund",
    ("refund", "done"): "refunded",
    ("refund", "before"): "had gone back before",
    ("refund", "disputed"): "in dispute: left alone",
    ("refund", "waits"): "payment not settled yet: left alone",
    ("refund", "failed"): "failed",
    ("take_back", "due"): "free or unpaid: to end",
    ("take_back", "done"): "free or unpaid: ended",
    ("take_back", "before"): "had ended before, without a payment",
    ("take_back", "waits"): "payment under way: left alone",
    ("take_back", "by_hand"): "not paid through Stripe: pay back by hand",
    ("take_back", "failed"): "failed",
}
_NEED_A_PERSON: Final = frozenset({"disputed", "waits", "by_hand", "failed", "due"})
_COLUMNS: Final = (
    "order", "payment", "what", "state", "currency", "paid", "gone back before", "refunded", "left", "refund", "note"
)  # fmt: skip


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How the operator wants it: `rate` in requests a second; `as_csv`, `report_only`: of the report."""

    rate: float
    as_csv: bool
    report_only: bool
    reason: str | None
    dry_run: bool
    yes: bool


def refund_event(context: CommandContext, scope: Scope, wish: Wish) -> None:
    """Preview, ask, work until nothing is left to do, and report.

    Raises:
        Problem: there is no such event or ticket, the answer was no, or the balance ran dry.
    """
    if wish.as_csv:
        refuse_json_and_csv(context.output)
    if wish.report_only:
        _answer(context, _read_all(context, scope), as_csv=wish.as_csv)
        return
    before = _ask(context, scope, "preview")
    if not before.tickets:
        raise Problem(f"There is no {scope.name.replace(':', ' ')}, or it has no ticket. Nothing was done.")
    shown = _preview_shown(before)
    if wish.dry_run:
        context.output.answer({**_data(before), "dry_run": True}, *shown)
        raise typer.Exit(FINE)
    if not wish.yes:
        for part in shown:
            context.output.errors.print(part)
    what = scope.name.replace(":", " ")
    context.output.confirm(
        f"Stop the sale of {what}, and refund or end all its orders, in {context.environment.name}?"
        " This cannot be undone.",
        yes=wish.yes,
    )
    given = {"by": operator.name_of(context.environment), "reason": wish.reason, "requests_per_second": wish.rate}
    _ask(context, scope, "begin", **given)
    try:
        dry = _work(context, scope, given)
    except KeyboardInterrupt:
        raise Problem(
            "Interrupted. What was refunded is written down.",
            advice="Say the same command again: it goes on where it was, and refunds nothing twice.",
            exit_code=INTERRUPTED,
        ) from None
    report = _read_all(context, scope)
    _answer(context, report, as_csv=wish.as_csv)
    if dry:
        raise Problem(
            f"The balance at Stripe does not suffice: {dry}",
            advice="Add money to it in Stripe's dashboard (Balance), then say the same command again: it goes on where"
            " it was, and refunds nothing twice.",
        )
    if not report.agrees or report.new_orders or any(line.state in _NEED_A_PERSON for line in report.lines):
        raise typer.Exit(BROKEN)


def _work(context: CommandContext, scope: Scope, given: dict[str, Any]) -> str:
    """Call the function until nothing is due; give why it stopped where the balance is dry."""
    columns = (TextColumn("refunding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    output, stuck = context.output, 0
    with Progress(*columns, console=output.errors, disable=not output.is_live, transient=True) as progress:
        bar = progress.add_task("", total=None)
        while True:
            try:
                report = _ask(context, scope, "work", **given)
            except FunctionFailed as failure:
                stuck += 1
                if failure.error not in {"DatabaseUnavailable", "StripeUnavailable"} or stuck > _MOST_STUCK:
                    raise
                time.sleep(_PAUSE_SECONDS)
                continue
            now = report.progress
            if now is None:
                return ""
            total = sum(one.lines for one in report.sums)
            progress.update(bar, completed=total - now.due, total=total)
            if now.dry or not now.due:
                return now.dry
            stuck = 0 if now.done_now else stuck + 1
            if stuck > 1:
                # What was tried twice, and could not be done, stays due; the report says so.
                return ""


def _ask(context: CommandContext, scope: Scope, action: str, **given: Any) -> EventRefundReport:  # noqa: ANN401 -- JSON
    question = {"execution_id": "cachao refund", "scope": msgspec.to_builtins(scope), "action": action, **given}
    return msgspec.convert(context.environment.invoke(_FUNCTION, question), EventRefundReport)


def _read_all(context: CommandContext, scope: Scope) -> EventRefundReport:
    report = _ask(context, scope, "report")
    if report.refund_id is None:
        raise Problem(f"The refund of {scope.name.replace(':', ' ')} was not begun.")
    after = report.after
    while after is not None:
        page = _ask(context, scope, "report", after=after)
        report.lines += page.lines
        after = page.after
    return report


def _answer(context: CommandContext, report: EventRefundReport, *, as_csv: bool) -> None:
    if as_csv:
        write_csv(context.output, _COLUMNS, (_row(line) for line in report.lines))
        return
    context.output.answer({**_data(report), "dry_run": False}, *_report_shown(report))


def _data(report: EventRefundReport) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(report)
    del data["progress"], data["after"]
    for reported, line in zip(data["lines"], report.lines, strict=True):
        reported["left_minor"] = line.left_minor
    return data


def _row(line: Line) -> list[Cell]:
    amounts = (line.paid_minor, line.before_minor, line.refunded_minor, line.left_minor)
    return [
        line.order_id,
        line.payment_key,
        line.what.replace("_", " "),
        line.state,
        line.currency.upper(),
        *(money.from_minor_units(minor, line.currency) for minor in amounts),
        line.stripe_refund_id or "",
        line.note,
    ]


def _preview_shown(report: EventRefundReport) -> list[RenderableType]:
    parts: list[RenderableType] = [_sums(report.sums, f"The refund of {report.scope.replace(':', ' ')}")]
    stopped = f"{pluralize(len(report.tickets), 'ticket')}: {_numbers(report.tickets)}"
    parts.append(f"It stops the sale of {stopped}. {_reopening(report)}")
    if report.refund_id is not None:
        parts.append(escape(f"It was begun {moment(report.begun_at)} UTC by {report.begun_by}: this goes on with it."))
    return parts


def _report_shown(report: EventRefundReport) -> list[RenderableType]:
    left = [line for line in report.lines if line.state in _NEED_A_PERSON]
    title = f"The refund of {report.scope.replace(':', ' ')}: {pluralize(len(report.lines), 'line')}"
    parts: list[RenderableType] = [_sums(report.sums, title)]
    if left:
        parts.append(table("These are left", *_COLUMNS, rows=[[escape(cell) for cell in _row(line)] for line in left]))
    if report.new_orders:
        came = pluralize(report.new_orders, "order")
        parts.append(f"[yellow]{came} came since, without a line here: say the command again.[/yellow]")
    parts.append(
        "The books agree with it, line by line."
        if report.agrees
        else "[red]The books do not agree with it: look at cachao doctor, then say the command again.[/red]"
    )
    parts.append(f"The sale is stopped. {_reopening(report)}")
    parts.append(f"Each order's line: cachao refund --{report.scope.replace(':', ' ')} --report --csv, or --json.")
    return parts


def _reopening(report: EventRefundReport) -> str:
    return f"To sell again when it has ended: cachao sale --{report.scope.replace(':', ' ')} --open"


def _sums(sums: list[Sum], title: str) -> RenderableType:
    rows = [
        [
            _WORDS.get((one.what, one.state), one.state),
            str(one.lines),
            one.currency.upper(),
            *_amounts(one.currency, one.paid_minor, one.before_minor, one.refunded_minor, one.left_minor),
        ]
        for one in sums
    ]
    for currency in sorted({one.currency for one in sums}):
        of = [one for one in sums if one.currency == currency]
        totals = (
            sum(one.paid_minor for one in of),
            sum(one.before_minor for one in of),
            sum(one.refunded_minor for one in of),
            sum(one.left_minor for one in of),
        )
        rows.append(["in all", str(sum(one.lines for one in of)), currency.upper(), *_amounts(currency, *totals)])
    return table(title, "what", "lines", "", "paid", "gone back before", "refunded", "left", rows=rows)


def _amounts(currency: str, *minor: int) -> list[str]:
    return [str(money.from_minor_units(amount, currency)) for amount in minor]


def _numbers(ids: list[int]) -> str:
    return ", ".join(str(row_id) for row_id in ids[:20]) + (", …" if len(ids) > 20 else "")  # noqa: PLR2004 -- enough
