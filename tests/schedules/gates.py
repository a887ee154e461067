"""Gates: where a task stops, before each statement, COMMIT and ROLLBACK, each question to Stripe, each wait.

The shop's own code runs, on a connection that is wrapped here: it asks before it sends, and the scheduler says when.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, Literal, Self

import pymysql
from pymysql.constants import CR, ER

from tests.schedules.footprint import ANY, NOTHING, Footprint, Row, of_statement
from ticketing.database import Database

# Before it is sent; or after it was carried out, when its answer is lost.
When = Literal["before", "after"]
COMMIT, ROLLBACK, SLEEP = "COMMIT", "ROLLBACK", "sleep"


@dataclass(frozen=True)
class Kill:
    """A task's connection ends at its n-th step (from 0): before the step, or after it, so that its answer is lost.

    `of_ends`: only the steps count that end a transaction; so it finds its place also where others are at work.
    """

    step: int
    when: When
    of_ends: bool = False

    def __str__(self) -> str:
        return f"{'<' if self.when == 'before' else '>'}{self.step}{'c' if self.of_ends else ''}"


@dataclass(frozen=True)
class Step:
    """What a task does next: in words, and what it touches."""

    text: str
    footprint: Footprint = NOTHING

    @property
    def commits(self) -> bool:
        """Whether others see then what was written."""
        return self.text == COMMIT or bool(self.footprint.publishes)


class State(Enum):
    IDLE = auto()
    RUNNING = auto()
    AT_GATE = auto()
    WAITING = auto()  # for a row lock
    DONE = auto()


class Abandoned(BaseException):
    """The schedule ends here: what the task has begun is undone."""


@dataclass
class Slot:
    """A thread with a connection of its own, in which tasks run one after the other.

    `arrivals` is where it says that it stands at a gate, or has ended; `state` is the scheduler's to set.
    """

    number: int
    connect: Callable[[], Any]
    arrivals: queue.SimpleQueue[tuple[Slot, State]]
    wait_until_gone: Callable[[int], None]
    state: State = State.IDLE
    step: Step = field(default_factory=lambda: Step(""))
    steps_done: int = 0
    ends_done: int = 0
    kill: Kill | None = None
    connection_id: int = 0
    # Of the transaction that is open.
    locked: set[Row] = field(default_factory=set)
    written: set[Row] = field(default_factory=set)
    in_transaction: bool = False
    deadlocks: int = 0
    outcome: str = ""
    error: BaseException | None = None
    abandoned: bool = False
    slept: float = 0.0
    # A connection that was lost for the task only: the server has undone what was open, and it serves as the next one.
    left_behind: Any = None

    def __post_init__(self) -> None:
        self.database = Database(lambda: GatedConnection(self._connection(), self))  # type: ignore[arg-type,return-value]
        self._go = threading.Semaphore(0)
        self._jobs: queue.SimpleQueue[Callable[[], str] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"slot {self.number}", daemon=True)
        self._thread.start()

    def begin(self, job: Callable[[], str], kill: Kill | None) -> None:
        """Run a task up to its first gate."""
        self.state, self.kill, self.deadlocks = State.RUNNING, kill, 0
        self.steps_done, self.ends_done = 0, 0
        self.outcome, self.error, self.abandoned, self.slept = "", None, False, 0.0
        self._forget_transaction()
        self._jobs.put(job)

    def go(self) -> None:
        """Let the task take its step."""
        self.state = State.RUNNING
        self._go.release()

    def abandon(self) -> None:
        """End the task at its gate."""
        self.abandoned = True
        self.go()

    def close(self) -> None:
        """End the thread; no task runs."""
        self._jobs.put(None)
        self._thread.join()

    # --- In the slot's own thread ------------------------------------------------------------------------------------

    def stop(self, step: Step) -> Kill | None:
        """Wait at a gate; says whether the connection is to end at this step."""
        if self.abandoned:
            raise Abandoned
        self.step = step
        self.arrivals.put((self, State.AT_GATE))
        self._go.acquire()
        if self.abandoned:
            raise Abandoned
        steps, ends = self.steps_done, self.ends_done
        self.steps_done, self.ends_done = steps + 1, ends + step.commits
        if self.kill is None or step.text == SLEEP or (self.kill.of_ends and not step.commits):
            return None
        if self.kill.step != (ends if self.kill.of_ends else steps):
            return None
        kill, self.kill = self.kill, None
        return kill

    def end_step(self) -> Footprint:
        """What the end of the transaction touches: it lets go of what is locked, and shows what is written."""
        return Footprint(locks=frozenset(self.locked), publishes=frozenset(self.written))

    def as_end(self, footprint: Footprint) -> Footprint:
        """What a statement touches that ends the transaction, too. A new order's number nobody knows before it."""
        written = {(table, ANY if key.startswith("new of") else key) for table, key in footprint.writes | self.written}
        return replace(footprint, locks=footprint.locks | self.locked, publishes=frozenset(written))

    def note(self, footprint: Footprint) -> None:
        """Remember what the open transaction has."""
        self.in_transaction = True
        self.locked |= footprint.locks
        self.written |= footprint.writes

    def _connection(self) -> Any:
        connection, self.left_behind = self.left_behind, None
        return self.connect() if connection is None else connection

    def _forget_transaction(self) -> None:
        self.locked, self.written, self.in_transaction = set(), set(), False

    def _work(self) -> None:
        _here.slot = self
        while (job := self._jobs.get()) is not None:
            try:
                self.outcome = job()
            except Abandoned:
                self.outcome = "abandoned"
            except BaseException as error:  # noqa: BLE001 -- the scheduler says what it was
                self.error = error
            self._forget_transaction()
            self.arrivals.put((self, State.DONE))
        with contextlib.suppress(Exception):
            self.database.close()


