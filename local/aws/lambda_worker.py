"""One Lambda execution environment: a process under AWS's own `awslambdaric`, and its end of the Runtime API.

The Runtime API is spoken by the thread that invokes: a warm worker has a `GET …/invocation/next` pending;
answering it hands over the event, and the worker's `POST …/response` (or `…/error`) is the result. So a worker
costs no thread while idle, and its death is seen at once (a pidfd becomes readable).
Reference: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import contextlib
import os
import re
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from local.processes import LOOPBACK, spawn, stop

_HEADER_END = b"\r\n\r\n"
_RECEIVE_BYTES = 65536
_WORDS_OF_START_LINE = 3  # POST /path HTTP/1.1
# Where there is no pidfd (before Linux 5.3, macOS) a death is noticed after at most this long.
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class LambdaFunction:
    """What the deployed template says about one function.

    Attributes:
        name: physical name, as in its ARN.
        logical_id: its name in the template.
        handler: `module.function`, relative to `code_directory`.
        code_directory: the local folder of its CodeUri.
        environment: the template's variables, resolved.
        timeout_seconds: after that it is killed.
        memory_mb: told to the function; not enforced.
        asynchronous_retries: how often Lambda repeats an asynchronous call that failed (EventInvokeConfig).
    """

    name: str
    logical_id: str
    handler: str
    code_directory: Path
    environment: Mapping[str, str]
    timeout_seconds: float
    memory_mb: int
    asynchronous_retries: int = 2


@dataclass(frozen=True)
class Interpreter:
    """The Python of the workers, which has awslambdaric.

    Attributes:
        path: the program.
        version: `3.13`; what the functions are told (AWS_EXECUTION_ENV).
    """

    path: str
    version: str


THIS_PYTHON = Interpreter(sys.executable, f"{sys.version_info.major}.{sys.version_info.minor}")


class WorkerDiedError(Exception):
    """The process ended before it answered.

    Attributes:
        reason: as Lambda words it, e.g. `signal: killed` or `exit status 1`.
    """

    def __init__(self, exit_code: int) -> None:
        """Word the exit code of `subprocess` (negative: a signal)."""
        if exit_code < 0:
            name = {signal.SIGKILL: "killed", signal.SIGTERM: "terminated", signal.SIGSEGV: "segmentation fault"}
            self.reason = f"signal: {name.get(signal.Signals(-exit_code), signal.Signals(-exit_code).name)}"
        else:
            self.reason = f"exit status {exit_code}"
        super().__init__(self.reason)


class WorkerTimedOutError(Exception):
    """No answer before the deadline. The worker still runs; its owner must kill it."""


class NotReadyError(Exception):
    """The worker still initialises when its caller gives up. It has no event; the next caller may have it."""


class _MalformedRequestError(Exception):
    """Not HTTP as awslambdaric speaks it: somebody else found the port."""


@dataclass(frozen=True)
class RuntimeRequest:
    """One HTTP request of the worker."""

    path: str
    body: bytes
    connection: socket.socket


class LambdaWorker:
    """A warm process that handles one invocation at a time. Not thread-safe: its pool lends it out."""

    def __init__(
        self,
        function: LambdaFunction,
        *,
        environment: Mapping[str, str],
        function_arn: str,
        log: IO[bytes],
        python: str = THIS_PYTHON.path,
    ) -> None:
        """Start the process; it initialises while it waits for its first event."""
        self.function = function
        self.idle_since = time.monotonic()
        self.cold = True
        self.initialising_seconds: float | None = None
        self.call_seconds = 0.0
        self._started_at = time.monotonic()
        self._arn = function_arn
        self._connections: dict[socket.socket, bytearray] = {}
        self._killed = threading.Event()
        self._ready: RuntimeRequest | None = None
        self._listener = socket.create_server((LOOPBACK, 0), backlog=4)
        self._listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        host, port = self._listener.getsockname()
        self._selector = selectors.DefaultSelector()
        try:
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._process = spawn(
                [python, "-m", "awslambdaric", function.handler],
                environment={**environment, "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}"},
                directory=function.code_directory,
                output=log,
            )
        except BaseException:
            self._selector.close()
            self._listener.close()
            raise
        self._pidfd = _open_pidfd(self._process.pid)
        if self._pidfd is not None:
            self._selector.register(self._pidfd, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can take another invocation."""
        return self._process.poll() is None

    def handle(self, event: bytes, *, request_id: str, seconds: float, begin_by: float | None = None) -> RuntimeRequest:
        """Run one invocation and return the worker's answer (path ends in `/response` or `/error`).

        The clock of `seconds` starts when the worker has its event, as on AWS: initialising is not counted. After
        the moment `begin_by` (`time.monotonic`) the worker does not get the event any more.

        Raises:
            NotReadyError: the worker was not ready by then.
            WorkerDiedError: the process ended first.
            WorkerTimedOutError: no answer in time.
        """
        pending = self._next(begin_by)
        began = time.monotonic()
        if self.initialising_seconds is None:
            self.initialising_seconds = began - self._started_at
        if not pending.path.endswith("/invocation/next"):
            return pending  # an error while initialising: …/init/error
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self._arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{request_id.replace('-', '')[:24]};Sampled=0",
            "Content-Type": "application/json",
        }
        deadline = began + seconds
        self._reply(pending, "200 OK", headers, event)
        answer = self._receive(deadline)
        self._reply(answer, "202 Accepted", {"Content-Type": "application/json"}, b'{"status":"OK"}')
        self.idle_since = time.monotonic()
        self.call_seconds = self.idle_since - began
        self.cold = False
        return answer

    def kill(self) -> None:
        """End the process as the out-of-memory killer would. Safe from any thread, at any moment."""
        self._killed.set()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def close(self) -> None:
        """End the process and give back its sockets. Only the thread that holds the worker may call it."""
        stop(self._process)
        self._selector.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        for connection in [self._listener, *self._connections]:
            connection.close()
        self._connections.clear()

    def _next(self, begin_by: float | None) -> RuntimeRequest:
        """Wait until the worker asks for an event."""
        try:
            asks = self._ready or self._receive(begin_by)
        except WorkerTimedOutError:
            raise NotReadyError from None
        if begin_by is not None and time.monotonic() >= begin_by:
            self._ready = asks
            raise NotReadyError
        self._ready = None
        return asks

    def _receive(self, deadline: float | None) -> RuntimeRequest:
        """Wait for the worker's next complete request."""
        while True:
            for key, _ in self._selector.select(self._wait_seconds(deadline)):
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    request = self._read(key.fileobj)
                    if request is not None:
                        return request
            exit_code = self._process.poll()
            if exit_code is not None:
                raise WorkerDiedError(exit_code)
            if deadline is not None and time.monotonic() >= deadline:
                raise WorkerTimedOutError

    def _wait_seconds(self, deadline: float | None) -> float | None:
        longest = _POLL_SECONDS if self._pidfd is None else None
        if deadline is None:
            return longest
        left = max(0.0, deadline - time.monotonic())
        return left if longest is None else min(left, longest)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections[connection] = bytearray()
            self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket) -> RuntimeRequest | None:
        try:
            received = connection.recv(_RECEIVE_BYTES)
        except OSError:
            received = b""
        if not received:
            self._forget(connection)
            return None
        buffer = self._connections[connection]
        buffer += received
        try:
            return _take_request(connection, buffer)
        except _MalformedRequestError:
            with contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0" + _HEADER_END)
            self._forget(connection)
            return None

    def _forget(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._connections[connection]
        connection.close()

    @staticmethod
    def _reply(request: RuntimeRequest, status: str, headers: Mapping[str, str], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
        lines.append(f"Content-Length: {len(body)}")
        # A worker that died meanwhile is noticed by the next _receive.
        with contextlib.suppress(OSError):
            request.connection.sendall("\r\n".join(lines).encode("ascii") + _HEADER_END + body)


def _take_request(connection: socket.socket, buffer: bytearray) -> RuntimeRequest | None:
    """Cut one complete request off the front of the buffer; None while it is incomplete.

    Raises:
        _MalformedRequestError: it is none.
    """
    end = buffer.find(_HEADER_END)
    if end < 0:
        return None
    start_line, *header_lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in header_lines)}
    body_start = end + len(_HEADER_END)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body, length = _take_chunks(buffer, body_start)
        if body is None:
            return None
    else:
        length = _number(headers.get("content-length", "0"), base=10)
        if len(buffer) < body_start + length:
            if headers.get("expect", "").lower() == "100-continue" and len(buffer) == body_start:
                connection.sendall(b"HTTP/1.1 100 Continue" + _HEADER_END)
            return None
        body = bytes(buffer[body_start : body_start + length])
    del buffer[: body_start + length]
    words = start_line.split(" ")
    if len(words) != _WORDS_OF_START_LINE:
        raise _MalformedRequestError
    return RuntimeRequest(words[1], body, connection)


def _take_chunks(buffer: bytearray, start: int) -> tuple[bytes | None, int]:
    """Decode a chunked body that begins at `start`: (body, its encoded length), or (None, 0) if incomplete."""
    body, position = bytearray(), start
    while True:
        line_end = buffer.find(b"\r\n", position)
        if line_end < 0:
            return None, 0
        size = _number(bytes(buffer[position:line_end]).split(b";")[0].strip().decode("latin-1"), base=16)
        chunk_start = line_end + 2
        if len(buffer) < chunk_start + size + 2:
            return None, 0
        body += buffer[chunk_start : chunk_start + size]
        position = chunk_start + size + 2
        if size == 0:
            return bytes(body), position - start


def _number(text: str, *, base: int) -> int:
    """Read a length; `int` alone takes signs, blanks and underscores, too."""
    if not re.fullmatch(r"[0-9A-Fa-f]{1,12}", text, re.ASCII):
        raise _MalformedRequestError
    try:
        return int(text, base)
    except ValueError:  # letters in a decimal number
        raise _MalformedRequestError from None


def _open_pidfd(pid: int) -> int | None:
    with contextlib.suppress(AttributeError, OSError):
        return os.pidfd_open(pid)
    return None
