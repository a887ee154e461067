"""Whole request bodies for WSGI applications, before they are asked: malformed ones are 400, cut ones are nobody's.

werkzeug's development server hands over what a client wrote: `Content-Length: abc`, a chunk without a size, half a
body whose sender is gone. Applications then fail with a traceback, or do what half a request says.
Reference: https://www.rfc-editor.org/rfc/rfc9112#name-message-body
"""

import io
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from werkzeug.serving import WSGIRequestHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# More than any service played here takes; each has its own, smaller bound.
LARGEST_BYTES = 64 * 1024 * 1024

_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,12}", re.ASCII)
_LONGEST_LINE = 8 * 1024


class MalformedBodyError(Exception):
    """The body is not as HTTP/1.1 has it."""


class BodyTooLargeError(Exception):
    """The body is larger than it may be."""


class PlainRequestHandler(WSGIRequestHandler):
    """Hands over the connection's bytes as they came, for `WholeBodies`; refuses an address that is none."""

    def make_environ(self) -> "WSGIEnvironment":
        """Leave out werkzeug's own reader of chunks."""
        environ = super().make_environ()
        environ["wsgi.input"] = self.rfile
        return environ

    def run_wsgi(self) -> None:
        """Answer one request."""
        try:
            urlsplit(self.path)
        except ValueError:  # `//[`
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        super().run_wsgi()


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
