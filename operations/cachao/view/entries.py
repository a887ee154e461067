"""A list whose entries begin with a long name: 80 characters have no room in a table, and none may be cut in two."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.text import Text

from cachao.view.foreign_text import safe


class Whole:
    """A line that is never broken: it is copied. A terminal that is narrower goes on in the next line by itself."""

    def __init__(self, text: str) -> None:
        """Take the line."""
        self.text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Print it as it is."""
        yield Segment(safe(self.text))
        yield Segment.line()


def entries(title: str, listed: Sequence[tuple[str, Sequence[str]]]) -> list[RenderableType]:
    """Make the list: each name in a line of its own, its details, which may have rich's markup, indented below it."""
    shown: list[RenderableType] = [Text(title, style="bold")]
    for name, details in listed:
        shown.append(Whole(name))
        shown.append(Padding(Text.from_markup("  ".join(details)), (0, 0, 0, 2), expand=False))
    return shown
