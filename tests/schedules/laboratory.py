"""Brings tasks, worlds and the scheduler together: explores a scenario, checks each schedule, says how to see it."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import Any
from unittest import mock

import pymysql

from local.database.mariadb import MariaDB
from tests.schedules import checks, explore
from tests.schedules.explore import RunIt
from tests.schedules.gates import SLEEP, GatedClock, Kill, Step, When
from tests.schedules.innodb import InnoDB
from tests.schedules.scheduler import Choose, Job, Run, ScheduleError, Scheduler
from tests.schedules.stripe import GatedStripe
from tests.schedules.tasks import NOT_REPEATED, run_task
from tests.schedules.worlds import Rows, World, make_world
from ticketing.database import FOR_REQUESTS, Database, connector

# Of one scenario; where there are more, it is said, and chance takes the rest.
_MOST_SCHEDULES = 1500
# Of one in which a connection ends, too: there are many of those, and what the tasks do to each other the others show.
# A transaction that is undone lets go as one that is committed does.
_MOST_BESIDE_A_KILL: dict[When, int] = {"after": 24, "before": 6}
# They wait by looking again and again; and one checkout of a hundred, by chance, tidies up.
_CLOCKS = ("checkout.checkout", "checkout.obstacles", "reconciliation.repair")


@dataclass(frozen=True)
class Scenario:
    """Tasks that meet in a world. `kills`: by task, where its connection ends."""

    world: str
    tasks: tuple[str, ...]
    kills: tuple[tuple[int, Kill], ...] = ()

    def __str__(self) -> str:
        ends = dict(self.kills)
        tasks = (f"{name}{ends[i]}" if i in ends else name for i, name in enumerate(self.tasks))
        return f"{self.world}:{'+'.join(tasks)}"


@dataclass
class Failure:
    """A schedule that broke something."""

    scenario: Scenario
    choices: list[int]
    problems: list[str]
    steps: list[str]

    @property
    def schedule(self) -> str:
        return spelled(self.choices)

    def __str__(self) -> str:
        lines = [f"{self.scenario}: {'; '.join(self.problems)}", "The shortest schedule that shows it:", *self.steps]
        command = f".venv/bin/python -m tests.schedules --scenario '{self.scenario}' --schedule '{self.schedule}'"
        return "\n".join([*lines, f"Again: {command}"])


@dataclass
class Tally:
    """How many schedules were run, and how long it took."""

    schedules: int = 0
    cut: int = 0
    by_transactions: int = 0
    random: int = 0
    waits: int = 0
    scenarios: int = 0
    with_kills: int = 0
    steps: int = 0
    outcomes: int = 0
    seconds: float = 0.0
    unfinished: list[str] = field(default_factory=list)

    def __add__(self, other: Tally) -> Tally:
        both = zip(astuple(self), astuple(other), strict=True)
        return Tally(*(mine + others for mine, others in both))

    def __str__(self) -> str:
        cut = [name for name in self.unfinished if not re.search(r"[<>]\d", name)]
        unfinished = f"; more than {_MOST_SCHEDULES} each: {', '.join(cut)}" if cut else ""
        if len(cut) < len(self.unfinished):
            unfinished += (
                f"; of {len(self.unfinished) - len(cut)} with a connection that ends only the first"
                f" {_MOST_BESIDE_A_KILL['after']} or {_MOST_BESIDE_A_KILL['before']} each"
            )
        return (
            f"{self.scenarios} scenarios, {self.with_kills} of them with a connection that ends:"
            f" {self.schedules} schedules that differ, {self.random} at random,"
            f" {self.by_transactions} of whole transactions to compare with; {self.cut} begun and cut, since another"
            f" one shows the same; {self.steps} steps, {self.waits} waits for locks, {self.outcomes} outcomes;"
            f" {self.seconds:.1f} s{unfinished}"
        )


@dataclass
class Found:
    """Of a scenario: the outcomes of whole transactions, with the answers and without; and those of all schedules."""

    serial: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)


class Laboratory:
    """A database whose rows are restored before each schedule, and threads that run tasks on it.

    Args:
        server: the database server; the database is `name`, its tables are made.
    """

    def __init__(self, server: MariaDB, name: str) -> None:
        self.database_name = name
        address = replace(server.address, name=name, user=server.functions_user)

        def as_root(client_flag: int = 0) -> pymysql.Connection[pymysql.cursors.Cursor]:
            return pymysql.connect(
                host=server.host, port=server.port, user="root", password=server.password, database=name,
                autocommit=True, charset="utf8mb4", client_flag=client_flag,
            )  # fmt: skip

        connect = connector(**asdict(address), ca_file=None, timeouts=FOR_REQUESTS)
        self._rows = Rows(as_root)
        self.scheduler = Scheduler(connect, InnoDB(as_root))
        self._database = Database(connect)
        self._worlds: dict[str, World] = {}
        self._steps: dict[tuple[str, str], list[Step]] = {}
        self._undisturbed: tuple[Scenario, Found] | None = None
        self._stripe = GatedStripe()
        self.tally = Tally()
        self._patches: list[Any] = [
            *(mock.patch(f"ticketing.{module}.time", GatedClock()) for module in _CLOCKS),
            mock.patch("ticketing.checkout.checkout.secrets.randbelow", return_value=1),
        ]
        for patch in self._patches:
            patch.start()

    def close(self) -> None:
        """End all connections and threads."""
        for patch in self._patches:
            patch.stop()
        self.scheduler.close()
        self._database.close()
        self._rows.close()

    def explore(self, scenario: Scenario, *, walks: int = 0, seed: int = 0, shortens: bool = True) -> Failure | None:
        """Run all schedules of a scenario that differ, and some at random; gives the first that breaks something.

        `shortens`: that in its shortest form.
        """
        began = time.monotonic()
        self.tally.scenarios += 1
        self.tally.with_kills += bool(scenario.kills)
        try:
            return self._explore(scenario, walks, seed, shortens=shortens)
        except ScheduleError as error:
            return Failure(scenario, [], [str(error)], [])
        finally:
            self.tally.seconds += time.monotonic() - began

    def _explore(self, scenario: Scenario, walks: int, seed: int, *, shortens: bool) -> Failure | None:
        # Without ended connections: with them the same must come of it.
        undisturbed = replace(scenario, kills=())
        if not scenario.kills or self._undisturbed is None or self._undisturbed[0] != undisturbed:
            self._undisturbed = None
            found = Found()
            for run in explore.by_transactions(self.runner(undisturbed), self.is_inside):
                self.tally.by_transactions += 1
                wrong = self.problems(undisturbed, run, found, serial=True)
                if wrong:
                    failure = Failure(undisturbed, run.choices, wrong, steps_of(scenario, run))
                    return self._shortest(failure, found, serial=True) if shortens else failure
            self._undisturbed = undisturbed, found
        known = self._undisturbed[1]
        found = Found(set(known.serial), set(known.seen))
        for run in self._schedules(scenario, walks, seed):
            wrong = [] if run.cut else self.problems(scenario, run, found)
            if wrong:
                failure = Failure(scenario, run.choices, wrong, steps_of(scenario, run))
                return self._shortest(failure, found, serial=False) if shortens else failure
        self.tally.outcomes += len(found.seen)
        return None

    def _schedules(self, scenario: Scenario, walks: int, seed: int) -> Iterator[Run]:
        run_it = self.runner(scenario)
        try:
            yield from self._every_schedule(scenario, run_it)
        except explore.ElsewhereError:
            # What earlier schedules left in the indexes made one wait. So that nothing is left: slower, and the same.
            yield from self._every_schedule(scenario, lambda choose, *, purged=True: run_it(choose, purged=True))  # noqa: ARG005
        for number in range(walks):
            self.tally.random += 1
            yield explore.random_walk(run_it, seed + number)

    def _every_schedule(self, scenario: Scenario, run_it: RunIt) -> Iterator[Run]:
        most = _MOST_BESIDE_A_KILL[scenario.kills[0][1].when] if scenario.kills else _MOST_SCHEDULES
        for number, run in enumerate(explore.every_schedule(run_it)):
            if number == most:
                self.tally.unfinished.append(f"{scenario}")
                break
            if run.cut:
                self.tally.cut += 1
            else:
                self.tally.schedules += 1
            yield run

    def is_inside(self, task: int) -> bool:
        """Tell whether a task has a transaction open."""
        return self.scheduler.is_inside(task)

    def kills_of(self, world: str, task: str) -> list[Kill]:
        """Give where a task's connection can end so that it matters: before each step, and after each that commits.

        After another step is as before the next one: nobody knows of either, and the server undoes both.
        """
        found = []
        for number, step in enumerate(self._alone(world, task)):
            if step.text != SLEEP and not step.text.startswith("Stripe"):
                found.append(Kill(number, "before"))
                if step.commits:
                    found.append(Kill(number, "after"))
        return found

    def kills_at_ends(self, world: str, task: str) -> list[Kill]:
        """Give those of them that matter to others: its answer is lost after each COMMIT, or it is undone at the last.

        Before another step it holds less than before that COMMIT, and the same is undone.
        """
        ends = sum(step.commits for step in self._alone(world, task))
        lost = [Kill(end, "after", of_ends=True) for end in range(ends)]
        return [*lost, Kill(ends - 1, "before", of_ends=True)] if ends else []

    def _alone(self, world: str, task: str) -> list[Step]:
        if (world, task) not in self._steps:
            run = self.runner(Scenario(world, (task,)))(explore.given([]))
            self._steps[world, task] = [event.step for event in run.events]
        return self._steps[world, task]

    def runner(self, scenario: Scenario) -> RunIt:
        """Give what runs one schedule of a scenario, from the world's beginning."""
        world = self.world(scenario.world)
        kills = dict(scenario.kills)

        def run_it(choose: Choose, *, purged: bool = False) -> Run:
            self._rows.restore(world)
            if purged:
                self._rows.purge()
            stripe = self._stripe = world.stripe.copy()
            jobs = [
                Job(lambda slot, name=name: run_task(name, world, stripe, slot), kills.get(place))  # type: ignore[misc]
                for place, name in enumerate(scenario.tasks)
            ]
            run = self.scheduler.run(jobs, choose)
            self.tally.waits += run.waits
            self.tally.steps += len(run.events)
            return run

        return run_it

    def world(self, name: str) -> World:
        """Give a world, made when it is first asked for."""
        if name not in self._worlds:
            self._worlds[name] = make_world(name, self._database, self._rows)
        return self._worlds[name]

    def problems(self, scenario: Scenario, run: Run, found: Found, *, serial: bool = False) -> list[str]:
        """Say what is wrong after a schedule that was run just now."""
        wrong = [f"{type(e).__name__}: {e}" for e in run.errors]
        if run.deadlocks:
            wrong.append(f"{run.deadlocks} deadlocks")
        if wrong:
            return wrong
        world, killed = self.world(scenario.world), len(scenario.kills)
        books = checks.read_books(self._rows)
        wrong = checks.problems(books, world, scenario.tasks, run.outcomes, killed=killed)
        # Whose connection ended answers otherwise: it had done it before. And a buyer's new try is another order.
        outcome = books.outcome if killed else f"{books.outcome}\nanswers: {run.outcomes}"
        if serial:
            found.serial |= {outcome, books.outcome}
        elif not wrong and outcome not in found.serial and not (killed and NOT_REPEATED & set(scenario.tasks)):
            wrong.append(f"no order of whole transactions leads to this:\n{_difference(outcome, found.serial)}")
        if not wrong and outcome not in found.seen:
            found.seen.add(outcome)
            wrong = self._repeat(scenario, world, run.outcomes)
        return wrong

    def _repeat(self, scenario: Scenario, world: World, outcomes: Sequence[str]) -> list[str]:
        """All of it once more, one after the other: that may finish what was left, and must break nothing."""
        tasks = [name for name in scenario.tasks if name not in NOT_REPEATED]
        if not tasks:
            return []
        stripe, killed = self._stripe, len(scenario.kills)
        jobs = [Job(lambda slot, name=name: run_task(name, world, stripe, slot)) for name in tasks]  # type: ignore[misc]
        seen = []
        for _ in range(2):
            run = self.scheduler.run(jobs, explore.given([]))
            books = checks.read_books(self._rows)
            wrong = [*map(str, run.errors), *checks.problems(books, world, scenario.tasks, outcomes, killed=killed)]
            if wrong:
                return [f"after a repeat: {line}" for line in wrong]
            seen.append(books.outcome)
        return [] if seen[0] == seen[1] else [f"each repeat changes something:\n{_difference(seen[1], {seen[0]})}"]

    def _shortest(self, failure: Failure, found: Found, *, serial: bool) -> Failure:
        scenario = failure.scenario
        run_it = self.runner(scenario)
        purged = any("deadlock" in problem for problem in failure.problems)

        def fails(again: Run) -> bool:
            return bool(self.problems(scenario, again, Found(serial=set(found.serial)), serial=serial))

        choices = explore.shortest(run_it, failure.choices, fails, purged=purged)
        again = run_it(explore.given(choices), purged=purged)
        wrong = self.problems(scenario, again, Found(serial=set(found.serial)), serial=serial)
        return Failure(scenario, choices, wrong, steps_of(scenario, again)) if wrong else failure


def steps_of(scenario: Scenario, run: Run) -> list[str]:
    """Say who did what, a line each."""
    lines = []
    for event in run.events:
        waits = " (waits)" if event.waited else ""
        lines.append(f"  {letter(event.task)} {scenario.tasks[event.task]:<12} {event.step.text[:100]}{waits}")
    return lines


def letter(task: int) -> str:
    return chr(ord("A") + task)


def spelled(choices: Sequence[int]) -> str:
    """A schedule as text: A2B5A is two steps of the first task, five of the second, and then the first goes on."""
    runs: list[tuple[int, int]] = []
    for task in choices:
        if runs and runs[-1][0] == task:
            runs[-1] = (task, runs[-1][1] + 1)
        else:
            runs.append((task, 1))
    return "".join(f"{letter(task)}{times}" for task, times in runs)


def _difference(outcome: str, others: set[str]) -> str:
    """The lines that no other outcome has; or else those of the nearest."""
    lines = outcome.splitlines()
    known = Counter(line for other in others for line in other.splitlines())
    new = [line for line in lines if line not in known]
    return "\n".join(new or lines)
