"""Asks AWS no faster than it lets one: Step Functions counts the requests of all who share the account and region.

Its quotas are token buckets: so many at once, then so many a second. DescribeExecution has 250 and 10 in most regions,
ListExecutions 100 and 2, GetExecutionHistory 400 and 20
(https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html). What is asked here leaves room for others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

_BURST_AND_PER_SECOND: Final = {
    "DescribeExecution": (100, 8.0),
    "ListExecutions": (50, 1.5),
    "GetExecutionHistory": (100, 12.0),
}


class Bucket:
    """A bound on requests for all threads together: `burst` at once, then `per_second`."""

    def __init__(self, burst: int, per_second: float) -> None:
        """Begin with a full bucket."""
        self._burst = float(burst)
        self._per_second = per_second
        self._lock = threading.Lock()
        self._left = self._burst
        self._looked_at = time.monotonic()

    def take(self) -> None:
        """Wait until it is this request's turn."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._burst, self._left + (now - self._looked_at) * self._per_second) - 1
            self._looked_at = now
            pause = -self._left / self._per_second
        if pause > 0:
            time.sleep(pause)


def limit_rate(client: Any) -> None:  # noqa: ANN401 -- any boto3 client
    """Let a Step Functions client send its requests, also those it tries again, in this pace only."""
    for operation, (burst, per_second) in _BURST_AND_PER_SECOND.items():
        client.meta.events.register(f"before-send.sfn.{operation}", _taking(Bucket(burst, per_second)))


def _taking(bucket: Bucket) -> Callable[..., None]:
    # What the handler gives would be taken for the answer; None: the request is sent.
    def take(**_: object) -> None:
        bucket.take()

    return take
