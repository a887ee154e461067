"""The template's HTTP API (API Gateway v2) on one machine: routes, CORS, throttling, payload format 2.0.

References:
- event and response: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
- CORS: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
- limits: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
"""

import base64
import binascii
import json
import logging
import queue
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.aws.lambda_answers import InvokeResult
from local.aws.lambda_workers import LambdaService
from local.aws.template import Cors, HttpApiDefinition, Route, Throttle
from local.request_bodies import BodyTooLargeError, MalformedBodyError, read_body
from local.web_server import respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LOG = logging.getLogger(__name__)

MAX_BODY_BYTES = 10 * 1024 * 1024
INTEGRATION_SECONDS = 30.0
_API_ID = "local"
_TEXT_TYPES = re.compile(r"text/|application/(json|javascript|xml|x-www-form-urlencoded)|.*\+(json|xml)")
_PATH_VARIABLE = re.compile(r"\{([^}+]+)(\+?)\}")
_CORS_HEADER = "access-control-"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\xa0-\xff]*")
# The server says these itself.
_NOT_FORWARDED = {"content-length", "connection", "transfer-encoding"}

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer before CORS."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class _Match:
    route: Route
    parameters: Mapping[str, str]

    @property
    def key(self) -> str:
        return f"{self.route.method} {self.route.path}"


