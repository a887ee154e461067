"""`cachao watch`: payments as they run, until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cachao.aws import executions
from cachao.aws.environment import Environment
from cachao.aws.executions import Execution
from cachao.command_context import CommandContext
from cachao.view import executions as execution_view
from cachao.view.foreign_text import safe
from cachao.view.output import coloured, duration, escape, fit, moment, table
from cachao.view.time_spans import parse_since

# Of how many running executions the step is asked for in each round: each is a request of its own.
_STEPS_AT_ONCE: Final = 20
# Each attempt is three events, so that a step with all its attempts is among so many.
_HISTORY_TAIL: Final = 100


@dataclass(frozen=True)
class Seen:
    """An execution, and the step that it is in or ended with. Not `described`: only what the list says is known."""

    execution: Execution
    step: str
    described: bool = True


class Watcher:
    """Looks at the newest executions again and again; asks only about what is new or still runs."""

    def __init__(
        self, environment: Environment, *, since: datetime, rows: int, described_at_once: int | None = None
    ) -> None:
        """Take where to look, how far back to begin, and how many executions to keep in view.

        `described_at_once`: so many new ones are described in a look at most, the newest first; the others wait for
        the next looks. None: all are.
        """
        self._environment = environment
        self._since = since
        self._rows = rows
        self._described_at_once = described_at_once
        self._seen: dict[str, Seen] = {}
        # In which look each running execution's step was last asked for.
        self._asked: dict[str, int] = {}
        self._looks = 0

    def look(self) -> list[Seen]:
        """Give the newest executions, oldest first."""
        listed = list(islice(executions.listed(self._environment, since=self._since), self._rows))
        # The list says which still run; describing those again and again would be too many requests.
        changed = [found for found in listed if self._status(found) != found["status"]]
        seen = dict(self._seen)
        seen.update(
            {found["executionArn"]: Seen(executions.as_listed(found), "…", described=False) for found in changed}
        )
        now = [found["executionArn"] for found in changed[: self._described_at_once]]
        seen.update({e.arn: Seen(e, self._step(e)) for e in executions.describe_all(self._environment, now)})
        for arn in self._in_turn(seen):
            seen[arn] = replace(seen[arn], step=self._step_under_way(seen[arn].execution))
        arns = [found["executionArn"] for found in reversed(listed)]
        shown = [seen[arn] for arn in arns if arn in seen]
        self._seen = {one.execution.arn: one for one in shown}
        return shown

    def _in_turn(self, seen: dict[str, Seen]) -> list[str]:
        """Give the running executions whose steps are asked for now: those that were asked for longest ago."""
        self._looks += 1
        running = [arn for arn, one in seen.items() if one.execution.status == executions.RUNNING]
        turn = sorted(running, key=lambda arn: self._asked.get(arn, 0))[:_STEPS_AT_ONCE]
        self._asked = {arn: self._asked[arn] for arn in running if arn in self._asked} | dict.fromkeys(
            turn, self._looks
        )
        return turn

    def _status(self, found: dict[str, Any]) -> str | None:
        known = self._seen.get(found["executionArn"])
        return known.execution.status if known is not None and known.described else None

    def _step(self, execution: Execution) -> str:
        if execution.status == executions.RUNNING:
            return "…"
        return execution_view.result_of(execution) or (execution.cause or "").partition(":")[0]

    def _step_under_way(self, execution: Execution) -> str:
        events = self._environment.client("stepfunctions").get_execution_history(
            executionArn=execution.arn, reverseOrder=True, maxResults=_HISTORY_TAIL, includeExecutionData=False
        )["events"]
        # The local AWS gives all events, and the oldest first.
        newest_first = sorted(events, key=lambda event: int(event["id"]), reverse=True)
        entered = (event.get("stateEnteredEventDetails", {}).get("name") for event in newest_first)
        return next((str(name) for name in entered if name), "…")


def watch(
    ctx: typer.Context,
    since: Annotated[str, typer.Option(help="Show what started since: 10m, 1h, …")] = "10m",
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.2)] = 1.0,
    rows: Annotated[int, typer.Option(help="Show at most this many.", min=1, max=200)] = 30,
    seconds: Annotated[float | None, typer.Option("--for", help="Stop after this many seconds.", min=0)] = None,
) -> None:
    """Watch payments as they run, until Ctrl-C. In a pipe: a line for each that begins or ends, with when it did.

    [bold]Examples[/bold]

        cachao watch

        cachao watch --since 1h --for 600 > watched.txt
    """
    context: CommandContext = ctx.obj
    watcher = Watcher(context.environment, since=parse_since(since), rows=rows)
    rounds = _rounds(watcher, every, seconds)
    try:
        if context.output.console.is_terminal and not context.output.as_json:
            _live(context, rounds)
        else:
            _lines(context, rounds)
    except KeyboardInterrupt:
        context.output.note("No longer watched.")


def _rounds(watcher: Watcher, every: float, seconds: float | None) -> Iterator[list[Seen]]:
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        yield watcher.look()
        if deadline is not None and time.monotonic() + every > deadline:
            return
        time.sleep(every)


def _live(context: CommandContext, rounds: Iterator[list[Seen]]) -> None:
    with Live(console=context.output.console, refresh_per_second=4, screen=False) as live:
        for seen in rounds:
            live.update(_picture(context.environment.name, seen, context.output.console))


def _picture(name: str, seen: list[Seen], console: Console) -> RenderableType:
    """Show what is in view: as a table, or where that is too wide without the names, and those on lines of their own.

    Executions' names are copied: they must not be broken, and what goes on being drawn cannot be wider than a terminal.
    """
    shown = _table(name, seen)
    fit(shown, console)
    if shown.width is None or shown.width <= console.width:
        return shown
    lines = [
        Text(f"{safe(_line(one, with_name=False))}\n  {safe(one.execution.name)}", no_wrap=True, overflow="ellipsis")
        for one in seen
    ]
    return Group(Text.from_markup(_title(name, seen)), *lines)


def _table(name: str, seen: list[Seen]) -> Table:
    rows = [
        [
            moment(one.execution.started),
            coloured(one.execution.status),
            escape(one.step),
            duration(one.execution.took),
            escape(one.execution.order),
            escape(one.execution.event.event_type),
            escape(one.execution.error),
            escape(one.execution.name),
        ]
        for one in seen
    ]
    columns = ("started (UTC)", "status", "step", "for", "order", "event", "error", "execution")
    return table(_title(name, seen), *columns, rows=rows)


def _title(name: str, seen: list[Seen]) -> str:
    running = sum(one.execution.status == executions.RUNNING for one in seen)
    failed = sum(one.execution.failed for one in seen)
    return f"{escape(name)}  {len(seen)} in view, {running} running, {failed} failed  {moment(datetime.now(UTC))} UTC"


def _lines(context: CommandContext, rounds: Iterator[list[Seen]]) -> None:
    reported: dict[str, str] = {}
    for seen in rounds:
        # Each line says when its execution began, or ended: of those that came to light at once the earliest first.
        for one in sorted(seen, key=lambda one: _when(one.execution)):
            if reported.get(one.execution.arn) != one.execution.status:
                reported[one.execution.arn] = one.execution.status
                data = {**execution_view.as_data(one.execution), "step": one.step}
                context.output.line(data if context.output.as_json else _line(one))


def _when(execution: Execution) -> datetime:
    return execution.stopped or execution.started


def _line(one: Seen, *, with_name: bool = True) -> str:
    execution = one.execution
    words = [
        moment(_when(execution)),
        execution.status,
        duration(execution.took),
        f"order {execution.order or '-'}",
        execution.event.event_type or "-",
        execution.error or one.step or "-",
        *([execution.name] if with_name else []),
    ]
    return "  ".join(words)
