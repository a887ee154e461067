"""Executions of the payment workflow: all of them by status and time, or those of one order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from cachao.aws import execution_names, logs
from cachao.aws.environment import Environment
from cachao.aws.execution_input import EventSummary, summarise
from cachao.aws.timeline import Timeline, read
from cachao.problems import USAGE, Problem, error_code

FAILED: Final = ("FAILED", "TIMED_OUT", "ABORTED")
RUNNING: Final = "RUNNING"
# Step Functions forgets an execution after so many days, and so do the logs.
REMEMBERED: Final = timedelta(days=90)
# Requests under way at the same time; how many a second is bounded by `rate_limit`.
_AT_ONCE: Final = 8
# ListExecutions gives so many at once at most, and may be asked less often than any other.
_PAGE_SIZE: Final = 1000
# A name's beginning is looked for among so many of the newest: ten requests.
LOOKED_THROUGH: Final = 10 * _PAGE_SIZE
# Shorter beginnings fit too many: this is the first group of a UUID.
_SHORTEST_BEGINNING: Final = 8
# So many of those that a beginning fits are named.
_NAMED_AT_MOST: Final = 10


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
    # Of the workflow, on which it began and ends; None where it was started past the alias.
    version: int | None = None

    @property
    def took(self) -> timedelta | None:
        """How long it ran, or has been running."""
        return (self.stopped or datetime.now(UTC)) - self.started

    @property
    def order(self) -> str | None:
        """The order that its event names, or that it found: a dispute's event names none."""
        return self.event.order_reference or _order_in(self.output)

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
    return describe_all(environment, newest(environment, statuses=statuses, since=since, limit=limit))


def newest(
    environment: Environment, *, statuses: Iterable[str] = (), since: datetime | None = None, limit: int
) -> list[str]:
    """Give the ARNs of the newest executions, newest first, at most `limit`."""
    # Each status comes newest first, so the newest of all are among the first of each.
    found = [
        execution
        for status in tuple(statuses) or (None,)
        for execution in islice(listed(environment, status=status, since=since), limit)
    ]
    found.sort(key=lambda execution: execution["startDate"], reverse=True)
    return [execution["executionArn"] for execution in found[:limit]]


def describe_all(
    environment: Environment, execution_arns: Iterable[str], *, on_progress: Callable[[], object] = lambda: None
) -> list[Execution]:
    """Describe executions, in the order given; those that Step Functions has forgotten are left out.

    On AWS many take their time (`rate_limit`): eight a second. `on_progress` is called after each.
    """
    found = []
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        for execution in pool.map(lambda arn: describe(environment, arn), dict.fromkeys(execution_arns)):
            found.append(execution)
            on_progress()
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
    return replace(
        as_listed(found),
        event=summarise(text),
        input=text,
        error=found.get("error"),
        cause=found.get("cause"),
        output=found.get("output"),
        version=_version(found.get("stateMachineVersionArn")),
    )


def _version(arn: str | None) -> int | None:
    """`…:stateMachine:NAME:3` -> 3."""
    number = (arn or "").rpartition(":")[2]
    return int(number) if number.isdecimal() else None


def as_listed(found: Mapping[str, Any]) -> Execution:
    """Give an execution as `ListExecutions` has it: without its input, and without what became of it."""
    return Execution(
        arn=found["executionArn"],
        name=found["name"],
        status=found["status"],
        started=found["startDate"],
        stopped=found.get("stopDate"),
        event=EventSummary(),
        input="",
        error=None,
        cause=None,
        output=None,
    )


def get(environment: Environment, name_or_arn: str, *, note: Callable[[str], object] = lambda _: None) -> Execution:
    """Describe the execution of this ARN, this name, or the only one whose name begins so.

    `note` is told when not all executions were looked through for the beginning.

    Raises:
        Problem: there is none, or more than one.
    """
    wanted = name_or_arn.rstrip(".…")
    found = describe(environment, execution_names.arn_of(environment.state_machine_arn, wanted))
    if found is not None:
        return found
    if wanted.startswith("arn:") or len(wanted) < _SHORTEST_BEGINNING:
        raise _none_of(name_or_arn)
    beginning = beginning_with(environment, wanted)
    if len(beginning.found) > 1:
        raise _several(wanted, [each["name"] for each in beginning.found])
    found = describe(environment, beginning.found[0]["executionArn"]) if beginning.found else None
    if found is None:
        raise _none_of(name_or_arn, all_seen=beginning.all_seen)
    if not beginning.all_seen:
        note(f"Only the newest {LOOKED_THROUGH} executions were searched: the name of an older one may begin so, too.")
    return found


