"""The workers of one Lambda function: lent out, kept warm, started when more are needed."""

import contextlib
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from local.aws.lambda_answers import (
    MAX_RESPONSE_BYTES,
    InvokeResult,
    function_error,
    throttled,
    timed_out,
    worker_ended,
)
from local.aws.lambda_worker import (
    LambdaFunction,
    LambdaWorker,
    NotReadyError,
    RuntimeRequest,
    WorkerDiedError,
    WorkerTimedOutError,
)
from local.private_files import append_private

# First guesses, until there is something to measure.
_USUAL_START_SECONDS = 0.5
_USUAL_CALL_SECONDS = 0.02
# A worker that takes longer to initialise no longer keeps others from being started.
_SLOW_START_SECONDS = 5.0
# More workers than processors make nothing faster where all work; a line that lasts so many starts is no mere burst.
_PROCESSORS = os.cpu_count() or 1
_LASTING_LINE = 2


class PoolClosedError(LookupError):
    """The function is being taken away."""


@dataclass
class Invocation:
    """One call on its way to a worker; what interceptors get.

    Attributes:
        function: the callee.
        payload: the event, JSON.
        request_id: the id that the handler sees in its context.
        begin_by: the moment (`time.monotonic`) after which it is not begun any more; None: whenever a worker is free.
        worker: the process that runs it, once there is one.
    """

    function: LambdaFunction
    payload: bytes
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    begin_by: float | None = None
    worker: LambdaWorker | None = None

    def kill_worker(self) -> None:
        """Kill the process that runs this call, if it has begun. From any thread."""
        if self.worker is not None:
            self.worker.kill()


@dataclass(frozen=True)
class PoolSettings:
    """What all workers of a function share; `environment` is all that they get."""

    python: str
    arn: str
    log_file: Path
    environment: Mapping[str, str]
    max_workers: int
    warm_wait_seconds: float


