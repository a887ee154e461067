"""What is to be replayed, shown before it is asked whether it may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType

from cachao.aws import execution_names
from cachao.replay.plans import Plan
from cachao.view import executions as execution_view
from cachao.view.entries import entries
from cachao.view.output import coloured, escape, moment

# What ends so has only told the operators, and tells them again.
_TELLS: Final = "DisputeRecorded"


def preview(plans: Sequence[Plan]) -> list[RenderableType]:
    """Show each original's name, and below it what it was and what happens to it now."""
    return entries("To be replayed", [(plan.original.name, _details(plan)) for plan in plans])


def _details(plan: Plan) -> list[str]:
    original = plan.original
    return [
        f"started {moment(original.started)} UTC",
        coloured(original.status),
        escape(original.error or execution_view.result_of(original)),
        f"order {escape(original.order)}",
        escape(original.event.event_type),
        f"[bold]{said(plan)}[/bold]",
    ]


def said(plan: Plan) -> str:
    """Say what happens to one original."""
    if plan.intention == "replay":
        mail = ", which sends its alert again" if execution_view.result_of(plan.original) == _TELLS else ""
        return f"starts {_shortened(plan, plan.name)}{mail}"
    if plan.intention == "running":
        return "still runs: only waited for"
    done = "replayed" if plan.original.status == "SUCCEEDED" else "repaired"
    begun = f"{done} already" if plan.intention == "repaired already" else "being replayed"
    return f"{begun}, by {_shortened(plan, plan.latest_replay.name)}" if plan.latest_replay else begun


def _shortened(plan: Plan, name: str) -> str:
    # The original's own name stands above it.
    return escape(name.removesuffix(execution_names.root_of(plan.original.name)) + "…")
