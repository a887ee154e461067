"""Step Functions as it bounds requests: token buckets of the smaller regions, in a time that the test turns.

Only the network is replaced: boto3's client with its retries is the real one.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

MACHINE: Final = "arn:aws:states:eu-north-1:123456789012:stateMachine:payments"
_BUCKETS: Final = {
    "DescribeExecution": (250, 10),
    "ListExecutions": (100, 2),
    "StartExecution": (800, 150),
}
_REQUEST_SECONDS: Final = 0.002


class Clock:
    """A time that passes by sleeping only; threads that sleep at once sleep side by side."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        self._lock = threading.Lock()
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        with self._lock:
            self.now = max(self.now, until)


@dataclass
class Known:
    """An execution; it runs until `ends`, in the clock's time."""

    name: str
    status: str
    started: float
    ends: float
    input: str = "{}"

    @property
    def arn(self) -> str:
        return f"{MACHINE.replace(':stateMachine:', ':execution:')}:{self.name}"


class StepFunctions:
    """Answers the requests of a boto3 client."""

    def __init__(self, clock: Clock, *, take_seconds: float = 5.0) -> None:
        self.clock = clock
        self.executions: dict[str, Known] = {}
        self.answered: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        # Operations that are throttled from this request on, whatever the bucket says.
        self.refuse_after: dict[str, int] = {}
        self._take_seconds = take_seconds
        self._left = {name: (float(burst), clock.now) for name, (burst, _) in _BUCKETS.items()}
        self._lock = threading.Lock()

    def add(self, found: Iterable[Known]) -> None:
        self.executions.update({one.arn: one for one in found})

    def serve(self, client: Any) -> None:
        client.meta.events.register("before-send.sfn.*", self._answer)

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        operation = request.headers["X-Amz-Target"]
        operation = (operation.decode() if isinstance(operation, bytes) else operation).rpartition(".")[2]
        with self._lock:
            self.clock.now += _REQUEST_SECONDS
            if not self._allowed(operation):
                self.throttled[operation] += 1
                return _Answer(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
            self.answered[operation] += 1
            asked: str | bytes = request.body or "{}"  # type: ignore[assignment]  # botocore sends it whole
            return getattr(self, f"_{operation}")(json.loads(asked))  # type: ignore[no-any-return]

    def _allowed(self, operation: str) -> bool:
        if self.answered[operation] >= self.refuse_after.get(operation, 10**9):
            return False
        burst, per_second = _BUCKETS[operation]
        left, at = self._left[operation]
        left = min(float(burst), left + (self.clock.now - at) * per_second)
        self._left[operation] = (left - 1 if left >= 1 else left, self.clock.now)
        return left >= 1

    def _ListExecutions(self, asked: dict[str, Any]) -> AWSResponse:  # noqa: N802 -- AWS's own name
        every = sorted((self._shown(one) for one in self.executions.values()), key=lambda one: -one["startDate"])
        wanted = [one for one in every if asked.get("statusFilter") in {None, one["status"]}]
        first, most = int(asked.get("nextToken", 0)), int(asked.get("maxResults", 100))
        page = [{name: one[name] for name in one if name != "input"} for one in wanted[first : first + most]]
        more = {"nextToken": str(first + most)} if first + most < len(wanted) else {}
        return _Answer(200, {"executions": page, **more})

    def _DescribeExecution(self, asked: dict[str, Any]) -> AWSResponse:  # noqa: N802 -- AWS's own name
        found = self.executions.get(asked["executionArn"])
        if found is None:
            return _Answer(400, {"__type": "ExecutionDoesNotExist", "message": "there is none"})
        shown = self._shown(found)
        error = {"error": "DatabaseUnavailable", "cause": "away"} if shown["status"] == "FAILED" else {}
        return _Answer(200, {**shown, **error})

    def _StartExecution(self, asked: dict[str, Any]) -> AWSResponse:  # noqa: N802 -- AWS's own name
        now = self.clock.now
        made = Known(asked["name"], "SUCCEEDED", now, now + self._take_seconds, asked["input"])
        if made.arn in self.executions:
            return _Answer(400, {"__type": "ExecutionAlreadyExists", "message": "taken"})
        self.executions[made.arn] = made
        return _Answer(200, {"executionArn": made.arn, "startDate": now})

    def _shown(self, found: Known) -> dict[str, Any]:
        over = self.clock.now >= found.ends
        return {
            "executionArn": found.arn,
            "stateMachineArn": MACHINE,
            "name": found.name,
            "status": found.status if over else "RUNNING",
            "startDate": found.started,
            "input": found.input,
            **({"stopDate": found.ends} if over else {}),
        }


class _Answer(AWSResponse):
    """An answer that is there already."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        headers = HTTPHeaders()
        headers["Content-Type"] = "application/x-amz-json-1.0"
        super().__init__("https://states.test", status, headers, None)
        self._body = json.dumps(body).encode()

    @property
    def content(self) -> bytes:
        return self._body
