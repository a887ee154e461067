"""Which request does what: method, path, parameters and operation of every endpoint under /v1 and /v2."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from local.stripe_stand_in import (
    balance_requests,
    destination_requests,
    dispute_requests,
    disputes,
    endpoint_requests,
    events,
    files,
    payments,
    refunds,
    session_parameters,
    sessions,
    thin_events,
)
from local.stripe_stand_in.account import account
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.parameters import NOTHING, RETRIEVE, HashOf

Endpoint = Callable[[Context, JsonObject, RequestInfo, str], JsonObject]
DESTINATIONS = "/v2/core/event_destinations"


@dataclass(frozen=True)
class Route:
    """An endpoint.

    Attributes:
        parameters: What it takes; anything else is refused.
        endpoint: Does the work, with the parameters in their types and the id of the path.
    """

    method: Literal["DELETE", "GET", "POST"]
    path: str
    parameters: HashOf
    endpoint: Endpoint


ROUTES = (
    Route(
        "POST",
        "/v1/checkout/sessions",
        session_parameters.CREATE,
        lambda c, given, request, _: sessions.create(c, given, request),
    ),
    Route("GET", "/v1/checkout/sessions", sessions.LIST, lambda c, given, _r, _: sessions.list_sessions(c, given)),
    Route("GET", "/v1/checkout/sessions/<id>", RETRIEVE, lambda c, given, _r, key: sessions.retrieve(c, key, given)),
    Route(
        "POST",
        "/v1/checkout/sessions/<id>/expire",
        RETRIEVE,
        lambda c, given, request, key: sessions.expire(c, key, given, request),
    ),
    Route(
        "GET",
        "/v1/checkout/sessions/<id>/line_items",
        sessions.LIST_LINE_ITEMS,
        lambda c, given, _r, key: sessions.list_line_items(c, key, given),
    ),
    Route(
        "GET",
        "/v1/payment_intents/<id>",
        payments.RETRIEVE_INTENT,
        lambda c, given, _r, key: payments.retrieve_intent(c, key, given),
    ),
    Route("GET", "/v1/charges/<id>", RETRIEVE, lambda c, given, _r, key: payments.retrieve_charge(c, key, given)),
    Route("POST", "/v1/refunds", refunds.CREATE, lambda c, given, request, _: refunds.create(c, given, request)),
    Route("GET", "/v1/refunds", refunds.LIST, lambda c, given, _r, _: refunds.list_refunds(c, given)),
    Route("GET", "/v1/refunds/<id>", RETRIEVE, lambda c, given, _r, key: refunds.retrieve(c, key, given)),
    Route("GET", "/v1/disputes", disputes.LIST, lambda c, given, _r, _: disputes.list_disputes(c, given)),
    Route("GET", "/v1/disputes/<id>", RETRIEVE, lambda c, given, _r, key: disputes.retrieve(c, key, given)),
    Route(
        "POST",
        "/v1/disputes/<id>",
        dispute_requests.UPDATE,
        lambda c, given, request, key: dispute_requests.update(c, key, given, request),
    ),
    Route(
        "POST",
        "/v1/disputes/<id>/close",
        RETRIEVE,
        lambda c, given, _r, key: dispute_requests.close(c, key, given),
    ),
    Route("POST", "/v1/files", files.CREATE, lambda c, given, _r, _: files.create(c, given)),
    Route("GET", "/v1/files/<id>", RETRIEVE, lambda c, given, _r, key: files.retrieve(c, key, given)),
    Route(
        "GET",
        "/v1/balance_transactions",
        balance_requests.LIST,
        lambda c, given, _r, _: balance_requests.list_transactions(c, given),
    ),
    Route(
        "GET",
        "/v1/balance_transactions/<id>",
        RETRIEVE,
        lambda c, given, _r, key: balance_requests.retrieve_transaction(c, key, given),
    ),
    Route(
        "GET",
        "/v1/payouts",
        balance_requests.LIST_PAYOUTS,
        lambda c, given, _r, _: balance_requests.list_payouts(c, given),
    ),
    Route(
        "GET",
        "/v1/payouts/<id>",
        RETRIEVE,
        lambda c, given, _r, key: balance_requests.retrieve_payout(c, key, given),
    ),
    Route("GET", "/v1/events", events.LIST, lambda c, given, _r, _: events.list_events(c, given)),
    Route("GET", "/v1/events/<id>", RETRIEVE, lambda c, _given, _r, key: events.retrieve(c, key)),
    Route("GET", "/v1/account", RETRIEVE, lambda c, _given, _r, _: account(c.account_id)),
    Route("GET", "/v1/webhook_endpoints", endpoint_requests.LIST, lambda c, _g, _r, _: endpoint_requests.list_all(c)),
    Route(
        "POST", "/v1/webhook_endpoints", endpoint_requests.CREATE, lambda c, g, _r, _: endpoint_requests.create(c, g)
    ),
    Route("GET", "/v1/webhook_endpoints/<id>", RETRIEVE, lambda c, _given, _r, key: endpoint_requests.retrieve(c, key)),
    Route(
        "POST",
        "/v1/webhook_endpoints/<id>",
        endpoint_requests.UPDATE,
        lambda c, given, _r, key: endpoint_requests.update(c, key, given),
    ),
    Route("DELETE", "/v1/webhook_endpoints/<id>", NOTHING, lambda c, _g, _r, key: endpoint_requests.delete(c, key)),
    Route("GET", "/v2/core/events/<id>", NOTHING, lambda c, _given, _r, key: thin_events.retrieve(c, key)),
    Route("GET", DESTINATIONS, destination_requests.LIST, lambda c, _g, _r, _: destination_requests.list_all(c)),
    Route("POST", DESTINATIONS, destination_requests.CREATE, lambda c, g, _r, _: destination_requests.create(c, g)),
    Route(
        "GET",
        f"{DESTINATIONS}/<id>",
        destination_requests.RETRIEVE,
        lambda c, _given, _r, key: destination_requests.retrieve(c, key),
    ),
    Route(
        "POST",
        f"{DESTINATIONS}/<id>",
        destination_requests.UPDATE,
        lambda c, given, _r, key: destination_requests.update(c, key, given),
    ),
    Route("DELETE", f"{DESTINATIONS}/<id>", NOTHING, lambda c, _g, _r, key: destination_requests.delete(c, key)),
    Route(
        "POST",
        f"{DESTINATIONS}/<id>/disable",
        NOTHING,
        lambda c, _g, _r, k: destination_requests.disable(c, k),
    ),
    Route(
        "POST",
        f"{DESTINATIONS}/<id>/enable",
        NOTHING,
        lambda c, _g, _r, k: destination_requests.enable(c, k),
    ),
    Route("POST", f"{DESTINATIONS}/<id>/ping", NOTHING, lambda c, _g, _r, key: destination_requests.ping(c, key)),
)
