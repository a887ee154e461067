"""Section `imports`: what a cold start spends on importing a function's module."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from statistics import median
from typing import Any, Final

from rich.progress import Progress

from tests.bench.report import Line, Section
from tests.bench.scale import Scale
from tests.bench.workers import ROOT

_BUDGET: Final = 2.0
_FLOOR: Final = "pymysql"
# What must only be imported by whoever needs it, when it is needed. (pymysql itself brings `cryptography`; Powertools
# looks at `botocore` alone, which is half a millisecond: its session brings all the rest.)
_HEAVY: Final = ("boto3", "botocore.session", "stripe", "jwt")

_HANDLER = re.compile(r"^\s+Handler: (handlers(?:\.\w+)+)\.handler$", re.MULTILINE)
_PROBE = """
import sys, time
begin = time.process_time()
import {module}
seconds = time.process_time() - begin
import json
print(json.dumps([seconds, [name for name in {heavy} if name in sys.modules]]))
"""


def imports(scale: Scale, progress: Progress) -> Section:
    """The import time of every deployed function, in fresh interpreters, against `import pymysql` alone."""
    modules = sorted(set(_HANDLER.findall((ROOT / "template.yaml").read_text(encoding="utf-8"))))
    task = progress.add_task("imports: interpreters", total=len(modules) * 2 * scale.imports)
    section = Section(
        "imports",
        "import time of each function's module",
        ("module ms", "pymysql ms", "heavy imports"),
        notes=[
            f"Best of {scale.imports} fresh interpreters each, taking turns with `import pymysql`, with bytecode.",
            "Processor time: what an import takes on a machine that does nothing else.",
            f"Looked for at import time: {', '.join(_HEAVY)}.",
        ],
    )
    for module in modules:
        own, floor = [], []
        heavy: list[str] = []
        for _ in range(scale.imports):
            seconds, heavy = _import(module)
            own.append(seconds)
            floor.append(_import(_FLOOR)[0])
            progress.advance(task, 2)
        # The best: a busy machine only ever adds (https://docs.python.org/3/library/timeit.html), and so does the first
        # one, which may have to write the bytecode.
        ratio = min(own) / min(floor)
        section.lines.append(
            Line(
                module.rpartition(".")[2],
                (1000 * min(own), 1000 * min(floor), ", ".join(heavy) or "none"),
                ratio,
                f"≤ {_BUDGET}, none heavy",
                ratio <= _BUDGET and not heavy,
            )
        )
    section.lines.append(
        Line("median", (*(_median(section, column) for column in (0, 1)), ""), median(_ratios(section)))
    )
    return section


def _median(section: Section, column: int) -> float:
    return median(float(line.cells[column] or 0) for line in section.lines)


def _ratios(section: Section) -> list[float]:
    return [line.ratio for line in section.lines if line.ratio is not None]


def _import(module: str) -> tuple[float, list[str]]:
    probe = _PROBE.format(module=module, heavy=_HEAVY)
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT / "functions")}
    done = subprocess.run(
        [sys.executable, "-c", probe], env=environment, cwd=ROOT / "functions", capture_output=True, check=True
    )
    answer: Any = json.loads(done.stdout)
    return answer[0], answer[1]
