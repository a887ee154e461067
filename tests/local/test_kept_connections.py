"""Connections that are kept: one request after the other, and none when the server has stopped."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from local.request_bodies import WholeBodies
from local.web_server import WebServer, respond
from tests.local.conftest import wait_until

LARGEST = 100


class Application:
    """Echoes bodies, and can be made to wait or to fail."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/wait":
                self.begun.set()
                self.go_on.wait(10)
            case "/fail":
                raise ValueError("a fault")
            case "/ignore":  # answers without having read
                return respond(start_response, "429 Too Many Requests", [], b"later")
            case "/nothing":
                start_response("204 No Content", [])
                return []
        return WholeBodies(_echo, largest=LARGEST)(environ, start_response)


def _echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[WebServer]:
    server = WebServer()
    server.start(application)
    yield server
    application.go_on.set()
    server.stop()


@pytest.fixture
def connection(server: WebServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.connect()
    yield connection
    connection.close()


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **more: Any
) -> tuple[int, bytes]:
    connection.request(method, path, body, **more)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_one_connection_serves_many_requests(connection: http.client.HTTPConnection) -> None:
    first = connection.sock
    for body in (b"one", b"", b"three"):
        assert ask(connection, "POST", "/", body) == (200, body)
    assert ask(connection, "POST", "/", iter([b"in ", b"chunks"]), encode_chunked=True) == (200, b"in chunks")
    assert ask(connection, "GET", "/nothing") == (204, b"")
    assert ask(connection, "HEAD", "/") == (200, b"")
    assert ask(connection, "GET", "/") == (200, b"")
    assert connection.sock is first


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/ignore", b"GET /smuggled HTTP/1.1\r\n\r\n", 429), ("/", b"x" * (LARGEST + 1), 413), ("/fail", b"x", 500)],
)
def test_a_body_that_was_not_read_is_never_taken_for_the_next_request(
    connection: http.client.HTTPConnection, path: str, body: bytes, status: int
) -> None:
    first = connection.sock
    assert ask(connection, "POST", path, body)[0] == status
    assert connection.sock is not first  # the server said that it closes it
    assert ask(connection, "POST", "/", b"next") == (200, b"next")


def test_a_client_that_asks_whether_it_may_send_is_answered(server: WebServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n")
        raw.sendall(b"ok")
        assert raw.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_server_that_was_stopped_answers_on_no_connection(
    server: WebServer, connection: http.client.HTTPConnection, application: Application
) -> None:
    assert ask(connection, "GET", "/")[0] == 200
    busy = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    busy.request("GET", "/wait")
    assert application.begun.wait(10)
    server.stop()
    sock = connection.sock
    assert sock is not None
    assert wait_until(lambda: _is_closed(sock))
    # What was under way is answered, and nothing after it.
    application.go_on.set()
    assert busy.getresponse().read() == b""
    kept = busy.sock
    assert kept is not None
    assert wait_until(lambda: _is_closed(kept))


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.05)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_closed_connection_leaves_no_thread(server: WebServer) -> None:
    before = threading.active_count()
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    assert wait_until(lambda: threading.active_count() == before + 5)
    for connection in connections:
        connection.close()
    assert wait_until(lambda: threading.active_count() <= before)
