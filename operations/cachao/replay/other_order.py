"""`cachao replay EXECUTION --order N`: an event that named no order is sent as the event of the order it is for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from cachao.aws import stripe_access
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
from ticketing.stripe.retrieve import StripeObjects
from ticketing.stripe.thin_events import as_snapshot, fetched_object, is_thin


def as_of_order(context: CommandContext, original: Execution, order_id: int) -> Execution:
    """Give the execution with the order's names in its event, for a payment whose session did not name its order.

    That the payment is this order's, the operator says: its number alone would prove nothing to the workflow, so its
    event, its ticket and its mark are written beside it. Says which order that is, and why the workflow will refuse it
    where that is to be seen. It checks session, amount and currency against the order as ever.

    Raises:
        Problem: there is no such order, the session names another one's mark, or the input is no Stripe event.
    """
    inspected = order_view.find(context.environment, str(order_id))
    if inspected is None:
        raise Problem(f"There is no order {order_id}. Nothing was started.")
    order = inspected["order"]
    envelope = _envelope(context, original)
    body = _object(original, envelope)
    reported = body.get("metadata") or {}
    if reported.get("order_mark") not in {None, "", order["order_mark"]}:
        raise Problem(
            f"The session was opened for order {escape(str(reported.get('order_id')))} and has its mark: it is not of"
            f" order {order_id}. Nothing was started.",
            advice="It belongs to another shop of the Stripe account, or to this shop before its database was"
            " restored.",
        )
    body["metadata"] = {**reported, **_names(order)}
    total = f"{order['total_amount']} {order['currency'].upper()}"
    context.output.note(
        f"Order {order_id}: {escape(order['status'])}, {total}, made {escape(order['created_at'][:10])}."
    )
    if order["stripe_checkout_session_id"] != body.get("id") and reported.get("order_mark") is None:
        context.output.note(
            f"[yellow]Nothing says that this payment is order {order_id}'s, except you: compare buyer, time and amount"
            " in Stripe first.[/yellow]"
        )
    for objection in _objections(inspected, _read(original, envelope)):
        context.output.note(f"[yellow]{escape(objection)}[/yellow]")
    text = json.dumps(envelope, ensure_ascii=False)
    return dataclasses.replace(original, input=text, event=summarise(text))


def _names(order: dict[str, Any]) -> dict[str, str]:
    names = {"order_id": order["id"], "event_id": order["event_id"], "ticket_id": order["ticket_id"]}
    mark = {} if order["order_mark"] is None else {"order_mark": order["order_mark"]}
    return {name: str(number) for name, number in names.items()} | mark


def _envelope(context: CommandContext, original: Execution) -> dict[str, Any]:
    try:
        envelope = json.loads(original.input)
    except ValueError:
        raise _no_event(original) from None
    if not isinstance(envelope, dict):
        raise _no_event(original)
    detail = envelope.get("detail")
    return _with_its_object(context, original, envelope) if is_thin(detail) else envelope


def _with_its_object(context: CommandContext, original: Execution, envelope: dict[str, Any]) -> dict[str, Any]:
    """Give a thin event as its snapshot: the order's names are to stand in its object."""
    objects = StripeObjects(stripe_access.client(context.environment))
    try:
        detail = as_snapshot(envelope["detail"])
        body = fetched_object(envelope["detail"], objects.retrieve)
    except (InvalidEvent, KeyError) as error:
        raise Problem(f"The thin event of {original.name} cannot be completed: {error}") from None
    return {**envelope, "detail-type": detail["type"], "detail": {**detail, "data": {"object": body}}}


def _object(original: Execution, envelope: dict[str, Any]) -> dict[str, Any]:
    try:
        body = envelope["detail"]["data"]["object"]
    except (KeyError, TypeError):
        raise _no_event(original) from None
    if not isinstance(body, dict) or not isinstance(body.get("metadata") or {}, dict):
        raise _no_event(original)
    return body


def _read(original: Execution, envelope: dict[str, Any]) -> StripeEvent:
    try:
        # Whether it is of the right mode, the workflow checks.
        return read_event(envelope, livemode=envelope["detail"].get("livemode") is True)
    except InvalidEvent:
        raise _no_event(original) from None


def _no_event(original: Execution) -> Problem:
    return Problem(f"The input of {original.name} is not a Stripe event.")


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
        asked, currency = _asked(order)
        if (event.amount_minor, event.currency) != (asked, currency):
            paid = money.format_amount(event.amount_minor, event.currency)
            price = money.format_amount(asked, currency)
            yield f"The event is about {paid}, but order {order['id']} costs {price}: it will fail with AmountMismatch."
            return
    if event.outcome != "paid":
        return
    if this is not None and this.went_back:
        yield f"All of this payment is already refunded: order {order['id']} will stay {order['status']}."
    elif order["status"] == OrderStatus.PAID:
        yield (
            f"This payment already pays order {order['id']}: nothing will change."
            if this is not None and standing.pays(order, this, payments)
            else f"Order {order['id']} is already paid: it will fail with DuplicatePayment."
        )
    elif order["status"] in {OrderStatus.REFUNDED, OrderStatus.CANCELLED}:
        yield f"Order {order['id']} is {order['status']}: it will fail with PaymentForClosedOrder."


def _asked(order: dict[str, Any]) -> tuple[int, str]:
    if order["asked_minor"] is not None:
        return order["asked_minor"], str(order["asked_currency"])
    total = Decimal(str(order["total_amount"]))
    return money.to_minor_units(total, order["currency"]), str(order["currency"]).lower()
