"""Executions that are there again when the cloud is started anew: moto has them in memory only.

A journal has an entry when an execution begins, and one when it has ended, with its history. What had begun, and has no
second entry, ran when we were stopped or killed: it comes back as ABORTED.
"""

import base64
import copy
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, Final

from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution

from local.aws.moto_patches.replacing import Replacements
from local.journal import Journal

# Beyond these the oldest are forgotten; each is some ten kilobytes of the journal.
MOST_KEPT: Final = 2000
STOPPED_ERROR: Final = "LocalStackStopped"
_STOPPED_CAUSE: Final = "The local stack was stopped while this ran. Replaying it is safe."

Entry = dict[str, Any]

_moto_start = Execution.start
_moto_reflect_status = BaseExecutionWorkerCommunication._reflect_execution_status  # noqa: SLF001
_moto_history = Execution.to_history_output


class KeptExecutions:
    """Writes executions into a journal, and brings back those of before."""

    def __init__(self, journal: Journal) -> None:
        """Read the journal."""
        self._journal = journal
        self._definitions: dict[str, str] = {}
        self._before = self._read()
        self._running: dict[str, Any] = {}

    def apply(self, replacements: Replacements) -> None:
        """Write down what begins and ends from now on."""

        def start(execution: Any) -> None:  # noqa: ANN401 - moto's own type
            self._note_begin(execution)
            _moto_start(execution)

        def reflect_status(communication: Any) -> None:  # noqa: ANN401
            self._note_end(communication.execution)

        replacements.set(Execution, "start", start)
        replacements.set(BaseExecutionWorkerCommunication, "_reflect_execution_status", reflect_status)

    def restore(self, machines: Mapping[str, Any]) -> None:
        """Give the deployed state machines, by their ARNs, the executions of before; those of others stay away."""
        for entry in self._before:
            if entry["machine"] in machines:
                machine = machines[entry["machine"]]
                machine.executions.append(_restored(entry, machine, self._definitions.get(entry["definition"], "{}")))
        self._before = []

    def close(self) -> None:
        """Write down how far those came that still run."""
        for execution in list(self._running.values()):
            stopped = SimpleNamespace(
                exec_status=ExecutionStatus.ABORTED,
                stop_date=datetime.now(UTC),
                output=None,
                error=STOPPED_ERROR,
                cause=_STOPPED_CAUSE,
            )
            self._append_end(execution, stopped)
        self._running.clear()

    def _read(self) -> list[Entry]:
        entries = self._journal.load()
        found: dict[str, Entry] = {}
        for entry in entries:
            if entry.get("kind") == "definition":
                self._definitions[entry["digest"]] = entry["text"]
            elif entry.get("kind") == "began":
                found[entry["arn"]] = entry
            elif entry.get("kind") == "ended" and entry["arn"] in found:
                found[entry["arn"]] = {**found[entry["arn"]], **entry}
        newest = sorted(found.values(), key=lambda entry: str(entry["started"]))[-MOST_KEPT:]
        if len(newest) < len(found):
            self._definitions = {
                digest: self._definitions[digest] for digest in {entry["definition"] for entry in newest}
            }
            self._journal.replace(self._written(newest))
        return newest

    def _written(self, entries: list[Entry]) -> Iterator[Entry]:
        for digest, text in self._definitions.items():
            yield {"kind": "definition", "digest": digest, "text": text}
        for entry in entries:
            yield {**entry, "kind": "began"}
            if "status" in entry:
                yield {**entry, "kind": "ended"}

    def _note_begin(self, execution: Any) -> None:  # noqa: ANN401
        self._running[execution.exec_arn] = execution
        definition = execution.state_machine.definition
        digest = sha256(definition.encode()).hexdigest()
        if digest not in self._definitions:
            self._definitions[digest] = definition
            self._journal.append({"kind": "definition", "digest": digest, "text": definition})
        self._journal.append(
            {
                "kind": "began",
                "arn": execution.exec_arn,
                "machine": execution.state_machine.arn,
                "name": execution.name,
                "input": execution.execution_input,
                "started": execution.start_date.isoformat(),
                "definition": digest,
            }
        )

    def _note_end(self, execution: Any) -> None:  # noqa: ANN401
        """Write an execution's end down before anybody can see it."""
        ended = SimpleNamespace(exec_worker=execution.exec_worker, output=None, error=None, cause=None)
        _moto_reflect_status(SimpleNamespace(execution=ended))
        if self._running.pop(execution.exec_arn, None) is not None:
            self._append_end(execution, ended)
        execution.stop_date, execution.output = ended.stop_date, ended.output
        execution.error, execution.cause = ended.error, ended.cause
        execution.exec_status = ended.exec_status

    def _append_end(self, execution: Any, ended: Any) -> None:  # noqa: ANN401
        history = json.dumps(_moto_history(execution)["events"], default=_as_text, separators=(",", ":"))
        self._journal.append(
            {
                "kind": "ended",
                "arn": execution.exec_arn,
                "status": ended.exec_status.value,
                "stopped": ended.stop_date.isoformat(),
                "output": json.dumps(ended.output, default=str),
                "error": ended.error,
                "cause": ended.cause,
                "history": base64.b64encode(zlib.compress(history.encode())).decode(),
            }
        )


class _EndedWorker:
    """In place of the thread that ran an execution."""

    def __init__(self, read_history: Callable[[], list[dict[str, Any]]]) -> None:
        self.env = SimpleNamespace(event_manager=SimpleNamespace(get_event_history=read_history))

    def stop(self, **_: object) -> None:
        """What has ended stays as it ended."""


def _restored(entry: Entry, machine: Any, definition: str) -> Any:  # noqa: ANN401 - moto's own types
    ran = copy.copy(machine)
    ran.definition, ran.executions = definition, []
    _, _, _, region, account_id, *_ = entry["arn"].split(":")
    execution = Execution(
        name=entry["name"],
        sm_type=machine.sm_type,
        role_arn=machine.roleArn,
        exec_arn=entry["arn"],
        account_id=account_id,
        region_name=region,
        state_machine=ran,
        start_date=datetime.fromisoformat(entry["started"]),
        cloud_watch_logging_session=None,
        activity_store={},
        input_data=entry["input"],
    )
    execution.stop_date = datetime.fromisoformat(str(entry.get("stopped", entry["started"])))
    execution.exec_status = ExecutionStatus(entry.get("status", "ABORTED"))
    execution.output = json.loads(entry.get("output", "null"))
    execution.error = entry.get("error") if "status" in entry else STOPPED_ERROR
    execution.cause = entry.get("cause") if "status" in entry else _STOPPED_CAUSE
    execution.exec_worker = _EndedWorker(lambda: _history(entry))
    return execution


def _history(entry: Entry) -> list[dict[str, Any]]:
    if "history" not in entry:
        moment = datetime.fromisoformat(entry["started"])
        begun = {"id": 1, "previousEventId": 0, "timestamp": moment, "type": "ExecutionStarted"}
        aborted = {"id": 2, "previousEventId": 0, "timestamp": moment, "type": "ExecutionAborted"}
        return [
            begun | {"executionStartedEventDetails": {"input": entry["input"]}},
            aborted | {"executionAbortedEventDetails": {"error": STOPPED_ERROR, "cause": _STOPPED_CAUSE}},
        ]
    events: list[dict[str, Any]] = json.loads(zlib.decompress(base64.b64decode(entry["history"])))
    for event in events:
        event["timestamp"] = datetime.fromisoformat(event["timestamp"])
    return events


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
