"""Finds executions by the log lines of their tasks: each line names its order, its Stripe event and its execution.

An order's own history names only executions that changed it; the log also has those that failed, that found all
done already, and that still run. On AWS the lines are asked for by CloudWatch's field index, so that the size of the
logs does not matter; locally they are the files of `.local/logs`.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatchLogs-Field-Indexing.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from botocore.exceptions import ClientError

from cachao.aws.environment import Environment

Field = Literal["order_id", "stripe_event_id", "stripe_session_id", "stripe_payment_intent_id"]

_LIMIT: Final = 1000
_QUERY_SECONDS: Final = 30.0
_LOOK_EVERY_SECONDS: Final = 0.5
_SAFE_VALUE = re.compile(r"[A-Za-z0-9_]{1,255}\Z")


def executions_of(environment: Environment, field: Field, value: str, *, since: datetime) -> list[str] | None:
    """Give the ARNs of the executions whose tasks logged this value, oldest first; None: the logs did not answer.

    Args:
        environment: where.
        field: what is known.
        value: its value, as digits or a Stripe id; anything else finds nothing.
        since: how far back to look.
    """
    if not _SAFE_VALUE.match(value):
        return []
    if environment.is_local:
        folder = environment.logs_directory
        return _from_files(folder, field, value) if folder is not None and folder.is_dir() else None
    return _from_cloudwatch(environment, field, value, since)


def lines_of(environment: Environment, order_ids: set[str], *, since: datetime) -> list[dict[str, Any]] | None:
    """Give the lines about these orders, at most 1000, oldest first; None: the logs did not answer."""
    if environment.is_local:
        folder = environment.logs_directory
        if folder is None or not folder.is_dir():
            return None
        found = [line for line in _lines(folder) if str(line.get("order_id")) in order_ids]
        return sorted(found, key=lambda line: str(line.get("timestamp")))[:_LIMIT]
    numbers = ", ".join(f'"{number}"' for number in sorted(order_ids) if _SAFE_VALUE.match(number))
    query = f"fields @message | filter order_id in [{numbers}] | sort @timestamp asc | limit {_LIMIT}"
    try:
        rows = _query(environment.client("logs"), environment.output("FunctionLogGroupName"), query, since)
    except ClientError:
        return None
    return None if rows is None else [_as_line(_column(row, "@message")) for row in rows]


def _as_line(message: str) -> dict[str, Any]:
    try:
        read = json.loads(message)
    except ValueError:
        read = None
    return read if isinstance(read, dict) else {"message": message}


def _from_cloudwatch(environment: Environment, field: Field, value: str, since: datetime) -> list[str] | None:
    logs = environment.client("logs")
    try:
        return _ask(logs, environment.output("FunctionLogGroupName"), field, value, since)
    except ClientError:
        return None  # not allowed, or no such log group: the caller says that some may be missing


def _ask(logs: Any, log_group: str, field: Field, value: str, since: datetime) -> list[str] | None:  # noqa: ANN401
    rows = _query(
        logs,
        log_group,
        f'filter {field} = "{value}" | stats min(@timestamp) as started by execution_id'
        f" | sort started asc | limit {_LIMIT}",
        since,
    )
    if rows is None:
        return None
    return [arn for row in rows if (arn := _column(row, "execution_id")).startswith("arn:")]


def _query(logs: Any, log_group: str, text: str, since: datetime) -> list[Any] | None:  # noqa: ANN401 -- a client
    query = logs.start_query(
        logGroupName=log_group,
        startTime=int(since.timestamp()),
        endTime=int(datetime.now(UTC).timestamp()) + 1,
        queryString=text,
    )["queryId"]
    deadline = time.monotonic() + _QUERY_SECONDS
    while time.monotonic() < deadline:
        answer = logs.get_query_results(queryId=query)
        if answer["status"] == "Complete":
            return list(answer["results"])
        if answer["status"] not in {"Scheduled", "Running"}:
            return None
        time.sleep(_LOOK_EVERY_SECONDS)
    return None


def _column(row: list[dict[str, str]], name: str) -> str:
    return next((column["value"] for column in row if column["field"] == name), "")


def _from_files(folder: Path, field: Field, value: str) -> list[str]:
    found: dict[str, str] = {}
    for line in _lines(folder):
        arn = str(line.get("execution_id", ""))
        if str(line.get(field)) == value and arn.startswith("arn:"):
            found[arn] = min(found.get(arn, "9"), str(line.get("timestamp", "9")))
    return sorted(found, key=lambda arn: found[arn])


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.log")):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("{"):
                    try:
                        read = json.loads(line)
                    except ValueError:
                        continue  # written just now, not to its end
                    if isinstance(read, dict):
                        yield read
