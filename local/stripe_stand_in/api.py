"""API v1 and v2: from an HTTP request to the operation and back, with Stripe's headers and errors."""

import base64
import binascii
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

import msgspec
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from local.stripe_stand_in import ids
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.errors import ApiError, invalid_parameter
from local.stripe_stand_in.faults import Fault, Faults
from local.stripe_stand_in.files import uploaded
from local.stripe_stand_in.idempotency import Call, IdempotencyKeys, SavedAnswer
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.parameters import Raw, decode, decode_json
from local.stripe_stand_in.rate_limit import RateLimit
from local.stripe_stand_in.routes import ROUTES, Route

_MAP = Map([Rule(route.path, methods=[route.method], endpoint=route) for route in ROUTES])
_VERSION = re.compile(r"^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$")
_TEST_KEY = re.compile(r"^(sk|rk)_test_\w+$")


@dataclass
class Answer:
    """An answer of the API before it becomes an HTTP response."""

    status: int
    body: JsonObject
    headers: dict[str, str]


class Api:
    """Answers requests under /v1 and /v2.

    Args:
        context: The stand-in.
        faults: Faults on purpose.
        rate_limit: The rate limit.
        api_keys: The keys that are valid; None: every test key.
    """

    def __init__(
        self,
        context: Context,
        faults: Faults,
        rate_limit: RateLimit,
        api_keys: Collection[str] | None,
    ) -> None:
        """Take what it answers from."""
        self._context = context
        self._faults = faults
        self._rate_limit = rate_limit
        self._api_keys = api_keys
        self._keys = IdempotencyKeys(context)

    def __call__(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            ConnectionLostError: A fault wants the connection reset instead of an answer.
        """
        request_id = ids.request_id()
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        try:
            fault = self._faults.take(request.method, request.path)
            with self._faults.around(fault if key is None or _is_before(fault) else None):
                answer = self._answer(request, RequestInfo(request_id, key), fault)
        except ApiError as error:
            answer = Answer(error.status, error.body(request_id), error.headers)
        headers = {
            "Request-Id": request_id,
            "Stripe-Version": request.headers.get("Stripe-Version", self._context.api_version),
            "Access-Control-Allow-Origin": "*",
            "Cache-Control": "no-cache, no-store",
        }
        headers |= {"Idempotency-Key": key, "Original-Request": request_id} if key and key.isprintable() else {}
        return Response(
            msgspec.json.encode(answer.body),
            status=answer.status,
            headers=headers | answer.headers,
            content_type="application/json",
        )

    def _answer(self, request: Request, info: RequestInfo, fault: Fault | None) -> Answer:
        api_key = self._authenticate(request)
        self._check_account(request, api_key)
        self._rate_limit.check()
        version = request.headers.get("Stripe-Version")
        if version is not None and not _VERSION.match(version):
            raise invalid_parameter(f"Invalid Stripe API version: {version[:40]}", None)
        route, object_id = _route(request)
        raw = _parameters(request)

        def work() -> JsonObject:
            with self._context.store.transaction():
                body = route.endpoint(self._context, route.parameters(raw, ""), info, object_id)
                if fault is not None and fault.when == "inside":
                    self._faults.strike(fault)
                return body

        if info.idempotency_key is None:
            return Answer(HTTPStatus.OK, work(), {})
        call = Call(api_key, info.idempotency_key, request.path, raw)
        return self._answer_once(call, info, work, fault)

    def _answer_once(
        self,
        call: Call,
        info: RequestInfo,
        work: Callable[[], JsonObject],
        fault: Fault | None,
    ) -> Answer:
        request_id = str(info.id)
        with self._keys.use(call) as saved, self._faults.around(None if _is_before(fault) else fault):
            if saved is not None:
                headers = {"Idempotent-Replayed": "true", "Original-Request": saved.request_id}
                if saved.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    headers["Stripe-Should-Retry"] = "false"
                return Answer(saved.status, saved.body, headers)
            try:
                with self._context.store.transaction():
                    body = work()
                    self._keys.save(call, SavedAnswer(request_id, HTTPStatus.OK, body))
            except ApiError as error:
                if error.saved:
                    self._keys.save(call, SavedAnswer(request_id, error.status, error.body(request_id)))
                raise
            return Answer(HTTPStatus.OK, body, {})

    def _authenticate(self, request: Request) -> str:
        key = _sent_key(request)
        if not key:
            raise ApiError(
                "You did not provide an API key. You need to provide your API key in the Authorization header,"
                " using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See"
                " https://stripe.com/docs/api#authentication for details, or we can help at"
                " https://support.stripe.com/.",
                status=HTTPStatus.UNAUTHORIZED,
                saved=False,
                headers={"WWW-Authenticate": 'Basic realm="Stripe"'},
            )
        valid = key in self._api_keys if self._api_keys is not None else _TEST_KEY.match(key)
        if not valid:
            raise ApiError(
                f"Invalid API Key provided: {_masked(key)}",
                status=HTTPStatus.UNAUTHORIZED,
                saved=False,
                headers={"WWW-Authenticate": 'Basic realm="Stripe"'},
            )
        return key

    def _check_account(self, request: Request, api_key: str) -> None:
        """Refuse what asks for another account: this one has no connected accounts of whose objects it knows.

        Raises:
            ApiError: 403 `account_invalid`.
        """
        for header in ("Stripe-Account", "Stripe-Context"):
            account = request.headers.get(header)
            if account and account != self._context.account_id:
                raise ApiError(
                    f"The provided key '{_masked(api_key)}' does not have access to account '{account[:60]}' (or"
                    " that account does not exist). Application access may have been revoked.",
                    status=HTTPStatus.FORBIDDEN,
                    code="account_invalid",
                    saved=False,
                )


def _is_before(fault: Fault | None) -> bool:
    return fault is not None and fault.when == "before"


def _sent_key(request: Request) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _masked(key: str) -> str:
    shown = 4
    prefix = key[:8] if key.startswith(("sk_", "rk_", "pk_")) else ""
    return f"{prefix}{'*' * 12}{key[-shown:] if len(key) > 2 * shown else ''}"


def _route(request: Request) -> tuple[Route, str]:
    try:
        route, arguments = _MAP.bind_to_environ(request.environ).match()
    except HTTPException:
        raise ApiError(
            f"Unrecognized request URL ({request.method}: {request.path}). Please see https://stripe.com/docs or"
            " we can help at https://support.stripe.com/.",
            status=HTTPStatus.NOT_FOUND,
            saved=False,
        ) from None
    return route, str(arguments.get("id", ""))


def _parameters(request: Request) -> dict[str, Raw]:
    if request.method in {"GET", "DELETE"}:
        return decode(request.query_string.decode("ascii", "replace"))
    if request.mimetype == "multipart/form-data":
        sent = {name: uploaded(file.filename or "", file.read()) for name, file in request.files.items()}
        return decode(urlencode(list(request.form.items(multi=True)))) | sent
    body = request.get_data()
    if request.path.startswith("/v2/"):
        return decode_json(body)
    try:
        return decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise invalid_parameter("Invalid UTF-8 in the request's parameters", None) from None
