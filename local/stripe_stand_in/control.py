"""Control endpoints under `/_control`: what tests and `python -m local` do from outside.

These are not Stripe's. They take and give JSON, and only JSON, so that no web page can post a form here.
"""

import dataclasses
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from local.stripe_stand_in.errors import ApiError, invalid_parameter
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.seeding import SessionSeed

if TYPE_CHECKING:
    from local.stripe_stand_in.stand_in import StripeStandIn

PREFIX = "/_control/"
_Operation = Callable[["StripeStandIn", JsonObject], Any]


def _fields(result: object) -> JsonObject:
    return dataclasses.asdict(result)  # type: ignore[call-overload, no-any-return]


def _set_destination(stand_in: "StripeStandIn", body: JsonObject) -> JsonObject:
    for name, value in body.items():
        if name not in {field.name for field in dataclasses.fields(stand_in.destination)}:
            raise TypeError(f"the event destination has no field {name}")
        setattr(stand_in.destination, name, tuple(value) if isinstance(value, list) else value)
    return stand_in.destination.body()


_OPERATIONS: dict[str, _Operation] = {
    "pay": lambda stand_in, body: _fields(stand_in.pay(**body)),
    "settle": lambda stand_in, body: _fields(stand_in.settle(**body)),
    "open_dispute": lambda stand_in, body: stand_in.open_dispute(**body),
    "close_dispute": lambda stand_in, body: stand_in.close_dispute(**body),
    "finish_refund": lambda stand_in, body: stand_in.finish_refund(**body),
    "fail_next": lambda stand_in, body: stand_in.fail_next(**body),
    "clear_faults": lambda stand_in, body: stand_in.clear_faults(**body),
    "rate_limit": lambda stand_in, body: stand_in.set_rate_limit(**body),
    "seed": lambda stand_in, body: stand_in.seed_sessions([SessionSeed(**seed) for seed in body["sessions"]]),
    "redeliver": lambda stand_in, body: stand_in.redeliver(**body),
    "deliveries": lambda stand_in, body: stand_in.deliveries(**body),
    "wait_until_delivered": lambda stand_in, body: stand_in.wait_until_delivered(**body),
    "destination": _set_destination,
}


def respond(stand_in: "StripeStandIn", request: Request) -> Response:
    """Do one operation; the answer is `{"result": …}` or Stripe's error shape."""
    try:
        result = _operate(stand_in, request)
    except ApiError as error:
        return json_response({"error": {"message": error.message, "code": error.code}}, error.status)
    return json_response({"result": result}, HTTPStatus.OK)


def _operate(stand_in: "StripeStandIn", request: Request) -> object:
    operation = _OPERATIONS.get(request.path.removeprefix(PREFIX))
    if operation is None or request.method != "POST":
        raise ApiError("There is no such control endpoint.", status=HTTPStatus.NOT_FOUND)
    body = request.get_json(silent=True) if request.is_json else None
    if not isinstance(body, dict):
        raise invalid_parameter("A control request is a POST of a JSON object.", None)
    try:
        return operation(stand_in, body)
    except (TypeError, KeyError, ValueError) as error:
        raise invalid_parameter(f"Wrong arguments: {error}", None) from None


def json_response(body: JsonObject, status: int) -> Response:
    """Return a JSON answer."""
    return Response(json.dumps(body), status=status, content_type="application/json")
