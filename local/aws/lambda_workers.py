"""AWS Lambda on one machine: invokes functions as `Invoke` does, each call in a worker process of its own."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping, MutableSequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from local.aws.lambda_answers import MAX_REQUEST_BYTES, InvokeResult, service_error
from local.aws.lambda_pool import Invocation, PoolClosedError, PoolSettings, WorkerPool
from local.aws.lambda_worker import THIS_PYTHON, Interpreter, LambdaFunction

Proceed = Callable[[Invocation], InvokeResult]
# Wraps every invocation: may change it, answer instead, kill its worker, or spoil the answer. Used by fault tests.
Interceptor = Callable[[Invocation, Proceed], InvokeResult]


class UnknownFunctionError(LookupError):
    """No function of that name is deployed."""


class LambdaService:
    """All functions of the stack and their workers.

    Args:
        logs_directory: gets one `<logical id>.log` per function.
        region: told to the functions.
        account_id: in their ARNs.
        environment: added to every function's own variables: AWS_ENDPOINT_URL, credentials.
        python: what the workers run on.
        max_workers: bound per function; further invocations wait their turn.
        warm_wait_seconds: how long an invocation waits for a warm worker before another process is started.
            While workers get on with their work it waits longer, see WorkerPool.
        idle_seconds: a worker unused for that long is ended.
        retry_wait_factor: multiplies the waits between the attempts of asynchronous invocations.
    """

    def __init__(  # noqa: PLR0913 - settings, all by name
        self,
        *,
        logs_directory: Path,
        region: str,
        account_id: str,
        environment: Mapping[str, str],
        python: Interpreter = THIS_PYTHON,
        max_workers: int = 8,
        warm_wait_seconds: float = 0.1,
        idle_seconds: float = 300.0,
        retry_wait_factor: float = 1.0,
    ) -> None:
        """Begin without functions; `deploy` brings them."""
        self.interceptors: MutableSequence[Interceptor] = []
        self.logs_directory = logs_directory
        self.region = region
        self.account_id = account_id
        self._environment = dict(environment)
        self._python = python
        self._max_workers = max_workers
        self._warm_wait_seconds = warm_wait_seconds
        self._idle_seconds = idle_seconds
        self._retry_wait_factor = retry_wait_factor
        self._pools: dict[str, WorkerPool] = {}
        self._versions: dict[tuple[str, int], WorkerPool] = {}
        self._closed = threading.Event()
        logs_directory.mkdir(parents=True, exist_ok=True)
        self._reaper = threading.Thread(target=self._reap_idle, name="lambda-reaper", daemon=True)
        self._reaper.start()

    def deploy(self, functions: Iterable[LambdaFunction]) -> None:
        """Make functions callable, by physical name, logical id and ARN. Replaces those there were."""
        pools = {function.name: WorkerPool(function, self._pool_settings(function)) for function in functions}
        old = {*self._pools.values(), *self._versions.values()}
        self._pools, self._versions = pools, {}
        for pool in old:
            pool.close()

    def publish(self, function: LambdaFunction) -> int:
        """Publish a version of a function, as it is now or as the new `$LATEST`; give its number.

        Versions that there were go on: executions that began on them call them by their numbers.
        """
        latest = self._pools[function.name]
        if latest.function != function:
            if latest not in self._versions.values():
                latest.close()
            latest = self._pools[function.name] = WorkerPool(function, self._pool_settings(function))
        number = 1 + max((known for name, known in self._versions if name == function.name), default=0)
        self._versions[function.name, number] = latest
        return number

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

    def invoke(self, name_or_arn: str, payload: bytes, *, begin_by: float | None = None) -> InvokeResult:
        """Invoke and wait for the answer (`InvocationType: RequestResponse`), through the interceptors.

        Where no worker is ready by the moment `begin_by` (`time.monotonic`), the function is never run, and the
        answer is that of Lambda at its concurrency limit.

        Raises:
            UnknownFunctionError: no such function.
        """
        pool = self._pool(name_or_arn)
        invocation = Invocation(pool.function, payload or b"{}", begin_by=begin_by)
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
        with suppress(UnknownFunctionError, PoolClosedError):  # it was taken away meanwhile
            waits = (0, 60, 120)[: 1 + self.function(name_or_arn).asynchronous_retries]
            for wait_seconds in waits:
                if self._closed.wait(wait_seconds * self._retry_wait_factor):
                    return
                with suppress(OSError):
                    result = self.invoke(name_or_arn, payload)
                    if result.function_error is None and result.service_error is None:
                        return

    def worker_pids(self, name_or_arn: str | None = None) -> list[int]:
        """Process ids of the living workers, of one function or of all."""
        pools = self._all_pools() if name_or_arn is None else [self._pool(name_or_arn)]
        return [worker.pid for pool in pools for worker in pool.living_workers()]

    def kill_workers(self, name_or_arn: str | None = None) -> int:
        """Kill all workers, or one function's, whatever they are doing. Returns how many."""
        pools = self._all_pools() if name_or_arn is None else [self._pool(name_or_arn)]
        workers = [worker for pool in pools for worker in pool.living_workers()]
        for worker in workers:
            worker.kill()
        return len(workers)

    def close(self) -> None:
        """End all workers. Invocations that still run are answered as `Runtime.ExitError`."""
        self._closed.set()
        for pool in self._all_pools():
            pool.close()
        self._reaper.join()

    def _all_pools(self) -> set[WorkerPool]:
        return {*self._pools.values(), *self._versions.values()}

    def _pool(self, name_or_arn: str) -> WorkerPool:
        name, qualifier = _function_name(name_or_arn), _qualifier(name_or_arn)
        if qualifier.isdecimal():
            if (name, int(qualifier)) not in self._versions:
                raise UnknownFunctionError(f"Function not found: {name_or_arn}")
            return self._versions[name, int(qualifier)]
        if name in self._pools:
            return self._pools[name]
        for pool in self._pools.values():
            if pool.function.logical_id == name:
                return pool
        raise UnknownFunctionError(f"Function not found: {name_or_arn}")

    def _pool_settings(self, function: LambdaFunction) -> PoolSettings:
        return PoolSettings(
            python=self._python.path,
            arn=self.arn(function),
            log_file=self.log_file(function),
            environment=_worker_environment(function, region=self.region, python=self._python, extra=self._environment),
            max_workers=self._max_workers,
            warm_wait_seconds=self._warm_wait_seconds,
        )

    def _reap_idle(self) -> None:
        while not self._closed.wait(min(5.0, self._idle_seconds)):
            for pool in self._all_pools():
                pool.reap(self._idle_seconds)


def _wrapped(interceptor: Interceptor, proceed: Proceed) -> Proceed:
    return lambda invocation: interceptor(invocation, proceed)


def _worker_environment(
    function: LambdaFunction, *, region: str, python: Interpreter, extra: Mapping[str, str]
) -> dict[str, str]:
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
        # The Python that runs here: by it awslambdaric decides how it waits for the next event.
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{python.version}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        # As LogFormat: JSON in the template has it: the runtime then writes what any package logs from INFO on.
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
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


def _qualifier(name_or_arn: str) -> str:
    """Version or alias at the end of `name:qualifier` or of an ARN; empty: `$LATEST`."""
    parts = name_or_arn.split(":")
    rest = parts[parts.index("function") + 2 :] if "function" in parts else parts[1:]
    return rest[0] if rest else ""


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
