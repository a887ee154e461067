"""How executions and their steps are shown."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cachao.aws import execution_names
from cachao.aws.executions import Execution
from cachao.aws.timeline import Attempt, Step, Timeline
from cachao.view.output import coloured, duration, escape, moment, pluralize, table
from ticketing.reconciliation import made_events

_MARKS: Final = {"succeeded": "✔", "failed": "✘", "caught": "✘", "running": "…", "stopped": "■"}
_SHORT: Final = 160
# How the ids begin of events that reconciliation makes for payments whose own event was lost.
_RECONCILED: Final = made_events.event_id("")


def listing(
    title: str,
    executions: Sequence[Execution],
    *,
    order: int | None = None,
    since: Callable[[Execution], str] | None = None,
) -> Table:
    """Show executions, one a line.

    Args:
        title: the table's title, or nothing.
        executions: what to show, in this order.
        order: whose they all are, for those that do not say so themselves.
        since: gives what became of one since it ended; without it that column is left out.
    """
    rows = [
        [
            moment(execution.started),
            coloured(execution.status),
            duration(execution.took),
            escape(execution.order or order),
            escape(event_of(execution)),
            escape(execution.error or result_of(execution)),
            *([] if since is None else [since(execution)]),
            escape(execution.name),
        ]
        for execution in executions
    ]
    columns = ["started (UTC)", "status", "took", "order", "event", "result", "since then", "execution"]
    if since is None:
        columns.remove("since then")
    return table(title, *columns, rows=rows)


def event_of(execution: Execution) -> str | None:
    """Name the type of the event that started an execution, and whether reconciliation made it."""
    event = execution.event
    return (
        f"{event.event_type}{' (reconciliation)' if _by_reconciliation(execution) else ''}"
        if event.event_type
        else None
    )


def _by_reconciliation(execution: Execution) -> bool:
    # Reconciliation puts events of its own; EventBridge names their executions as any other's.
    return (execution.event.event_id or "").startswith(_RECONCILED)


def result_of(execution: Execution) -> str | None:
    """Give what a succeeded execution says it did, e.g. `OrderPaid`."""
    try:
        output = json.loads(execution.output or "")
    except ValueError:
        return None
    return str(output["result"]) if isinstance(output, dict) and "result" in output else None


def as_data(
    execution: Execution, timeline: Timeline | None = None, *, original: str | None = None, order: int | None = None
) -> dict[str, Any]:
    """Give an execution as JSON: what it is, and its steps where they were read.

    `original`: the name of the execution that it replays, where its own name has only the beginning of that.
    `order`: whose it is, where it does not say so itself.
    """
    is_replay = execution_names.is_replay(execution.name)
    data: dict[str, Any] = {
        "execution": execution.name,
        "arn": execution.arn,
        "status": execution.status,
        "started": execution.started,
        "stopped": execution.stopped,
        "seconds": execution.took.total_seconds() if execution.took else None,
        "version": execution.version,
        "order": execution.order or (None if order is None else str(order)),
        "event": execution.event.event_id,
        "event_type": execution.event.event_type,
        "object": execution.event.object_id,
        "result": result_of(execution),
        "error": execution.error,
        "cause": execution.cause,
        "by_reconciliation": _by_reconciliation(execution),
        # Whole, or null: the name of a replay may have cut it, and what is left is the name of nothing.
        "replay_of": (original or execution_names.original_of(execution.name)) if is_replay else None,
        "replay_of_beginning": execution_names.root_of(execution.name) if is_replay else None,
    }
    if timeline is not None:
        data["failed_steps"] = [step.name for step in timeline.failed]
        data["trying_again"] = [step.name for step in timeline.trying_again]
        data["steps"] = [_step_as_data(step) for step in timeline.steps]
    return data


def _step_as_data(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "type": step.kind,
        "result": step.result,
        "entered": step.entered,
        "seconds": step.took.total_seconds() if step.took else None,
        "attempts": [
            {
                "started": attempt.started,
                "seconds": attempt.took.total_seconds() if attempt.took else None,
                "error": attempt.error,
                "sentence": attempt.sentence,
            }
            for attempt in step.attempts
        ],
        "input": parsed(step.input),
        "output": parsed(step.output),
    }


def parsed(text: str | None) -> object:
    """Give the value of a JSON text; a text that is none as it is."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


