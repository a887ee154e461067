"""The webhook endpoint: signed events only, and 200 only when EventBridge has the event."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import stripe as stripe_package
from botocore.stub import ANY, Stubber

from handlers.api import receive_stripe_webhook
from handlers.settings import StripeSecret
from tests.factories import stripe_event
from tests.handlers.api.conftest import SIGNING_SECRET, Api, Reply
from ticketing.errors import StripeUnavailable

ROUTE = "POST /webhooks/stripe"
EVENT = stripe_event("checkout.session.completed", {"id": "cs_test_1", "object": "checkout.session", "note": "é"})


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client("events", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    monkeypatch.setattr(receive_stripe_webhook, "_event_bridge", lambda: client)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def signed(body: str, *, secret: str = SIGNING_SECRET, at: float | None = None) -> dict[str, str]:
    moment = int(time.time() if at is None else at)
    return {"Stripe-Signature": stripe_package.WebhookSignature.generate_signature_header(body, secret, moment)}


def deliver(api: Api, body: str, headers: dict[str, str] | None = None, *, base64: bool = False) -> Reply:
    raw = body.encode() if base64 else body
    return api.call(ROUTE, raw=raw, headers=signed(body) if headers is None else headers)


def taken(detail: str, detail_type: str = "checkout.session.completed") -> dict[str, Any]:
    return {
        "Entries": [
            {"Source": "stripe.com", "DetailType": detail_type, "Detail": detail, "EventBusName": "default"},
        ]
    }


@pytest.mark.parametrize("base64", [False, True])
def test_a_signed_event_goes_onto_the_bus_as_it_was_signed(api: Api, bus: Stubber, base64: bool) -> None:
    body = json.dumps(EVENT, indent=2, ensure_ascii=False)
    bus.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}, taken(body))
    reply = deliver(api, body, base64=base64)
    assert (reply.status, reply.body) == (200, {"success": True, "event_id": EVENT["id"]})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"stripe-signature": ""},
        {"stripe-signature": "nonsense"},
        {"stripe-signature": "t=1,v1=abc"},
        {"stripe-signature": "t=x,v1=abc"},
        signed(json.dumps(EVENT), secret="whsec_other"),
        signed(json.dumps(EVENT) + " "),
        signed(json.dumps(EVENT), at=time.time() - 301),
        {"stripe-signature": signed(json.dumps(EVENT))["Stripe-Signature"].replace("v1=", "v0=")},
        {"stripe-signature": f"t={int(time.time())},v1=ä"},
    ],
    ids=[
        "none",
        "empty",
        "nonsense",
        "old",
        "no time",
        "other secret",
        "other body",
        "too old",
        "other scheme",
        "no ASCII",
    ],
)
def test_a_signature_that_is_not_good(
    api: Api,
    bus: Stubber,
    headers: dict[str, str],
    logged: io.StringIO,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    reply = deliver(api, json.dumps(EVENT), headers)
    assert (reply.status, reply.code) == (400, "invalid_request")
    [warning] = [line for line in map(json.loads, logged.getvalue().splitlines()) if line["level"] == "WARNING"]
    assert warning["reason"]
    assert "cs_test_1" not in logged.getvalue()
    assert "WebhookSignaturesRefused" in capsys.readouterr().out


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '"x"',
        "{}",
        '{"id": "evt_1", "object": "v2.core.event_destination", "type": "x"}',
        '{"id": 1, "object": "event"}',
    ],
)
def test_a_signed_body_that_is_no_event(api: Api, bus: Stubber, body: str) -> None:
    assert deliver(api, body).status == 400


def test_a_body_that_is_no_text(api: Api, bus: Stubber) -> None:
    assert api.call(ROUTE, raw=b"\xff", headers={"stripe-signature": "t=1,v1=a"}).status == 400


def test_eventbridge_does_not_take_it(api: Api, bus: Stubber) -> None:
    body = json.dumps(EVENT)
    failed = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "x"}]}
    bus.add_response("put_events", failed, taken(body))
    reply = deliver(api, body)
    assert (reply.status, reply.code) == (503, "try_again")


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_eventbridge_cannot_be_reached(api: Api, bus: Stubber, code: str) -> None:
    bus.add_client_error("put_events", code, expected_params={"Entries": ANY})
    assert deliver(api, json.dumps(EVENT)).status == 503


def test_an_event_that_eventbridge_cannot_take_is_named(api: Api, bus: Stubber, logged: io.StringIO) -> None:
    # It does not say what it is about, so Stripe cannot be asked for it.
    reply = deliver(api, json.dumps({**EVENT, "data": {"object": None}, "padding": "x" * 260_000}))
    assert (reply.status, reply.code) == (413, "event_too_large")
    assert EVENT["id"] in logged.getvalue()
    assert "xxxx" not in logged.getvalue()


def test_a_secret_out_of_reach_makes_stripe_send_it_again(
    api: Api, bus: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> StripeSecret:
        raise StripeUnavailable("The secret of STRIPE_SECRET_ARN could not be fetched.")

    monkeypatch.setattr(receive_stripe_webhook, "stripe_secret", away)
    reply = deliver(api, json.dumps(EVENT))
    assert (reply.status, reply.code) == (503, "try_again")


def test_an_endpoint_without_a_signing_secret_is_none(
    api: Api, bus: Stubber, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(receive_stripe_webhook, "stripe_secret", lambda: StripeSecret(api_key="sk_test_x"))
    body = json.dumps(EVENT)
    # No 500: anybody could raise the API's alarm where only the partner event source is used.
    assert deliver(api, body, signed(body, secret="")).status == 404
    assert "WebhookSignaturesRefused" not in capsys.readouterr().out


def test_a_thin_event_goes_onto_the_bus_as_it_was_signed(api: Api, bus: Stubber) -> None:
    thin = {
        "id": "evt_test_65thin",
        "object": "v2.core.event",
        "type": "v1.checkout.session.completed",
        "livemode": False,
        "created": "2026-11-21T12:00:02.000Z",
        "related_object": {"id": "cs_test_1", "type": "checkout.session", "url": "/v1/checkout/sessions/cs_test_1"},
    }
    body = json.dumps(thin)
    answer = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}
    bus.add_response("put_events", answer, taken(body, "v1.checkout.session.completed"))
    assert deliver(api, body).status == 200


def test_an_event_that_no_execution_could_take_is_sent_thin(api: Api, bus: Stubber) -> None:
    body = {**EVENT, "data": {"object": {"id": "cs_test_1", "object": "checkout.session", "note": "x" * 300_000}}}
    put: list[Any] = []

    def take(Entries: list[Any]) -> dict[str, Any]:  # noqa: N803 -- boto3's name
        put.extend(Entries)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    receive_stripe_webhook._event_bridge().put_events = take  # type: ignore[method-assign,assignment]
    assert deliver(api, json.dumps(body)).status == 200
    [entry] = put
    assert (entry["Source"], entry["DetailType"]) == ("stripe.com", "v1.checkout.session.completed")
    detail = json.loads(entry["Detail"])
    assert (detail["id"], detail["object"]) == (EVENT["id"], "v2.core.event")
    assert detail["related_object"] == {"id": "cs_test_1", "type": "checkout.session"}
