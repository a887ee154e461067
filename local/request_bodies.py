"""Whole request bodies for WSGI applications, before they are asked: malformed ones are 400, cut ones are nobody's.

werkzeug's development server hands over what a client wrote: `Content-Length: abc`, a chunk without a size, half a
body whose sender is gone. Applications then fail with a traceback, or do what half a request says.
Reference: https://www.rfc-editor.org/rfc/rfc9112#name-message-body
"""

import contextlib
import io
import re
import socket
import threading
import traceback
import weakref
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from werkzeug.serving import WSGIRequestHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# More than any service played here takes; each has its own, smaller bound.
LARGEST_BYTES = 64 * 1024 * 1024

_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,12}", re.ASCII)
_LONGEST_LINE = 8 * 1024
_IS_READ = "cachao.body_is_read"
_WITHOUT_BODY = {204, 304}
_DRAIN_SECONDS = 0.05
_DRAINED_PIECES = 1000
_LARGEST_PIECE = 64 * 1024

Headers = list[tuple[str, str]]


class MalformedBodyError(Exception):
    """The body is not as HTTP/1.1 has it."""


class BodyTooLargeError(Exception):
    """The body is larger than it may be."""


class PlainRequestHandler(WSGIRequestHandler):
    """Answers one request after the other on a kept connection.

    werkzeug's own closes each: new connections were a third of what a checkout cost here. It hands over the
    connection's bytes as they came, for `read_body`; refuses an address that is none; and where a body was not read
    whole the connection ends, as nobody knows where the next request begins.
    """

    protocol_version = "HTTP/1.1"
    # Header and body in one packet, which waits for no other one's receipt.
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True

    def make_environ(self) -> "WSGIEnvironment":
        """Leave out werkzeug's own reader of chunks."""
        environ = super().make_environ()
        environ["wsgi.input"] = self.rfile
        return environ

    def handle_one_request(self) -> None:
        """Wait for a request and answer it."""
        kept = _kept_by(self.server)
        if not kept.wait_with(self.connection):
            self.close_connection = True
            return
        try:
            super().handle_one_request()
        finally:
            kept.work_with(self.connection)

    def parse_request(self) -> bool:
        """Read the head of a request, which has begun."""
        _kept_by(self.server).work_with(self.connection)
        return super().parse_request()

    def handle_expect_100(self) -> bool:
        """Let the client send its body."""
        may_go_on = super().handle_expect_100()
        self.wfile.flush()
        return may_go_on

    def run_wsgi(self) -> None:
        """Answer one request."""
        try:
            urlsplit(self.path)
        except ValueError:  # `//[`
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        self.environ = environ = self.make_environ()
        try:
            status, headers, body = _answer_of(self.server.app, environ)
        except ConnectionError as error:
            self.close_connection = True
            self.connection_dropped(error, environ)
            return
        except Exception:  # noqa: BLE001 -- the caller is answered whatever happened
            self.server.log("error", f"Error on request:\n{traceback.format_exc()}")
            status, headers, body = "500 Internal Server Error", [("Content-Type", "text/plain")], b""
        has_body = environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING")
        is_read = not has_body or _IS_READ in environ
        self.close_connection = self.close_connection or not is_read
        self._send(status, headers, body)
        if not is_read:
            self._drain()

    def _send(self, status: str, headers: Headers, body: bytes) -> None:
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        if int(code) not in _WITHOUT_BODY and "content-length" not in {name.lower() for name, _ in headers}:
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _drain(self) -> None:
        """Take what the client still sends: a connection that is closed before loses it the answer."""
        self.connection.settimeout(_DRAIN_SECONDS)
        with contextlib.suppress(OSError):
            for _ in range(_DRAINED_PIECES):
                if not self.connection.recv(_LARGEST_PIECE):
                    break


