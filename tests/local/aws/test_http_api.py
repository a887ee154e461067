"""The HTTP API as a browser meets it."""

import base64
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws import http_api
from local.aws.cloud import LocalCloud
from local.aws.http_api import HttpApi, TokenBucket, cors_headers, read_response
from local.aws.lambda_answers import InvokeResult, throttled
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Proceed
from local.aws.template import Cors, HttpApiDefinition, Route, Template, Throttle
from local.web_server import WebServer
from tests.local.conftest import wait_until

SHOP = "https://shop.example"


@pytest.fixture(scope="module")
def server(example: LocalCloud, example_template: Template) -> Iterator[WebServer]:
    server = WebServer()
    server.start(HttpApi(example_template.http_api, example.lambdas))
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _clean(example: LocalCloud) -> Iterator[None]:
    yield
    example.lambdas.interceptors.clear()


def request(
    server: WebServer, method: str, path: str, body: bytes | str | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def event_of(server: WebServer, method: str, path: str, **more: Any) -> dict[str, Any]:
    status, _, body = request(server, method, path, **more)
    assert status == 200
    event: dict[str, Any] = json.loads(body)["event"]
    return event


def test_who_calls_stands_behind_what_he_says_of_those_before_him(server: WebServer) -> None:
    event = event_of(server, "GET", "/echo/a", headers={"X-Forwarded-For": "203.0.113.7, 198.51.100.1"})
    assert event["headers"]["x-forwarded-for"] == "203.0.113.7, 198.51.100.1, 127.0.0.1"


def test_the_function_gets_payload_format_2(server: WebServer) -> None:
    event = event_of(
        server,
        "POST",
        "/echo/a%20b/c?x=1&x=2&empty=&y=%C3%A9",
        body='{"quantity": 1}',
        headers={"Content-Type": "application/json", "X-Mixed": "Case", "Cookie": "a=1; b=2", "User-Agent": "test"},
    )
    assert event["version"] == "2.0"
    assert event["routeKey"] == "ANY /echo/{proxy+}"
    assert event["pathParameters"] == {"proxy": "a b/c"}
    assert event["rawQueryString"] == "x=1&x=2&empty=&y=%C3%A9"
    assert event["queryStringParameters"] == {"x": "1,2", "empty": "", "y": "é"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["x-mixed"] == "Case"
    assert event["headers"]["content-type"] == "application/json"
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert "cookie" not in event["headers"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"quantity": 1}', False)
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["http"]["userAgent"] == "test"
    assert event["requestContext"]["stage"] == "$default"


def test_what_is_not_there_is_left_out(server: WebServer) -> None:
    event = event_of(server, "GET", "/echo/x")
    assert not {"cookies", "queryStringParameters", "body", "stageVariables"} & set(event)


def test_bytes_are_base64(server: WebServer) -> None:
    event = event_of(server, "PUT", "/echo/x", body=b"\xff\x00", headers={"Content-Type": "image/png"})
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\x00"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nowhere"),
        ("DELETE", "/events/1/tickets"),
        ("GET", "/events//tickets"),
        ("GET", "/echo/"),
    ],
)
def test_what_has_no_route_is_not_found(server: WebServer, method: str, path: str) -> None:
    status, headers, body = request(server, method, path)
    assert (status, json.loads(body)) == (404, {"message": "Not Found"})
    assert headers["content-type"] == "application/json"


def answer_of(server: WebServer, value: object) -> tuple[int, dict[str, str], bytes]:
    return request(server, "POST", "/events/1/tickets/2/checkout", body=json.dumps(value))


def test_status_headers_cookies_and_body_are_the_functions(server: WebServer) -> None:
    status, headers, body = answer_of(
        server,
        {"statusCode": 201, "headers": {"Retry-After": "5", "X-Number": 7}, "cookies": ["a=1"], "body": "é"},
    )
    assert (status, body.decode()) == (201, "é")
    assert (headers["retry-after"], headers["x-number"], headers["set-cookie"]) == ("5", "7", "a=1")
    assert headers["content-type"] == "text/plain;charset=UTF-8"
    assert headers["apigw-requestid"]


def test_a_plain_value_is_a_json_answer(server: WebServer) -> None:
    status, headers, body = answer_of(server, {"success": True})
    assert (status, headers["content-type"], json.loads(body)) == (200, "application/json", {"success": True})


@pytest.mark.parametrize(
    "value",
    [
        {"statusCode": "many"},
        {"statusCode": 42},
        {"statusCode": True},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "headers": {"a": ["b"]}},
        {"statusCode": 200, "headers": "no"},
        {"statusCode": 200, "headers": {"a": "b\r\nSet-Cookie: c=1"}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"a": "\u20ac"}},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
    ],
)
def test_a_malformed_answer_is_an_internal_error(server: WebServer, value: object) -> None:
    status, _, body = answer_of(server, value)
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})


def test_a_base64_answer_is_decoded() -> None:
    value = {"statusCode": 200, "body": base64.b64encode(b"\x00\xff").decode(), "isBase64Encoded": True}
    assert read_response(json.dumps(value).encode()).body == b"\x00\xff"


def test_an_answer_that_is_not_json_is_an_internal_error() -> None:
    assert read_response(b"malformed").status == 500


def test_a_failing_function_is_an_internal_error(server: WebServer) -> None:
    began = time.monotonic()
    status, _, body = request(server, "POST", "/sleep", body="30")  # its time-out is one second
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})
    assert time.monotonic() - began < 5


def test_a_function_that_cannot_be_called_is_unavailable(server: WebServer, example: LocalCloud) -> None:
    def refuse(_invocation: Invocation, _proceed: Proceed) -> InvokeResult:
        return throttled()

    example.lambdas.interceptors.append(refuse)
    status, _, body = request(server, "GET", "/echo/x")
    assert (status, json.loads(body)) == (503, {"message": "Service Unavailable"})


