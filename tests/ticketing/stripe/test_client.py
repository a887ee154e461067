from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe

from local.stripe_stand_in import StripeStandIn
from ticketing.errors import ConfigurationError, StripeUnavailable
from ticketing.stripe import client as stripe_client
from ticketing.stripe.client import StripeRefused, stripe_errors


class FakeStripe:
    """A server that refuses everything in one way."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server

    def answering(self, status: int, code: str | None) -> stripe.StripeClient:
        kind = "idempotency_error" if status == 409 else "invalid_request_error"
        error = {"type": kind, "message": "No.", **({} if code is None else {"code": code})}
        self._server.answer = (status, json.dumps({"error": error}).encode())  # type: ignore[attr-defined]
        address = f"http://127.0.0.1:{self._server.server_port}"
        return stripe_client.client(f"sk_test_{status}_{code}", api_base=address, network_retries=0)


class _Refusal(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def fake_stripe() -> Iterator[FakeStripe]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusal) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield FakeStripe(server)
        server.shutdown()


PASSING = [
    stripe.APIConnectionError("Connection refused"),  # type: ignore[no-untyped-call]
    stripe.RateLimitError("Too many", http_status=429),
    stripe.APIError("Oh", http_status=500),
    stripe.APIError("Oh", http_status=503),
    stripe.APIError("There is currently another in-progress request using this key", http_status=409),
    stripe.APIError("Invalid response body"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda e: f"{type(e).__name__}-{e.http_status}")
def test_what_may_pass(error: stripe.StripeError) -> None:
    with (
        pytest.raises(StripeUnavailable, match="The request to Stripe to open a session failed"),
        stripe_errors("open a session"),
    ):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        stripe.AuthenticationError("Invalid API Key provided: sk_test_abc", http_status=401),
        stripe.PermissionError("No"),
    ],
    ids=["401", "403"],
)
def test_a_bad_key_is_a_matter_of_configuration_and_is_not_quoted(error: stripe.StripeError) -> None:
    with pytest.raises(ConfigurationError) as raised, stripe_errors("open a session"):
        raise error
    assert "sk_test" not in str(raised.value)


def test_a_refusal_says_why_but_not_to_whom() -> None:
    error = stripe.InvalidRequestError(  # type: ignore[no-untyped-call]
        "Invalid email address: jo@b.example\nLook again",
        "customer_email",
        "email_invalid",
        http_status=400,
        headers={"request-id": "req_1"},
    )
    with pytest.raises(StripeRefused) as raised, stripe_errors("open a session"):
        raise error
    refused = raised.value
    assert (refused.code, refused.parameter, refused.http_status) == ("email_invalid", "customer_email", 400)
    assert str(refused) == (
        "Stripe refused to open a session: InvalidRequestError, HTTP 400, code email_invalid,"
        " parameter customer_email, request req_1: Invalid email address: [address] Look again."
    )
    assert refused.__cause__ is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "api_key_expired", ConfigurationError),
        (403, "secret_key_required", ConfigurationError),
        (409, "idempotency_key_in_use", StripeUnavailable),
        (429, "rate_limit", StripeUnavailable),
        (429, "lock_timeout", StripeUnavailable),
        (400, "resource_missing", StripeRefused),
        (402, "card_declined", StripeRefused),
        (500, None, StripeUnavailable),
    ],
)
def test_a_sentence_has_stripes_code_whatever_the_status(
    fake_stripe: FakeStripe, status: int, code: str | None, kind: type[Exception]
) -> None:
    """The package gives `error.code` for 400, 402 and 404 only; `error.error.code` has it always."""
    client = fake_stripe.answering(status, code)
    with pytest.raises(kind) as raised, stripe_errors("look at a session"):
        client.v1.checkout.sessions.retrieve("cs_1")
    assert f"HTTP {status}" in str(raised.value)
    assert code is None or f"code {code}" in str(raised.value)
    if isinstance(raised.value, StripeRefused):
        assert raised.value.code == code


def test_the_client_is_kept_with_its_connections() -> None:
    first = stripe_client.client("sk_test_1", api_base="http://127.0.0.1:1/")
    assert stripe_client.client("sk_test_1", api_base="http://127.0.0.1:1/") is first
    assert stripe_client.client("sk_test_2", api_base="http://127.0.0.1:1/") is not first


def test_nobody_answers() -> None:
    client = stripe_client.client("sk_test_1", api_base="http://127.0.0.1:1", network_retries=0)
    with pytest.raises(StripeUnavailable), stripe_errors("look at a session"):
        client.v1.checkout.sessions.retrieve("cs_1")


def test_what_stripe_quotes_is_not_logged_by_its_package_either(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)  # as Lambda's runtime sets it for every package
    with StripeStandIn() as stand_in:
        client = stripe_client.client("sk_test_log", api_base=stand_in.url, network_retries=0)
        with pytest.raises(stripe.InvalidRequestError, match="jo@nowhere"):
            client.v1.checkout.sessions.create({"mode": "payment", "customer_email": "jo@nowhere"})
    assert "jo@nowhere" not in caplog.text
