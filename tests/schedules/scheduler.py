"""Runs tasks of the shop against each other, statement by statement, in the order that somebody chooses."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.schedules.footprint import Footprint, dependent
from tests.schedules.gates import SLEEP, Kill, Slot, State, Step
from tests.schedules.innodb import InnoDB

# A statement that has not answered by then may wait for a lock: InnoDB is asked. Longer each time. Soon where somebody
# is known to hold what it needs; where nobody is, it is only slow, as a rule.
_LOOK_AFTER_SECONDS = 0.001
_LOOK_ALL_THE_SAME_SECONDS = 0.025
_STUCK_SECONDS = 20.0


class ScheduleError(AssertionError):
    """The schedule cannot be run as it should; the message says why."""


@dataclass
class Event:
    """A step that was taken, and who could have taken one instead.

    `woken_by`: the event by whose end the task goes on at all (it waited for a lock, or for others to get on).
    """

    task: int
    step: Step
    enabled: dict[int, Step]
    waited: bool = False
    woken_by: int | None = None


@dataclass
class Run:
    """One schedule as it was run. `cut`: it was not run to its end, since another one shows the same."""

    events: list[Event] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    deadlocks: int = 0
    waits: int = 0
    cut: bool = False

    @property
    def choices(self) -> list[int]:
        """Who took each step."""
        return [event.task for event in self.events]


@dataclass(frozen=True)
class Job:
    """A task, and where its connection is to end."""

    work: Callable[[Slot], str]
    kill: Kill | None = None


# Given the events so far and who could go on: who does; None: nobody, the schedule ends here.
Choose = Callable[[Sequence[Event], dict[int, Step]], int | None]


class Scheduler:
    """As many slots as there are tasks at once.

    Args:
        connect: opens a connection as the functions do.
        innodb: who says which of them wait.
    """

    def __init__(self, connect: Callable[[], Any], innodb: InnoDB) -> None:
        self._connect = connect
        self._innodb = innodb
        self.arrivals: queue.SimpleQueue[tuple[Slot, State]] = queue.SimpleQueue()
        self._slots: list[Slot] = []
        self._asleep: set[int] = set()

    def close(self) -> None:
        """End all threads and connections. Ctrl-C leaves tasks at their gates: they are sent home first."""
        for slot in self._slots:
            slot.abandon()
        for slot in self._slots:
            slot.close()
        self._innodb.close()

    def is_inside(self, task: int) -> bool:
        """Tell whether a task has a transaction open."""
        return self._slots[task].in_transaction

    def run(self, jobs: Sequence[Job], choose: Choose) -> Run:
        """Run tasks to their ends, in the order that `choose` says."""
        while len(self._slots) < len(jobs):
            self._slots.append(Slot(len(self._slots), self._connect, self.arrivals, self._innodb.wait_until_gone))
        slots = self._slots[: len(jobs)]
        run = Run()
        woken: dict[int, int] = {}
        self._asleep = set()
        for slot, job in zip(slots, jobs, strict=True):
            slot.begin(lambda slot=slot, job=job: job.work(slot), job.kill)  # type: ignore[misc]
            self._settle(slots, run, patience=_LOOK_ALL_THE_SAME_SECONDS)
        try:
            while (enabled := self._enabled(slots, run)) or any(slot.state is not State.DONE for slot in slots):
                task = choose(run.events, enabled)
                if task is None:
                    run.cut = True
                    break
                self._step(slots, run, task, enabled, woken)
        except Exception:
            self._abandon(slots, run)
            raise
        self._abandon(slots, run)
        run.outcomes = [slot.outcome for slot in slots]
        run.errors = [slot.error for slot in slots if slot.error is not None]
        run.deadlocks = sum(slot.deadlocks for slot in slots)
        return run

    def _enabled(self, slots: list[Slot], run: Run) -> dict[int, Step]:
        at_gate = {slot.number: slot.step for slot in slots if slot.state is State.AT_GATE}
        awake = {number: step for number, step in at_gate.items() if number not in self._asleep}
        if awake or not at_gate:
            if not awake and any(slot.state is State.WAITING for slot in slots):
                self._settle(slots, run, until_some=True)
                return self._enabled(slots, run)
            return awake
        # Everybody else has ended: time passes.
        for number in at_gate:
            slots[number].slept += 60.0
        self._asleep.clear()
        return at_gate

    def _step(self, slots: list[Slot], run: Run, task: int, enabled: dict[int, Step], woken: dict[int, int]) -> None:
        slot = slots[task]
        event = Event(task, slot.step, enabled, woken_by=woken.pop(task, None))
        here = len(run.events)
        run.events.append(event)
        waiting = {other.number for other in slots if other.state is State.WAITING}
        patience = _LOOK_AFTER_SECONDS if self._holder(slots, slot, event) else _LOOK_ALL_THE_SAME_SECONDS
        may_wake = bool(waiting) and bool(slot.locked or event.step.footprint.locks)
        slot.go()
        self._settle(slots, run, may_wake=may_wake, patience=patience)
        if slot.state is State.WAITING:
            event.waited = True
            self._explain(slots, slot, event)
        for number in waiting:
            if slots[number].state is not State.WAITING:
                woken[number] = here
        if slot.state is State.AT_GATE and slot.step.text == SLEEP:
            self._asleep.add(task)
        elif event.step.footprint.publishes or slot.state is State.DONE:
            for number in self._asleep:
                woken[number] = here
            self._asleep.clear()

    def _holder(self, slots: list[Slot], slot: Slot, event: Event) -> Slot | None:
        """Give somebody who is known to hold what a step needs."""
        needed = event.step.footprint
        others = (other for other in slots if other is not slot and other.locked)
        return next((o for o in others if dependent(needed, Footprint(locks=frozenset(o.locked)))), None)

    def _explain(self, slots: list[Slot], slot: Slot, event: Event) -> None:
        """A wait that the footprints do not explain would be an order that is never tried the other way round."""
        if self._holder(slots, slot, event) is None:
            raise ScheduleError(f"Nobody is known to hold what this waits for: {event.step.text}")

    def _settle(
        self,
        slots: list[Slot],
        run: Run,
        *,
        may_wake: bool = False,
        until_some: bool = False,
        patience: float = _LOOK_AFTER_SECONDS,
    ) -> None:
        """Wait until each task stands at a gate, has ended, or waits for a lock, as InnoDB says.

        `may_wake`: locks may have been let go, so those who wait are looked at, too; `until_some`: until one goes on.
        """
        deadline = time.monotonic() + _STUCK_SECONDS
        while True:
            if any(slot.state is State.RUNNING for slot in slots):
                try:
                    arrived, state = self.arrivals.get(timeout=patience)
                    arrived.state = state
                    continue
                except queue.Empty:
                    patience = min(patience * 2, 0.05)
            elif not may_wake and not until_some:
                return
            waits = {wait.connection for wait in self._innodb.waits()}
            woken = False
            for slot in slots:
                if slot.state is State.RUNNING and slot.connection_id in waits:
                    slot.state = State.WAITING
                    run.waits += 1
                elif slot.state is State.WAITING and slot.connection_id not in waits:
                    slot.state, woken, until_some = State.RUNNING, True, False
            if not woken and not any(slot.state is State.RUNNING for slot in slots) and not until_some:
                return
            if time.monotonic() > deadline:
                raise ScheduleError(f"Nobody gets on: {[(slot.state.name, slot.step.text) for slot in slots]}")

    def _abandon(self, slots: list[Slot], run: Run) -> None:
        while any(slot.state is not State.DONE for slot in slots):
            for slot in slots:
                if slot.state is State.AT_GATE:
                    slot.abandon()
            self._settle(slots, run, may_wake=any(slot.state is State.WAITING for slot in slots))
