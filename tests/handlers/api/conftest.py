"""The HTTP API as API Gateway calls it: real handlers, real MariaDB, the stand-in for Stripe, a user pool's keys.

Every reply of every test here is held against docs/openapi.yaml.
"""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from handlers import runtime, stripe_access
from handlers.api import (
    callers,
    cancel_checkout,
    create_checkout,
    get_order,
    list_tickets,
    list_user_tickets,
    receive_stripe_webhook,
)
from handlers.settings import StripeSecret
from local.stripe_stand_in import StripeStandIn
from ticketing.buyers.tokens import PublicKeys, TokenVerifier
from ticketing.database import Database

ROOT = Path(__file__).parents[3]
OPENAPI = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))
_REGISTRY: Registry[Any] = Registry().with_resource("openapi", Resource.opaque(OPENAPI))

ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_pool"
CLIENT = "client1"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SIGNING_SECRET = "whsec_of_the_tests"

HANDLERS = {
    "POST /events/{id}/tickets/{ticketId}/checkout": create_checkout.handler,
    "GET /checkout/cancel": cancel_checkout.handler,
    "GET /events/{id}/tickets": list_tickets.handler,
    "GET /user/tickets": list_user_tickets.handler,
    "GET /orders": get_order.handler,
    "POST /webhooks/stripe": receive_stripe_webhook.handler,
}
CHECKOUT = "POST /events/{id}/tickets/{ticketId}/checkout"


@dataclass(frozen=True)
class Reply:
    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(self.body.get("code"))


@dataclass
class Api:
    """Calls handlers as API Gateway does, and holds their replies against the description."""

    replies: list[Reply] = field(default_factory=list)

    def call(
        self,
        route: str,
        path: dict[str, str] | None = None,
        *,
        body: object = None,
        raw: str | bytes | None = None,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        received_seconds_ago: float = 0,
        remaining_seconds: float = 28,
        source_ip: str | None = None,
    ) -> Reply:
        text = raw if raw is not None else (None if body is None else json.dumps(body))
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": route,
            "rawPath": "/",
            "rawQueryString": "",
            "headers": {"content-type": "application/json", **(headers or {})},
            "requestContext": {
                "requestId": "request-1",
                "domainName": "api.cachao.example",
                "stage": "$default",
                "http": {"method": route.split(maxsplit=1)[0]} | ({"sourceIp": source_ip} if source_ip else {}),
                "timeEpoch": int((time.time() - received_seconds_ago) * 1000),
            },
            "isBase64Encoded": isinstance(text, bytes),
        }
        if path:
            event["pathParameters"] = path
        if query:
            event["queryStringParameters"] = query
        if text is not None:
            event["body"] = base64.b64encode(text).decode() if isinstance(text, bytes) else text
        context = SimpleNamespace(
            aws_request_id="invocation-1", get_remaining_time_in_millis=lambda: int(remaining_seconds * 1000)
        )
        answer = HANDLERS[route](event, context)
        reply = Reply(answer["statusCode"], json.loads(answer["body"] or "{}"), answer["headers"])
        hold_against_description(route, reply)
        self.replies.append(reply)
        return reply

    def checkout(
        self,
        event_id: object,
        ticket_id: object,
        /,
        *,
        headers: dict[str, str] | None = None,
        received_seconds_ago: float = 0,
        remaining_seconds: float = 28,
        source_ip: str | None = None,
        **body: object,
    ) -> Reply:
        return self.call(
            CHECKOUT,
            {"id": str(event_id), "ticketId": str(ticket_id)},
            body={"email": "jo@example.com", **body},
            headers=headers,
            received_seconds_ago=received_seconds_ago,
            remaining_seconds=remaining_seconds,
            source_ip=source_ip,
        )


def hold_against_description(route: str, reply: Reply) -> None:
    method, path = route.split()
    responses = OPENAPI["paths"][path][method.lower()]["responses"]
    assert str(reply.status) in responses, f"{route} may not answer {reply.status}: {reply.body}"
    response = responses[str(reply.status)]
    if "$ref" in response:
        response = OPENAPI["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    for name, header in response.get("headers", {}).items():
        assert not header["required"] or header["schema"]["type"] != "integer" or reply.headers[name.lower()].isdigit()
        assert not header["required"] or reply.headers[name.lower()]
    if "content" not in response:
        assert reply.body == {}
        return
    assert reply.headers["content-type"] in response["content"]
    schema = response["content"][reply.headers["content-type"]]["schema"]
    validator_of(schema).validate(reply.body)


def validator_of(schema: dict[str, Any]) -> Draft202012Validator:
    # The references of the document are of the form "#/components/…": they hold within it.
    rooted = {"$id": "openapi-root", "components": OPENAPI["components"], "allOf": [schema]}
    return Draft202012Validator(rooted, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.fixture(scope="session")
def stripe_server() -> Iterator[StripeStandIn]:
    with StripeStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def stripe(stripe_server: StripeStandIn) -> Iterator[StripeStandIn]:
    yield stripe_server
    stripe_server.clear_faults()


@pytest.fixture
def api(database: Database, stripe: StripeStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The API with the settings that template.yaml would give it."""
    settings = {
        "FRONTEND_ORIGINS": "https://cachao.example, https://www.cachao.example",
        "FRONTEND_URL": "https://cachao.example",
        "CURRENCY": "eur",
        "HOLD_SECONDS": "1800",
        "DELAYED_METHOD_DAYS": "7",
        "MAX_TICKETS_PER_ORDER": "10",
        "MAX_HELD_PER_ACCOUNT": "20",
        "MAX_HELD_PER_ADDRESS": "40",
        "STRIPE_API_BASE": stripe.url,
        "STRIPE_LIVEMODE": "false",
        "STRIPE_ACCOUNT_SHARED": "false",
        "EVENT_BUS_NAME": "default",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    secret = StripeSecret(api_key="sk_test_of_the_tests", webhook_signing_secret=SIGNING_SECRET)
    for module in (receive_stripe_webhook, stripe_access):
        monkeypatch.setattr(module, "stripe_secret", lambda: secret)
    for handler in (create_checkout, cancel_checkout, list_tickets, list_user_tickets, get_order):
        monkeypatch.setattr(handler, "database", database)
    monkeypatch.setattr(runtime.metrics, "namespace", "Cachao", raising=False)
    keys = PublicKeys("http://127.0.0.1:1/")
    keys._keys = {"k1": jwt.PyJWK({**jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1"})}
    keys._good_until = keys._asked_at = float("inf")
    verifier = TokenVerifier(issuer=ISSUER, client_ids=frozenset({CLIENT}), keys=keys)
    monkeypatch.setattr(callers, "_verifier", lambda: verifier)
    forget()
    yield Api()
    forget()


def forget() -> None:
    """Settings are read once per Lambda, but anew by each test."""
    create_checkout._terms.cache_clear()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Everything that is logged, one JSON object a line."""
    written = io.StringIO()
    monkeypatch.setattr(runtime.logger.registered_handler, "stream", written)
    return written


@pytest.fixture
def token() -> Callable[..., dict[str, str]]:
    """Give the headers of a logged-in buyer."""

    def bearer(sub: str = "buyer-1", **claims: object) -> dict[str, str]:
        body = {
            "sub": sub,
            "iss": ISSUER,
            "aud": CLIENT,
            "token_use": "id",
            "exp": int(time.time()) + 600,
            **claims,
        }
        return {"authorization": f"Bearer {jwt.encode(body, KEY, 'RS256', headers={'kid': 'k1'})}"}

    return bearer
