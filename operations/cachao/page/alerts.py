"""The alerts as the e-mails that people got: locally as the topic had them, on AWS as the executions sent them.

AWS keeps no message of a topic. The history of an execution has the alert that it published; summaries, and alerts of
reconciliation, are in the mailbox only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cachao.aws import executions
from cachao.aws.environment import Environment

_SHOWN: Final = 200
_LOOKED_AT: Final = 50
_READ_BYTES: Final = 2_000_000
_SNS: Final = "sns"


class Alerts:
    """Reads the alerts of a stack, newest first."""

    def __init__(self, environment: Environment) -> None:
        """Note where to read."""
        self._environment = environment
        # What an ended execution sent does not change.
        self._sent: dict[str, list[dict[str, Any]]] = {}

    def newest(self) -> list[dict[str, Any]]:
        """Give alerts: `at` (ISO 8601), `subject`, `message`, `execution` (a name, or null)."""
        file = self._environment.alerts_file
        found = list(self._of_executions() if file is None else _of_file(file))
        return sorted(found, key=lambda alert: str(alert["at"]), reverse=True)[:_SHOWN]

    @property
    def complete(self) -> bool:
        """Whether these are all alerts of the topic."""
        return self._environment.alerts_file is not None

    def _of_executions(self) -> Iterator[dict[str, Any]]:
        for arn in executions.newest(self._environment, statuses=executions.FAILED, limit=_LOOKED_AT):
            if arn not in self._sent:
                name = arn.rpartition(":")[2]
                self._sent[arn] = [
                    {**alert, "execution": name} for alert in sent_by(executions.events(self._environment, arn))
                ]
            yield from self._sent[arn]


def sent_by(events: Iterator[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give the messages to operators that an execution published, out of its history."""
    scheduled: dict[int, dict[str, Any]] = {}
    for event in events:
        before = scheduled.pop(event.get("previousEventId", 0), None)
        details = event.get("taskScheduledEventDetails", {})
        if event["type"] == "TaskScheduled" and details.get("resourceType") == _SNS:
            parameters = json.loads(details["parameters"])
            scheduled[event["id"]] = {
                "at": event["timestamp"].isoformat(),
                "subject": str(parameters.get("Subject", "")),
                "message": str(parameters.get("Message", "")),
            }
        elif before is not None and event["type"] == "TaskStarted":
            scheduled[event["id"]] = before
        elif before is not None and event["type"] == "TaskSucceeded":
            yield before


def _of_file(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - _READ_BYTES))
            lines = stream.read().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        try:
            alert = json.loads(line)
        except ValueError:  # the first one may be cut, the last one may be written just now
            continue
        message = str(alert["message"])
        yield {
            "at": alert["at"],
            "subject": alert["subject"],
            "message": message,
            "execution": _execution_in(message),
        }


def _execution_in(message: str) -> str | None:
    lines = (line.removeprefix("Execution: ") for line in message.splitlines() if line.startswith("Execution: arn:"))
    arn = next(lines, "").partition(" ")[0]
    return arn.rpartition(":")[2] or None
