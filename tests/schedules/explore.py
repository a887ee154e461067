"""Chooses schedules: all that differ in the order of two dependent steps; or such in which whole transactions follow
each other; or random ones.

All: dynamic partial order reduction with sleep sets. A schedule is run; wherever two steps of it touch the same
(`footprint.dependent`), and nothing between them settles their order, the other order is tried from there; what was
tried at a place sleeps in the places behind it until something that it depends on happens. So of the schedules that
differ only in the order of independent steps one is run, and those that are begun and seen to be the same are cut.
See C. Flanagan and P. Godefroid, "Dynamic partial-order reduction for model checking software" (POPL 2005), and
P. Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems" (1996).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.schedules.footprint import Footprint, dependent
from tests.schedules.gates import Step
from tests.schedules.scheduler import Choose, Event, Run, ScheduleError


class RunIt(Protocol):
    """Runs a schedule from its world's beginning; `purged`: with nothing left of what was deleted before."""

    def __call__(self, choose: Choose, *, purged: bool = False) -> Run: ...


@dataclass
class _Place:
    """A choice on the way to the schedule at hand: who could go on, who has, who must yet, and who sleeps."""

    enabled: dict[int, Step]
    chosen: int
    sleeping: dict[int, Step]
    done: set[int] = field(default_factory=set)
    due: set[int] = field(default_factory=set)

    @property
    def left(self) -> set[int]:
        """Who must yet."""
        return self.due - self.done - set(self.sleeping)


def every_schedule(run_it: RunIt) -> Iterator[Run]:
    """Run all schedules that differ; gives each as it was run, also those that were cut."""
    path: list[_Place] = []
    while True:
        run = _again(run_it, path)
        _find_races(run.events, path)
        yield run
        while path and not path[-1].left:
            path.pop()
        if not path:
            return
        last = path[-1]
        last.chosen = min(last.left)
        last.done.add(last.chosen)


def _again(run_it: RunIt, path: list[_Place]) -> Run:
    """Run a schedule; once more where MariaDB took another way to a row than before, and so waited or did not.

    A deadlock or a wait that nobody explains may come of the schedule before: rows that were deleted are in the indexes
    until they are purged, and whoever inserts the same key locks around them. So it must be there without them, too.
    """
    known = len(path)
    for tries_left in (2, 1, 0):
        try:
            run = run_it(_Follow(path), purged=tries_left < 2)
        except ScheduleError:
            if not tries_left:
                raise
        else:
            if not run.deadlocks or tries_left < 2:
                return run
        del path[known:]
    raise AssertionError("unreachable")


class ElsewhereError(ScheduleError):
    """The same choices led elsewhere than before."""


class _Follow:
    """Takes the way that is known, and then goes on with whoever went last."""

    def __init__(self, path: list[_Place]) -> None:
        self._path = path
        self._known = len(path)

    def __call__(self, events: Sequence[Event], enabled: dict[int, Step]) -> int | None:
        here = len(events)
        if here < self._known:
            place = self._path[here]
            if {task: step.text for task, step in enabled.items()} != {t: s.text for t, s in place.enabled.items()}:
                raise ElsewhereError(
                    f"The same choices led elsewhere, so something besides them decides: behind {events[-1:]},"
                    f" {sorted(enabled)} can go on, and before {sorted(place.enabled)}"
                )
            return place.chosen
        sleeping: dict[int, Step] = {}
        if here:
            before, took = self._path[here - 1], events[-1].step
            asleep = {**before.sleeping, **{task: before.enabled[task] for task in before.done - {before.chosen}}}
            sleeping = {t: s for t, s in asleep.items() if not dependent(s.footprint, took.footprint)}
        awake = [task for task in enabled if task not in sleeping]
        if not awake:
            return None
        last = events[-1].task if events else -1
        chosen = last if last in awake else min(awake)
        self._path.append(_Place(dict(enabled), chosen, sleeping, done={chosen}, due={chosen}))
        return chosen


def _find_races(events: Sequence[Event], path: list[_Place]) -> None:
    """For each two steps that could have come the other way round, see to it that they do."""
    before: list[set[int]] = []
    last_of: dict[int, int] = {}
    for here, event in enumerate(events):
        past = set()
        own = last_of.get(event.task)
        for cause in (own, event.woken_by):
            if cause is not None:
                past |= before[cause] | {cause}
        # Nearest first: what lies behind one that is dependent is settled by it.
        for earlier in range(here - 1, -1, -1):
            if earlier in past or events[earlier].task == event.task:
                continue
            if dependent(events[earlier].step.footprint, event.step.footprint):
                _try_other_way(path[earlier], events, before, earlier, here, past)
                past |= before[earlier] | {earlier}
        before.append(past)
        last_of[event.task] = here