@dataclass(frozen=True)
class Beginning:
    """Executions whose names begin alike, as `ListExecutions` gives them. Not `all_seen`: there were too many."""

    found: list[dict[str, Any]]
    all_seen: bool


def beginning_with(environment: Environment, beginning: str) -> Beginning:
    """Look for a name's beginning among the newest executions."""
    newest = list(islice(listed(environment), LOOKED_THROUGH + 1))
    matching = [found for found in newest[:LOOKED_THROUGH] if found["name"].startswith(beginning)]
    return Beginning(matching, all_seen=len(newest) <= LOOKED_THROUGH)


def original_of(environment: Environment, name: str, known: Iterable[str] = ()) -> str | None:
    """Give the whole name of a replay's original, out of those `known` or the newest; None: not among them."""
    if (whole := execution_names.original_of(name)) is not None:
        return whole
    root = execution_names.root_of(name)
    names = (*known, *(found["name"] for found in islice(listed(environment), LOOKED_THROUGH)))
    return next((found for found in names if found.startswith(root)), None)


def _none_of(wanted: str, *, all_seen: bool = True) -> Problem:
    if not all_seen:
        return Problem(
            f"No execution's name begins with {wanted} among the newest {LOOKED_THROUGH}.",
            advice="Use the full name: the alert's mail and the order's history show it.",
        )
    if wanted.isascii() and wanted.isdigit():
        advice = f"If it is an order number, run: cachao executions --order {wanted}"
    else:
        advice = (
            f"cachao executions lists them: the whole name is wanted, or {_SHORTEST_BEGINNING} or more characters of"
            f" its beginning. Step Functions forgets an execution after {REMEMBERED.days} days."
        )
    return Problem(f"There is no execution {wanted}.", advice=advice)


def _several(wanted: str, names: list[str]) -> Problem:
    more = len(names) - _NAMED_AT_MOST
    lines = [*names[:_NAMED_AT_MOST], *([f"and {more} more"] if more > 0 else [])]
    return Problem(
        f"{len(names)} executions begin with {wanted}.",
        advice="Choose one, newest first:\n" + "\n".join(f"  {line}" for line in lines),
        exit_code=USAGE,
    )


def timeline(environment: Environment, execution: Execution) -> Timeline:
    """Read an execution's steps from its history."""
    return read(events(environment, execution.arn), running=execution.status == RUNNING)


def events(environment: Environment, arn: str) -> Iterator[dict[str, Any]]:
    """Give an execution's history, as `GetExecutionHistory` has it, in order."""
    pages = environment.client("stepfunctions").get_paginator("get_execution_history")
    return (event for page in pages.paginate(executionArn=arn) for event in page["events"])


@dataclass(frozen=True)
class Found:
    """Executions that belong together, oldest first. Not `complete`: the logs did not answer, some may be missing."""

    executions: list[Execution]
    complete: bool


def of_order(environment: Environment, inspected: dict[str, Any]) -> Found:
    """Give all executions of an order, as `InspectOrder` shows it: those in its history, and those in the logs."""
    order = inspected["order"]
    named = [entry["execution_id"] for entry in inspected["history"] if _is_arn(entry.get("execution_id"))]
    since = datetime.now(UTC) - REMEMBERED
    if order["created_at"] is not None:  # a live order may have no date
        since = max(datetime.fromisoformat(order["created_at"]), since)
    return _found(environment, named, "order_id", str(order["id"]), since)


def of_logged(environment: Environment, field: logs.Field, value: str) -> Found:
    """Give the executions whose tasks met this order or Stripe id, also where the database does not know it."""
    return _found(environment, [], field, value, datetime.now(UTC) - REMEMBERED)


def _found(environment: Environment, named: list[str], field: logs.Field, value: str, since: datetime) -> Found:
    logged = logs.executions_of(environment, field, value, since=since)
    executions = describe_all(environment, [*named, *(logged or [])])
    return Found(sorted(executions, key=lambda execution: execution.started), complete=logged is not None)


def _order_in(output: str | None) -> str | None:
    try:
        said = json.loads(output or "")
    except ValueError:
        return None
    order = said.get("order_id") if isinstance(said, dict) else None
    return str(order) if isinstance(order, int) else None


def _is_arn(value: object) -> bool:
    return isinstance(value, str) and value.startswith("arn:")
