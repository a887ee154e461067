"""Mutated HTTP requests against the functions behind the API, on a real database, with Stripe's stand-in.

FUZZ_COUNT says how many (1,000 in `make test`, 10,000 in `make test-all`), FUZZ_SEED repeats a run: both are printed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from handlers.api import receive_stripe_webhook
from local.stripe_stand_in import StripeStandIn, sign
from tests.conftest import Connect, empty_tables
from tests.factories import create_code, create_event, create_order, create_ticket
from tests.faults.rows import Rows, read_rows
from tests.fuzz import world
from tests.fuzz.log_guard import LogGuard, everything_logged_to
from tests.fuzz.mutations import mutate
from tests.fuzz.oracle import check_sums
from tests.handlers.api.conftest import (
    CLIENT,
    HANDLERS,
    ISSUER,
    KEY,
    SIGNING_SECRET,
    Api,
    Reply,
    hold_against_description,
)
from ticketing.database import Database

_CHECKOUT = "POST /events/{id}/tickets/{ticketId}/checkout"
_WEBHOOK = "POST /webhooks/stripe"
_EMAIL, _SUB, _KEY_WORD = "canary.buyer@example.com", "canary-subject", "canary-idempotency-key"
_FORBIDDEN = (_EMAIL, "canary", SIGNING_SECRET)
_OWN_PAGES = ("https://cachao.example/", "https://www.cachao.example/")
_WORLD_LASTS = 250
# EventBridge's bounds (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html).
_LARGEST_ENTRY = 256 * 1024

_WORDS: Sequence[Any] = (
    "1",
    "2",
    "3",
    "4",
    "99",
    1,
    2,
    10,
    11,
    "SALSA10",
    " salsa10 ",
    "OVER",
    "SOON",
    "OFF",
    "USEDUP",
    "NOBODYS",
    "%",
    _EMAIL,
    "Canary.Buyer@EXAMPLE.com",
    "canary.buyer@example",
    "canary buyer@example.com",
    "canary.buyer@example.com\r\nBcc: canary.other@example.com",
    "cs_test_world1",
    _KEY_WORD,
    f"{_KEY_WORD}-2",
    "https://cachao.example",
    "https://evil.example",
    "null",
    "Bearer ",
    "Basic Y2FuYXJ5OmNhbmFyeQ==",
    "application/x-www-form-urlencoded",
    "t=1,v1=canary",
)


class _EventBridge:
    """As strict as the service."""

    def __init__(self) -> None:
        self.taken = 0

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803 -- boto3's own name
        [entry] = Entries
        assert entry["Source"] == "stripe.com"
        assert isinstance(json.loads(entry["Detail"]), dict)
        assert len(entry["Detail"].encode()) < _LARGEST_ENTRY
        self.taken += 1
        refused = not entry["DetailType"] or len(entry["DetailType"]) > 128
        return {
            "FailedEntryCount": int(refused),
            "Entries": [{"ErrorCode": "InvalidArgument"} if refused else {"EventId": "1"}],
        }


@pytest.fixture
def event_bridge(monkeypatch: pytest.MonkeyPatch) -> _EventBridge:
    bus = _EventBridge()
    monkeypatch.setattr(receive_stripe_webhook, "_event_bridge", lambda: bus)
    return bus


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_request_breaks_anything(
    api: Api,
    connect: Connect,
    database: Database,
    stripe: StripeStandIn,
    event_bridge: _EventBridge,
    chance: random.Random,
    fuzz_count: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    guard = LogGuard(_FORBIDDEN)
    seeds, tokens = _requests(), _tokens()
    results, orders = Counter[str](), set[str]()
    before: Rows = {}
    for number in range(fuzz_count):
        if number % _WORLD_LASTS == 0:
            _build(connect, database)
            before, orders = read_rows(database, {}), {"1"}
        event = _mutant(chance, seeds, tokens)
        fault = None
        route = event["routeKey"]
        if route == _CHECKOUT and chance.random() < 0.1:
            fault = chance.choice((500, 503, 402, 429))
            stripe.fail_next(2, status=fault, path_prefix="/v1/checkout")
        try:
            with everything_logged_to(guard), contextlib.redirect_stdout(guard):
                reply = _call(route, event)
            stripe.clear_faults()
            guard.check()
            results[f"{route.split()[0]} {route.rsplit('/', 1)[1]} {reply.status}"] += 1
            # A 402 is Stripe's last word; everything else may pass.
            assert reply.status != 500 or fault == 402, reply.body
            assert (reply.status == 503) <= (route in {_CHECKOUT, _WEBHOOK}), reply.body
            hold_against_description(route, reply)
            _must_not_tell(reply)
            # Nobody makes a link of the shop's that leads elsewhere.
            assert reply.status != 303 or reply.headers["location"].startswith(_OWN_PAGES), reply.headers
            if route == _CHECKOUT:
                after = read_rows(database, {})
                _check_checkout(before, after, reply, orders)
                before = after
            elif number % 20 == 0:
                assert read_rows(database, {}) == before, "a request that reads has written"
        except Exception as error:
            error.add_note(f"request {number}: {json.dumps(event)[:6000]}")
            raise
    with capsys.disabled():
        print(f"{fuzz_count} requests, {guard.lines} log lines: {dict(sorted(results.items()))}")
    assert results["POST checkout 200"] > 0
    assert event_bridge.taken > 0


def _call(route: str, event: Any) -> Reply:
    answer = HANDLERS[route](event, SimpleNamespace(aws_request_id="fuzz"))
    assert isinstance(answer["body"], str)
    return Reply(answer["statusCode"], json.loads(answer["body"]) if answer["body"] else {}, answer["headers"])


def _must_not_tell(reply: Reply) -> None:
    text = json.dumps(reply.body).lower()
    for word in ("traceback", "pymysql", "select ", "sk_test", "whsec", "/functions/", "stripe.error"):
        assert word not in text, f"{word} is in a reply: {reply.body}"


def _check_checkout(before: Rows, after: Rows, reply: Reply, orders: set[str]) -> None:
    check_sums(after)
    made = {key for table, key, _ in after if table == "ticket_orders"} - {
        key for table, key, _ in before if table == "ticket_orders"
    }
    assert len(made) <= 1
    if reply.status == 200:
        order_id = reply.body["order_id"]
        assert made <= {order_id}
        assert made or order_id in orders, "a reply names an order that was not made"
        order = {
            column: value
            for (table, key, column), value in after.items()
            if (table, key) == ("ticket_orders", order_id)
        }
        assert order["stripe_checkout_session_id"] == reply.body["session_id"]
        assert order["total_amount"] == order["unit_price"] * order["quantity"]
        assert 1 <= order["quantity"] <= 10
        assert Decimal(0) <= order["unit_price"] <= Decimal(30)
    elif made:
        [order_id] = made
        assert reply.status in {500, 502}, f"an order was made by a request that was refused with {reply.status}"
        assert after["ticket_orders", order_id, "status"] == "failed"
        assert after["ticket_orders", order_id, "held_quantity"] == 0
    orders |= made


def _build(connect: Connect, database: Database) -> None:
    empty_tables(connect)
    create_event(database, id=1, name="Salsa")
    create_event(database, id=2, name="Over", end_date="2020-01-01 00:00:00")
    create_ticket(database, id=1, event_id=1, max_quantity=60, price=Decimal("20.00"))
    create_ticket(database, id=2, event_id=1, max_quantity=None, price=Decimal("0.40"))
    create_ticket(database, id=3, event_id=1, max_quantity=None, price=Decimal(0))
    create_ticket(database, id=4, event_id=2, max_quantity=10, price=Decimal("30.00"))
    create_code(database, event_id=1, code="SALSA10", max_uses=15)
    create_code(database, event_id=1, code="OVER", valid_until="2020-01-01 00:00:00")
    create_code(database, event_id=1, code="SOON", valid_from="2035-01-01 00:00:00")
    create_code(database, event_id=1, code="OFF", is_active=0)
    create_code(database, event_id=1, code="USEDUP", max_uses=0)
    create_code(database, event_id=2, code="NOBODYS")
    create_order(
        database,
        id=1,
        ticket_id=1,
        email=_EMAIL,
        cognito_sub=_SUB,
        stripe_checkout_session_id=world.session_id(1),
    )


def _requests() -> list[dict[str, Any]]:
    """Good requests of every route, in API Gateway's format 2.0."""
    form = {"email": _EMAIL, "quantity": 2}
    checkouts = [
        form,
        form | {"discount_code": "salsa10"},
        form | {"discount_code": "OVER"},
        {"email": _EMAIL},
    ]
    made = [_request(_CHECKOUT, {"id": "1", "ticketId": ticket}, form=body) for body in checkouts for ticket in "123"]
    made += [_request("GET /events/{id}/tickets", {"id": "1"}), _request("GET /user/tickets")]
    made.append(_request("GET /orders", query={"session_id": world.session_id(1)}))
    left = {"token": "x" * 43, "event": "1", "origin": "https://cachao.example"}
    made += [_request("GET /checkout/cancel", query=left), _request("GET /checkout/cancel", query={"token": "x"})]
    made += [_request(_WEBHOOK, form=envelope["detail"]) for envelope in world.sample_envelopes()[:25]]
    return made