class HttpApi:
    """WSGI application that does what API Gateway does between the browser and the functions."""

    def __init__(self, definition: HttpApiDefinition, lambdas: LambdaService) -> None:
        """Sort the routes and fill the buckets."""
        self._cors = definition.cors
        self._lambdas = lambdas
        # Most specific first: a literal beats a variable, a variable beats a greedy one; a method beats ANY.
        self._routes = sorted(definition.routes, key=_specificity)
        self._patterns = [(route, _to_pattern(route.path)) for route in self._routes]
        self._buckets = {
            _Match(route, {}).key: TokenBucket(
                definition.route_throttles.get(f"{route.method} {route.path}", definition.throttle)
            )
            for route in self._routes
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        request_id = str(uuid.uuid4())
        origin = environ.get("HTTP_ORIGIN")
        answer = self._answer(environ, request_id)
        headers = [*answer.headers, ("apigw-requestid", request_id)]
        if self._cors is not None:
            # What the function says about CORS is ignored where the API is configured for it.
            headers = [(name, value) for name, value in headers if not name.lower().startswith(_CORS_HEADER)]
            is_preflight = environ["REQUEST_METHOD"] == "OPTIONS"
            headers += cors_headers(self._cors, origin, is_preflight=is_preflight)
        status = _status_line(answer.status)
        return respond(start_response, status, headers, answer.body)

    def _answer(self, environ: "WSGIEnvironment", request_id: str) -> Answer:
        method = environ["REQUEST_METHOD"]
        path = urlsplit(environ.get("RAW_URI") or environ["PATH_INFO"]).path
        match = self._find_route(method, path)
        if match is None:
            if method == "OPTIONS" and self._cors is not None:
                return Answer(HTTPStatus.NO_CONTENT, [], b"")
            return _message(HTTPStatus.NOT_FOUND, "Not Found")
        if not self._buckets[match.key].take():
            return _message(HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests")
        try:
            body = read_body(environ, largest=MAX_BODY_BYTES)
        except MalformedBodyError:
            return _message(HTTPStatus.BAD_REQUEST, "Bad Request")
        except BodyTooLargeError:
            return _message(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Entity Too Large")
        event = make_event(environ, match.route, match.parameters, path=path, body=body, request_id=request_id)
        return self._call(match.route.function_logical_id, event)

    def _find_route(self, method: str, path: str) -> _Match | None:
        for route, pattern in self._patterns:
            found = pattern.fullmatch(path) if route.method in {method, "ANY"} else None
            if found is not None:
                return _Match(route, {name: unquote(value) for name, value in found.groupdict().items()})
        return None

    def _call(self, function: str, event: Mapping[str, object]) -> Answer:
        # A thread of its own: a function may go on after the API has given up waiting.
        results: queue.SimpleQueue[InvokeResult | None] = queue.SimpleQueue()
        # What still waits for a worker then is never begun: its caller has been told that it failed.
        give_up_at = time.monotonic() + INTEGRATION_SECONDS

        def invoke() -> None:
            try:
                results.put(self._lambdas.invoke(function, json.dumps(event).encode(), begin_by=give_up_at))
            except Exception as error:  # noqa: BLE001 - the caller is answered whatever happened
                LOG.warning("%s could not be invoked: %r", function, error)
                results.put(None)

        threading.Thread(target=invoke, name="http-api-call", daemon=True).start()
        try:
            result = results.get(timeout=max(0.0, give_up_at - time.monotonic()))
        except queue.Empty:
            return _message(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")
        if result is None or result.function_error is not None:
            return _message(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
        if result.service_error is not None:
            too_large = result.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            return (
                _message(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Entity Too Large")
                if too_large
                else _message(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")
            )
        return read_response(result.payload)


class TokenBucket:
    """Throttling as API Gateway does it: `rate` a second, `burst` at once. Thread-safe."""

    def __init__(self, throttle: Throttle, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a full bucket; `clock` gives seconds."""
        self._throttle = throttle
        self._clock = clock
        self._tokens = float(throttle.burst if throttle.burst is not None else 0)
        self._filled_at = clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more request may pass now."""
        rate, burst = self._throttle.rate, self._throttle.burst
        if rate is None or burst is None:
            return True
        with self._lock:
            now = self._clock()
            self._tokens = min(float(burst), self._tokens + (now - self._filled_at) * rate)
            self._filled_at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


def cors_headers(cors: Cors, origin: str | None, *, is_preflight: bool) -> Headers:
    """Headers that the API adds for a request with this Origin; none where it is not allowed."""
    if origin is None or not _is_allowed(cors, origin):
        return []
    everyone = "*" in cors.allow_origins and not cors.allow_credentials
    headers = [("access-control-allow-origin", "*" if everyone else origin)]
    if cors.allow_credentials:
        headers.append(("access-control-allow-credentials", "true"))
    if cors.expose_headers:
        headers.append(("access-control-expose-headers", ",".join(cors.expose_headers)))
    if is_preflight:
        if cors.allow_methods:
            headers.append(("access-control-allow-methods", ",".join(cors.allow_methods)))
        if cors.allow_headers:
            headers.append(("access-control-allow-headers", ",".join(cors.allow_headers)))
        if cors.max_age_seconds is not None:
            headers.append(("access-control-max-age", str(cors.max_age_seconds)))
    return headers


def make_event(
    environ: "WSGIEnvironment",
    route: Route,
    parameters: Mapping[str, str],
    *,
    path: str,
    body: bytes,
    request_id: str,
) -> dict[str, object]:
    """The event of payload format 2.0 that the function gets."""
    headers = _request_headers(environ)
    cookies = [cookie.strip() for cookie in headers.pop("cookie", "").split(";") if cookie.strip()]
    now = datetime.now(UTC)
    key = f"{route.method} {route.path}"
    event: dict[str, object] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": path,
        "rawQueryString": environ.get("QUERY_STRING", ""),
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": _API_ID,
            "domainName": headers.get("host", ""),
            "domainPrefix": _API_ID,
            "http": {
                "method": environ["REQUEST_METHOD"],
                "path": path,
                "protocol": environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
                "sourceIp": environ.get("REMOTE_ADDR", ""),
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    optional = {
        "cookies": cookies,
        "queryStringParameters": _query_parameters(environ),
        "pathParameters": dict(parameters),
    }
    event.update({name: value for name, value in optional.items() if value})
    if body:
        event["body"], event["isBase64Encoded"] = _encode_body(body, headers.get("content-type", ""))
    return event


def read_response(payload: bytes) -> Answer:
    """Turn what the function returned into an HTTP answer; 500 where it is malformed."""
    try:
        value: Any = json.loads(payload)
    except ValueError:
        return _message(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
    if not isinstance(value, dict) or "statusCode" not in value:
        # Format 2.0 infers: status 200, JSON, the whole value is the body.
        body = value if isinstance(value, str) else json.dumps(value)
        return Answer(HTTPStatus.OK, [("content-type", "application/json")], body.encode())
    try:
        return _read_explicit(value)
    except (AttributeError, TypeError, ValueError, binascii.Error):
        return _message(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")


def _read_explicit(value: Mapping[str, Any]) -> Answer:
    status, body = value["statusCode"], value.get("body", "")
    if isinstance(status, bool) or not HTTPStatus.CONTINUE <= int(status) <= 599:  # noqa: PLR2004 - HTTP's range
        raise ValueError("not an HTTP status")
    if not isinstance(body, str | None):
        raise TypeError("the body is not a string")
    raw = base64.b64decode(body or "", validate=True) if value.get("isBase64Encoded") else (body or "").encode()
    headers: Headers = []
    for name, header in (value.get("headers") or {}).items():
        if not isinstance(header, str | int | float):
            raise TypeError("a header is not a string")
        if not _HEADER.fullmatch(f"{name}: {header}"):
            raise ValueError("not an HTTP header")
        if name.lower() not in _NOT_FORWARDED:
            headers.append((name.lower(), str(header).lower() if isinstance(header, bool) else str(header)))
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    headers += [("set-cookie", cookie) for cookie in value.get("cookies") or []]
    return Answer(int(status), headers, raw)


def _message(status: HTTPStatus, message: str) -> Answer:
    return Answer(status, [("content-type", "application/json")], json.dumps({"message": message}).encode())


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"


def _specificity(route: Route) -> tuple[object, ...]:
    segments = [(2 if "+}" in part else 1) if part.startswith("{") else 0 for part in route.path.split("/")]
    return (max(segments), segments, route.method == "ANY")


def _to_pattern(path: str) -> re.Pattern[str]:
    pattern, position = "", 0
    for variable in _PATH_VARIABLE.finditer(path):
        pattern += re.escape(path[position : variable.start()])
        pattern += f"(?P<{variable[1]}>{'.+' if variable[2] else '[^/]+'})"
        position = variable.end()
    return re.compile(pattern + re.escape(path[position:]))


def _is_allowed(cors: Cors, origin: str) -> bool:
    for allowed in cors.allow_origins:
        if allowed in {"*", origin}:
            return True
        if allowed in {"https://*", "http://*"} and origin.startswith(allowed[:-1]):
            return True
    return False


def _request_headers(environ: "WSGIEnvironment") -> dict[str, str]:
    headers = {
        key[5:].replace("_", "-").lower(): str(value) for key, value in environ.items() if key.startswith("HTTP_")
    }
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            headers[key.replace("_", "-").lower()] = environ[key]
    # API Gateway adds who called it to what the caller says of those before him.
    before = headers.get("x-forwarded-for")
    caller = environ.get("REMOTE_ADDR", "")
    headers["x-forwarded-for"] = f"{before}, {caller}" if before else caller
    headers["x-forwarded-port"] = environ["SERVER_PORT"]
    headers["x-forwarded-proto"] = "http"
    return headers


def _query_parameters(environ: "WSGIEnvironment") -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _encode_body(body: bytes, content_type: str) -> tuple[str, bool]:
    if not content_type or _TEXT_TYPES.match(content_type.lower()):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True
