"""What a client may write where a request's body should be: one answer for each, and never a traceback."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from local.aws.cloud import LocalCloud
from local.aws.http_api import HttpApi
from local.aws.template import Template
from local.request_bodies import WholeBodies
from local.stripe_stand_in import StripeStandIn
from local.web_server import WebServer, respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CHUNKED = b"Transfer-Encoding: chunked"
WHOLE = [
    pytest.param(b"", b"", b"", id="none"),
    pytest.param(b"Content-Length: 0", b"", b"", id="empty"),
    pytest.param(b"Content-Length: 5", b"hello", b"hello", id="whole"),
    pytest.param(CHUNKED, b"5\r\nhello\r\n3;a=b\r\n, y\r\n0\r\n\r\n", b"hello, y", id="chunks"),
    pytest.param(b"transfer-encoding: Chunked", b"A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", b"0123456789", id="Aa"),
]
MALFORMED = [
    pytest.param(b"Content-Length: abc", b"", id="letters"),
    pytest.param(b"Content-Length: -1", b"", id="negative"),
    pytest.param(b"Content-Length: +5", b"hello", id="sign"),
    pytest.param(b"Content-Length: 1_0", b"0123456789", id="underscore"),
    pytest.param("Content-Length: \uff15".encode(), b"hello", id="wide digit"),
    pytest.param(b"Content-Length: 5, 5", b"hello", id="a list"),
    pytest.param(b"Content-Length: 5 5", b"hello", id="two"),
    pytest.param(b"Content-Length:", b"", id="nothing"),
    pytest.param(b"Content-Length: " + b"9" * 5000, b"", id="more digits than int takes"),
    pytest.param(CHUNKED, b"xyz\r\nhello\r\n0\r\n\r\n", id="chunk of letters"),
    pytest.param(CHUNKED, b"-5\r\nhello\r\n0\r\n\r\n", id="negative chunk"),
    pytest.param(CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n", id="0x chunk"),
    pytest.param(CHUNKED, b"\r\nhello\r\n0\r\n\r\n", id="chunk without a size"),
    pytest.param(CHUNKED, b"3\r\nhello\r\n0\r\n\r\n", id="chunk longer than it says"),
    pytest.param(CHUNKED, b"f" * 9000, id="size without an end"),
    pytest.param(b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n", id="another coding"),
    pytest.param(CHUNKED + b"\r\nContent-Length: 5", b"5\r\nhello\r\n0\r\n\r\n", id="both"),
]


class Echo:
    """Answers with the body that it got."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.bodies.append(body)
        return respond(start_response, "200 OK", [], body)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def server(echo: Echo) -> Iterator[WebServer]:
    server = WebServer()
    server.start(WholeBodies(echo, largest=1000))
    yield server
    server.stop()


def send(url: str, header: bytes, body: bytes, *, path: bytes = b"/", close: bool = False) -> tuple[int, bytes]:
    """Write a request as it is given; status and body of the answer, or 0 where the connection ended without one."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        lines = [b"POST " + path + b" HTTP/1.1", b"Host: 127.0.0.1", b"Connection: close"]
        lines += [*([header] if header else []), b"", body]
        connection.sendall(b"\r\n".join(lines))
        if close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65536):
            answer += received
    head, _, rest = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, rest


@pytest.mark.parametrize(("header", "body", "expected"), WHOLE)
def test_a_whole_body_is_passed_on(server: WebServer, header: bytes, body: bytes, expected: bytes) -> None:
    assert send(server.url, header, body) == (200, expected)


@pytest.mark.parametrize(("header", "body"), MALFORMED)
def test_a_malformed_body_is_a_bad_request(
    server: WebServer, echo: Echo, header: bytes, body: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert send(server.url, header, body) == (400, b'{"message": "Bad Request"}')
    assert not echo.bodies
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("header", "body"), [(b"Content-Length: 1001", b""), (CHUNKED, b"3e9\r\n"), (CHUNKED, b"ffffffffffff\r\n")]
)
def test_a_body_that_is_too_large_is_refused(server: WebServer, echo: Echo, header: bytes, body: bytes) -> None:
    assert send(server.url, header, body)[0] == 413
    assert not echo.bodies


@pytest.mark.parametrize(
    ("header", "body"), [(b"Content-Length: 50", b"half"), (CHUNKED, b"32\r\nhalf"), (CHUNKED, b"4\r\nhalf\r\n")]
)
def test_half_a_body_is_nobodys(
    server: WebServer, echo: Echo, header: bytes, body: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert send(server.url, header, body, close=True)[0] == 0
    assert not echo.bodies
    assert "Traceback" not in capfd.readouterr().err


def test_an_address_that_is_none_is_a_bad_request(server: WebServer, capfd: pytest.CaptureFixture[str]) -> None:
    assert send(server.url, b"", b"", path=b"http://[/")[0] == 400
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("header", "body"), [(b"Content-Length: abc", b""), (CHUNKED, b"xyz\r\n"), (CHUNKED, b"-1\r\n")]
)
def test_so_answer_the_api_the_cloud_and_stripe(
    example: LocalCloud,
    example_template: Template,
    header: bytes,
    body: bytes,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = WebServer()
    api.start(HttpApi(example_template.http_api, example.lambdas))
    with StripeStandIn() as stripe:
        for url, path in (
            (api.url, b"/events/1/tickets/2/checkout"),
            (example.endpoint_url, b"/"),
            (example.endpoint_url, b"/2015-03-31/functions/stack-echo/invocations"),
            (stripe.url, b"/v1/checkout/sessions"),
            (stripe.url, b"/_control/pay"),
        ):
            assert send(url, header, body, path=path)[0] == 400, (url, path)
    api.stop()
    assert "Traceback" not in capfd.readouterr().err + caplog.text
