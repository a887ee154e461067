"""The executions that the page lists, kept up to date while somebody looks; each reader is sent only what changed."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from cachao.aws import executions
from cachao.aws.environment import Environment
from cachao.problems import explain
from cachao.replay.repairs import Repairs
from cachao.view import executions as execution_view
from cachao.watch import Seen, Watcher

ROWS: Final = 1000
_SINCE: Final = timedelta(days=30)
# AWS lets one list executions twice a second, and all who share the account with us.
_PAUSE_SECONDS: Final = 2.5
_LOCAL_PAUSE_SECONDS: Final = 0.5
_DESCRIBED_AT_ONCE: Final = 25
_LOCALLY_DESCRIBED_AT_ONCE: Final = 100
# Nobody looks any more when no reader has asked for so long.
_NOBODY_SECONDS: Final = 10.0
# What left the list is remembered for readers that missed a few looks; a reader that missed more is sent all.
_REMEMBERED_GONE: Final = 5000


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """An execution in the list: times in milliseconds since 1970, UTC.

    Attributes:
        result: what a succeeded one did, or the error of one that failed.
        step: where a running one is.
        repaired: the replay that repaired a failed one, or that runs.
        known: whether its event is known yet.
    """

    name: str
    status: str
    started: int
    stopped: int | None = None
    order: str | None = None
    event: str | None = None
    result: str | None = None
    step: str | None = None
    repaired: str | None = None
    known: bool = True


class Board:
    """Looks at the executions in a thread of its own, for as long as readers ask."""

    def __init__(self, environment: Environment, *, rows: int = ROWS) -> None:
        """Note what to look at; nothing is asked yet."""
        local = environment.is_local
        self._pause = _LOCAL_PAUSE_SECONDS if local else _PAUSE_SECONDS
        self._watcher = Watcher(
            environment,
            since=datetime.now(UTC) - _SINCE,
            rows=rows,
            described_at_once=_LOCALLY_DESCRIBED_AT_ONCE if local else _DESCRIBED_AT_ONCE,
        )
        self._lock = threading.Lock()
        self._epoch = secrets.token_hex(4)
        self._version = 0
        self._rows: dict[str, tuple[int, Row]] = {}
        self._gone: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED_GONE)
        self._looked_at: float | None = None
        self._problem: dict[str, str] | None = None
        self._asked_at = 0.0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def changes(self, after: str = "") -> dict[str, Any]:
        """Give what changed since a reader's last time; it never waits.

        Args:
            after: the `version` that the reader was given then; anything else: all.

        Returns:
            `version`; `all`, whether this is all there is; `rows`; `gone`, names; `looked`, whether the executions have
            been looked at; `problem`, a sentence and advice, where the last look failed.
        """
        with self._lock:
            self._asked_at = time.monotonic()
            self._look_on()
            known = self._known(after)
            return {
                "version": f"{self._epoch}.{self._version}",
                "all": known is None,
                "rows": [row for version, row in self._rows.values() if known is None or version > known],
                "gone": [] if known is None else [name for version, name in self._gone if version > known],
                "looked": self._looked_at is not None,
                "problem": self._problem,
            }

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def _known(self, after: str) -> int | None:
        epoch, _, version = after.partition(".")
        if epoch != self._epoch or not (version.isascii() and version.isdigit()):
            return None
        forgotten = len(self._gone) == _REMEMBERED_GONE and self._gone[0][0] > int(version)
        return None if forgotten else int(version)

    def _look_on(self) -> None:
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._run, name="executions-board", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            self._look()
            if self._closed.wait(self._pause):
                return
            with self._lock:
                if time.monotonic() - self._asked_at > _NOBODY_SECONDS:
                    self._thread = None
                    return

    def _look(self) -> None:
        try:
            seen = self._watcher.look()
        except Exception as error:  # noqa: BLE001 -- told on the page; the next look may do
            problem = explain(error)
            said = problem.sentence if problem else f"{type(error).__name__}: {error}"
            with self._lock:
                self._problem = {"error": said, "advice": problem.advice if problem else ""}
            return
        rows = rows_of(seen)
        with self._lock:
            self._looked_at, self._problem = time.monotonic(), None
            self._take(rows)

    def _take(self, rows: Sequence[Row]) -> None:
        version = self._version + 1
        left = set(self._rows)
        for row in rows:
            left.discard(row.name)
            known = self._rows.get(row.name)
            if known is None or known[1] != row:
                self._rows[row.name] = (version, row)
                self._version = version
        for name in left:
            del self._rows[name]
            self._gone.append((version, name))
            self._version = version


def rows_of(seen: Sequence[Seen]) -> list[Row]:
    """Give the list's rows."""
    repairs = Repairs((one.execution.name, one.execution.status) for one in seen)
    return [_row(one, repairs) for one in seen]


def _row(one: Seen, repairs: Repairs) -> Row:
    execution = one.execution
    running = execution.status == executions.RUNNING
    repair = repairs.of(execution)
    return Row(
        name=execution.name,
        status=execution.status,
        started=_milliseconds(execution.started),
        stopped=None if execution.stopped is None else _milliseconds(execution.stopped),
        order=execution.order,
        event=execution_view.event_of(execution),
        result=None if running else execution.error or execution_view.result_of(execution),
        step=one.step if running else None,
        repaired=None if repair is None else repair.replay,
        known=one.described,
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
