"""Running executions in moto's Step Functions engine.

What moto 5.2.5 lacks:
- it runs executions only when told so, and CloudFormation creates state machines in the backend that never does;
- `StartExecution` without a name makes all executions `None`, the second of which "already exists"; input
  beyond AWS's 256 KiB is accepted;
- retries cannot be shortened for tests, nor interrupted by `StopExecution`; that ends in a 500 where the execution has
  not got a thread yet, or does not end at once;
- a Fail state, or a failed branch, cannot carry on an error of the service (`States.Timeout`): it becomes
  `States.Runtime`;
- arguments of a task beyond 256 KiB are passed on, and a Catch of `States.ALL` catches `States.DataLimitExceeded`,
  which ends an execution on AWS;
- `$states.context.Execution.StartTime` is text on AWS;
- a task that timed out (`States.Timeout`) and answers later still writes its answer into the history;
- pages of `ListExecutions` by status break off (`InvalidToken`) when an execution changes its status meanwhile;
- speed: the definition is parsed again for each execution (tens of milliseconds), and each has a thread at once.
"""

import base64
import json
import queue
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from moto.core.config import default_user_config
from moto.core.exceptions import AWSError
from moto.stepfunctions import models as stepfunctions_models
from moto.stepfunctions.models import StepFunctionBackend
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsOutcome
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends
from moto.stepfunctions.parser.utils import TMP_THREADS

from local.aws.moto_patches.replacing import Replacements

# StartExecution: "Maximum length of 262144" bytes of UTF-8. The same for what a task is given.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_INPUT_BYTES = 262_144
# ListExecutions without `maxResults`.
_LISTED_AT_ONCE = 100
# An execution waits for a thread only where very many run.
_BEGINS_WITHIN_SECONDS = 10.0
# More wait their turn. Each takes two to four threads of this process.
MAX_RUNNING_EXECUTIONS = 400


class InputTooLargeError(AWSError):  # type: ignore[misc] # moto is untyped
    """The input of an execution is beyond the service's limit."""

    TYPE = "ValidationException"
    STATUS = 400


def apply(replacements: Replacements, *, retry_wait_factor: float, tasks_at_once: int) -> None:
    """Let moto run executions.

    Args:
        replacements: remembers what was there.
        retry_wait_factor: every wait between two attempts is multiplied by it. Waits of the state machine's
            own Wait states are not.
        tasks_at_once: of each task state, how many may call Lambda at the same time. More wait without their
            TimeoutSeconds running, because on AWS they would not wait at all.
    """
    replacements.set_item(default_user_config, "stepfunctions", {"execute_state_machine": True})
    replacements.set(stepfunctions_models, "stepfunctions_backends", stepfunctions_parser_backends)
    replacements.set(StepFunctionsParserBackend, "start_execution", _start_execution_with_name)
    replacements.set(StepFunctionBackend, "list_executions", _list_executions)
    replacements.set(AmazonStateLanguageParser, "parse", staticmethod(_parse_once))
    replacements.set(EvalComponent, "heap_key", property(_heap_key))
    replacements.set(CustomErrorName, "__init__", _init_error_name)
    replacements.set(RetrierDecl, "_eval_body", _retrier(retry_wait_factor))
    replacements.set(ExecutionState, "_evaluate_with_timeout", _admitted(_Admission(tasks_at_once)))
    replacements.set(StateTaskService, "_before_eval_execution", _before_eval_execution)
    replacements.set(ErrorEqualsDecl, "_eval_body", _eval_error_equals)
    replacements.set(StateTaskService, "_after_eval_execution", _drop_late_answers())
    replacements.set(Execution, "get_start_execution_details", _execution_details)
    replacements.set(Execution, "stop", _stop_when_begun)
    pool = _ExecutionPool(MAX_RUNNING_EXECUTIONS)
    replacements.set(ExecutionWorker, "start", lambda self: pool.submit(self._execution_logic))


_moto_start_execution = StepFunctionsParserBackend.start_execution
_moto_parse = AmazonStateLanguageParser.parse
_moto_evaluate_with_timeout = ExecutionState._evaluate_with_timeout  # noqa: SLF001
_moto_before_eval_execution = StateTaskService._before_eval_execution  # noqa: SLF001
_moto_eval_error_equals = ErrorEqualsDecl._eval_body  # noqa: SLF001
_moto_after_eval_execution = StateTaskService._after_eval_execution  # noqa: SLF001
_moto_execution_details = Execution.get_start_execution_details
_moto_stop = Execution.stop
_starting = threading.Lock()


def _start_execution_with_name(
    self: Any,  # noqa: ANN401 - moto's own types
    state_machine_arn: str,
    name: str | None = None,
    execution_input: str | None = None,
    trace_header: str | None = None,
) -> Any:  # noqa: ANN401
    if execution_input is not None and len(execution_input.encode()) > MAX_INPUT_BYTES:
        raise InputTooLargeError(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_INPUT_BYTES}"
        )
    if name:
        self._validate_name(name)
    TMP_THREADS.clear()  # moto keeps every thread it ever made
    with _starting:  # two starts of one name at once must be one execution
        return _moto_start_execution(self, state_machine_arn, name or str(uuid.uuid4()), execution_input, trace_header)


