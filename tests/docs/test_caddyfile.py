"""The reverse proxy of docs/Caddyfile, run by Caddy itself: which backend answers a request, and what it is told."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.processes import free_port
from local.web_server import WebServer, respond
from tests.local.conftest import wait_until

DOCS = Path(__file__).parents[2] / "docs"
IDS = {"{id}": "12", "{ticketId}": "34"}
ROUTES: dict[str, Any] = yaml.safe_load((DOCS / "openapi.yaml").read_text(encoding="utf-8"))["paths"]
OURS = [
    (method.upper(), path.replace("{id}", IDS["{id}"]).replace("{ticketId}", IDS["{ticketId}"]))
    for path, operations in ROUTES.items()
    for method, operation in operations.items()
    if "shop" in operation["tags"]
]


class Backend:
    """Answers what it was asked, and who it is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.server = WebServer()
        self.server.start(self)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked = {
            "who": self.name,
            "path": environ["PATH_INFO"],
            "query": environ["QUERY_STRING"],
            "host": environ["HTTP_HOST"],
            "forwarded_for": environ.get("HTTP_X_FORWARDED_FOR"),
            "authorization": environ.get("HTTP_AUTHORIZATION"),
            "body": environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode(),
        }
        return respond(start_response, "200 OK", [("X-Who", self.name)], json.dumps(asked).encode())


class Proxy:
    """Caddy, between a browser and the two backends."""

    def __init__(self, base: str, directory: Path) -> None:
        self.base = base
        self.new, self.old = Backend("new"), Backend("old")
        self.port = free_port(0)
        variables = {
            "SHOP_SITE": f"http://127.0.0.1:{self.port}",
            "TICKETS_API": self.new.server.url,
            "OLD_BACKEND": self.old.server.url,
            "HOME": str(directory),
            "PATH": os.environ["PATH"],
        } | ({} if base == "/Prod" else {"API_BASE": base})
        caddy = Path(sys.executable).parent / "caddy"
        self.process = subprocess.Popen(
            [caddy, "run", "--config", str(DOCS / "Caddyfile")], env=variables, stderr=subprocess.DEVNULL
        )
        assert wait_until(self._answers)

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200
        told: dict[str, Any] = {"who": answer.headers["X-Who"]}
        return told if method == "HEAD" else json.loads(text)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.new.server.stop()
        self.old.server.stop()

    def _answers(self) -> bool:
        try:
            return bool(self.ask("GET", "/")["who"])
        except OSError:
            return False


@pytest.fixture(scope="module", params=["/Prod", "/api"])
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    proxy = Proxy(request.param, tmp_path_factory.mktemp("caddy"))
    yield proxy
    proxy.close()


def test_every_route_of_the_api_leads_to_it(proxy: Proxy) -> None:
    assert ("GET", "/events/12/tickets") in OURS
    for method, path in OURS:
        asked = proxy.ask(method, f"{proxy.base}{path}?session_id=cs_1", "{}" if method == "POST" else None)
        # As API Gateway needs it: without the frontend's base, and by its own name.
        assert (asked["who"], asked["path"], asked["query"]) == ("new", path, "session_id=cs_1")
        assert asked["host"] == proxy.new.server.url.removeprefix("http://")
        asks_first = {"Access_Control_Request_Method": method, "Origin": "https://shop.example"}
        assert proxy.ask("OPTIONS", f"{proxy.base}{path}", **asks_first)["who"] == "new"
        if method == "GET":
            assert proxy.ask("HEAD", f"{proxy.base}{path}")["who"] == "new"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "{base}/events/12/tickets"),  # an organiser makes a ticket: the same path as the list
        ("PUT", "{base}/events/12/tickets"),
        ("PUT", "{base}/events/12/tickets/34"),
        ("DELETE", "{base}/events/12/tickets/34"),
        ("GET", "{base}/events/12/tickets/34"),
        ("GET", "{base}/events/12/tickets/34/checkout"),
        ("GET", "{base}/events"),
        ("GET", "{base}/events/12"),
        ("GET", "{base}/events/12/discount-codes"),
        ("POST", "{base}/orders"),
        ("POST", "{base}/user/tickets"),
        ("GET", "{base}/user"),
        ("GET", "{base}/x/events/12/tickets"),
        ("GET", "/events/12/tickets"),  # a page of the shop, not of its API
        ("GET", "/events/12"),
        ("GET", "/"),
    ],
)
def test_all_else_leads_to_the_backend_of_before_as_it_came(proxy: Proxy, method: str, path: str) -> None:
    path = path.replace("{base}", proxy.base)
    asked = proxy.ask(method, f"{path}?a=1", "text", Authorization="Bearer token")
    assert (asked["who"], asked["path"], asked["query"]) == ("old", path, "a=1")
    assert (asked["body"], asked["authorization"]) == ("text", "Bearer token")
    asks_first = {"Access_Control_Request_Method": "POST", "Origin": "https://shop.example"}
    if path == f"{proxy.base}/events/12/tickets":
        assert proxy.ask("OPTIONS", path, **asks_first)["who"] == "old"


def test_what_a_checkout_needs_arrives_and_nobody_chooses_his_address(proxy: Proxy) -> None:
    asked = proxy.ask(
        "POST",
        f"{proxy.base}/events/12/tickets/34/checkout",
        '{"quantity": 1}',
        Authorization="Bearer token",
        X_Forwarded_For="203.0.113.7",
    )
    assert (asked["body"], asked["authorization"]) == ('{"quantity": 1}', "Bearer token")
    assert asked["forwarded_for"] == "127.0.0.1"
