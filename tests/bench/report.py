"""What a section found: as a table for people, as JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

Cell = float | int | str | None


@dataclass(frozen=True)
class Line:
    """One measured thing. `met` is None where there is no budget."""

    name: str
    cells: Sequence[Cell]
    ratio: float | None = None
    budget: str = ""
    met: bool | None = None


@dataclass
class Section:
    """A table: `columns` are the headings of the lines' cells, with their units."""

    name: str
    title: str
    columns: Sequence[str]
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def met(self) -> bool:
        return all(line.met is not False for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        return {
            "section": self.name,
            "met": self.met,
            "lines": [
                {
                    "name": line.name,
                    **dict(zip(self.columns, line.cells, strict=True)),
                    "ratio": line.ratio,
                    "budget": line.budget,
                    "met": line.met,
                }
                for line in self.lines
            ],
            "notes": self.notes,
        }

    def print(self, console: Console) -> None:
        with_ratio = any(line.ratio is not None for line in self.lines)
        with_budget = any(line.budget for line in self.lines)
        table = Table(title=f"{self.name}: {self.title}", title_justify="left", title_style="bold")
        table.add_column()
        for column in self.columns:
            table.add_column(column, justify="right")
        for shown, heading in ((with_ratio, "ratio"), (with_budget, "budget"), (with_budget, "")):
            if shown:
                table.add_column(heading, justify="right" if heading == "ratio" else "left")
        for line in self.lines:
            cells = [line.name, *(_text(cell) for cell in line.cells)]
            if with_ratio:
                cells.append(_text(line.ratio))
            if with_budget:
                cells += [line.budget, _verdict(line.met)]
            table.add_row(*cells)
        console.print(table)
        for note in self.notes:
            console.print(f"  {note}", style="dim", highlight=False)
        console.print()


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if cell >= 100 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _verdict(met: bool | None) -> str:
    if met is None:
        return ""
    return "[green]met[/]" if met else "[bold red]MISSED[/]"