_here = threading.local()


def here() -> Slot | None:
    """Give the slot in whose thread this is asked; None: it is no task's."""
    return getattr(_here, "slot", None)


def _lost() -> pymysql.err.OperationalError:
    return pymysql.err.OperationalError(CR.CR_SERVER_LOST, "Lost connection to MySQL server during query (a schedule)")


class GatedConnection:
    """A connection of the driver that stops at a gate before it sends anything."""

    def __init__(self, connection: Any, slot: Slot) -> None:
        self._connection = connection
        self._slot = slot
        # Whether the server commits each statement with it.
        self.commits_itself = False
        self._is_lost = False
        slot.connection_id = connection.thread_id()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self) -> GatedCursor:
        return GatedCursor(self._connection.cursor(), self)

    def autocommit(self, value: bool) -> None:
        self._connection.autocommit(value)
        self.commits_itself = value

    def commit(self) -> None:
        self.gated(Step(COMMIT, self._slot.end_step()), self._connection.commit)
        self._slot._forget_transaction()

    def rollback(self) -> None:
        if self._slot.abandoned:
            self._connection.rollback()
        elif self._slot.locked:
            footprint = Footprint(locks=frozenset(self._slot.locked))
            self.gated(Step(ROLLBACK, footprint), self._connection.rollback)
        else:
            self._connection.rollback()  # nothing that anybody could notice
        self._slot._forget_transaction()

    def _force_close(self) -> None:
        if self._is_lost:
            return
        number = self._connection.thread_id()
        self._connection._force_close()
        self._slot.wait_until_gone(number)
        self._slot._forget_transaction()

    def _lose(self, kill: Kill) -> None:
        """End it; where only ends of transactions count, for the task alone: the server undoes the same, in no time."""
        if not kill.of_ends:
            self._force_close()
            return
        self._connection.rollback()
        self._connection.autocommit(False)
        self._slot.left_behind, self._is_lost = self._connection, True
        self._slot._forget_transaction()

    def gated(self, step: Step, work: Callable[[], Any]) -> Any:
        """Take a step when the scheduler says so, with the fault that is due."""
        fault = self._slot.stop(step)
        if fault is not None and fault.when == "before":
            self._lose(fault)
            raise _lost()
        try:
            done = work()
        except pymysql.err.OperationalError as error:
            if error.args[0] == ER.LOCK_DEADLOCK:
                self._slot.deadlocks += 1
                self._slot._forget_transaction()
            raise
        if fault is not None:
            self._lose(fault)
            raise _lost()
        return done


class GatedCursor:
    """A cursor whose `execute` stops at a gate first."""

    def __init__(self, cursor: Any, connection: GatedConnection) -> None:
        self._cursor = cursor
        self._gates = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._cursor.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        slot = self._gates._slot
        footprint = of_statement(sql, parameters, new_row=f"new of {slot.number}")
        ends = self._gates.commits_itself or " COMMIT; " in sql
        if ends:
            footprint = slot.as_end(footprint)
        shown = " ".join(sql.split())
        step = Step(shown, footprint)

        def work() -> int:
            slot.note(footprint)
            changed = int(self._cursor.execute(sql, parameters))
            if ends:
                slot._forget_transaction()
            return changed

        changed: int = self._gates.gated(step, work)
        if (
            slot.in_transaction
            and ("ticket_orders", f"new of {slot.number}") in footprint.writes
            and self._cursor.lastrowid
        ):
            row = ("ticket_orders", str(self._cursor.lastrowid))
            slot.locked.add(row)
            slot.written.add(row)
        return changed


class GatedClock:
    """`time` for code that waits by looking again and again: its task sleeps until somebody else has got on."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def monotonic(self) -> float:
        slot = here()
        return time.monotonic() + (slot.slept if slot is not None else 0.0)

    def sleep(self, seconds: float) -> None:
        slot = here()
        if slot is None:
            time.sleep(seconds)
            return
        slot.slept += seconds
        slot.stop(Step(SLEEP))
