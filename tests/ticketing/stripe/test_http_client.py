"""How the stripe package's requests reach Stripe: the same as by its own client, by a proxy where there is one."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import stripe

from tests.certificates import make_certificate
from ticketing.errors import StripeUnavailable
from ticketing.stripe import client as stripe_client
from ticketing.stripe.client import stripe_errors
from ticketing.stripe.open_session import SessionRequest, StripeCheckoutSessions, _parameters
from ticketing.stripe.sessions import StripeSessions

ANSWER = {"id": "cs_1", "object": "checkout.session", "url": "https://checkout.stripe.com/c/pay/cs_1"}


@dataclass
class Asked:
    line: str
    headers: dict[str, str]
    body: str


@dataclass
class Listener:
    """Answers everything with one session, and keeps what it was asked."""

    server: ThreadingHTTPServer
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def listener() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            heard.asked.append(Asked(self.requestline, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = json.dumps(ANSWER).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        heard = Listener(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield heard
        server.shutdown()


def wanted() -> SessionRequest:
    return SessionRequest(
        reference="7",
        metadata={"order_id": "7", "order_mark": "ü&="},
        product_name="Stehplatz - Fest",
        quantity=2,
        unit_minor=1250,
        currency="eur",
        email="jo@example.com",
        expires_at=int(time.time()) + 1860,
        is_urgent=True,
        success_url="https://shop.example/?session_id={CHECKOUT_SESSION_ID}",
        cancel_url="https://shop.example/cancel",
    )


def test_what_is_asked_past_the_packages_objects_is_what_they_would_ask(listener: Listener) -> None:
    client = stripe_client.client("sk_test_raw", api_base=listener.url)
    asked = wanted()
    opened = StripeCheckoutSessions(client, StripeSessions(client)).open(asked)
    assert (opened.session_id, opened.url) == (ANSWER["id"], ANSWER["url"])
    raw = listener.asked[-1]
    client.v1.checkout.sessions.create(_parameters(asked), {"idempotency_key": raw.headers["idempotency-key"]})
    typed = listener.asked[-1]
    assert raw.line == typed.line
    assert sorted(parse_qsl(raw.body)) == sorted(parse_qsl(typed.body))
    assert raw.headers == typed.headers

    StripeSessions(client).expire("cs_1")
    raw = listener.asked[-1]
    client.v1.checkout.sessions.expire("cs_1")
    typed = listener.asked[-1]
    own_key = {"idempotency-key": ""}
    assert (raw.line, raw.body, raw.headers | own_key) == (typed.line, typed.body, typed.headers | own_key)


def test_nothing_is_told_of_the_machine(listener: Listener) -> None:
    client = stripe_client.client("sk_test_telemetry", api_base=listener.url)
    for _ in range(2):
        client.v1.checkout.sessions.expire("cs_1")
    [_, second] = listener.asked
    assert "x-stripe-client-telemetry" not in second.headers
    assert set(json.loads(second.headers["x-stripe-client-user-agent"])) == {
        "bindings_version",
        "lang",
        "httplib",
        "lang_version",
    }


@pytest.mark.parametrize("excepted", [False, True], ids=["by the proxy", "not where it is excepted"])
def test_a_proxy_is_taken_from_the_environment(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, *, excepted: bool
) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", listener.url.replace("//", "//me:pass%20word@"))
    if excepted:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        base = f"{listener.url}/"
    else:
        base = "http://stripe.invalid"
    client = stripe_client.client(f"sk_test_proxy_{excepted}", api_base=base)
    client.v1.checkout.sessions.expire("cs_1")
    [asked] = listener.asked
    assert asked.headers.get("proxy-authorization") == (None if excepted else "Basic bWU6cGFzcyB3b3Jk")
    start = "/v1" if excepted else "http://stripe.invalid/v1"
    assert asked.line == f"POST {start}/checkout/sessions/cs_1/expire HTTP/1.1"


def test_a_certificate_of_nobodys_is_refused_and_not_asked_again(tmp_path: Path) -> None:
    authority = make_certificate(tmp_path, "authority", signed_by=None)
    make_certificate(tmp_path, "server", signed_by=authority, address="127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    came = []

    class Server(ThreadingHTTPServer):
        def get_request(self) -> tuple[ssl.SSLSocket, object]:
            connection, address = super().get_request()
            came.append(address)
            return context.wrap_socket(connection, server_side=True), address

        def handle_error(self, *_: object) -> None:
            pass

    with Server(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        base = f"https://127.0.0.1:{server.server_port}"
        client = stripe_client.client("sk_test_tls", api_base=base, network_retries=2)
        with pytest.raises(StripeUnavailable, match="certificate could not be verified"), stripe_errors("ask"):
            client.v1.checkout.sessions.expire("cs_1")
        server.shutdown()
    assert len(came) == 1


def test_a_connection_that_breaks_is_asked_again(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)
    client = stripe_client.client("sk_test_broken", api_base=listener.url, network_retries=1)
    handler = listener.server.RequestHandlerClass
    answer = handler.do_POST  # type: ignore[attr-defined]
    broken: list[str] = []

    def break_once(self: BaseHTTPRequestHandler) -> None:
        if broken:
            answer(self)
        else:
            broken.append(self.headers["Idempotency-Key"])
            self.close_connection = True

    monkeypatch.setattr(handler, "do_POST", break_once)
    client.v1.checkout.sessions.expire("cs_1")
    assert [asked.headers["idempotency-key"] for asked in listener.asked] == broken
