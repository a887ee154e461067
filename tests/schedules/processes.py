"""Runs all scenarios in several processes at once, each with a server of its own.

Not in `__main__`, which a process that is started cannot import (https://docs.python.org/3/library/multiprocessing.html).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import multiprocessing
import queue
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.database.mariadb import MariaDB
from local.signals import stop_as_by_ctrl_c
from tests.conftest import connect_to
from tests.schedules.laboratory import Laboratory, Tally
from tests.schedules.scenarios import everything, killed
from ticketing.schema.runner import apply_migrations

_SAY_EVERY_SECONDS = 20.0


def run_all(at_once: int, *, walks: int = 0, seed: int = 0) -> int:
    """Run all scenarios, each also with connections that end; gives the exit code."""
    spawn = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[_Share] = spawn.Queue()
    began = time.monotonic()
    processes = [
        spawn.Process(target=_run_share, args=(results, place, at_once), kwargs={"walks": walks, "seed": seed})
        for place in range(at_once)
    ]
    shares: list[_Share] = []
    try:
        for process in processes:
            process.start()
        while len(shares) < at_once:
            have_ended = all(process.exitcode is not None for process in processes)
            try:
                shares.append(results.get(timeout=1.0))
            except queue.Empty:
                if have_ended:
                    break
    finally:
        for process in processes:
            process.terminate() if len(shares) < at_once else None
            process.join()
    tally = functools.reduce(Tally.__add__, (share.tally for share in shares), Tally())
    failed = sum(share.failed for share in shares)
    cpu = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    print(f"{tally}.\n{time.monotonic() - began:.0f} s, {cpu:.0f} s of a processor, {at_once} processes.")
    complete = len(shares) == at_once
    print(f"{failed} scenarios FAILED." if failed else "Nothing was broken." if complete else "A process ended early.")
    return 1 if failed or not complete else 0


@dataclass(frozen=True)
class _Share:
    """What one process did."""

    tally: Tally
    failed: int


def _run_share(results: multiprocessing.Queue[_Share], place: int, at_once: int, *, walks: int, seed: int) -> None:
    stop_as_by_ctrl_c()
    with contextlib.suppress(KeyboardInterrupt), laboratory() as lab:
        failed, said = 0, time.monotonic()
        for scenario in everything()[place::at_once]:
            for variant in itertools.chain([scenario], killed(lab, scenario)):
                failure = lab.explore(variant, walks=walks if variant is scenario else 0, seed=seed)
                if failure is not None:
                    failed += 1
                    print(f"{failure}\n", flush=True)
                if time.monotonic() - said > _SAY_EVERY_SECONDS:
                    said = time.monotonic()
                    print(
                        f"  {lab.tally.scenarios} scenarios, {lab.tally.schedules} schedules; at {variant} …",
                        flush=True,
                    )
        results.put(_Share(lab.tally, failed))


@contextmanager
def laboratory() -> Iterator[Laboratory]:
    """A laboratory on a throw-away server of its own."""
    folder = Path(tempfile.mkdtemp(prefix="cachao-schedules-"))
    try:
        with MariaDB(folder, port=0, durable=False) as server:
            apply_migrations(connect_to(server, server.name))
            lab = Laboratory(server, server.name)
            try:
                yield lab
            finally:
                lab.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
