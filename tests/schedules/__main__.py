"""`make schedules`, `python -m tests.schedules`: every schedule of every scenario. Exit code 1 where one breaks a rule.

With --scenario only that one, with --schedule one schedule of it, step by step.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_PROJECT), str(_PROJECT / "functions")]

from local.database.mariadb import MariaDB  # noqa: E402 -- the path is set above
from local.signals import INTERRUPTED, stop_as_by_ctrl_c  # noqa: E402 -- the same
from tests.conftest import connect_to  # noqa: E402 -- the same
from tests.schedules import explore  # noqa: E402 -- the same
from tests.schedules.gates import Kill  # noqa: E402 -- the same
from tests.schedules.laboratory import Found, Laboratory, Scenario, steps_of  # noqa: E402 -- the same
from tests.schedules.scenarios import everything, with_kills  # noqa: E402 -- the same
from ticketing.schema.runner import apply_migrations  # noqa: E402 -- the same

_SAY_EVERY_SECONDS = 20.0


def main(arguments: list[str]) -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.schedules", description=__doc__)
    parser.add_argument("--scenario", type=scenario_of, help="as it is printed, e.g. told:payment+expired")
    parser.add_argument("--schedule", type=choices_of, help="as it is printed, e.g. A2B5")
    parser.add_argument("--walks", type=int, default=0, help="schedules at random, for each scenario")
    parser.add_argument("--seed", type=int, default=0, help="of the first of them")
    given = parser.parse_args(arguments)
    stop_as_by_ctrl_c()
    with laboratory() as lab:
        if given.schedule is not None and given.scenario is not None:
            return _replay(lab, given.scenario, given.schedule)
        failed, said = 0, time.monotonic()
        scenarios = [given.scenario] if given.scenario else itertools.chain(everything(), with_kills(lab))
        for scenario in scenarios:
            failure = lab.explore(scenario, walks=given.walks, seed=given.seed)
            if failure is not None:
                failed += 1
                print(f"{failure}\n")
            if time.monotonic() - said > _SAY_EVERY_SECONDS:
                said = time.monotonic()
                print(
                    f"  {lab.tally.scenarios} scenarios, {lab.tally.schedules} schedules; at {scenario} …", flush=True
                )
        print(f"{lab.tally}." + (f" {failed} scenarios FAILED." if failed else " Nothing was broken."))
    return 1 if failed else 0


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
        found = re.fullmatch(r"(\w+?)(?:([<>])(\d+))?", name)
        if found is None:
            raise argparse.ArgumentTypeError(f"{name} is no task")
        tasks.append(found[1])
        if found[2]:
            kills.append((place, Kill(int(found[3]), "before" if found[2] == "<" else "after")))
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
