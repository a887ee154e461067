"""What can go wrong with an invocation, done to it from outside: the function's code knows nothing of it.

Each fault is a function of one attempt. It either lets the attempt happen (`proceed`) and spoils something, or
answers in its place, as Lambda would.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from local.aws.lambda_answers import InvokeResult, function_error, service_error, throttled, timed_out, worker_ended
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Proceed
from local.database.mariadb import MariaDB
from tests.faults.proxy import DatabaseProxy, ProxiedConnection
from tests.faults.rival import ALL_OTHERS, ORDERS, Rival

# Of ten retries: the fault passes well before they run out.
FAILING_ATTEMPTS = 3
# Of the machine whose tasks are given up after a second.
LATE_SECONDS = 1.3
# Of the machine whose ten waits come to 7.2 s.
DOWN_SECONDS = 5


@dataclass
class Attempt:
    """One invocation of the task under test."""

    number: int
    invocation: Invocation
    proceed: Proceed
    proxy: DatabaseProxy
    server: MariaDB
    commits: int
    # Set when the fault really happened: a task that never commits cannot lose a COMMIT.
    happening: threading.Event

    def run(self) -> InvokeResult:
        return self.proceed(self.invocation)

    def happened(self) -> None:
        """Say that the fault happened."""
        self.happening.set()


Inject = Callable[[Attempt], InvokeResult]
Machine = Literal["usual", "impatient", "patient"]


@dataclass(frozen=True)
class Fault:
    """What happens, and how the execution must end.

    Attributes:
        name: its row in the table.
        inject: what it does to each attempt.
        ends_as: None: as if nothing had been. Otherwise the error with which the execution fails.
        machine: `usual`; `impatient`, whose tasks time out after a second, attempts at the same time; or `patient`,
            whose waits between attempts are seconds, as far as a test can wait.
        needs: what a task must do for the fault to be able to happen: `commit`, `lock`, `two locks`, `statement`.
    """

    name: str
    inject: Inject
    ends_as: str | None = None
    machine: Machine = "usual"
    needs: str | None = None


def _first(inject: Inject, attempts: int = 1) -> Inject:
    """Let it happen to the first attempts only."""

    def inject_at_first(attempt: Attempt) -> InvokeResult:
        return inject(attempt) if attempt.number <= attempts else attempt.run()

    return inject_at_first


def _until_it_happened(inject: Inject) -> Inject:
    """Try it with each attempt until it comes about: the first may meet a connection that an earlier cell cut."""

    def inject_until(attempt: Attempt) -> InvokeResult:
        if attempt.happening.is_set() or attempt.number > FAILING_ATTEMPTS:
            return attempt.run()
        return inject(attempt)

    return inject_until


def _instead(answer: Callable[[Attempt], InvokeResult]) -> Inject:
    """Answer in the function's place: it never ran."""

    def inject(attempt: Attempt) -> InvokeResult:
        attempt.happened()
        return answer(attempt)

    return inject


def _afterwards(answer: Callable[[Attempt], InvokeResult]) -> Inject:
    """Let the function do its work, and lose its reply."""

    def inject(attempt: Attempt) -> InvokeResult:
        result = attempt.run()
        if result.function_error is not None:
            return result  # there is no reply that could be lost
        attempt.happened()
        return answer(attempt)

    return inject


def _answering(payload: object) -> Inject:
    return _instead(lambda _: InvokeResult(json.dumps(payload).encode()))


def _died(attempt: Attempt) -> InvokeResult:
    attempt.invocation.kill_worker()
    return worker_ended(attempt.invocation.request_id)


def _timed_out(attempt: Attempt) -> InvokeResult:
    return timed_out(attempt.invocation.request_id, attempt.invocation.function.timeout_seconds)


def _out_of_memory(attempt: Attempt) -> InvokeResult:
    attempt.invocation.kill_worker()
    message = f"RequestId: {attempt.invocation.request_id} Error: Runtime exited with error: signal: killed"
    return function_error("Runtime.OutOfMemory", message)


def _unforeseen(attempt: Attempt) -> InvokeResult:
    return function_error("ValueError", "something that nobody foresaw")


def _at_last_commit(act: Callable[[Attempt, ProxiedConnection], None]) -> Inject:
    """Do something when the attempt's last COMMIT comes by."""

    def inject(attempt: Attempt) -> InvokeResult:
        seen = 0

        def on_commit(connection: ProxiedConnection) -> None:
            nonlocal seen
            seen += 1
            if seen == attempt.commits:
                attempt.happened()
                act(attempt, connection)

        attempt.proxy.on_commit = on_commit
        try:
            return attempt.run()
        finally:
            attempt.proxy.on_commit = None

    return inject


def _kill_instead_of_commit(attempt: Attempt, connection: ProxiedConnection) -> None:
    attempt.invocation.kill_worker()
    connection.cut()


