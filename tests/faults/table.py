"""The matrix as it is printed."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

_LEGEND = (
    "recovers: ended as without the fault, the same rows, no alert beyond the event's own.  alert, mended: ended FAILED"
    " with one alert and exactly the other tasks' rows; the same input once more made it as without the fault.  -: the"
    " task takes no lock, or no second one, or has no COMMIT or no statement, so that this cannot happen to it."
)


@dataclass
class Table:
    """Results by fault and task."""

    cells: dict[tuple[str, str], str] = field(default_factory=dict)

    def __str__(self) -> str:
        faults = list(dict.fromkeys(fault for fault, _ in self.cells))
        tasks = sorted({task for _, task in self.cells})
        first = max(len(fault) for fault in faults)
        widths = [max(len(task), len("alert, mended")) for task in tasks]
        lines = [" " * first + "  " + "  ".join(task.ljust(width) for task, width in zip(tasks, widths, strict=True))]
        for fault in sorted(faults):
            row = (self.cells.get((fault, task), "").ljust(width) for task, width in zip(tasks, widths, strict=True))
            lines.append(f"{fault.ljust(first)}  {'  '.join(row)}".rstrip())
        return "\n".join([*lines, "", *textwrap.wrap(_LEGEND, 120)])
