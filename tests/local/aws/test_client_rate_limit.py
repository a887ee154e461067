"""The rate rules of deploy/rate-limit.yaml, played before the local HTTP API: clients are addresses of the loopback."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.aws.client_rate_limit import ClientRateLimit, read_rate_limit
from local.aws.cloud import LocalCloud
from local.aws.http_api import HttpApi
from local.aws.template import HttpApiDefinition, Route, Throttle
from local.web_server import WebServer

FILE = Path(__file__).parents[3] / "deploy" / "rate-limit.yaml"
SECRET = "a-secret-of-thirty-two-characters"
FLOOD, BUYER = "127.0.0.2", "127.0.0.3"
PATHS = ("/orders", "/events/1/tickets/2/checkout", "/webhooks/stripe")
# What all may send together: the layer is to see to it that one client does not use it up.
DEFINITION = HttpApiDefinition(
    routes=tuple(Route("ANY", path, "ApiEchoFunction") for path in PATHS),
    throttle=Throttle(rate=0.001, burst=25),
)


@contextmanager
def served(example: LocalCloud, *, limited: bool, clock: Callable[[], float]) -> Iterator[WebServer]:
    api = HttpApi(DEFINITION, example.lambdas)
    template = read_rate_limit(FILE, secret=SECRET, RequestsPerMinute="20", CheckoutsPerMinute="10")
    server = WebServer()
    server.start(ClientRateLimit(template, api, clock=clock) if limited else api)
    try:
        yield server
    finally:
        server.stop()


def ask(server: WebServer, client: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20, source_address=(client, 0))
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def statuses(server: WebServer, client: str, path: str, times: int) -> Counter[int]:
    """The first half on one kept connection, then each on one of its own."""
    kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20, source_address=(client, 0))
    found: Counter[int] = Counter()
    try:
        for _ in range(times // 2):
            kept.request("GET", path)
            response = kept.getresponse()
            response.read()
            found[response.status] += 1
    finally:
        kept.close()
    return found + Counter(ask(server, client, path)[0] for _ in range(times - times // 2))


@pytest.mark.parametrize("limited", [True, False], ids=["with the layer", "control: without it"])
def test_one_clients_flood_turns_nobody_else_away(example: LocalCloud, *, limited: bool) -> None:
    with served(example, limited=limited, clock=lambda: 0.0) as server:
        assert statuses(server, FLOOD, "/orders", 40) == ({200: 20, 429: 20} if limited else {200: 25, 429: 15})
        assert statuses(server, BUYER, "/orders", 5) == ({200: 5} if limited else {429: 5})


def test_whoever_is_turned_away_may_ask_again_a_minute_later(example: LocalCloud) -> None:
    now = 100.0
    with served(example, limited=True, clock=lambda: now) as server:
        assert statuses(server, FLOOD, PATHS[1], 12) == {200: 10, 429: 2}
        status, headers, body = ask(server, FLOOD, PATHS[1])
        assert (status, headers["retry-after"], headers["access-control-allow-origin"]) == (429, "60", "*")
        assert json.loads(body)["code"] == "too_many_requests"
        assert ask(server, FLOOD, "/orders")[0] == 200  # the rule for all requests has room still
        now += 61
        assert ask(server, FLOOD, PATHS[1])[0] == 200


def test_stripes_webhooks_are_not_counted(example: LocalCloud) -> None:
    with served(example, limited=True, clock=lambda: 0.0) as server:
        assert statuses(server, FLOOD, "/webhooks/stripe", 23) == {200: 23}


def test_the_api_hears_who_asked_and_that_the_layer_says_so(example: LocalCloud) -> None:
    with served(example, limited=True, clock=lambda: 0.0) as server:
        made_up = {"X_Forwarded_For": "203.0.113.9", "X_Cachao_Proxy": "made up"}
        event = json.loads(ask(server, BUYER, "/orders", **made_up)[2])["event"]
        edge = event["requestContext"]["http"]["sourceIp"]
        assert event["headers"]["x-forwarded-for"] == f"203.0.113.9, {BUYER}, {edge}"
        assert event["headers"]["x-cachao-proxy"] == SECRET
