"""Faults on purpose: the next requests fail, are answered too late, or lose their connection."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from local.stripe_stand_in.errors import ApiError, server_error

FaultKind = int | Literal["timeout", "reset"]
Moment = Literal["before", "inside", "after"]


class ConnectionLostError(Exception):
    """The answer is not to be sent; the connection is to be reset."""


@dataclass
class Fault:
    """A fault for the next `remaining` requests that match.

    Attributes:
        kind: An HTTP status from 400 on, `timeout` or `reset`.
        when: `before`: the request never reached its endpoint. `inside`: the endpoint failed, what it did
            is undone, and its idempotency key replays the failure. `after`: the work is done and saved,
            only the answer is lost.
        seconds: How long a `timeout` holds the connection before it resets it.
    """

    remaining: int
    kind: FaultKind
    path_prefix: str
    method: str | None
    when: Moment
    seconds: float


class Faults:
    """The faults that are armed."""

    def __init__(self) -> None:
        """Arm nothing."""
        self._armed: list[Fault] = []
        self._lock = threading.Lock()
        self._released = threading.Event()

    def arm(self, fault: Fault) -> None:
        """Add a fault; those armed first come first."""
        with self._lock:
            self._armed.append(fault)

    def clear(self) -> None:
        """Forget all faults, and let requests that a `timeout` holds go."""
        with self._lock:
            self._armed.clear()
            self._released.set()
            self._released = threading.Event()  # for the next ones

    def release(self) -> None:
        """Let requests that a `timeout` holds go, because the stand-in stops."""
        self._released.set()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault of this request, if it has one."""
        with self._lock:
            for fault in self._armed:
                if path.startswith(fault.path_prefix) and fault.method in {None, method}:
                    fault.remaining -= 1
                    if fault.remaining <= 0:
                        self._armed.remove(fault)
                    return fault
        return None

    def strike(self, fault: Fault) -> None:
        """Make the fault happen.

        Raises:
            ApiError: The fault is an HTTP status.
            ConnectionLostError: The connection is to be reset.
        """
        if isinstance(fault.kind, int):
            raise self.error(fault)
        if fault.kind == "timeout":
            self._released.wait(fault.seconds)
        raise ConnectionLostError

    @staticmethod
    def error(fault: Fault) -> ApiError:
        """Return the error answer of a fault that is an HTTP status."""
        return server_error(int(fault.kind), saved=fault.when == "inside")

    @contextmanager
    def around(self, fault: Fault | None) -> Iterator[None]:
        """Let the fault happen before or after a request's work."""
        if fault is not None and fault.when == "before":
            self.strike(fault)
        yield
        if fault is not None and fault.when == "after":
            self.strike(fault)