def test_the_api_waits_for_a_function_no_longer_than_it_may(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "INTEGRATION_SECONDS", 0.2)
    status, _, body = request(server, "POST", "/sleep", body="0.8")
    assert (status, json.loads(body)) == (503, {"message": "Service Unavailable"})


def test_what_the_api_gave_up_on_is_not_begun_later(
    server: WebServer, example: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    results: list[InvokeResult] = []

    def let_it_wait(invocation: Invocation, proceed: Proceed) -> InvokeResult:
        time.sleep(0.2)
        results.append(proceed(invocation))
        return results[-1]

    assert request(server, "GET", "/echo/x")[0] == 200
    monkeypatch.setattr(http_api, "INTEGRATION_SECONDS", 0.1)
    example.lambdas.interceptors.append(let_it_wait)
    assert request(server, "GET", "/echo/x")[0] == 503
    assert wait_until(lambda: bool(results))
    assert results[0].service_error == "TooManyRequestsException"


def test_whatever_fails_the_caller_is_answered(server: WebServer, example: LocalCloud) -> None:
    def fail(_invocation: Invocation, _proceed: Proceed) -> InvokeResult:
        raise RuntimeError("unforeseen")

    example.lambdas.interceptors.append(fail)
    began = time.monotonic()
    assert request(server, "GET", "/echo/x")[0] == 500
    assert time.monotonic() - began < 5


def test_a_body_beyond_the_limit_is_refused(server: WebServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", "/echo/x")
    connection.putheader("Content-Length", str(10 * 1024 * 1024 + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("origin", [SHOP, "https://other.example"])
def test_a_preflight_is_answered_by_the_api(server: WebServer, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    status, answered, body = request(server, "OPTIONS", "/events/1/tickets/2/checkout", headers=headers)
    assert (status, body) == (204, b"")
    assert answered["access-control-allow-origin"] == origin
    assert answered["access-control-allow-methods"] == "GET,POST"
    assert answered["access-control-allow-headers"] == "content-type,authorization,idempotency-key"
    assert answered["access-control-max-age"] == "600"


def test_a_strange_origin_gets_no_cors_headers(server: WebServer) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    status, answered, _ = request(server, "OPTIONS", "/events/1/tickets/2/checkout", headers=headers)
    assert status == 204
    assert not [name for name in answered if name.startswith("access-control-")]
    _, answered, _ = request(server, "GET", "/echo/x", headers={"Origin": f"{SHOP}.evil.example"})
    assert not [name for name in answered if name.startswith("access-control-")]


def test_the_functions_own_cors_headers_are_ignored(server: WebServer) -> None:
    value = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "PUT"}}
    body = json.dumps(value)
    _, answered, _ = request(server, "POST", "/events/1/tickets/2/checkout", body=body, headers={"Origin": SHOP})
    assert answered["access-control-allow-origin"] == SHOP
    assert answered["access-control-expose-headers"] == "retry-after"
    assert "access-control-allow-methods" not in answered


@pytest.mark.parametrize(
    ("cors", "origin", "allowed"),
    [
        (Cors(allow_origins=("*",)), "http://a", "*"),
        (Cors(allow_origins=("*",), allow_credentials=True), "http://a", "http://a"),
        (Cors(allow_origins=("https://*",)), "https://a", "https://a"),
        (Cors(allow_origins=("https://*",)), "http://a", None),
        (Cors(allow_origins=("https://a",)), None, None),
    ],
)
def test_origins_may_be_patterns(cors: Cors, origin: str | None, allowed: str | None) -> None:
    headers = dict(cors_headers(cors, origin, is_preflight=False))
    assert headers.get("access-control-allow-origin") == allowed


def test_throttling_lets_a_burst_pass_and_then_a_rate() -> None:
    now = 100.0
    bucket = TokenBucket(Throttle(rate=20.0, burst=3), clock=lambda: now)
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]
    now += 0.06
    assert [bucket.take() for _ in range(2)] == [True, False]
    assert all(TokenBucket(Throttle()).take() for _ in range(100))


def test_too_many_requests_are_told_so(example: LocalCloud) -> None:
    definition = HttpApiDefinition(
        routes=(Route("GET", "/echo", "ApiEchoFunction"), Route("GET", "/free", "ApiEchoFunction")),
        route_throttles={"GET /echo": Throttle(rate=0.001, burst=2)},
    )
    server = WebServer()
    server.start(HttpApi(definition, example.lambdas))
    try:
        assert [request(server, "GET", "/echo")[0] for _ in range(3)] == [200, 200, 429]
        assert json.loads(request(server, "GET", "/echo")[2]) == {"message": "Too Many Requests"}
        assert request(server, "GET", "/free")[0] == 200
    finally:
        server.stop()


def test_the_most_specific_route_wins(example: LocalCloud) -> None:
    paths = ["/{proxy+}", "/orders/{id}", "/orders/latest", "/orders/{id}/{rest+}"]
    routes = [Route("ANY", path, "ApiEchoFunction") for path in paths]
    definition = HttpApiDefinition(routes=(*routes, Route("GET", "/orders/{id}", "ApiEchoFunction")))
    server = WebServer()
    server.start(HttpApi(definition, example.lambdas))
    try:
        expected = {
            "/orders/latest": "ANY /orders/latest",
            "/orders/7": "GET /orders/{id}",
            "/orders/7/a/b": "ANY /orders/{id}/{rest+}",
            "/else/where": "ANY /{proxy+}",
        }
        assert {path: event_of(server, "GET", path)["routeKey"] for path in expected} == expected
    finally:
        server.stop()
