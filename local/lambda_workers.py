"""AWS Lambda on one machine: as many worker processes as are needed, invoked as `Invoke` does.

How failures look from outside, in the payload and so in Step Functions' `Error` (the payload's `errorType`):

| What happened               | errorType                         | Source |
|-----------------------------|-----------------------------------|--------|
| handler raised              | the exception's class             | awslambdaric |
| longer than its timeout     | `Sandbox.Timedout`                | AWS Step Functions Developer Guide, "Handling errors": timeouts of newer runtimes; message `RequestId: … Error: Task timed out after 3.00 seconds` as AWS's `rapidcore` writes it |
| the process ended           | `Runtime.ExitError`               | `RequestId: … Error: Runtime exited with error: signal: killed` (also out of memory; some runtimes say `Runtime.OutOfMemory`) |
| module does not import      | `Runtime.ImportModuleError`, …    | awslambdaric, posted to `/init/error` |
| answer too large            | `Function.ResponseSizeTooLarge`   | limit 6,291,556 bytes |
| no `errorType` in payload   | `Lambda.Unknown` (Step Functions) | "Handle Lambda service exceptions"; how timeouts and out-of-memory were reported until 2025, and still may be |

So a state machine that wants to retry a killed or timed-out function must name `Lambda.Unknown`,
`Sandbox.Timedout`, `Runtime.ExitError` and `Runtime.OutOfMemory`, not `Lambda.Unknown` alone.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, MutableSequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from local.lambda_worker import LambdaFunction, LambdaWorker, RuntimeRequest, WorkerDiedError, WorkerTimedOutError

# "6 MB" as Lambda measures it, in its own error message.
MAX_RESPONSE_BYTES = 6_291_556
MAX_REQUEST_BYTES = 6 * 1024 * 1024
MAX_ASYNC_REQUEST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class InvokeResult:
    """What `Invoke` answers.

    Attributes:
        payload: the response, or the error object where `function_error` is set.
        function_error: None, or `Unhandled`: the function failed.
        status_code: 200, or an HTTP error of the Lambda service itself.
        service_error: then the name of that error, e.g. `TooManyRequestsException`.
        request_id: the invocation's.
    """

    payload: bytes
    function_error: str | None = None
    status_code: int = 200
    service_error: str | None = None
    request_id: str = ""


@dataclass
class Invocation:
    """One call on its way to a worker; what interceptors get.

    Attributes:
        function: the callee.
        payload: the event, JSON.
        request_id: the id that the handler sees in its context.
        worker: the process that runs it, once there is one.
    """

    function: LambdaFunction
    payload: bytes
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    worker: LambdaWorker | None = None

    def kill_worker(self) -> None:
        """Kill the process that runs this call, if it has begun. From any thread."""
        if self.worker is not None:
            self.worker.kill()


Proceed = Callable[[Invocation], InvokeResult]
# Wraps every invocation: may change it, answer instead, kill its worker, or spoil the answer. Used by fault tests.
Interceptor = Callable[[Invocation, Proceed], InvokeResult]


class UnknownFunctionError(LookupError):
    """No function of that name is deployed."""


def service_error(name: str, message: str, status_code: int) -> InvokeResult:
    """Answer of the Lambda service itself, such as 429 `TooManyRequestsException` or 500 `ServiceException`."""
    body = {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "message": message, "Type": "User"}
    if name != "TooManyRequestsException":
        body = {"Message": message, "Type": "Service" if status_code >= 500 else "User"}  # noqa: PLR2004
    return InvokeResult(json.dumps(body).encode(), status_code=status_code, service_error=name)


def throttled() -> InvokeResult:
    """Answer as when the concurrency limit is reached."""
    return service_error("TooManyRequestsException", "Rate Exceeded.", 429)


def function_error(error_type: str | None, message: str, request_id: str = "") -> InvokeResult:
    """Answer as when the function failed outside its own code; without `error_type` as older runtimes did."""
    body = {"errorMessage": message} if error_type is None else {"errorType": error_type, "errorMessage": message}
    return InvokeResult(json.dumps(body).encode(), function_error="Unhandled", request_id=request_id)


def worker_ended(request_id: str, reason: str = "signal: killed") -> InvokeResult:
    """Answer as when the process ended (crash, out of memory) before it replied."""
    message = f"RequestId: {request_id} Error: Runtime exited with error: {reason}"
    return function_error("Runtime.ExitError", message, request_id)


def timed_out(request_id: str, seconds: float) -> InvokeResult:
    """Answer as when the function ran longer than its timeout."""
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return function_error("Sandbox.Timedout", message, request_id)


class LambdaService:
    """All functions of the stack and their workers.

    Args:
        logs_directory: gets one `<logical id>.log` per function.
        region: told to the functions.
        account_id: in their ARNs.
        environment: added to every function's own variables: AWS_ENDPOINT_URL, credentials.
        max_workers: bound per function; further invocations wait their turn.
        patience_seconds: how long an invocation waits for a warm worker before another process is started,
            times the workers there are: starting one costs more than most invocations take.
        idle_seconds: a worker unused for that long is ended.
        retry_wait_factor: multiplies the waits between the attempts of asynchronous invocations.
    """

    def __init__(
        self,
        *,
        logs_directory: Path,
        region: str,
        account_id: str,
        environment: Mapping[str, str],
        max_workers: int = 8,
        patience_seconds: float = 0.1,
        idle_seconds: float = 300.0,
        retry_wait_factor: float = 1.0,
    ) -> None:
        self.interceptors: MutableSequence[Interceptor] = []
        self.logs_directory = logs_directory
        self.region = region
        self.account_id = account_id
        self._environment = dict(environment)
        self._max_workers = max_workers
        self._patience_seconds = patience_seconds
        self._idle_seconds = idle_seconds
        self._retry_wait_factor = retry_wait_factor
        self._pools: dict[str, _WorkerPool] = {}
        self._closed = threading.Event()
        logs_directory.mkdir(parents=True, exist_ok=True)
        self._reaper = threading.Thread(target=self._reap_idle, name="lambda-reaper", daemon=True)
        self._reaper.start()

    def deploy(self, functions: Iterable[LambdaFunction]) -> None:
        """Make functions callable, by physical name, logical id and ARN. Replaces those there were."""
        pools = {function.name: _WorkerPool(function, self._pool_settings(function)) for function in functions}
        old, self._pools = self._pools, pools
        for pool in old.values():
            pool.close()

    def function(self, name_or_arn: str) -> LambdaFunction:
        """Find a function by physical name, logical id or (qualified, partial) ARN.

        Raises:
            UnknownFunctionError: there is none.
        """
        return self._pool(name_or_arn).function

    def functions(self) -> list[LambdaFunction]:
        """All deployed functions."""
        return [pool.function for pool in self._pools.values()]

    def arn(self, function: LambdaFunction) -> str:
        """ARN of a function."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{function.name}"

    def log_file(self, function: LambdaFunction) -> Path:
        """Where everything goes that the function writes, with START, END and REPORT lines."""
        return self.logs_directory / f"{function.logical_id}.log"

    def invoke(self, name_or_arn: str, payload: bytes) -> InvokeResult:
        """Invoke and wait for the answer (`InvocationType: RequestResponse`), through the interceptors.

        Raises:
            UnknownFunctionError: no such function.
        """
        pool = self._pool(name_or_arn)
        invocation = Invocation(pool.function, payload or b"{}")
        if len(invocation.payload) > MAX_REQUEST_BYTES:
            return service_error(
                "RequestTooLargeException", f"Request must be smaller than {MAX_REQUEST_BYTES} bytes", 413
            )
        if not _is_json(invocation.payload):
            return service_error("InvalidRequestContentException", "Could not parse request body into json", 400)
        proceed: Proceed = pool.run
        for interceptor in reversed(list(self.interceptors)):
            proceed = _wrapped(interceptor, proceed)
        return proceed(invocation)

    def invoke_later(self, name_or_arn: str, payload: bytes) -> None:
        """Invoke without waiting (`InvocationType: Event`): tried again twice where the function fails, as on AWS.

        Raises:
            UnknownFunctionError: no such function.
        """
        self._pool(name_or_arn)
        threading.Thread(target=self._invoke_asynchronously, args=(name_or_arn, payload), daemon=True).start()

    def _invoke_asynchronously(self, name_or_arn: str, payload: bytes) -> None:
        # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
        for wait_seconds in (0, 60, 120):
            if self._closed.wait(wait_seconds * self._retry_wait_factor):
                return
            with suppress(UnknownFunctionError, OSError):  # it was taken away meanwhile
                result = self.invoke(name_or_arn, payload)
                if result.function_error is None and result.service_error is None:
                    return

    def worker_pids(self, name_or_arn: str | None = None) -> list[int]:
        """Process ids of the living workers, of one function or of all."""
        pools = self._pools.values() if name_or_arn is None else [self._pool(name_or_arn)]
        return [worker.pid for pool in pools for worker in pool.living_workers()]

    def kill_workers(self, name_or_arn: str | None = None) -> int:
        """Kill all workers, or one function's, whatever they are doing. Returns how many."""
        pools = self._pools.values() if name_or_arn is None else [self._pool(name_or_arn)]
        workers = [worker for pool in pools for worker in pool.living_workers()]
        for worker in workers:
            worker.kill()
        return len(workers)

    def close(self) -> None:
        """End all workers. Invocations that still run are answered as `Runtime.ExitError`."""
        self._closed.set()
        for pool in self._pools.values():
            pool.close()
        self._reaper.join()

    def _pool(self, name_or_arn: str) -> "_WorkerPool":
        name = _function_name(name_or_arn)
        if name in self._pools:
            return self._pools[name]
        for pool in self._pools.values():
            if pool.function.logical_id == name:
                return pool
        raise UnknownFunctionError(f"Function not found: {name_or_arn}")

    def _pool_settings(self, function: LambdaFunction) -> "_PoolSettings":
        return _PoolSettings(
            arn=self.arn(function),
            log_file=self.log_file(function),
            environment=_worker_environment(function, region=self.region, extra=self._environment),
            max_workers=self._max_workers,
            patience_seconds=self._patience_seconds,
        )

    def _reap_idle(self) -> None:
        while not self._closed.wait(min(5.0, self._idle_seconds)):
            for pool in list(self._pools.values()):
                pool.reap(self._idle_seconds)


