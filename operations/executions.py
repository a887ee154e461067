"""Executions of the payment workflow: all of them by status and time, or those of one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from operations import execution_names, task_log
from operations.environment import Environment
from operations.execution_input import EventSummary, summarise
from operations.problems import Problem, error_code
from operations.timeline import Timeline, read

FAILED: Final = ("FAILED", "TIMED_OUT", "ABORTED")
RUNNING: Final = "RUNNING"
# Step Functions forgets an execution after so many days, and so do the logs.
REMEMBERED: Final = timedelta(days=90)
# Requests under way at the same time; how many a second is bounded by `pacing`.
_AT_ONCE: Final = 8
# ListExecutions gives so many at once at most, and may be asked less often than any other.
_PAGE_SIZE: Final = 1000


@dataclass(frozen=True)
class Execution:
    """One execution, with what its input says of itself."""

    arn: str
    name: str
    status: str
    started: datetime
    stopped: datetime | None
    event: EventSummary
    input: str
    error: str | None
    cause: str | None
    output: str | None

    @property
    def took(self) -> timedelta | None:
        """How long it ran, or has been running."""
        return (self.stopped or datetime.now(UTC)) - self.started

    @property
    def failed(self) -> bool:
        """Whether it ended, and not well."""
        return self.status in FAILED


def listed(
    environment: Environment, *, status: str | None = None, since: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Give executions as `ListExecutions` does, newest first, page by page as they are asked for."""
    wanted: dict[str, Any] = {"statusFilter": status} if status else {}
    pages = environment.client("stepfunctions").get_paginator("list_executions")
    pages_of = {"PageSize": _PAGE_SIZE}
    for page in pages.paginate(stateMachineArn=environment.state_machine_arn, PaginationConfig=pages_of, **wanted):
        for found in page["executions"]:
            if since is not None and found["startDate"] < since:
                return
            yield found


def recent(
    environment: Environment, *, statuses: Iterable[str] = (), since: datetime | None = None, limit: int
) -> list[Execution]:
    """Give the newest executions, newest first, at most `limit`."""
    # Each status comes newest first, so the newest of all are among the first of each.
    found = [
        execution
        for status in tuple(statuses) or (None,)
        for execution in islice(listed(environment, status=status, since=since), limit)
    ]
    newest = sorted(found, key=lambda execution: execution["startDate"], reverse=True)[:limit]
    return describe_all(environment, [execution["executionArn"] for execution in newest])


def describe_all(
    environment: Environment, execution_arns: Iterable[str], *, told: Callable[[], object] = lambda: None
) -> list[Execution]:
    """Describe executions, in the order given; those that Step Functions has forgotten are left out.

    On AWS many take their time (`pacing`): eight a second. `told` is called after each.
    """
    found = []
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        for execution in pool.map(lambda arn: describe(environment, arn), dict.fromkeys(execution_arns)):
            found.append(execution)
            told()
    finally:
        # After an error, or Ctrl-C, hundreds may be left that nobody waits for.
        pool.shutdown(cancel_futures=True)
    return [execution for execution in found if execution is not None]


def describe(environment: Environment, arn: str) -> Execution | None:
    """Describe an execution; None where there is none (any more)."""
    try:
        found = environment.client("stepfunctions").describe_execution(executionArn=arn)
    except Exception as error:
        if error_code(error) in {"ExecutionDoesNotExist", "InvalidArn"}:
            return None
        raise
    text = found.get("input") or ""
    return Execution(
        arn=found["executionArn"],
        name=found["name"],
        status=found["status"],
        started=found["startDate"],
        stopped=found.get("stopDate"),
        event=summarise(text),
        input=text,
        error=found.get("error"),
        cause=found.get("cause"),
        output=found.get("output"),
    )


def get(environment: Environment, name_or_arn: str) -> Execution:
    """Describe the execution of this name or ARN.

    Raises:
        Problem: there is none.
    """
    arn = execution_names.arn_of(environment.state_machine_arn, name_or_arn)
    found = describe(environment, arn)
    if found is None:
        raise Problem(
            f"There is no execution {name_or_arn}.",
            advice="cachao executions lists them; Step Functions forgets an execution after 90 days.",
        )
    return found


def timeline(environment: Environment, execution: Execution) -> Timeline:
    """Read an execution's steps from its history."""
    pages = environment.client("stepfunctions").get_paginator("get_execution_history")
    events = (event for page in pages.paginate(executionArn=execution.arn) for event in page["events"])
    return read(events, running=execution.status == RUNNING)


@dataclass(frozen=True)
class Found:
    """Executions that belong together, oldest first. Not `complete`: the logs did not answer, some may be missing."""

    executions: list[Execution]
    complete: bool


def of_order(environment: Environment, inspected: dict[str, Any]) -> Found:
    """Give all executions of an order, as `InspectOrder` shows it: those in its history, and those in the logs."""
    order = inspected["order"]
    named = [entry["execution_id"] for entry in inspected["history"] if _is_arn(entry.get("execution_id"))]
    since = max(datetime.fromisoformat(order["created_at"]), datetime.now(UTC) - REMEMBERED)
    return _found(environment, named, "order_id", str(order["id"]), since)


def of_logged(environment: Environment, field: task_log.Field, value: str) -> Found:
    """Give the executions whose tasks met this order or Stripe id, also where the database does not know it."""
    return _found(environment, [], field, value, datetime.now(UTC) - REMEMBERED)


def _found(environment: Environment, named: list[str], field: task_log.Field, value: str, since: datetime) -> Found:
    logged = task_log.executions_of(environment, field, value, since=since)
    executions = describe_all(environment, [*named, *(logged or [])])
    return Found(sorted(executions, key=lambda execution: execution.started), complete=logged is not None)


def _is_arn(value: object) -> bool:
    return isinstance(value, str) and value.startswith("arn:")