def _try_other_way(
    place: _Place, events: Sequence[Event], before: list[set[int]], earlier: int, later: int, past: set[int]
) -> None:
    task = events[later].task
    if task in place.enabled:
        place.due.add(task)
        return
    # Who must go on so that it can: those of whom something between the two leads to the later one.
    leads = {events[k].task for k in range(earlier + 1, later) if k in past and events[k].task in place.enabled}
    place.due |= leads - {place.chosen} or set(place.enabled)


def by_transactions(run_it: RunIt, is_inside: Callable[[int], bool]) -> Iterator[Run]:
    """Run the schedules that differ of those in which no two transactions are open at once.

    The same reduction, of whole transactions; what a task's next one will touch is not known before, so none sleeps.
    """
    path: list[_Place] = []
    while True:
        whole = _Whole(path, is_inside)
        run = run_it(whole)
        _find_races(whole.transactions(run.events), path)
        yield run
        while path and not path[-1].left:
            path.pop()
        if not path:
            return
        path[-1].chosen = min(path[-1].left)
        path[-1].done.add(path[-1].chosen)


class _Whole:
    """Changes to another task only where no transaction is open."""

    def __init__(self, path: list[_Place], is_inside: Callable[[int], bool]) -> None:
        self._path = path
        self._is_inside = is_inside
        self._begins: list[int] = []

    def __call__(self, events: Sequence[Event], enabled: dict[int, Step]) -> int | None:
        inside = [task for task in enabled if self._is_inside(task)]
        if inside:
            return inside[0]
        here = len(self._begins)
        self._begins.append(len(events))
        if here == len(self._path):
            chosen = events[-1].task if events and events[-1].task in enabled else min(enabled)
            self._path.append(_Place(dict(enabled), chosen, {}, done={chosen}, due={chosen}))
        return self._path[here].chosen

    def transactions(self, events: Sequence[Event]) -> list[Event]:
        """Give each transaction, or step outside of one, as one event."""
        found = []
        places = {begin: place for place, begin in enumerate(self._begins)}
        for begin, end in zip(self._begins, [*self._begins[1:], len(events)], strict=True):
            part = events[begin:end]
            touched = Footprint(
                locks=frozenset().union(*(event.step.footprint.locks for event in part)),
                reads=frozenset().union(*(event.step.footprint.reads for event in part)),
                publishes=frozenset().union(*(event.step.footprint.publishes for event in part)),
            )
            woken_by = next((event.woken_by for event in part if event.woken_by is not None), None)
            waker = None if woken_by is None else max(place for at, place in places.items() if at <= woken_by)
            found.append(Event(part[0].task, Step("transaction", touched), part[0].enabled, woken_by=waker))
        return found


def random_walk(run_it: RunIt, seed: int) -> Run:
    """Run a schedule in which chance decides at each step."""
    chance = random.Random(seed)
    run = run_it(lambda _, enabled: chance.choice(sorted(enabled)))
    return run_it(given(run.choices), purged=True) if run.deadlocks else run


def given(choices: Sequence[int]) -> Choose:
    """Follow these choices, and then go on with whoever went last, as long as he can."""

    def choose(events: Sequence[Event], enabled: dict[int, Step]) -> int | None:
        wanted = choices[len(events)] if len(events) < len(choices) else (events[-1].task if events else -1)
        return wanted if wanted in enabled else min(enabled)

    return choose


def shortest(run_it: RunIt, choices: list[int], fails: Callable[[Run], bool], *, purged: bool) -> list[int]:
    """Give a schedule that fails as well, with as few changes from one task to another as can be found."""
    best = choices
    for length in range(len(choices)):
        if fails(run_it(given(choices[:length]), purged=purged)):
            best = choices[:length]
            break
    changed = True
    while changed:
        changed = False
        for shorter in _with_fewer_changes(best):
            if fails(run_it(given(shorter), purged=purged)):
                best, changed = shorter, True
                break
    return best


def _with_fewer_changes(choices: list[int]) -> Iterator[list[int]]:
    """Of each stretch of one task, let it go on later, or leave it out."""
    stretches: list[tuple[int, int]] = []
    for task in choices:
        if stretches and stretches[-1][0] == task:
            stretches[-1] = (task, stretches[-1][1] + 1)
        else:
            stretches.append((task, 1))
    for at in range(len(stretches)):
        left = stretches[:at] + stretches[at + 1 :]
        yield [task for task, times in left for _ in range(times)]