@dataclass(frozen=True)
class _PoolSettings:
    arn: str
    log_file: Path
    environment: Mapping[str, str]
    max_workers: int
    patience_seconds: float


class _WorkerPool:
    """The workers of one function: reused last in, first out, so that few stay warm under a light load."""

    def __init__(self, function: LambdaFunction, settings: _PoolSettings) -> None:
        self.function = function
        self._settings = settings
        self._changed = threading.Condition()
        self._idle: list[LambdaWorker] = []
        self._busy: set[LambdaWorker] = set()
        self._starting = 0
        self._closed = False
        self._log: IO[bytes] = settings.log_file.open("ab", buffering=0)

    def run(self, invocation: Invocation) -> InvokeResult:
        """Run one invocation on a worker of its own and say how it ended."""
        worker = self._take()
        invocation.worker = worker
        cold, began = worker.cold, time.monotonic()
        self._write_log(f"START RequestId: {invocation.request_id} Version: $LATEST")
        reusable = False
        try:
            result, reusable = self._handle(worker, invocation)
        finally:
            self._write_end(invocation, seconds=time.monotonic() - began, cold=cold)
            self._give_back(worker, reusable=reusable)
        return result

    def living_workers(self) -> list[LambdaWorker]:
        with self._changed:
            return [worker for worker in [*self._idle, *self._busy] if worker.alive]

    def reap(self, idle_seconds: float) -> None:
        oldest = time.monotonic() - idle_seconds
        with self._changed:
            stale = [worker for worker in self._idle if worker.idle_since < oldest or not worker.alive]
            self._idle = [worker for worker in self._idle if worker not in stale]
        for worker in stale:
            worker.close()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
            self._changed.notify_all()
        for worker in idle:
            worker.close()
        for worker in busy:
            worker.kill()  # its invoking thread sees the death and closes it
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and not self._starting, timeout=10)
        self._log.close()

    def _handle(self, worker: LambdaWorker, invocation: Invocation) -> tuple[InvokeResult, bool]:
        """Run it; the flag says whether the worker can be used again."""
        request_id, seconds = invocation.request_id, self.function.timeout_seconds
        try:
            answer = worker.handle(invocation.payload, request_id=request_id, seconds=seconds)
        except WorkerTimedOutError:
            self._write_log(f"{_now()} {request_id} Task timed out after {seconds:.2f} seconds")
            return timed_out(request_id, seconds), False
        except WorkerDiedError as died:
            self._write_log(
                f"RequestId: {request_id} Error: Runtime exited with error: {died.reason}\nRuntime.ExitError"
            )
            return worker_ended(request_id, died.reason), False
        return _to_result(answer, request_id), not answer.path.endswith("/init/error")

    def _take(self) -> LambdaWorker:
        """Lend out a warm worker; where there is none soon enough, a new one; at the bound, wait."""
        began = time.monotonic()
        with self._changed:
            while not self._closed:
                worker = self._pop_living()
                if worker is not None:
                    self._busy.add(worker)
                    return worker
                existing = len(self._busy) + self._starting
                left = began + existing * self._settings.patience_seconds - time.monotonic()
                if existing < self._settings.max_workers and left <= 0:
                    break
                self._changed.wait(left if existing < self._settings.max_workers else None)
            if self._closed:
                raise UnknownFunctionError(f"{self.function.name} is being shut down")
            self._starting += 1
        return self._start()

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
            )
            return worker
        finally:
            with self._changed:
                self._starting -= 1
                if worker is not None:
                    self._busy.add(worker)
                    if self._closed:
                        worker.kill()
                self._changed.notify_all()

    def _give_back(self, worker: LambdaWorker, *, reusable: bool) -> None:
        with self._changed:
            keep = reusable and worker.alive and not self._closed
            if not keep:
                worker.close()
            self._busy.discard(worker)
            if keep:
                self._idle.append(worker)
            self._changed.notify()

    def _write_log(self, line: str) -> None:
        self._log.write(line.encode() + b"\n")

    def _write_end(self, invocation: Invocation, *, seconds: float, cold: bool) -> None:
        request_id = invocation.request_id
        milliseconds = seconds * 1000
        self._write_log(
            f"END RequestId: {request_id}\n"
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
            f"Memory Size: {self.function.memory_mb} MB" + ("\tCold start" if cold else "")
        )


def _wrapped(interceptor: Interceptor, proceed: Proceed) -> Proceed:
    return lambda invocation: interceptor(invocation, proceed)


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


def _worker_environment(function: LambdaFunction, *, region: str, extra: Mapping[str, str]) -> dict[str, str]:
    """Exactly what Lambda sets, the template's variables, and where the local cloud is. Nothing of ours."""
    code = str(function.code_directory)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "LAMBDA_TASK_ROOT": code,
        "PYTHONPATH": code,
        "PYTHONUNBUFFERED": "1",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]local",
        "_HANDLER": function.handler,
        # On AWS they come from the role; a developer's own files must not be found instead.
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        **extra,
        **function.environment,
    }


def _function_name(name_or_arn: str) -> str:
    """`name`, `name:qualifier`, `account:function:name` or an ARN, with or without qualifier -> name."""
    parts = name_or_arn.split(":")
    if "function" in parts:
        return parts[parts.index("function") + 1]
    return parts[0]


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
