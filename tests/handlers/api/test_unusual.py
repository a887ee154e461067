"""What hardly ever happens, and must not go wrong then."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.api import callers, create_checkout, get_order, http, receive_stripe_webhook
from local.stripe_stand_in import StripeStandIn
from tests.factories import create_ticket, row_of
from tests.handlers.api.conftest import CHECKOUT, Api
from ticketing.checkout import checkout
from ticketing.database import Database, Statement
from ticketing.errors import DatabaseUnavailable
from ticketing.orders import holds
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.open_session import OpenSession, SessionRequest, StripeCheckoutSessions


@pytest.fixture
def ticket(database: Database) -> dict[str, Any]:
    return row_of(database, "tickets", create_ticket(database, max_quantity=10))


def status_of_orders(database: Database) -> list[str]:
    with database.transaction() as tx:
        return [row["status"] for row in tx.all("SELECT status FROM ticket_orders ORDER BY id")]


def test_a_body_that_is_not_the_base64_it_is_said_to_be(api: Api) -> None:
    event = {
        "routeKey": CHECKOUT,
        "pathParameters": {"id": "1", "ticketId": "1"},
        "headers": {"content-type": "application/json"},
        "body": "é!",
        "isBase64Encoded": True,
    }
    answer = create_checkout.handler(event, SimpleNamespace(aws_request_id="1"))
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("event", [None, [], {"headers": None}, {"headers": {"a": 1}}], ids=str)
def test_an_event_that_is_not_api_gateways(api: Api, event: Any) -> None:
    answer = get_order.handler(event, None)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (500, "internal_error")


def test_the_last_step_is_tried_twice(
    api: Api, database: Database, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = checkout._store, []

    def lose_the_first(*given: Any) -> None:
        real(*given)  # it was committed, and nobody heard of it
        calls.append(1)
        if len(calls) == 1:
            raise DatabaseUnavailable("lost in COMMIT")

    monkeypatch.setattr(checkout, "_store", lose_the_first)
    reply = api.checkout(ticket["event_id"], ticket["id"])
    assert reply.status == 200
    assert api.call("GET /orders", query={"session_id": reply.body["session_id"]}).status == 200


def test_a_session_that_is_not_the_orders(
    api: Api, database: Database, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def another(_: StripeCheckoutSessions, request: SessionRequest, *, retries: int) -> OpenSession:
        del retries
        with database.transaction() as tx:
            tx.change("UPDATE ticket_orders SET stripe_checkout_session_id = 'cs_1' WHERE id = %s", request.reference)
        return OpenSession(session_id="cs_2", url=request.success_url)

    monkeypatch.setattr(StripeCheckoutSessions, "open", another)
    assert api.checkout(ticket["event_id"], ticket["id"]).status == 500


def test_stripe_and_then_the_database_fail(
    api: Api, database: Database, stripe: StripeStandIn, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: Any, **__: Any) -> None:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(checkout, "release_order", lose)
    stripe.fail_next(2, status=500)
    assert api.checkout(ticket["event_id"], ticket["id"]).status == 502
    assert status_of_orders(database) == ["pending"]  # the sweep ends it when its hold is over


def test_an_address_that_only_stripe_refuses(
    api: Api, database: Database, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> OpenSession:
        raise StripeRefused("no", code="email_invalid", parameter="customer_email", http_status=400)

    monkeypatch.setattr(StripeCheckoutSessions, "open", refuse)
    reply = api.checkout(ticket["event_id"], ticket["id"])
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert status_of_orders(database) == ["failed"]


@pytest.mark.parametrize("code", ["amount_too_small", "amount_too_large"])
def test_an_amount_that_only_stripe_knows_to_be_out_of_bounds(
    api: Api, database: Database, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """In a currency whose bounds our table does not have: the buyer is told so, and nobody is alarmed."""
    counted: list[str] = []

    def refuse(*_: Any, **__: Any) -> OpenSession:
        raise StripeRefused("no", code=code, http_status=400)

    monkeypatch.setattr(StripeCheckoutSessions, "open", refuse)
    monkeypatch.setattr(http, "count_metric", counted.append)
    reply = api.checkout(ticket["event_id"], ticket["id"])
    assert (reply.status, reply.code) == (422, code)
    assert "try again" not in reply.body["error"]
    assert counted == []
    assert status_of_orders(database) == ["failed"]


def test_seats_that_come_free_between_two_looks_are_taken(
    api: Api, database: Database, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, none = holds.taking_seats, Statement("UPDATE tickets SET held_quantity = 1 WHERE FALSE")
    calls: list[int] = []

    def miss_the_first(**given: Any) -> Statement:
        calls.append(1)
        return real(**given) if len(calls) > 1 else none

    monkeypatch.setattr(holds, "taking_seats", miss_the_first)
    assert api.checkout(ticket["event_id"], ticket["id"]).status == 200
    monkeypatch.setattr(holds, "taking_seats", lambda **_: none)
    assert api.checkout(ticket["event_id"], ticket["id"]).code == "try_again"


def test_a_ticket_that_is_deleted_while_it_is_ordered(
    api: Api, database: Database, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = holds.taking_seats

    def delete(*, ticket_id: int, **given: Any) -> Statement:
        with database.transaction() as tx:
            tx.change("DELETE FROM tickets WHERE id = %s", ticket_id)
        return real(ticket_id=ticket_id, **given)

    monkeypatch.setattr(holds, "taking_seats", delete)
    assert api.checkout(ticket["event_id"], ticket["id"]).code == "not_found"
    assert status_of_orders(database) == []


@pytest.mark.parametrize(
    ("given", "used"),
    [
        # template.yaml's default: the issuer's own place
        ("", "https://issuer.example/.well-known/jwks.json"),
        ("http://127.0.0.1:1/jwks.json", "http://127.0.0.1:1/jwks.json"),
    ],
)
def test_the_user_pool_is_what_the_deployment_says(
    api: Api, monkeypatch: pytest.MonkeyPatch, token: Callable[..., dict[str, str]], given: str, used: str
) -> None:
    monkeypatch.undo()
    callers._verifier.cache_clear()
    monkeypatch.setenv("COGNITO_ISSUER", "https://issuer.example")
    monkeypatch.setenv("COGNITO_CLIENT_IDS", "client1, client2,")
    monkeypatch.setenv("COGNITO_JWKS_URL", given)
    verifier = callers._verifier()
    callers._verifier.cache_clear()
    assert (verifier._issuer, verifier._client_ids) == ("https://issuer.example", frozenset({"client1", "client2"}))
    assert verifier._keys._url == used


def test_the_event_bus_is_asked_within_stripes_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    config: Any = receive_stripe_webhook._event_bridge().meta.config
    receive_stripe_webhook._event_bridge.cache_clear()
    assert config.read_timeout + config.connect_timeout < 10
