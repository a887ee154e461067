"""`cachao show`: an order with all that happened to it, or one execution step by step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.text import Text

from cachao.aws import execution_names, executions
from cachao.aws.environment import Environment
from cachao.aws.executions import Execution, Found
from cachao.aws.logs import Field
from cachao.aws.timeline import Timeline
from cachao.command_context import CommandContext
from cachao.picture import execution as pictures
from cachao.problems import BROKEN, FunctionFailed, Problem
from cachao.view import executions as execution_view
from cachao.view import orders as order_view
from cachao.view import stripe_ids
from cachao.view.foreign_text import safe
from cachao.view.output import escape
from ticketing.orders.numbers import order_id_of

_STRIPE_ID = re.compile(r"(cs|pi|evt|re|pyr|dp|du|ch|py)_[A-Za-z0-9_]+\Z")
# Those that the functions' logs are indexed by.
_LOGGED: Final[dict[str, Field]] = {
    "cs": "stripe_session_id",
    "pi": "stripe_payment_intent_id",
    "evt": "stripe_event_id",
}
_SOME_MISSING: Final = (
    "The functions' logs did not answer: only executions that changed the order are shown."
    " You need logs:StartQuery and logs:GetQueryResults."
)
_NOT_EVEN_LOGS: Final = (
    "The functions' logs did not answer, either: its executions are unknown."
    " You need logs:StartQuery and logs:GetQueryResults."
)


@dataclass(frozen=True)
class How:
    """What is to be shown besides."""

    picture: Path | None
    full: bool
    last: int


@dataclass(frozen=True)
class Known:
    """What is known of an order, or of an id of Stripe's that belongs to none.

    `named`: no order is known by the id, but the events that have it name this one. `failure`: what kept the order from
    being read.
    """

    wanted: str
    inspected: dict[str, Any] | None
    found: Found
    failure: FunctionFailed | None = None
    reference: str | None = None
    named: dict[str, Any] | None = None


def show(
    ctx: typer.Context,
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="EXECUTION|ORDER|evt_…|cs_…|pi_…|ch_…|re_…|du_…",
            help="What to show. For an execution, the first 8 characters of its name suffice.",
        ),
    ],
    picture: Annotated[
        Path | None, typer.Option(help="Also draw the path taken, into this .svg or .html file.")
    ] = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="Show the steps' inputs and outputs in full.")] = False,
    last: Annotated[int, typer.Option(min=1, help="With an order: show the steps of this many executions.")] = 3,
) -> None:
    """Show an order as the database has it, or an execution, with a timeline of its steps.

    It names the step that failed, not the one that caught it. While the database is away it shows of an order what the
    logs know, and ends with 1.

    [bold]Examples[/bold]

        cachao show 1234

        cachao show evt_1RWIaFPLMCn9OYH0FPPvZ1hz

        cachao show replay-1-4f0c… --full --picture out.svg
    """
    context: CommandContext = ctx.obj
    environment, how = context.environment, How(picture, full, last)
    if picture is not None:
        pictures.check(picture)
    if is_order_or_stripe_id(wanted):
        _show_known(context, look_up(environment, wanted), how)
    else:
        _show_execution(context, executions.get(environment, wanted, note=context.output.note), how)


def is_order_or_stripe_id(wanted: str) -> bool:
    """Tell whether that is an order's number or an id of Stripe's, and not an execution."""
    is_number = wanted.isascii() and wanted.isdigit()
    return is_number or _STRIPE_ID.match(wanted) is not None or stripe_ids.is_elsewhere(wanted)


def look_up(environment: Environment, wanted: str) -> Known:
    """Give what is known of an order, or of an id of Stripe's.

    Raises:
        Problem: neither the database nor the logs have it, or no order is found by such an id.
    """
    if stripe_ids.is_elsewhere(wanted):
        raise stripe_ids.elsewhere(wanted)
    of = _of_number if wanted.isdigit() else _of_stripe_id
    return of(environment, wanted)


def _show_execution(context: CommandContext, execution: Execution, how: How) -> None:
    timeline = executions.timeline(context.environment, execution)
    original = original_of(context.environment, execution, [])
    context.output.answer(
        execution_view.as_data(execution, timeline, original=original),
        *execution_view.render(execution, timeline, full=how.full, original=original),
    )
    _draw(context, how.picture, execution, timeline)


def _of_number(environment: Environment, wanted: str) -> Known:
    inspected, failure = order_view.find_if_reachable(environment, wanted)
    if inspected is None and failure is None:
        raise Problem(f"There is no order {wanted}.", advice="Run cachao orders to list the latest orders.")
    found = (
        executions.of_order(environment, inspected)
        if inspected
        else executions.of_logged(environment, "order_id", wanted)
    )
    return Known(wanted, inspected, found, failure)


def _of_stripe_id(environment: Environment, wanted: str) -> Known:
    kind = wanted.split("_", 1)[0]
    inspected, failure = order_view.find_if_reachable(environment, wanted)
    if kind not in _LOGGED and inspected is None:
        raise failure or _not_kept(wanted)
    found = (
        executions.of_order(environment, inspected)
        if inspected is not None and kind != "evt"
        else executions.of_logged(environment, _LOGGED[kind], wanted)
    )
    if inspected is not None and kind == "evt" and not found.complete:
        found = _of_event(environment, inspected, wanted)
    if inspected is None and failure is None and not found.executions:
        raise Problem(
            f"Neither the orders nor the workflow have {wanted}.",
            advice=f"cachao stripe {wanted} asks Stripe. If Stripe has it, its event did not arrive: cachao doctor"
            " checks the way from there.",
        )
    reference = None if inspected is not None else _reference_in(found)
    known = order_id_of(reference) is not None and failure is None
    named = order_view.find(environment, reference) if known and reference is not None else None
    return Known(wanted, inspected, found, failure, reference, named)


def _not_kept(wanted: str) -> Problem:
    kind = wanted.split("_", 1)[0]
    what = {"dp": "dispute", "du": "dispute", "ch": "charge", "py": "charge"}.get(kind, "refund")
    until = " The shop learns a charge's id from a refund or a dispute of it." if what == "charge" else ""
    return Problem(
        f"No order has the {what} {wanted}.",
        advice=f"cachao stripe {wanted} asks Stripe for its payment; then: cachao show pi_….{until}",
    )


def _reference_in(found: Found) -> str | None:
    """Give the order that the newest of these executions names in its event."""
    references = (execution.event.order_reference for execution in reversed(found.executions))
    return next((reference for reference in references if reference), None)


def _of_event(environment: Environment, inspected: dict[str, Any], event_id: str) -> Found:
    entries = [entry for entry in inspected["history"] if entry["stripe_event_id"] == event_id]
    named = [entry["execution_id"] for entry in entries if (entry["execution_id"] or "").startswith("arn:")]
    return Found(executions.describe_all(environment, named), complete=False)


def _show_known(context: CommandContext, known: Known, how: How) -> None:
    environment, found = context.environment, known.found.executions
    order = known.inspected["order"]["id"] if known.inspected else None
    timelines = [(execution, executions.timeline(environment, execution)) for execution in found[-how.last :]]
    originals = {execution.name: original_of(environment, execution, found) for execution, _ in timelines}
    shown = what_is_known(known)
    if found:
        shown.append(execution_view.listing("Executions, the oldest first", found, order=order))
    elif known.found.complete:
        shown.append("It has no executions.")
    if not known.found.complete:
        missing = _SOME_MISSING if known.failure is None else _NOT_EVEN_LOGS
        shown.append(Text(missing, style="yellow"))
    for execution, timeline in timelines:
        original = originals[execution.name]
        shown.extend(["", *execution_view.render(execution, timeline, full=how.full, original=original)])
    data = _data(known)
    data["executions"] = [
        *(execution_view.as_data(execution, order=order) for execution in found[: -how.last]),
        *(
            execution_view.as_data(execution, timeline, original=originals[execution.name], order=order)
            for execution, timeline in timelines
        ),
    ]
    context.output.answer(data, *shown)
    if timelines:
        _draw(context, how.picture, *_most_informative(timelines))
    elif how.picture is not None:
        raise Problem("There is no execution to draw.")
    if known.failure is not None:
        # In text the sentence stands where the order would.
        sentence = f"{escape(order_view.not_read(known.failure))} " if context.output.as_json else ""
        context.output.note(f"{sentence}{known.failure.advice}")
        raise typer.Exit(BROKEN)


def what_is_known(known: Known) -> list[RenderableType]:
    """Show an order, or say why there is none to show; without its executions."""
    if known.inspected is not None:
        return _spaced(order_view.render(known.inspected))
    shown: list[RenderableType] = []
    if known.failure is not None:
        shown.append(Text(safe(order_view.not_read(known.failure)), style="yellow"))
    if known.named is not None:
        named = known.named["order"]["id"]
        shown.append(
            Text(f"The event names order {named}, but the order has no record of {safe(known.wanted)}.", style="yellow")
        )
        return [*shown, "", *_spaced(order_view.render(known.named))]
    if known.reference is not None:
        there = "" if known.failure is not None else ", which does not exist"
        shown.append(Text(f"The event names order {safe(str(known.reference))}{there}.", style="yellow"))
    elif known.failure is None:
        shown.append(Text("It belongs to no known order, and its event names none.", style="yellow"))
    return shown


def _data(known: Known) -> dict[str, Any]:
    return {
        **(known.inspected or {"order": None}),
        # What the event says, where no order is known by the id.
        **({} if known.inspected is not None else {"named_by_event": known.reference, "named_order": known.named}),
        **({} if known.failure is None else {"problem": known.failure.sentence}),
        "complete": known.found.complete,
    }


def original_of(environment: Environment, execution: Execution, among: list[Execution]) -> str | None:
    """Give the whole name of the execution that this one replays; None where it replays none, or it is not found."""
    if not execution_names.is_replay(execution.name):
        return None
    return executions.original_of(environment, execution.name, [other.name for other in among])


def _most_informative(timelines: list[tuple[Execution, Timeline]]) -> tuple[Execution, Timeline]:
    failed = [pair for pair in timelines if pair[0].failed]
    return (failed or timelines)[-1]


def _draw(context: CommandContext, picture: Path | None, execution: Execution, timeline: Timeline) -> None:
    if picture is not None:
        pictures.write_picture(context.environment, execution, timeline, picture)
        context.output.note(f"The path of {execution.name} is drawn in {picture}.")


def _spaced(parts: list[RenderableType]) -> list[RenderableType]:
    return [item for part in parts for item in (part, "")]
