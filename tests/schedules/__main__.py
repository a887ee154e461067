"""`make schedules`, `python -m tests.schedules`: every schedule of every scenario. Exit code 1 where one breaks a rule.

With --scenario only that one, with --schedule one schedule of it, step by step.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import multiprocessing
import os
import queue
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_PROJECT), str(_PROJECT / "functions")]

from local.database.mariadb import MariaDB  # noqa: E402 -- the path is set above
from local.signals import INTERRUPTED, stop_as_by_ctrl_c  # noqa: E402 -- the same
from tests.conftest import connect_to  # noqa: E402 -- the same
from tests.schedules import explore  # noqa: E402 -- the same
from tests.schedules.gates import Kill  # noqa: E402 -- the same
from tests.schedules.laboratory import Found, Laboratory, Scenario, Tally, steps_of  # noqa: E402 -- the same
from tests.schedules.scenarios import everything, killed  # noqa: E402 -- the same
from ticketing.schema.runner import apply_migrations  # noqa: E402 -- the same

_SAY_EVERY_SECONDS = 20.0


def main(arguments: list[str]) -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.schedules", description=__doc__)
    parser.add_argument("--scenario", type=scenario_of, help="as it is printed, e.g. told:payment+expired")
    parser.add_argument("--schedule", type=choices_of, help="as it is printed, e.g. A2B5")
    parser.add_argument("--walks", type=int, default=0, help="schedules at random, for each scenario")
    parser.add_argument("--seed", type=int, default=0, help="of the first of them")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="processes, each with a server")
    given = parser.parse_args(arguments)
    stop_as_by_ctrl_c()
    if given.scenario is None:
        return run_all(given.at_once, walks=given.walks, seed=given.seed)
    with laboratory() as lab:
        if given.schedule is not None:
            return _replay(lab, given.scenario, given.schedule)
        failure = lab.explore(given.scenario, walks=given.walks, seed=given.seed)
        print(f"{failure or ''}\n{lab.tally}.")
    return 1 if failure else 0


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
            with contextlib.suppress(queue.Empty):
                shares.append(results.get(timeout=1.0))
            if len(shares) < at_once and all(process.exitcode not in {None, 0} for process in processes):
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


def _replay(lab: Laboratory, scenario: Scenario, choices: list[int]) -> int:
    found = Found()
    run_it = lab.runner(scenario)
    for run in explore.by_transactions(run_it, lab.is_inside):
        lab.problems(scenario, run, found, serial=True)
    run = run_it(explore.given(choices), purged=True)
    wrong = lab.problems(scenario, run, found)
    print("\n".join(steps_of(scenario, run)))
    print(f"Answers: {', '.join(run.outcomes)}")
    print("\n".join(wrong) or "Nothing is broken.")
    return 1 if wrong else 0


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


def scenario_of(text: str) -> Scenario:
    """Read a scenario as it is printed."""
    world, _, names = text.partition(":")
    tasks, kills = [], []
    for place, name in enumerate(names.split("+")):
        found = re.fullmatch(r"(\w+?)(?:([<>])(\d+)(c?))?", name)
        if found is None:
            raise argparse.ArgumentTypeError(f"{name} is no task")
        tasks.append(found[1])
        if found[2]:
            kills.append((place, Kill(int(found[3]), "before" if found[2] == "<" else "after", of_ends=bool(found[4]))))
    return Scenario(world, tuple(tasks), tuple(kills))


def choices_of(text: str) -> list[int]:
    """Read a schedule as it is printed."""
    if not re.fullmatch(r"([A-Z]\d+)*", text):
        raise argparse.ArgumentTypeError("a schedule looks like A2B5")
    return [ord(letter) - ord("A") for letter, times in re.findall(r"([A-Z])(\d+)", text) for _ in range(int(times))]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
