"""Control endpoints under `/_control`: what tests and `python -m local` do from outside.

These are not Stripe's. They take and give JSON, and only JSON, so that no web page can post a form here.
"""

import dataclasses
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from werkzeug.wrappers import Request, Response

from local.stripe_stand_in.errors import ApiError, invalid_parameter
from local.stripe_stand_in.foreign import PaymentSeed
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.seeding import SessionSeed
from local.stripe_stand_in.world import World

PREFIX = "/_control/"
_Operation = Callable[[World, JsonObject], Any]


def _fields(result: object) -> JsonObject:
    return dataclasses.asdict(result)  # type: ignore[call-overload, no-any-return]


def _set_destination(world: World, body: JsonObject) -> JsonObject:
    for name, value in body.items():
        if name not in {field.name for field in dataclasses.fields(world.destination)}:
            raise TypeError(f"the event destination has no field {name}")
        setattr(world.destination, name, tuple(value) if isinstance(value, list) else value)
    return world.destination.body()


_OPERATIONS: dict[str, _Operation] = {
    "pay": lambda world, body: _fields(world.pay(**body)),
    "settle": lambda world, body: _fields(world.settle(**body)),
    "refund": lambda world, body: world.refund(**body),
    "set_refund_outcome": lambda world, body: world.set_refund_outcome(**body),
    "pay_out": lambda world, body: world.pay_out(**body),
    "fail_payout": lambda world, body: world.fail_payout(**body),
    "move_balance": lambda world, body: world.move_balance(**body),
    "foreign_payment": lambda world, body: world.foreign_payment(PaymentSeed(**body)),
    "emit": lambda world, body: world.emit(**body),
    "open_dispute": lambda world, body: world.open_dispute(**body),
    "escalate_dispute": lambda world, body: world.escalate_dispute(**body),
    "close_dispute": lambda world, body: world.close_dispute(**body),
    "finish_refund": lambda world, body: world.finish_refund(**body),
    "fail_next": lambda world, body: world.fail_next(**body),
    "clear_faults": lambda world, body: world.clear_faults(**body),
    "set_refundable": lambda world, body: world.set_refundable(**body),
    "rate_limit": lambda world, body: world.set_rate_limit(**body),
    "seed": lambda world, body: world.seed_sessions([SessionSeed(**seed) for seed in body["sessions"]]),
    "seed_objects": lambda world, body: world.seed_objects(body["objects"]),
    "redeliver": lambda world, body: world.redeliver(**body),
    "deliveries": lambda world, body: world.deliveries(**body),
    "wait_until_delivered": lambda world, body: world.wait_until_delivered(**body),
    "destination": _set_destination,
}


class Control:
    """Answers requests to the control endpoints.

    Args:
        world: Whom it lets act.
    """

    def __init__(self, world: World) -> None:
        """Take whom it lets act; see the class."""
        self._world = world

    def respond(self, request: Request) -> Response:
        """Do one operation; the answer is `{"result": …}` or Stripe's error shape."""
        try:
            result = self._operate(request)
        except ApiError as error:
            return json_response({"error": {"message": error.message, "code": error.code}}, error.status)
        return json_response({"result": result}, HTTPStatus.OK)

    def _operate(self, request: Request) -> object:
        operation = _OPERATIONS.get(request.path.removeprefix(PREFIX))
        if operation is None or request.method != "POST":
            raise ApiError("There is no such control endpoint.", status=HTTPStatus.NOT_FOUND)
        body = request.get_json(silent=True) if request.is_json else None
        if not isinstance(body, dict):
            raise invalid_parameter("A control request is a POST of a JSON object.", None)
        try:
            return operation(self._world, body)
        except (TypeError, KeyError, ValueError) as error:
            raise invalid_parameter(f"Wrong arguments: {error}", None) from None


def json_response(body: JsonObject, status: int) -> Response:
    """Return a JSON answer."""
    return Response(json.dumps(body), status=status, content_type="application/json")
