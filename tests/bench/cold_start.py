"""Section `cold`: what a new worker costs until its first answer, beside the commit before cold starts were looked at.

Under AWS's own runtime client, as Lambda starts it; processor time of the worker's process, so that what else the
machine does matters little. Both with bytecode, as `make build` ships it; before, it was not shipped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.progress import Progress

from local.aws.lambda_worker import LambdaFunction, LambdaWorker
from tests.bench.checkout_work import checkout_event
from tests.bench.orders import HotTicket, create_hot_ticket, create_pending_orders
from tests.bench.report import Line, Section
from tests.bench.scale import Scale
from tests.bench.shop import Shop
from tests.bench.workers import ROOT

BEFORE: Final = "c109118"
_BUDGET: Final = 0.6
_SECONDS: Final = 60.0


@dataclass(frozen=True)
class _First:
    """A function, and what it is called with first."""

    logical_id: str
    event: Mapping[str, Any]


def cold(shop: Shop, scale: Scale, progress: Progress) -> Section:
    """Measure a first payment task and a first checkout, in turns with the commit before, where history has it."""
    with contextlib.closing(shop.connect()) as connection:
        ticket = create_hot_ticket(connection)
        [order_id] = create_pending_orders(connection, ticket, 1)
        connection.commit()
    firsts = _firsts(ticket, order_id)
    section = Section(
        "cold",
        "a new worker until its first answer",
        ("ms", f"ms at {BEFORE}"),
        notes=[f"Median of {scale.cold} new workers each, taking turns; processor time."],
    )
    task = progress.add_task("cold: workers", total=2 * scale.cold * len(firsts))
    with _before() as before:
        if before is None:
            section.notes.append(f"The repository's history lacks {BEFORE}: there is nothing to hold it against.")
        for name, first in firsts.items():
            function = shop.deployment.functions[first.logical_id]
            environment = shop.environment(first.logical_id)
            now: list[float] = []
            then: list[float] = []
            for _ in range(scale.cold):
                now.append(_until_first_answer(function, environment, first.event))
                if before is not None:
                    then.append(_until_first_answer(_of(before, function), environment, first.event))
                progress.advance(task, 2)
            ratio = median(now) / median(then) if then else None
            cells = (1000 * median(now), 1000 * median(then) if then else None)
            met = None if ratio is None else ratio <= _BUDGET
            section.lines.append(Line(name, cells, ratio, f"≤ {_BUDGET}", met))
    return section


def _firsts(ticket: HotTicket, order_id: int) -> dict[str, _First]:
    counted = {"execution_id": "bench", "stripe_event_id": "evt_1", "order_id": order_id}
    return {
        "first payment task": _First("CountTicketSaleFunction", counted),
        "first checkout": _First("CreateCheckoutFunction", checkout_event(ticket)),
    }


def _until_first_answer(function: LambdaFunction, environment: Mapping[str, str], event: Mapping[str, Any]) -> float:
    code = str(function.code_directory)
    everything = {**environment, "LAMBDA_TASK_ROOT": code, "PYTHONPATH": code, "_HANDLER": function.handler}
    with tempfile.TemporaryFile() as log:
        worker = LambdaWorker(function, environment=everything, function_arn="arn", log=log)
        try:
            answer = worker.handle(json.dumps(event).encode(), request_id="1", seconds=_SECONDS, begin_by=None)
            seconds = _processor_seconds(worker.pid)
        finally:
            worker.close()
        said = json.loads(answer.body)
        if not answer.path.endswith("/response") or said.get("statusCode", 200) != 200:
            log.seek(0)
            raise RuntimeError(f"{function.logical_id} failed: {answer.body!r}\n{log.read().decode()[-2000:]}")
    return seconds


def _processor_seconds(pid: int) -> float:
    """Add up what all threads of a process have had, in nanoseconds (Linux)."""
    threads = (path.read_text(encoding="ascii") for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(thread.split()[0]) for thread in threads) / 1e9


@contextlib.contextmanager
def _before() -> Iterator[Path | None]:
    """Give the folder of the commit before; None where history lacks it."""
    archive = subprocess.run(
        ["git", "archive", BEFORE, "functions", "template.yaml"], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode != 0:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="cachao-bench-before-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def _of(before: Path, function: LambdaFunction) -> LambdaFunction:
    """Give a function as it was: its module had another name."""
    template = (before / "template.yaml").read_text(encoding="utf-8")
    found = re.search(rf"^  {function.logical_id}:\n(?:    .*\n)*?      Handler: (\S+)$", template, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{BEFORE} has no {function.logical_id}.")
    return dataclasses.replace(function, handler=found[1], code_directory=before / "functions")
