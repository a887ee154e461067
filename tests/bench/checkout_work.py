"""Jobs of a worker: checkouts by the real handler, by the domain alone, and by the two bare statements.

Stripe answers at once: `StripeCheckoutSessions.open`, the one place where the checkout calls it, is replaced here, in
the worker. All else is real: the request as API Gateway hands it over, the secrets, the reply.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import secrets
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from tests.bench.orders import HotTicket
from tests.bench.payment_work import bare_connection, repeat_for

_ROUTE = "POST /events/{id}/tickets/{ticketId}/checkout"
_buyers = itertools.count(1)


def check_out_for(seconds: float, ticket: HotTicket, *, with_code: bool = False) -> tuple[int, float]:
    """Check out by the handler for a while: how many, and how long exactly. `with_code`: and an Idempotency-Key."""
    from ticketing.stripe.open_session import StripeCheckoutSessions  # noqa: PLC0415 -- in the worker only

    with patch.object(StripeCheckoutSessions, "open", _opened_at_once):
        return repeat_for(seconds, itertools.repeat(functools.partial(_check_out, ticket, with_code=with_code)))


def check_out_in_pace(seconds: float, ticket: HotTicket, *, every: float) -> list[float]:
    """Check out every so many seconds, and give how long each took from the moment at which it was due."""
    from ticketing.stripe.open_session import StripeCheckoutSessions  # noqa: PLC0415 -- in the worker only

    took = []
    with patch.object(StripeCheckoutSessions, "open", _opened_at_once):
        begin = time.perf_counter()
        for number in range(int(seconds / every)):
            due = begin + number * every
            time.sleep(max(due - time.perf_counter(), 0.0))
            _check_out(ticket, with_code=False)
            took.append(time.perf_counter() - due)
    return took


def place_for(seconds: float, ticket: HotTicket) -> tuple[int, float]:
    """Place orders for a while: the checkout's first transaction, priced and held, without the rest."""
    from handlers.runtime import database  # noqa: PLC0415 -- in the worker only
    from ticketing.checkout.placement import CheckoutRequest, CheckoutTerms, place  # noqa: PLC0415 -- in the worker only
    from ticketing.orders.mark import new_mark  # noqa: PLC0415 -- in the worker only

    terms = CheckoutTerms(currency="eur", hold_seconds=1800, lock_seconds=32, delayed_method_days=7)

    def place_one() -> None:
        request = CheckoutRequest(
            event_id=ticket.event_id,
            ticket_id=ticket.ticket_id,
            quantity=1,
            email=_email(),
            origin="https://shop.example",
        )
        place(database, request, terms, expires_at=int(time.time()) + 1800, mark=new_mark())

    return repeat_for(seconds, itertools.repeat(place_one))


def insert_for(seconds: float, ticket: HotTicket) -> tuple[int, float]:
    """The floor: a guarded UPDATE and an INSERT in one transaction, by plain pymysql."""
    connection = bare_connection()

    def insert_one() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
                " held_quantity, hold_expires_at)"
                " VALUES (%s, %s, %s, 1, 20, 20, 'pending', 1, UTC_TIMESTAMP(6) + INTERVAL 30 MINUTE)",
                (ticket.event_id, ticket.ticket_id, _email()),
            )
            held = cursor.execute(
                "UPDATE tickets SET held_quantity = held_quantity + 1 WHERE id = %s"
                " AND (max_quantity IS NULL OR sold_quantity + held_quantity + 1 <= max_quantity)",
                (ticket.ticket_id,),
            )
        assert held == 1
        connection.commit()

    return repeat_for(seconds, itertools.repeat(insert_one))


def checkout_event(ticket: HotTicket, *, with_code: bool = False) -> dict[str, Any]:
    """Give another buyer's request, as API Gateway hands it over."""
    form: dict[str, Any] = {"quantity": 1, "email": _email()}
    headers = {"content-type": "application/json", "origin": "https://shop.example"}
    if with_code:
        form["discount_code"] = "salsa10"
        headers["idempotency-key"] = secrets.token_hex(16)
    return {
        "version": "2.0",
        "routeKey": _ROUTE,
        "rawPath": f"/events/{ticket.event_id}/tickets/{ticket.ticket_id}/checkout",
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"requestId": "JKJaXmPLvHcESHA=", "http": {"method": "POST"}},
        "pathParameters": {"id": str(ticket.event_id), "ticketId": str(ticket.ticket_id)},
        "body": json.dumps(form),
        "isBase64Encoded": False,
    }


def _check_out(ticket: HotTicket, *, with_code: bool) -> None:
    event = checkout_event(ticket, with_code=with_code)
    reply = _handler()(event, SimpleNamespace(aws_request_id="8b0a1c7e-5a3d-4a53-9d36-0c5a8a2f0f0e"))
    assert reply["statusCode"] == 200, reply


@functools.cache
def _handler() -> Callable[[Any, Any], Any]:
    from handlers.api.create_checkout import handler  # noqa: PLC0415 -- in the worker, with a Lambda's environment

    return handler


def _opened_at_once(_sessions: object, request: Any, *, retries: int) -> Any:
    from ticketing.stripe.open_session import OpenSession  # noqa: PLC0415 -- in the worker only

    session_id = f"cs_test_{secrets.token_hex(28)}"
    return OpenSession(session_id=session_id, url=f"https://checkout.stripe.com/c/pay/{session_id}#{request.reference}")


def _email() -> str:
    return f"buyer-{os.getpid()}-{next(_buyers)}@example.com"