def _lock_wait(*tables: str) -> Inject:
    def inject(attempt: Attempt) -> InvokeResult:
        rival = Rival(attempt.server)
        with rival.holding(tables):
            result = attempt.run()
        if b"error 1205" in result.payload:
            attempt.happened()
        return result

    return inject


def _deadlock(attempt: Attempt) -> InvokeResult:
    rival = Rival(attempt.server)
    with rival.holding(ALL_OTHERS, then_wants_the_order=True):
        result = attempt.run()
    if b"error 1213" in result.payload:
        attempt.happened()
    return result


def _without_database(attempt: Attempt) -> InvokeResult:
    attempt.proxy.go_away()
    try:
        result = attempt.run()
    finally:
        attempt.proxy.come_back()
    if result.function_error is not None:
        assert b"DatabaseUnavailable" in result.payload, result.payload
        attempt.happened()
    return result


def _without_database_for_a_while(attempt: Attempt) -> InvokeResult:
    """By the clock, and not by attempts: how many of them fail, the waits decide."""
    if attempt.number == 1:
        attempt.proxy.go_away_for(DOWN_SECONDS)
    result = attempt.run()
    if result.function_error is not None:
        assert b"DatabaseUnavailable" in result.payload, result.payload
        attempt.happened()
    return result


def _given_up(attempt: Attempt) -> InvokeResult:
    """The task's own time is over (States.Timeout), the function has not even begun; it does its work later."""
    attempt.happened()
    time.sleep(LATE_SECONDS)
    return attempt.run()


_WRONG_FIELDS: Mapping[str, Any] = {
    "outcome": "unheard_of",
    "status": "unheard_of",
    "result": "unheard_of",
    "alert": 7,
    "order_id": "1",
    "refund_id": 7,
}

FAULTS = (
    Fault(
        "worker killed before its commit", _until_it_happened(_at_last_commit(_kill_instead_of_commit)), needs="commit"
    ),
    Fault("worker killed before it began", _first(_instead(_died), FAILING_ATTEMPTS)),
    Fault("raises an unforeseen error", _instead(_unforeseen), ends_as="ValueError"),
    Fault("dies after its commit, before its reply", _until_it_happened(_afterwards(_died))),
    Fault("out of memory after its commit", _until_it_happened(_afterwards(_out_of_memory))),
    Fault("times out before its work", _first(_instead(_timed_out))),
    Fault("times out after its work", _until_it_happened(_afterwards(_timed_out))),
    Fault("given up by the workflow, works late", _first(_given_up), machine="impatient"),
    Fault("always times out", _instead(_timed_out), ends_as="Sandbox.Timedout"),
    Fault(
        "connection lost before COMMIT arrives",
        _until_it_happened(_at_last_commit(lambda _, connection: connection.cut())),
        needs="commit",
    ),
    Fault(
        "connection lost after COMMIT",
        _until_it_happened(_at_last_commit(lambda _, connection: connection.lose_after_commit())),
        needs="commit",
    ),
    Fault("deadlock", _until_it_happened(_deadlock), needs="two locks"),
    Fault("lock-wait timeout, first lock", _until_it_happened(_lock_wait(ORDERS)), needs="lock"),
    Fault("lock-wait timeout, later lock", _until_it_happened(_lock_wait(*ALL_OTHERS)), needs="two locks"),
    Fault("throttled by Lambda", _first(_instead(lambda _: throttled()), FAILING_ATTEMPTS)),
    Fault("always throttled", _instead(lambda _: throttled()), ends_as="Lambda.TooManyRequestsException"),
    Fault(
        "Lambda itself fails",
        _first(_instead(lambda _: service_error("ServiceException", "Try again.", 500)), FAILING_ATTEMPTS),
    ),
    Fault("answers null", _answering(None), ends_as="UnexpectedResult"),
    Fault("answers a text", _answering("paid"), ends_as="UnexpectedResult"),
    Fault("answers []", _answering([]), ends_as="UnexpectedResult"),
    Fault("answers {}", _answering({}), ends_as="UnexpectedResult"),
    Fault("answers wrong fields", _answering(_WRONG_FIELDS), ends_as="UnexpectedResult"),
    Fault(
        "answers too much",
        _instead(
            lambda _: function_error(
                "Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size."
            )
        ),
        ends_as="Function.ResponseSizeTooLarge",
    ),
    Fault("database down, then up", _first(_without_database, FAILING_ATTEMPTS), needs="statement"),
    Fault("database down longer than the retries", _without_database, ends_as="DatabaseUnavailable", needs="statement"),
)

# Beside the matrix: it takes its time, which every task passes in the same way.
DATABASE_DOWN_FOR_SECONDS = Fault(
    f"database down for {DOWN_SECONDS} s", _without_database_for_a_while, machine="patient", needs="statement"
)
