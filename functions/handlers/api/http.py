"""What the functions behind the HTTP API share: requests in API Gateway's payload format 2.0, replies in JSON.

A handler is a function from a `Request` to the reply's fields, or to a `Redirect`:

    @http_api
    def handler(request: Request) -> dict[str, object]: ...

`http_api` turns it into a Lambda handler: 200 with `"success": true`, or an error with `"success": false`, the
`error` sentence and its `code` (docs/openapi.yaml). A log line has the request's id, the route and the order, never
who is asking or what they sent. CORS is API Gateway's own (template.yaml).
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from handlers.api import public_errors
from handlers.runtime import Handler, begin_log, count_metric, logger
from ticketing.errors import TicketingError

# A checkout's body has a few hundred bytes.
_LARGEST_BODY: Final = 16 * 1024
# A BIGINT's digits. Nothing else is an id: MariaDB would read "12; DROP" as 12.
_ID: Final = re.compile(r"[1-9][0-9]{0,17}\Z", re.ASCII)

# Printable ASCII, as https://docs.stripe.com/api/idempotent_requests bounds it.
_IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}\Z")

# So long API Gateway waits for a function, in seconds
# (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html).
_GATEWAY_SECONDS: Final = 30.0

_SERVER_ERROR: Final = 500
# A price is a JSON number, written from the Decimal digit by digit: never a float.
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")

Work = Callable[["Request"], "Mapping[str, object] | Redirect"]


class Redirect(msgspec.Struct, frozen=True, kw_only=True):
    """Where the browser is sent on to, by a GET (303)."""

    location: str


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request as API Gateway hands it over; header names in lower case.

    `source_ip` is who called API Gateway, `own_address` under what address, e.g. `https://api.example/Prod`.
    `answer_by` is the moment (`time.monotonic`) after which nobody waits for the reply any more.
    """

    route: str
    headers: Mapping[str, str]
    path: Mapping[str, str]
    query: Mapping[str, str]
    raw_body: str
    is_base64: bool
    answer_by: float
    source_ip: str
    own_address: str | None

    def path_id(self, name: str, *, of: str) -> int:
        """Give an id from the path.

        Raises:
            PublicError: not_found, nothing can have this id.
        """
        value = self.path.get(name, "")
        if not _ID.match(value):
            raise public_errors.not_found(of)
        return int(value)

    def body(self, *, largest: int = _LARGEST_BODY) -> bytes:
        """Give the body.

        Raises:
            PublicError: invalid_request, it is larger than `largest` bytes or not what API Gateway says it is.
        """
        # Base64 makes four characters of three bytes: too large is seen before anything is decoded.
        if len(self.raw_body) > (largest * 4 // 3 + 4 if self.is_base64 else largest):
            raise public_errors.invalid_request("The request is too large.")
        try:
            body = base64.b64decode(self.raw_body, validate=True) if self.is_base64 else self.raw_body.encode()
        except (binascii.Error, UnicodeError, ValueError):
            raise public_errors.invalid_request("The request could not be read.") from None
        if len(body) > largest:
            raise public_errors.invalid_request("The request is too large.")
        return body

    def idempotency_key(self) -> str | None:
        """Give the Idempotency-Key header; None if there is none.

        Raises:
            PublicError: invalid_request, it is empty, too long or not plain text.
        """
        header = self.headers.get("idempotency-key")
        if header is None:
            return None
        key = header.strip(" \t")
        if not _IDEMPOTENCY_KEY.match(key):
            raise public_errors.invalid_request("The Idempotency-Key is not 1 to 255 plain characters.")
        return key

    def json_object(self) -> dict[str, Any]:
        """Give the body as a JSON object.

        Raises:
            PublicError: unsupported_media_type, it is not said to be JSON. A page of anywhere can make its visitors
                send text or a form; for JSON the browser asks us first (CORS preflight).
            PublicError: invalid_request, it is anything else than a JSON object.
        """
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise public_errors.not_json()
        try:
            read = msgspec.json.decode(self.body())
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise public_errors.invalid_request("The request's body is not JSON.") from None
        if not isinstance(read, dict):
            raise public_errors.invalid_request("The request's body is not a JSON object.")
        return read


class _ApiGatewayEvent(msgspec.Struct, rename="camel"):
    route_key: str = ""
    headers: dict[str, str] = {}
    path_parameters: dict[str, str] | None = None
    query_string_parameters: dict[str, str] | None = None
    body: str | None = None
    is_base64_encoded: bool = False
    request_context: dict[str, Any] = {}


def http_api(work: Work) -> Handler:
    """Make a Lambda handler of a function from a request to the fields of its reply."""

    @functools.wraps(work)
    def handler(event: Any, context: Any) -> dict[str, Any]:  # noqa: ANN401 -- Lambda hands over anything
        begin_log(context)
        try:
            fields = work(_read(event, context))
        except TicketingError as error:
            reply = _refusal(error)
        except Exception as error:  # noqa: BLE001 -- the caller gets a reply whatever happened, and the log the reason
            reply = _unforeseen(error)
        else:
            reply = _redirection(fields) if isinstance(fields, Redirect) else _reply(200, {"success": True, **fields})
        logger.info("replied", extra={"status": reply["statusCode"]})
        return reply

    return handler


def _read(event: object, context: object) -> Request:
    answer_by = time.monotonic() + _seconds_of_function(context)
    gateway = msgspec.convert(event, _ApiGatewayEvent)
    logger.append_keys(route=gateway.route_key, api_request_id=gateway.request_context.get("requestId"))
    return Request(
        route=gateway.route_key,
        headers={name.lower(): value for name, value in gateway.headers.items()},
        path=gateway.path_parameters or {},
        query=gateway.query_string_parameters or {},
        raw_body=gateway.body or "",
        is_base64=gateway.is_base64_encoded,
        answer_by=min(answer_by, time.monotonic() + _seconds_of_gateway(gateway.request_context)),
        source_ip=_text_of(gateway.request_context.get("http"), "sourceIp"),
        own_address=_own_address(gateway),
    )


def _text_of(found: object, name: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def _own_address(gateway: _ApiGatewayEvent) -> str | None:
    """Give the address of this API as API Gateway took the request for it: none that a caller could make up."""
    host = _text_of(gateway.request_context, "domainName")
    if not host:
        return None
    stage = _text_of(gateway.request_context, "stage")
    # Without TLS only on one machine.
    scheme = "http" if host.partition(":")[0] in {"127.0.0.1", "localhost"} else "https"
    return f"{scheme}://{host}" + ("" if stage in {"", "$default"} else f"/{stage}")


def _seconds_of_function(context: object) -> float:
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return _GATEWAY_SECONDS if remaining is None else float(remaining()) / 1000


def _seconds_of_gateway(request_context: Mapping[str, Any]) -> float:
    """Give how long API Gateway will still wait: it has waited for the start of a worker, too."""
    received = request_context.get("timeEpoch")
    if not isinstance(received, int):
        return _GATEWAY_SECONDS
    return _GATEWAY_SECONDS - max(time.time() - received / 1000, 0.0)


def _refusal(error: TicketingError) -> dict[str, Any]:
    public = public_errors.public_error(error)
    # The cause is for operators only: it may name orders, sessions and Stripe's words.
    cause = error.__cause__ if isinstance(error.__cause__, TicketingError) else error
    level = logger.error if public.status >= _SERVER_ERROR else logger.info
    level(str(cause), extra={"error": type(cause).__name__, "code": public.code})
    if public.status == _SERVER_ERROR:
        count_metric("ApiFailed")
    elif public.status > _SERVER_ERROR:
        count_metric("ApiUnavailable")
    return _reply(
        public.status,
        {"success": False, "error": public.sentence, "code": public.code, **public.details},
        retry_after=public.retry_after,
    )


def _unforeseen(error: Exception) -> dict[str, Any]:
    # Where, not what: a foreign exception's words may quote what the caller sent.
    frames = traceback.extract_tb(error.__traceback__)
    logger.error(
        "The request failed with an unexpected error",
        extra={
            "error": type(error).__name__,
            "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
            "number": error.args[0] if error.args and isinstance(error.args[0], int) else None,
        },
    )
    return _internal_error()


def _internal_error() -> dict[str, Any]:
    count_metric("ApiFailed")
    return _reply(
        500,
        {"success": False, "error": "Something went wrong on our side. Please try again.", "code": "internal_error"},
    )


def _reply(status: int, fields: Mapping[str, object], *, retry_after: int | None = None) -> dict[str, Any]:
    # Replies are about one moment and often about one person: nobody may keep them.
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    return {"statusCode": status, "headers": headers, "body": _written(fields), "isBase64Encoded": False}


def _redirection(target: Redirect) -> dict[str, Any]:
    # The address that led here has a token in it, which is nobody else's business.
    headers = {"location": target.location, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return {"statusCode": 303, "headers": headers, "body": "", "isBase64Encoded": False}


def _written(fields: Mapping[str, object]) -> str:
    return _ENCODER.encode(fields).decode()
