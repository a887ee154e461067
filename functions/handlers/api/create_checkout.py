"""POST /events/{id}/tickets/{ticketId}/checkout: an order with its seats held, and the page on which it is paid."""

from __future__ import annotations

import functools
from typing import Final

from aws_lambda_powertools.metrics import MetricUnit

from handlers import stripe_access
from handlers.api.callers import caller
from handlers.api.clients import client_of
from handlers.api.http import Request, http_api
from handlers.api.origins import cancel_route, return_origin
from handlers.runtime import count_metric, database, logger, metrics
from handlers.settings import required, whole_number
from ticketing.checkout.checkout import check_out
from ticketing.checkout.form import read_checkout_form
from ticketing.checkout.openers import Bounds
from ticketing.checkout.placement import CheckoutRequest, CheckoutTerms
from ticketing.stripe.open_session import StripeCheckoutSessions

# Longer than this function may run (template.yaml): an attempt that is still alive is never taken for dead.
_LOCK_SECONDS: Final = 32


@http_api
def handler(request: Request) -> dict[str, object]:
    """Give `checkout_url`, `session_id` and `order_id`; the errors are in docs/openapi.yaml."""
    event_id = request.path_id("id", of="This event")
    ticket_id = request.path_id("ticketId", of="This ticket")
    buyer = caller(request)
    form = read_checkout_form(request.json_object(), most=whole_number("MAX_TICKETS_PER_ORDER"))
    wanted = CheckoutRequest(
        event_id=event_id,
        ticket_id=ticket_id,
        quantity=form.quantity,
        email=form.email,
        discount_code=form.discount_code,
        cognito_sub=None if buyer is None else buyer.cognito_sub,
        idempotency_key=request.idempotency_key(),
        origin=return_origin(request.headers.get("origin", "")),
        client=client_of(request),
        cancel_route=cancel_route(request),
    )
    reply = check_out(database, _sessions(), wanted, _terms(), answer_by=request.answer_by)
    logger.append_keys(order_id=reply.order_id, session_id=reply.session_id)
    # That no order is paid must be a figure, not a missing one: an alarm compares the two.
    metrics.add_metric(name="OrdersPaid", unit=MetricUnit.Count, value=0)
    count_metric("CheckoutsOpened")
    return {"checkout_url": reply.checkout_url, "session_id": reply.session_id, "order_id": reply.order_id}


def _sessions() -> StripeCheckoutSessions:
    # Before the order is made: the secret, and the first import of stripe, must not cost time while seats are held.
    return StripeCheckoutSessions(stripe_access.client(), stripe_access.sessions_to_end())


@functools.cache
def _terms() -> CheckoutTerms:
    return CheckoutTerms(
        currency=required("CURRENCY").lower(),
        hold_seconds=whole_number("HOLD_SECONDS"),
        lock_seconds=_LOCK_SECONDS,
        delayed_method_days=whole_number("DELAYED_METHOD_DAYS"),
        bounds=Bounds(
            per_account=whole_number("MAX_HELD_PER_ACCOUNT"), per_network=whole_number("MAX_HELD_PER_ADDRESS")
        ),
    )
