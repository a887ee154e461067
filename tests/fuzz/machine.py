"""The workflow's way through its functions, in this process: the handlers themselves, routed as the machine does.

A test holds a sample of its results against the real state machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

from handlers.workflow import (
    count_discount_use,
    count_ticket_sale,
    look_up_order,
    mark_order_paid,
    mark_order_processing,
    record_dispute,
    record_refund,
    release_order,
    validate_event,
)
from ticketing.errors import PermanentError

_EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:TicketPayment:fuzz"
_COUNTED: Final = frozenset({"counted", "already_counted", "not_due", "no_discount", "used_up"})
_SIMPLE: Final[Mapping[str, tuple[Callable[[Any, Any], Any], str]]] = {
    "awaiting": (mark_order_processing.handler, "PaymentAwaited"),
    "refund": (record_refund.handler, "RefundRecorded"),
    "dispute": (record_dispute.handler, "DisputeRecorded"),
}


@dataclass(frozen=True)
class Ended:
    """`status` and `name`: the result of a success, or the error of a failure. `payment` is what was read."""

    status: str
    name: str
    payment: Mapping[str, Any] | None = None


def run(envelope: object) -> Ended:
    """Run one execution.

    Raises:
        Exception: a function raised what the machine does not expect of it.
    """
    payment: Mapping[str, Any] | None = None
    try:
        payment = _call(validate_event.handler, {"envelope": envelope})
        return Ended("SUCCEEDED", _route(payment), payment)
    except PermanentError as error:
        return Ended("FAILED", type(error).__name__, payment)


def _route(payment: Mapping[str, Any]) -> str:
    if payment["outcome"] == "ignored":
        return "Ignored"
    task = {"stripe_event_id": payment["event_id"]}
    order = _call(look_up_order.handler, task | {"payment": payment})
    if order["status"] in {"foreign", "other"}:
        return "Ignored"
    task |= {"order_id": order["order_id"]}
    if payment["outcome"] == "paid":
        return _paid(task, payment)
    if payment["outcome"] == "lost":
        _call(release_order.handler, task | {"lost_as": payment["lost_as"]})
        return "OrderReleased"
    handler, result = _SIMPLE[payment["outcome"]]
    _call(handler, task | ({"payment": payment} if payment["outcome"] != "awaiting" else {}))
    return result


def _paid(task: Mapping[str, Any], payment: Mapping[str, Any]) -> str:
    paid = _call(mark_order_paid.handler, {**task, "payment": payment})
    if paid["status"] == "refunded":
        return "PaymentWentBack"
    failures: list[PermanentError] = []
    for count in (count_ticket_sale.handler, count_discount_use.handler):
        try:
            assert _call(count, task)["result"] in _COUNTED
        except PermanentError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return "OrderPaid"


def _call(handler: Callable[[Any, Any], Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    # Over the wire and back, as Lambda would.
    event = json.loads(json.dumps({"execution_id": _EXECUTION, **payload}))
    result: dict[str, Any] = json.loads(json.dumps(handler(event, SimpleNamespace(aws_request_id="fuzz"))))
    return result
