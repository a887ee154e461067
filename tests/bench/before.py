"""Section `before`: this tree beside a commit of before, in turns: a payment's handlers, a burst of executions, memory.

Each side runs with its own packages and its own `tests.bench` or `make run`; what is asked of them is the same.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from rich.progress import Progress

from tests.bench.report import Line, Section
from tests.bench.running_stack import Measured, measure_stack
from tests.bench.scale import Scale
from tests.bench.workers import ROOT

_HANDLERS_BUDGET: Final = 0.6
_BURST_BUDGET: Final = 0.6
_MEMORY_BUDGET: Final = 0.75


def before(commit: str, scale: Scale, progress: Progress) -> Section:
    """This tree's figures, those of `commit`, and their ratios."""
    with _tree_of(commit, progress) as other:
        task = progress.add_task(f"beside {commit}: rounds", total=2 * scale.rounds_beside)
        payments: dict[Path, list[float]] = {ROOT: [], other: []}
        stacks: dict[Path, list[Measured]] = {ROOT: [], other: []}
        for _ in range(scale.rounds_beside):
            for tree in (ROOT, other):
                payments[tree].append(_payment_ms(tree, quick=scale.is_quick))
                stacks[tree].append(measure_stack(tree, executions=scale.burst))
                progress.advance(task)
    section = Section(
        "before",
        f"this tree beside {commit}, medians",
        ("now", "before"),
        notes=[
            f"{scale.rounds_beside} rounds, taking turns; each side with a database of its own, of the same settings.",
            "Executions: events on the bus until all are counted, with cold functions, then with warm ones.",
            "Memory: the proportional set size of `make run` and all its processes, 20 s after it said its addresses.",
        ],
    )
    section.lines.append(
        _line("one payment with a code, all handlers, ms", payments[ROOT], payments[other], _HANDLERS_BUDGET)
    )
    for name, budget, figures in (
        (f"{scale.burst} executions at once, cold, s", _BURST_BUDGET, _figures(stacks, other, "cold_seconds")),
        (f"{scale.burst} executions at once, warm, s", _BURST_BUDGET, _figures(stacks, other, "warm_seconds")),
        ("make run at rest, MB", _MEMORY_BUDGET, _figures(stacks, other, "rest_mb")),
    ):
        section.lines.append(_line(name, *figures, budget))
    return section


def _figures(stacks: dict[Path, list[Measured]], other: Path, name: str) -> tuple[list[float], list[float]]:
    return [getattr(each, name) for each in stacks[ROOT]], [getattr(each, name) for each in stacks[other]]


def _line(name: str, now: list[float], then: list[float], budget: float) -> Line:
    # Of each round's: what disturbs one round disturbs both sides of it.
    ratio = median(one / other for one, other in zip(now, then, strict=True))
    return Line(name, (median(now), median(then)), ratio, f"≤ {budget}", ratio <= budget)


def _payment_ms(tree: Path, *, quick: bool) -> float:
    command: list[str | Path] = [
        tree / ".venv/bin/python",
        "-m",
        "tests.bench",
        "--json",
        *(["--quick"] if quick else []),
        "handlers",
    ]
    # It exits 1 where a budget of its own is missed: that is another question.
    answer = subprocess.run(command, cwd=tree, check=False, capture_output=True, text=True)
    [section] = json.loads(answer.stdout)["sections"]
    return float(next(line["handler ms"] for line in section["lines"] if line["name"] == "one payment"))


@contextlib.contextmanager
def _tree_of(commit: str, progress: Progress) -> Iterator[Path]:
    """The commit in a folder of its own, with its own packages; both are gone in the end."""
    task = progress.add_task(f"setting up {commit}", total=None)
    folder = Path(tempfile.mkdtemp(prefix="cachao-before-"))
    tree = folder / "tree"
    try:
        _run(["git", "worktree", "add", "--quiet", "--detach", tree, commit], ROOT)
        _run([sys.executable, "local/setup.py"], tree)
        progress.remove_task(task)
        yield tree
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _run(["git", "worktree", "prune"], ROOT)


def _run(command: list[str | Path], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed: {done.stderr.strip() or done.stdout.strip()}")
