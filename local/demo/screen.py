"""How the demo shows orders, counts, executions and alerts: tables that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from local.demo.stage import Execution
from local.stack import Alert

_ORDER_COLUMNS = (
    "status",
    "quantity",
    "total_amount",
    "stripe_payment_intent_id",
    "paid_at",
    "held_quantity",
    "ticket_counted_at",
    "discount_counted_at",
)
_COUNT_COLUMNS = ("sold_quantity", "held_quantity", "used_count", "held_count")
_COUNT_NAMES = {
    "sold_quantity": "ticket: sold",
    "held_quantity": "ticket: held",
    "used_count": "code: used",
    "held_count": "code: held",
}


def headline(screen: Console, number: int, text: str) -> None:
    """Begin a scene."""
    screen.print()
    screen.rule(f"[bold]{number}. {text}", align="left")


def changes(
    screen: Console, title: str, before: Mapping[str, Any], after: Mapping[str, Any], *, counts: bool = False
) -> None:
    """Show a row before and after, what changed in bold."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("", "before", "after"):
        table.add_column(heading)
    for column in _COUNT_COLUMNS if counts else _ORDER_COLUMNS:
        old, new = _shown(before[column]), _shown(after[column])
        name = _COUNT_NAMES[column] if counts else column
        table.add_row(name, old, f"[bold green]{new}[/]" if old != new else new)
    screen.print(table)


def steps(screen: Console, execution: Execution) -> None:
    """Show the execution's steps with their times."""
    colour = "green" if execution.status == "SUCCEEDED" else "red"
    screen.print(f"Execution {execution.name}: [bold {colour}]{execution.status}[/]", highlight=False, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("step")
    table.add_column("after", justify="right")
    table.add_column("took", justify="right")
    table.add_column("attempts", justify="right")
    for name, after, took, attempts in _steps(execution):
        table.add_row(name, f"{after:.0f} ms", f"{took:.0f} ms", str(attempts) if attempts else "")
    screen.print(table)
    if execution.error is not None:
        screen.print(f"  [red]{execution.error}[/]: {execution.cause}", highlight=False, soft_wrap=True)


def alert(screen: Console, sent: Alert) -> None:
    """Show an alert as the operators' e-mail has it."""
    attributes = ", ".join(f"{name}={value}" for name, value in sorted(sent.attributes.items()))
    screen.print(Panel(sent.message, title=f"Subject: {sent.subject}", subtitle=attributes, title_align="left"))


def _steps(execution: Execution) -> list[tuple[str, float, float, int]]:
    """Name, begin and duration (milliseconds since the execution began), and task attempts of each step."""
    begin = execution.history[0]["timestamp"]
    found: list[tuple[str, float, float, int]] = []
    entered: dict[str, tuple[int, float]] = {}
    attempts: dict[str, int] = {}
    by_id = {event["id"]: event for event in execution.history}
    for event in execution.history:
        at = (event["timestamp"] - begin).total_seconds() * 1000
        if details := event.get("stateEnteredEventDetails"):
            entered[details["name"]] = (len(found), at)
            found.append((details["name"], at, 0.0, 0))
        elif event["type"] == "TaskScheduled":
            name = _state_of(event, by_id)
            attempts[name] = attempts.get(name, 0) + 1
        elif details := event.get("stateExitedEventDetails"):
            place, since = entered[details["name"]]
            found[place] = (details["name"], since, at - since, attempts.get(details["name"], 0))
    return found


def _state_of(event: Mapping[str, Any], by_id: Mapping[int, Mapping[str, Any]]) -> str:
    while "stateEnteredEventDetails" not in event:
        event = by_id[event["previousEventId"]]
    return str(event["stateEnteredEventDetails"]["name"])


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