class _Kept:
    """The connections of one server on which nothing is asked just now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: set[socket.socket] = set()
        self._is_closed = False

    def wait_with(self, connection: socket.socket) -> bool:
        """Note that a request is waited for; False: the server stops."""
        with self._lock:
            if not self._is_closed:
                self._idle.add(connection)
            return not self._is_closed

    def work_with(self, connection: socket.socket) -> None:
        """Note that a request has come, or none will."""
        with self._lock:
            self._idle.discard(connection)

    def close(self) -> None:
        """Close them; what is being answered now is answered, and closed then."""
        with self._lock:
            self._is_closed = True
            for connection in self._idle:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


_kept: "weakref.WeakKeyDictionary[object, _Kept]" = weakref.WeakKeyDictionary()
_kept_lock = threading.Lock()


def _kept_by(server: object) -> _Kept:
    with _kept_lock:
        return _kept.setdefault(server, _Kept())


def close_kept_connections(server: object) -> None:
    """Close a stopped server's connections: whoever has one open must not be answered by it any more."""
    _kept_by(server).close()


def _answer_of(application: "WSGIApplication", environ: "WSGIEnvironment") -> tuple[str, Headers, bytes]:
    started: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, _exc_info: object = None) -> Callable[[bytes], object]:
        started.append((status, headers))
        return _no_writer

    pieces = application(environ, start_response)
    try:
        body = b"".join(pieces)
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
    status, headers = started[-1]
    return status, headers, body


def _no_writer(_data: bytes) -> NoReturn:
    raise NotImplementedError("no application here writes before it returns")


class WholeBodies:
    """WSGI application behind a PlainRequestHandler: reads the body and passes it on whole, CONTENT_LENGTH its size."""

    def __init__(self, application: "WSGIApplication", *, largest: int = LARGEST_BYTES) -> None:
        """Stand in front of another application, which gets at most `largest` bytes."""
        self._application = application
        self._largest = largest

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Handle one request.

        Raises:
            ConnectionError: the client went away in the middle of its request; the server drops the connection.
        """
        try:
            body = read_body(environ, largest=self._largest)
        except MalformedBodyError:
            return _refuse(start_response, "400 Bad Request")
        except BodyTooLargeError:
            return _refuse(start_response, "413 Request Entity Too Large")
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body)) if body or environ.get("CONTENT_LENGTH") else ""
        environ.pop("wsgi.input_terminated", None)
        return self._application(environ, start_response)


def read_body(environ: "WSGIEnvironment", *, largest: int) -> bytes:
    """Read the body of a request that a PlainRequestHandler took.

    Raises:
        MalformedBodyError: its length, or a chunk, is none.
        BodyTooLargeError: it is, or says that it is, larger than `largest` bytes.
        ConnectionError: the client went away in the middle of it; the server drops the connection.
    """
    body = _read(environ, largest)
    environ[_IS_READ] = True
    return body


def _read(environ: "WSGIEnvironment", largest: int) -> bytes:
    stream = environ["wsgi.input"]
    declared, coding = environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None:
        # Both together is how one request is smuggled behind another.
        if declared is not None or coding.strip().lower() != "chunked":
            raise MalformedBodyError
        return _read_chunks(stream, largest)
    if declared is None:
        return b""
    if not _LENGTH.fullmatch(declared):
        raise MalformedBodyError
    if int(declared) > largest:
        raise BodyTooLargeError
    return _exactly(stream, int(declared))


def _read_chunks(stream: IO[bytes], largest: int) -> bytes:
    body = bytearray()
    while size := _chunk_size(stream):
        if len(body) + size > largest:
            raise BodyTooLargeError
        body += _exactly(stream, size)
        if _line(stream):
            raise MalformedBodyError
    while _line(stream):  # trailers mean nothing to anybody here
        pass
    return bytes(body)


def _chunk_size(stream: IO[bytes]) -> int:
    size = _line(stream).partition(b";")[0].strip(b" \t")
    if not _CHUNK_SIZE.fullmatch(size):
        raise MalformedBodyError
    return int(size, 16)


def _line(stream: IO[bytes]) -> bytes:
    line = stream.readline(_LONGEST_LINE)
    if not line:
        raise ConnectionResetError("the request ended too early")
    if not line.endswith(b"\n"):
        raise MalformedBodyError
    return line.rstrip(b"\r\n")


def _exactly(stream: IO[bytes], count: int) -> bytes:
    body = stream.read(count)
    if len(body) < count:
        raise ConnectionResetError("the request ended too early")
    return body


def _refuse(start_response: "StartResponse", status: str) -> Iterable[bytes]:
    # As API Gateway words its own refusals.
    body = b'{"message": "%s"}' % status.partition(" ")[2].encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
