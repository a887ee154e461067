"""What `cachao connect` did, step by step, told at the end also where it was stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cachao.view.output import escape, table

# `left to you`: the command may not, or cannot, do it.
State = Literal["done", "was so", "would be done", "left to you"]
_COLOURS: Final[dict[State, str]] = {
    "done": "green",
    "was so": "green",
    "would be done": "cyan",
    "left to you": "yellow",
}


@dataclass(frozen=True)
class Step:
    """One step; `todo` is what a person does now, a command that is to be copied on a line of its own."""

    state: State
    says: str
    todo: str = ""


@dataclass
class Report:
    """The steps so far. `connected`: an event of Stripe's came through the whole way.

    Attributes:
        dry_run: Nothing is changed.
        on_progress: Is called with each step when it is done.
    """

    dry_run: bool
    on_progress: Callable[[str], object]
    steps: list[Step] = field(default_factory=list)
    connected: bool = False

    def add(self, state: State, says: str, todo: str = "") -> None:
        """Add a step."""
        self.steps.append(Step(state, says, todo))
        self.on_progress(says)

    def shown(self) -> list[Any]:
        """Give what is printed: the steps, then what is left to do."""
        rows = [[f"[{_COLOURS[step.state]}]{step.state}[/]", escape(step.says)] for step in self.steps]
        todos = [escape_lines(step.todo) for step in self.steps if step.todo]
        return [table("", "", "", rows=rows), *(f"\n{todo}" for todo in todos)]


def escape_lines(text: str) -> str:
    """Make text with line breaks of ours fit for printing."""
    return "\n".join(escape(line) if line else "" for line in text.split("\n"))