class WorkerPool:
    """The workers of one function: reused last in, first out, so that few stay warm under a light load.

    Callers are served in the order in which they came: where whoever comes next may take a worker before one who
    waits, some wait for seconds under load.

    Starting a process costs far more than most invocations take, and takes CPU time from the ones there are. So
    one is started at a time; and while workers keep coming free, only when the queue would take longer than the
    start, or does not end and a processor may be free. Where all are stuck, another one is started after a short while.
    """

    def __init__(self, function: LambdaFunction, settings: PoolSettings) -> None:
        """Begin without any worker."""
        self.function = function
        self._settings = settings
        self._lock = threading.RLock()
        self._ended = threading.Condition(self._lock)
        self._line: deque[threading.Condition] = deque()
        self._line_since = 0.0
        self._idle: list[LambdaWorker] = []
        self._busy: set[LambdaWorker] = set()
        self._starting = 0
        self._closed = False
        self._freed_at = 0.0
        self._start_takes = _USUAL_START_SECONDS
        self._call_takes = _USUAL_CALL_SECONDS
        self._log: IO[bytes] = append_private(settings.log_file, buffering=0)

    def run(self, invocation: Invocation) -> InvokeResult:
        """Run one invocation on a worker of its own and say how it ended."""
        try:
            worker = self._take(invocation.begin_by)
        except NotReadyError:
            return throttled()
        # Whatever fails from here on, a log on a full disk, too: the worker is given back.
        reusable = False
        try:
            invocation.worker = worker
            cold, began = worker.cold, time.monotonic()
            self._write_log(f"START RequestId: {invocation.request_id} Version: $LATEST")
            result, reusable = self._handle(worker, invocation)
            self._write_end(invocation, seconds=time.monotonic() - began, cold=cold)
        finally:
            self._give_back(worker, reusable=reusable)
        return result

    def living_workers(self) -> list[LambdaWorker]:
        """Workers whose process is alive, busy or not."""
        with self._lock:
            return [worker for worker in [*self._idle, *self._busy] if worker.alive]

    def reap(self, idle_seconds: float) -> None:
        """End the workers that nobody has used for that long."""
        oldest = time.monotonic() - idle_seconds
        with self._lock:
            stale = [worker for worker in self._idle if worker.idle_since < oldest or not worker.alive]
            self._idle = [worker for worker in self._idle if worker not in stale]
        for worker in stale:
            worker.close()

    def close(self) -> None:
        """End all workers; calls that still run are answered as `Runtime.ExitError`."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
            for turn in self._line:
                turn.notify()
        for worker in idle:
            worker.close()
        for worker in busy:
            worker.kill()  # its invoking thread sees the death and closes it
        with self._lock:
            self._ended.wait_for(lambda: not self._busy and not self._starting, timeout=10)
        self._log.close()

    def _handle(self, worker: LambdaWorker, invocation: Invocation) -> tuple[InvokeResult, bool]:
        """Run it; the flag says whether the worker can be used again."""
        request_id, seconds = invocation.request_id, self.function.timeout_seconds
        try:
            answer = worker.handle(
                invocation.payload, request_id=request_id, seconds=seconds, begin_by=invocation.begin_by
            )
        except NotReadyError:
            return throttled(), True
        except WorkerTimedOutError:
            self._write_log(f"{_now()} {request_id} Task timed out after {seconds:.2f} seconds")
            return timed_out(request_id, seconds), False
        except WorkerDiedError as died:
            self._write_log(
                f"RequestId: {request_id} Error: Runtime exited with error: {died.reason}\nRuntime.ExitError"
            )
            return worker_ended(request_id, died.reason), False
        return _to_result(answer, request_id), not answer.path.endswith("/init/error")

    def _take(self, begin_by: float | None) -> LambdaWorker:
        """Lend out a warm worker; where there is none soon enough, a new one; at the bound, wait.

        Raises:
            NotReadyError: until `begin_by`.
        """
        began = time.monotonic()
        turn = threading.Condition(self._lock)
        with self._lock:
            if not self._line:
                self._line_since = began
            self._line.append(turn)
            try:
                while (worker := self._pop_living() if self._line[0] is turn else None) is None:
                    if self._closed:
                        raise PoolClosedError(f"{self.function.name} is being taken away")
                    if begin_by is not None and time.monotonic() >= begin_by:
                        raise NotReadyError
                    if self._may_start(time.monotonic() - began):
                        self._starting += 1
                        break
                    turn.wait(self._settings.warm_wait_seconds)
                else:
                    self._busy.add(worker)
                    return worker
            finally:
                self._line.remove(turn)
                self._call_next()
        return self._start()

    def _may_start(self, waited_seconds: float) -> bool:
        """Whether one more process is worth its start for a caller who has waited that long."""
        # Those that nobody uses count, too: one who does not come first in the line must not start another past them.
        existing = len(self._busy) + len(self._idle) + self._starting
        if existing == 0:
            return True
        if existing >= self._settings.max_workers:
            return False
        initialising = self._starting + sum(worker.initialising_seconds is None for worker in self._busy)
        if initialising:  # it will serve this caller too
            return waited_seconds > _SLOW_START_SECONDS * initialising
        now, wait = time.monotonic(), self._settings.warm_wait_seconds
        if existing < _PROCESSORS and now - self._line_since > _LASTING_LINE * self._start_takes:
            return True
        is_moving = now - self._freed_at < max(wait, 4 * self._call_takes)
        if is_moving and len(self._line) * self._call_takes / existing < self._start_takes:
            return False
        return waited_seconds >= wait

    def _call_next(self) -> None:
        """Wake who waits longest, if there is a worker for him."""
        if self._line and self._idle:
            self._line[0].notify()

    def _pop_living(self) -> LambdaWorker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            worker.close()
        return None

    def _start(self) -> LambdaWorker:
        worker = None
        try:
            worker = LambdaWorker(
                self.function,
                environment=self._settings.environment,
                function_arn=self._settings.arn,
                log=self._log,
                python=self._settings.python,
            )
            return worker
        finally:
            with self._lock:
                self._starting -= 1
                if worker is not None:
                    self._busy.add(worker)
                    if self._closed:
                        worker.kill()
                self._ended.notify_all()

    def _give_back(self, worker: LambdaWorker, *, reusable: bool) -> None:
        with self._lock:
            keep = reusable and worker.alive and not self._closed
            self._busy.discard(worker)
            self._freed_at = time.monotonic()
            if worker.initialising_seconds is not None:
                self._start_takes = worker.initialising_seconds
                self._call_takes += (worker.call_seconds - self._call_takes) / 8  # a moving average
            if keep:
                self._idle.append(worker)
            else:
                worker.close()
                if self._line:
                    self._line[0].notify()
            self._call_next()
            self._ended.notify_all()

    def _write_log(self, line: str) -> None:
        # On AWS a lost log line fails no invocation either.
        with contextlib.suppress(OSError):
            self._log.write(line.encode() + b"\n")

    def _write_end(self, invocation: Invocation, *, seconds: float, cold: bool) -> None:
        request_id = invocation.request_id
        milliseconds = seconds * 1000
        self._write_log(
            f"END RequestId: {request_id}\n"
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
            f"Memory Size: {self.function.memory_mb} MB" + ("\tCold start" if cold else "")
        )


def _to_result(answer: RuntimeRequest, request_id: str) -> InvokeResult:
    if answer.path.endswith("/error"):
        return InvokeResult(answer.body, function_error="Unhandled", request_id=request_id)
    if len(answer.body) > MAX_RESPONSE_BYTES:
        return function_error(
            "Function.ResponseSizeTooLarge",
            f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).",
            request_id,
        )
    return InvokeResult(answer.body, request_id=request_id)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