def render(
    execution: Execution, timeline: Timeline, *, full: bool = False, original: str | None = None
) -> list[RenderableType]:
    """Show an execution: what became of it and why, then its steps.

    `full`: inputs and outputs uncut. `original`: the whole name of the execution that it replays, where known.
    """
    shown: list[RenderableType] = [Text.from_markup(line) for line in _headline(execution, timeline, original)]
    steps = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left")
    for column in ("", "step", "at (UTC)", "took", "tries", ""):
        steps.add_column(column, overflow="fold", header_style="dim")
    for step in timeline.steps:
        mark = f"[{_colour(step)}]{_MARKS[step.result]}[/]"
        steps.add_row(
            mark,
            f"[bold]{escape(step.name)}[/bold]" if step in timeline.failed else escape(step.name),
            step.entered.strftime("%H:%M:%S.%f")[:-3],
            duration(step.took),
            str(len(step.attempts)) if step.attempts else "",
            "\n".join(_details(step, full=full)),
        )
    shown.append(steps)
    return shown


def _headline(execution: Execution, timeline: Timeline, original: str | None) -> list[str]:
    lines = [
        f"[bold]{escape(execution.name)}[/bold]",
        f"{coloured(execution.status)} after {duration(execution.took)}, started {moment(execution.started)} UTC",
        " ".join(_words(execution)),
    ]
    if execution.version is not None:
        lines.append(f"on version {execution.version} of the workflow")
    if execution_names.is_replay(execution.name):
        lines.append(_replay_of(execution.name, original))
    if _by_reconciliation(execution):
        lines.append("reconciliation made its event, because Stripe's own was lost")
    for step in timeline.failed:
        failure = step.failure
        error = failure.error if failure else timeline.error
        sentence = failure.sentence if failure else timeline.cause
        lines.append(
            f"[red]{escape(step.name)} failed with {escape(error)}[/red]: {escape(sentence or 'no reason given')}"
        )
    for step in timeline.trying_again:
        tries = step.failed_attempts
        lines.append(
            f"[yellow]{escape(step.name)} is trying again[/yellow] ({pluralize(len(tries), 'try', 'tries')} so far);"
            f" last: {escape(tries[-1].error)}: {escape(tries[-1].sentence or 'no reason given')}"
        )
    if execution.failed and not timeline.failed:
        lines.append(f"[red]{escape(execution.error)}[/red]: {escape(execution.cause)}")
    return lines


def _replay_of(name: str, original: str | None) -> str:
    known = original or execution_names.original_of(name)
    if known is not None:
        return f"a replay of {escape(known)}"
    return f"a replay of the execution whose name begins with {escape(execution_names.root_of(name))}…"


def _words(execution: Execution) -> list[str]:
    event = execution.event
    return [
        escape(event.event_type),
        escape(event.event_id),
        "order",
        escape(execution.order),
        escape(event.object_id),
    ]


def _details(step: Step, *, full: bool) -> list[str]:
    lines = [_tries(same, full=full) for same in _alike(step.attempts)]
    if step.attempts or full:
        lines.append(f"[dim]in   {escape(_said(step.input, full=full))}[/dim]")
        if step.output is not None and step.failure is None:
            lines.append(f"[dim]out  {escape(_said(step.output, full=full))}[/dim]")
    return lines


def _alike(attempts: Sequence[Attempt]) -> list[list[tuple[int, Attempt]]]:
    """Put failed attempts with the same error, one after the other, together; each with its number."""
    failed = [(number, attempt) for number, attempt in enumerate(attempts, 1) if attempt.error is not None]
    groups = itertools.groupby(failed, key=lambda pair: (pair[1].error, pair[1].sentence))
    return [list(group) for _, group in groups]


def _tries(same: list[tuple[int, Attempt]], *, full: bool) -> str:
    (first, attempt), (last, latest) = same[0], same[-1]
    if len(same) == 1:
        when = f"try {first} at {attempt.started:%H:%M:%S}, {duration(attempt.took)}"
    else:
        when = f"tries {first} to {last}, from {attempt.started:%H:%M:%S} to {latest.started:%H:%M:%S}"
    return f"[red]{when}: {escape(attempt.error)}[/red] {escape(_cut(attempt.sentence or '', full=full))}"


def _said(text: str | None, *, full: bool) -> str:
    """Write a step's input or output: in full as JSON, or in a line without what is inside of what."""
    value = parsed(text)
    if full:
        return json.dumps(value, indent=2, ensure_ascii=False)
    if not isinstance(value, dict):
        return _cut(str(value), full=False)
    # The execution's own id is in every input, and the payment is what ValidateEvent put out.
    words = [f"{name}={_brief(part)}" for name, part in value.items() if name != "execution_id"]
    return _cut(" ".join(words), full=False)


def _brief(value: object) -> str:
    if isinstance(value, dict | list):
        return "{…}"
    text = str(value).lower() if isinstance(value, bool) or value is None else str(value)
    return text.partition("\n")[0]


def _cut(text: str, *, full: bool) -> str:
    return text if full or len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _colour(step: Step) -> str:
    return {"succeeded": "green", "running": "cyan", "stopped": "yellow"}.get(step.result, "red")