def _request(
    route: str, path: dict[str, str] | None = None, *, form: Any = None, query: dict[str, str] | None = None
) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": "/",
        "headers": {"content-type": "application/json", "origin": "https://cachao.example"},
        "requestContext": {"requestId": "request-1", "http": {"method": route.split(maxsplit=1)[0]}},
        "pathParameters": path,
        "queryStringParameters": query,
        "body": form,
        "isBase64Encoded": False,
    }


def _mutant(chance: random.Random, seeds: list[dict[str, Any]], tokens: list[str]) -> dict[str, Any]:
    route = chance.choice([*HANDLERS, _CHECKOUT, _CHECKOUT])
    seed = chance.choice([seed for seed in seeds if seed["routeKey"] == route])
    parts = {"headers": dict(seed["headers"]), "body": seed["body"]}
    parts |= {"path": seed["pathParameters"], "query": seed["queryStringParameters"]}
    if chance.random() < 0.5:
        parts["headers"]["authorization"] = chance.choice(tokens)
    if chance.random() < 0.3:
        parts["headers"]["idempotency-key"] = chance.choice((_KEY_WORD, f"{_KEY_WORD}-2"))
    if chance.random() < 0.9:
        parts = mutate(parts, chance, _WORDS)
        if not isinstance(parts, dict):
            parts = {"body": parts}
    body = _written(parts.get("body"), chance)
    headers = _texts(parts.get("headers")) or {}
    if route == _WEBHOOK and body is not None and chance.random() < 0.7:
        moment = int(time.time()) - chance.choice((0, 0, 0, 299, 301, 10**6))
        headers["stripe-signature"] = _signed(body, moment)
    encoded = chance.random() < 0.1 and body is not None
    if encoded and body is not None:
        body = base64.b64encode(body.encode(errors="surrogatepass")).decode()
    return seed | {
        "headers": headers,
        "pathParameters": _texts(parts.get("path")),
        "queryStringParameters": _texts(parts.get("query")),
        "body": body,
        "isBase64Encoded": encoded or chance.random() < 0.01,
    }


