"""Whether what an execution failed at has come right another way: by the reconciliation, or by a refund.

First the shop's own records are asked. Where they do not know the payment, because no order could take it, Stripe is
asked whether the money went back. An event that cannot be read is never settled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from cachao.aws import stripe_access
from cachao.aws.environment import Environment
from cachao.aws.execution_input import EventSummary
from cachao.aws.executions import Execution
from cachao.doctor import refunds_at_stripe
from cachao.problems import FunctionFailed, explain
from cachao.view import orders as order_view
from ticketing.errors import ConfigurationError, InvalidEvent, StripeUnavailable
from ticketing.orders.numbers import order_id_of
from ticketing.orders.status import LIVE, OrderStatus
from ticketing.payments import standing
from ticketing.stripe.events import IgnoredEvent, OrderEvent, SessionEvent, read_event
from ticketing.stripe.retrieve import StripeObjects

_AT_ONCE: Final = 8
# Each is a call of our function.
_MOST_ASKED: Final = 100
# Only with these events there is money that may go back.
_MOVES_MONEY: Final = frozenset({"paid", "refund"})


@dataclass(frozen=True)
class Open:
    """A failure that nothing settled as far as is known. `watched`: a full refund at Stripe will be seen here."""

    execution: Execution
    watched: bool


@dataclass(frozen=True)
class _Verdict:
    """What the shop's records say of a failure, and the payment to ask Stripe about where they do not know it."""

    settled: bool = False
    ask: str | None = None


_NOBODY_KNOWS: Final = _Verdict()


def still_open(environment: Environment, failed: list[Execution]) -> list[Open]:
    """Give those that nothing settled as far as is known: all of them while the database is away."""
    verdicts = _by_records(environment, failed[:_MOST_ASKED])
    verdicts += [_NOBODY_KNOWS] * (len(failed) - len(verdicts))
    asked = dict.fromkeys(verdict.ask for verdict in verdicts if verdict.ask is not None)
    back = refunds_at_stripe.went_back(environment, list(asked))
    return [
        Open(one, watched=verdict.ask in back)
        for one, verdict in zip(failed, verdicts, strict=True)
        if not verdict.settled and not (verdict.ask is not None and back.get(verdict.ask))
    ]


def _by_records(environment: Environment, failed: list[Execution]) -> list[_Verdict]:
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        return list(pool.map(lambda one: _look(environment, one), failed))
    except FunctionFailed:
        return []  # the link Database says why
    finally:
        # A database that hangs lets each call run into its time-out: nobody waits for the rest.
        pool.shutdown(cancel_futures=True)


def _look(environment: Environment, failed: Execution) -> _Verdict:
    live = environment.parameters.get("StripeLivemode") == "true"
    try:
        payment = read_event(json.loads(failed.input), livemode=live, fetch=lambda *of: _fetch(environment, *of))
    except (ValueError, InvalidEvent):
        return _NOBODY_KNOWS
    if isinstance(payment, IgnoredEvent):
        return _NOBODY_KNOWS
    inspected = _find(environment, failed.event)
    if inspected is not None and settles(inspected, payment):
        return _Verdict(settled=True)
    if inspected is not None and _knows(inspected, payment):
        return _NOBODY_KNOWS  # the records decide: a refund that they have not been told of is to be told
    intent = payment.payment_intent_id or ""
    asks = payment.outcome in _MOVES_MONEY and intent.startswith("pi_")
    return _Verdict(ask=intent) if asks else _NOBODY_KNOWS


def _fetch(environment: Environment, kind: str, object_id: str) -> dict[str, Any] | None:
    """Give the object of a thin event; None where Stripe cannot be asked, and then nothing is settled."""
    try:
        return StripeObjects(stripe_access.client(environment)).retrieve(kind, object_id)
    except Exception as error:
        if explain(error) is None and not isinstance(error, StripeUnavailable | ConfigurationError):
            raise
        return None  # the links of Stripe say why


def _find(environment: Environment, event: EventSummary) -> dict[str, Any] | None:
    for known_by in _names(event):
        inspected = order_view.find(environment, known_by)
        if inspected is not None:
            return inspected
    return None


def _names(event: EventSummary) -> Iterator[str]:
    order_id = order_id_of(event.order_reference)
    if order_id is not None:
        yield str(order_id)
    if event.session_id and event.session_id.startswith("cs_"):
        yield event.session_id
    if event.payment_intent_id and event.payment_intent_id.startswith("pi_"):
        yield event.payment_intent_id


def _knows(inspected: dict[str, Any], payment: OrderEvent) -> bool:
    leans = inspected["order"]["stripe_payment_intent_id"] == payment.payment_key
    return leans or any(one["payment_key"] == payment.payment_key for one in inspected["payments"])


def settles(inspected: dict[str, Any], payment: OrderEvent) -> bool:
    """Tell whether the order, as InspectOrder shows it, has nothing left to do for this payment's event."""
    order = inspected["order"]
    status = str(order["status"])
    payments = standing.payments_in(inspected["payments"])
    known = next((one for one in payments if one.payment_key == payment.payment_key), None)
    if known is not None and known.went_back:
        # The money is back; an order that still leans on this payment has not been told.
        return status not in LIVE and not standing.pays(order, known, payments)
    if not isinstance(payment, SessionEvent):
        return False
    if payment.outcome == "paid":
        # A second payment of a paid order has another role, and stays open until it is refunded.
        return known is not None and standing.pays(order, known, payments) and _is_counted(order)
    if payment.outcome == "lost":
        return status not in LIVE
    return status != OrderStatus.PENDING and bool(order["stripe_checkout_session_id"] == payment.session_id)


def _is_counted(order: dict[str, Any]) -> bool:
    # A code of which no use was left is not counted, and not held either.
    code = order["discount_code_id"] is None or order["discount_counted_at"] is not None or not order["code_held"]
    return order["ticket_counted_at"] is not None and bool(code)
