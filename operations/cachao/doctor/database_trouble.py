"""Whether executions meet an unreachable database now: what is known of it when nobody can ask the database itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from cachao.aws import executions
from cachao.aws.environment import Environment
from cachao.problems import explain
from cachao.view.output import pluralize

_ERROR: Final = "DatabaseUnavailable"
# The retries outlast some minutes: what failed with it began before.
_NOW: Final = timedelta(minutes=30)
# Each is a request of its own; a few are enough to know.
_MOST: Final = 10
# Many more than one step's retries have.
_EVENTS: Final = 100


def failures_of_executions(environment: Environment) -> str:
    """Give half a sentence on the executions that fail with it at the moment; empty where none is seen to."""
    try:
        retrying, failed = _retrying(environment), _failed(environment)
    except Exception as error:
        if explain(error) is None:
            raise
        return ""  # the link of the executions says that they may not be looked at
    said = []
    if retrying:
        verb = "is" if retrying == 1 else "are"
        said.append(f"{pluralize(retrying, 'execution')} {verb} trying again after {_ERROR}")
    if failed:
        said.append(f"{pluralize(failed, 'execution')} failed with {_ERROR} within the last half hour")
    return " and ".join(said)


def _retrying(environment: Environment) -> int:
    running = islice(executions.listed(environment, status=executions.RUNNING), _MOST)
    return sum(_last_error(environment, found["executionArn"]) == _ERROR for found in running)


def _last_error(environment: Environment, arn: str) -> str | None:
    answer = environment.client("stepfunctions").get_execution_history(
        executionArn=arn, reverseOrder=True, maxResults=_EVENTS
    )
    failures = [event for event in answer["events"] if "taskFailedEventDetails" in event]
    if not failures:
        return None
    # The local AWS gives the oldest first, whatever it is asked for.
    return str(max(failures, key=lambda event: event["id"])["taskFailedEventDetails"].get("error"))


def _failed(environment: Environment) -> int:
    since = datetime.now(UTC) - _NOW
    recent = executions.recent(environment, statuses=("FAILED",), since=since, limit=_MOST)
    return sum(found.error == _ERROR for found in recent)