def _execution_details(self: Any) -> Any:  # noqa: ANN401
    details = _moto_execution_details(self)
    if not isinstance(details.start_time, str):
        details.start_time = (
            details.start_time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
    return details


def _stop_when_begun(self: Any, stop_date: datetime, error: str | None, cause: str | None) -> None:  # noqa: ANN401
    deadline = time.monotonic() + _BEGINS_WITHIN_SECONDS
    while self.exec_worker is not None and self.exec_worker.env is None and time.monotonic() < deadline:
        time.sleep(0.005)
    if self.stop_date is None:
        self.stop_date = stop_date  # what is answered; the engine writes it anew when the execution has ended
    _moto_stop(self, stop_date, error, cause)


def _list_executions(
    self: Any,  # noqa: ANN401
    state_machine_arn: str,
    status_filter: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> tuple[list[Any], str | None]:
    """List executions, newest first. A page begins behind the last of the page before, wherever that is now."""
    after = base64.b64decode(next_token).decode() if next_token else None
    executions = list(self.describe_state_machine(state_machine_arn).executions)
    found = [e for e in executions if status_filter in {None, e.status} and (after is None or _age(e) < after)]
    found.sort(key=_age, reverse=True)
    limit = max_results or _LISTED_AT_ONCE
    page = found[:limit]
    return page, base64.b64encode(_age(page[-1]).encode()).decode() if len(found) > limit else None


def _age(execution: Any) -> str:  # noqa: ANN401
    return f"{execution.start_date.timestamp():017.6f} {execution.execution_arn}"


@lru_cache(maxsize=32)
def _parse_once(definition: str) -> Any:  # noqa: ANN401
    # Evaluation keeps its state in the environment, not in the parsed program, so that one can be shared.
    return _moto_parse(definition)


def _init_error_name(self: Any, error_name: str | None) -> None:  # noqa: ANN401
    ErrorName.__init__(self, error_name=error_name)


def _heap_key(self: object) -> str:
    # moto makes it up on first use, which two executions that share a program would do differently.
    return str(id(self))


def _retrier(factor: float) -> Callable[[Any, Any], None]:
    def eval_body(self: Any, env: Any) -> None:  # noqa: ANN401
        self.error_equals.eval(env)
        if not env.stack.pop():
            env.stack.append(RetrierOutcome.Skipped)
            return
        self.max_attempts.eval(env=env)
        if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
            env.stack.append(RetrierOutcome.Failed)
            return
        for part in (self.interval_seconds, self.backoff_rate, self.max_delay_seconds, self.jitter_strategy):
            part.eval(env=env)
        env.program_state_event.wait(env.stack.pop() * factor)  # set by StopExecution
        env.stack.append(RetrierOutcome.Executed)

    return eval_body


class _Admission:
    """Bounds how many executions are inside one task state at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slots: dict[int, threading.Semaphore] = {}
        self._lock = threading.Lock()

    def slot(self, state: object) -> threading.Semaphore:
        with self._lock:
            return self._slots.setdefault(id(state), threading.Semaphore(self._limit))


def _admitted(admission: _Admission) -> Callable[[Any, Any], None]:
    def evaluate_with_timeout(self: Any, env: Any) -> None:  # noqa: ANN401
        with admission.slot(self) if isinstance(self, StateTaskServiceLambda) else nullcontext():
            _moto_evaluate_with_timeout(self, env)

    return evaluate_with_timeout


def _before_eval_execution(
    self: Any,  # noqa: ANN401
    env: Any,  # noqa: ANN401
    resource_runtime_part: object,
    raw_parameters: dict[str, Any],
    state_credentials: object,
) -> None:
    text = json.dumps(raw_parameters, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode(errors="surrogatepass")) > MAX_INPUT_BYTES:
        error = StatesErrorNameType.StatesStatesDataLimitExceeded
        details = TaskFailedEventDetails(
            error=error.to_name(),
            cause=f"The arguments of the state '{self.name}' exceed the maximum number of bytes service limit.",
            resourceType=self._get_sfn_resource_type(),
            resource=self._get_sfn_resource(),
        )
        raise FailureEventException(
            FailureEvent(
                env=env,
                error_name=StatesErrorName(typ=error),
                event_type=HistoryEventType.TaskFailed,
                event_details=EventDetails(taskFailedEventDetails=details),
            )
        )
    _moto_before_eval_execution(self, env, resource_runtime_part, raw_parameters, state_credentials)


def _eval_error_equals(self: Any, env: Any) -> None:  # noqa: ANN401
    # https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html: States.ALL does not catch it.
    if env.stack[-1] == StatesErrorName(typ=StatesErrorNameType.StatesStatesDataLimitExceeded):
        env.stack[-1] = False
        return
    _moto_eval_error_equals(self, env)


class _TooLateError(Exception):
    """Ends the thread of a task that has already been given up."""


def _drop_late_answers() -> Callable[..., None]:
    def after_eval_execution(self: Any, env: Any, *args: object, **kwargs: object) -> None:  # noqa: ANN401
        # An execution that was stopped ends as such when its task is over; what is raised here would make it FAILED.
        if not env.is_running() and not isinstance(env.program_state(), ProgramStopped):
            raise _TooLateError
        _moto_after_eval_execution(self, env, *args, **kwargs)

    return after_eval_execution


class _ExecutionPool:
    """Daemon threads that are made as needed, up to a bound; what is beyond waits its turn."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], None]) -> None:
        self._waiting.put(work)
        if self._idle.acquire(blocking=False):
            return
        with self._lock:
            if self._threads < self._limit:
                self._threads += 1
                threading.Thread(target=self._run, name=f"execution-{self._threads}", daemon=True).start()

    def _run(self) -> None:
        while True:
            work = self._waiting.get()
            work()
            self._idle.release()