def _signed(body: str, moment: int) -> str:
    with contextlib.suppress(UnicodeEncodeError):
        return sign(body, SIGNING_SECRET, moment)
    return "t=1,v1=00"


def _written(body: Any, chance: random.Random) -> str | None:
    """Give the body's text, now and then broken; API Gateway hands over text only."""
    if body is None:
        return None
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=chance.random() < 0.5)
    if chance.random() < 0.05:
        text = text[: chance.randrange(len(text) + 1)]
    if chance.random() < 0.01:
        text = "[" * 5000 + text
    if chance.random() < 0.01:
        text = text + " " * 20_000
    return text


def _texts(value: Any) -> dict[str, str] | None:
    """API Gateway's maps have texts only."""
    if not isinstance(value, dict):
        return None
    return {
        str(key): part if isinstance(part, str) else json.dumps(part) for key, part in value.items() if part is not None
    }


def _tokens() -> list[str]:
    now = int(time.time())
    claims = {
        "sub": _SUB,
        "iss": ISSUER,
        "aud": CLIENT,
        "token_use": "id",
        "exp": now + 900,
        "email": _EMAIL,
        "email_verified": True,
    }
    good = jwt.encode(claims, KEY, "RS256", headers={"kid": "k1"})
    made = [
        good,
        jwt.encode(claims | {"exp": now - 900}, KEY, "RS256", headers={"kid": "k1"}),
        jwt.encode(claims | {"iss": "https://evil.example"}, KEY, "RS256", headers={"kid": "k1"}),
        jwt.encode(claims | {"aud": "other"}, KEY, "RS256", headers={"kid": "k1"}),
        good[:-4],
        jwt.encode(claims, KEY, "RS256", headers={"kid": "unknown"}),
        jwt.encode(claims, "canary-shared-secret-of-thirty-two-bytes", "HS256", headers={"kid": "k1"}),
        jwt.encode(claims, "", "none", headers={"kid": "k1"}),
        good.replace(".", "..", 1),
        "canary.token.here",
        "e30.e30.e30",
        "",
    ]
    return [f"Bearer {token}" for token in made]
