"""`make schedules`, `python -m tests.schedules`: every schedule of every scenario. Exit code 1 where one breaks a rule.

With --scenario only that one, with --schedule one schedule of it, step by step.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_PROJECT), str(_PROJECT / "functions")]

from local.signals import INTERRUPTED, stop_as_by_ctrl_c  # noqa: E402 -- the path is set above
from tests.schedules import explore  # noqa: E402 -- the same
from tests.schedules.gates import Kill  # noqa: E402 -- the same
from tests.schedules.laboratory import Found, Laboratory, Scenario, steps_of  # noqa: E402 -- the same
from tests.schedules.processes import laboratory, run_all  # noqa: E402 -- the same


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
