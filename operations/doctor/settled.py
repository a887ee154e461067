"""Whether what an execution failed at has come right another way: by the reconciliation, or by a refund.

Only what the shop's own records show for certain counts: a refund that somebody made in Stripe's dashboard, for a
payment that no order knows, is not among them, nor is an event that cannot be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from operations import order_view
from operations.environment import Environment
from operations.execution_input import EventSummary
from operations.executions import Execution
from operations.problems import FunctionFailed
from ticketing import order_status
from ticketing.errors import InvalidEvent
from ticketing.stripe_events import Payment, read_event

_AT_ONCE: Final = 8
# Each is a call of our function.
_MOST_ASKED: Final = 100
# As many digits as the database's ids have at most.
_LONGEST_ID: Final = 18


def still_open(environment: Environment, failed: list[Execution]) -> list[Execution]:
    """Give those that nothing settled as far as is known: all of them while the database is away."""
    asked, rest = failed[:_MOST_ASKED], failed[_MOST_ASKED:]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            settled = list(pool.map(lambda one: _is_settled(environment, one), asked))
        except FunctionFailed:
            return failed  # the link Database says why
    return [one for one, over in zip(asked, settled, strict=True) if not over] + rest


def _is_settled(environment: Environment, failed: Execution) -> bool:
    live = environment.parameters.get("StripeLivemode") == "true"
    try:
        payment = read_event(json.loads(failed.input), livemode=live)
    except (ValueError, InvalidEvent):
        return False
    for known_by in _names(failed.event):
        inspected = order_view.find(environment, known_by)
        if inspected is not None:
            return settles(inspected, payment)
    return False


def _names(event: EventSummary) -> Iterator[str]:
    reference = event.order_reference or ""
    if reference.isascii() and reference.isdigit() and len(reference) <= _LONGEST_ID:
        yield reference
    if event.session_id and event.session_id.startswith("cs_"):
        yield event.session_id
    if event.payment_intent_id and event.payment_intent_id.startswith("pi_"):
        yield event.payment_intent_id


def settles(inspected: dict[str, Any], payment: Payment) -> bool:
    """Tell whether the order, as InspectOrder shows it, has nothing left to do for this payment's event."""
    order = inspected["order"]
    status = str(order["status"])
    known = next((one for one in inspected["payments"] if one["payment_key"] == payment.key), None)
    if known is not None and 0 < known["amount_minor"] <= known["refunded_minor"]:
        # The money is back; an order that still leans on this payment has not been told.
        leans = status == order_status.PAID and order["stripe_payment_intent_id"] == payment.key
        return status not in order_status.LIVE and not leans
    if payment.outcome == "paid":
        # A second payment of a paid order has another role, and stays open until it is refunded.
        accepted = known is not None and known["role"] == "accepted"
        return accepted and status == order_status.PAID and _is_counted(order)
    if payment.outcome == "lost":
        return status not in order_status.LIVE
    if payment.outcome == "awaiting":
        return status != order_status.PENDING and order["stripe_checkout_session_id"] == payment.session_id
    return False


def _is_counted(order: dict[str, Any]) -> bool:
    # A code of which no use was left is not counted, and not held either.
    code = order["discount_code_id"] is None or order["discount_counted_at"] is not None or not order["code_held"]
    return order["ticket_counted_at"] is not None and bool(code)
