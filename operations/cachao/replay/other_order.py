"""`cachao replay EXECUTION --order N`: an event that named no order is sent as the event of the order it is for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from cachao.aws.execution_input import summarise
from cachao.aws.executions import Execution
from cachao.command_context import CommandContext
from cachao.problems import Problem
from cachao.view import orders as order_view
from cachao.view.output import escape
from ticketing import money
from ticketing.errors import InvalidEvent
from ticketing.orders.status import OrderStatus
from ticketing.payments import standing
from ticketing.stripe.events import SessionEvent, StripeEvent, read_event


def as_of_order(context: CommandContext, original: Execution, order_id: int) -> Execution:
    """Give the execution with the order's id in its event, for a payment whose session did not name its order.

    Says which order that is, and why the workflow will refuse it where that is to be seen. It checks session, amount
    and currency against the order as ever.

    Raises:
        Problem: there is no such order, or the input is no Stripe event.
    """
    envelope = _with_order(original, order_id)
    inspected = order_view.find(context.environment, str(order_id))
    if inspected is None:
        raise Problem(f"There is no order {order_id}. Nothing was started.")
    order = inspected["order"]
    total = f"{order['total_amount']} {order['currency'].upper()}"
    made = escape(order["created_at"][:10]) if order["created_at"] else "without a date"
    context.output.note(f"Order {order_id}: {escape(order['status'])}, {total}, made {made}.")
    for objection in _objections(inspected, _read(original, envelope)):
        context.output.note(f"[yellow]{escape(objection)}[/yellow]")
    text = json.dumps(envelope, ensure_ascii=False)
    return dataclasses.replace(original, input=text, event=summarise(text))


def _with_order(original: Execution, order_id: int) -> dict[str, Any]:
    try:
        envelope: dict[str, Any] = json.loads(original.input)
        body = envelope["detail"]["data"]["object"]
        body["metadata"] = {**(body.get("metadata") or {}), "order_id": str(order_id)}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _no_event(original) from None
    return envelope


def _read(original: Execution, envelope: dict[str, Any]) -> StripeEvent:
    try:
        # Whether it is of the right mode, the workflow checks.
        return read_event(envelope, livemode=envelope["detail"].get("livemode") is True)
    except InvalidEvent:
        raise _no_event(original) from None


def _no_event(original: Execution) -> Problem:
    return Problem(f"The input of {original.name} is no Stripe event.")


def _objections(inspected: dict[str, Any], event: StripeEvent) -> Iterator[str]:
    """Foresee what the workflow will say of a session, as docs/rules.md has it."""
    if not isinstance(event, SessionEvent):
        return
    order, own = inspected["order"], inspected["order"]["stripe_checkout_session_id"]
    payments = standing.payments_in(inspected["payments"])
    this = next((known for known in payments if known.payment_key == event.payment_key), None)
    may_be_another = order["status"] == OrderStatus.PAID or (
        order["status"] == OrderStatus.REFUNDED and this is not None
    )
    if event.outcome == "paid" and own not in {None, event.session_id} and not may_be_another:
        yield f"Order {order['id']} belongs to another session, {own}: it will fail with OrderMismatch."
        return
    if event.amount_minor is not None and event.currency is not None:
        costs = money.to_minor_units(Decimal(str(order["total_amount"])), order["currency"])
        if (event.amount_minor, event.currency) != (costs, order["currency"].lower()):
            paid = money.format_amount(event.amount_minor, event.currency)
            price = money.format_amount(costs, order["currency"])
            yield (
                f"The event is about {paid}, but order {order['id']} costs {price}: it will fail with AmountMismatch."
            )
            return
    if event.outcome != "paid":
        return
    if this is not None and this.went_back:
        yield f"All of this payment went back already: order {order['id']} will stay {order['status']}."
    elif order["status"] == OrderStatus.PAID:
        yield (
            f"Order {order['id']} is paid by this payment already: nothing will change."
            if this is not None and standing.pays(order, this, payments)
            else f"Order {order['id']} is paid already: it will fail with DuplicatePayment."
        )
    elif order["status"] in {OrderStatus.REFUNDED, OrderStatus.CANCELLED}:
        yield f"Order {order['id']} is {order['status']}: it will fail with PaymentForClosedOrder."
