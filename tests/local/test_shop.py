"""The shop as `make run` serves it: the template's own routes and functions, over HTTP, from checkout to ticket."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
import stripe
from pycognito.aws_srp import AWSSRP

from local.aws.user_pool import User, add_user, id_token
from tests.local.conftest import environment_for_python, wait_until
from tests.local.running import Running

pytestmark = pytest.mark.slow

ORIGIN = "http://localhost:5173"


class Shop:
    """A frontend's and a buyer's view of a running stack."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.addresses = running.wait_until_up()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        origin: str | None = ORIGIN,
    ) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **({"Origin": origin} if origin else {}), **(headers or {})}
        request = urllib.request.Request(self.addresses["api_url"] + path, method=method, headers=given, data=data)
        try:
            with urllib.request.urlopen(request, timeout=40) as reply:
                text, status, found = reply.read(), reply.status, reply.headers
        except urllib.error.HTTPError as error:
            with error:
                text, status, found = error.read(), error.code, error.headers
        return status, json.loads(text) if text else {}, {name.lower(): value for name, value in found.items()}

    def check_out(self, *, headers: Mapping[str, str] | None = None, **body: Any) -> dict[str, Any]:
        status, reply, _ = self.call(
            "POST", "/events/1/tickets/1/checkout", body={"email": "buyer@example.com", **body}, headers=headers
        )
        assert status == 200, reply
        return reply

    def pay(self, session_id: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "local", "pay", session_id, "--stack", str(self.running.file), *arguments],
            env=environment_for_python(),
            capture_output=True,
            text=True,
            check=False,
        )

    def status_of(self, session_id: str) -> str:
        _, reply, _ = self.call("GET", f"/orders?session_id={session_id}")
        return str(reply["order"]["status"])

    def sign_up(self, email: str) -> dict[str, str]:
        """Make an account, and give the header that the frontend sends."""
        user, pool = User(email=email, password="Other-Password-1"), self.addresses["cognito"]
        add_user(self.cognito(), pool["user_pool_id"], user)
        return {"Authorization": f"Bearer {id_token(self.cognito(), pool['client_id'], user)}"}

    def log_in(self) -> dict[str, str]:
        """Log in who `make run` names, as a browser does."""
        user, pool = self.addresses["user"], self.addresses["cognito"]
        login = AWSSRP(user["email"], user["password"], pool["user_pool_id"], pool["client_id"], client=self.cognito())
        return {"Authorization": f"Bearer {login.authenticate_user()['AuthenticationResult']['IdToken']}"}

    def cognito(self) -> Any:
        return boto3.client(
            "cognito-idp",
            endpoint_url=self.addresses["cognito"]["endpoint_url"],
            region_name=self.addresses["region"],
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    running = Running(tmp_path_factory.mktemp("shop") / "stack")
    try:
        shop = Shop(running)
        # Printed, and the sample shop opened, after stack.json is there.
        assert wait_until(lambda: "Ctrl-C stops everything." in running.text(), 30), running.text()
        yield shop
    finally:
        running.process.terminate()
        running.process.wait(60)
        running.close()


def test_from_checkout_to_the_ticket_in_the_profile(shop: Shop) -> None:
    token = shop.sign_up("ada@example.com")
    status, tickets, _ = shop.call("GET", "/events/1/tickets")
    assert status == 200
    available = tickets["tickets"][0]["available"]

    made = shop.check_out(quantity=2, email="ada@example.com", headers=token)
    assert shop.status_of(made["session_id"]) == "pending"
    done = shop.pay(made["session_id"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert wait_until(lambda: shop.status_of(made["session_id"]) == "paid", 30)

    _, profile, _ = shop.call("GET", "/user/tickets", headers=token)
    [order] = [order for order in profile["orders"] if order["id"] == made["order_id"]]
    assert (order["status"], order["quantity"], order["event_name"]) == ("paid", 2, "Salsa Night")
    _, tickets, _ = shop.call("GET", "/events/1/tickets")
    assert tickets["tickets"][0]["available"] == available - 2
    _, others, _ = shop.call("GET", "/user/tickets", headers=shop.sign_up("eve@example.com"))
    assert others["orders"] == []


def test_a_guests_order_is_in_the_profile_of_whoever_logs_in_by_its_address(shop: Shop) -> None:
    user = shop.addresses["user"]
    assert f"{user['email']}, {user['password']}" in shop.running.text()
    made = shop.check_out(email=user["email"].title())
    assert shop.pay(made["session_id"]).returncode == 0
    assert wait_until(lambda: shop.status_of(made["session_id"]) == "paid", 30)
    _, profile, _ = shop.call("GET", "/user/tickets", headers=shop.log_in())
    [order] = [order for order in profile["orders"] if order["id"] == made["order_id"]]
    assert (order["status"], order["cognito_sub"]) == ("paid", None)


def test_a_page_of_the_frontend_may_ask_the_user_pool(shop: Shop) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-amz-target,x-amz-user-agent",
    }
    request = urllib.request.Request(shop.addresses["cognito"]["endpoint_url"], method="OPTIONS", headers=asked)
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.headers["access-control-allow-origin"] in {"*", ORIGIN}
        assert "x-amz-target" in reply.headers["access-control-allow-headers"].lower()


def test_the_api_can_be_read_beside_it(shop: Shop) -> None:
    assert shop.addresses["api_page_url"] in shop.running.text()
    with urllib.request.urlopen(shop.addresses["api_page_url"], timeout=10) as page:
        assert b"swagger-ui" in page.read()


def test_the_page_of_the_stand_in_takes_a_card_and_refuses_another(shop: Shop) -> None:
    made = shop.check_out()
    with urllib.request.urlopen(made["checkout_url"], timeout=10) as page:
        assert b"Salsa Night" in page.read()
    assert shop.pay(made["session_id"], "--card", "4000000000009995").returncode == 1
    assert shop.status_of(made["session_id"]) == "pending"
    assert shop.pay(made["session_id"], "--card", "4242424242424242").returncode == 0
    assert wait_until(lambda: shop.status_of(made["session_id"]) == "paid", 30)


def test_a_double_click_makes_one_order(shop: Shop) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    assert shop.check_out(headers=key) == shop.check_out(headers=key)
    status, reply, _ = shop.call(
        "POST", "/events/1/tickets/1/checkout", body={"email": "other@example.com"}, headers=key
    )
    assert (status, reply["code"]) == (409, "idempotency_conflict")


def test_a_bad_token_makes_no_order(shop: Shop) -> None:
    bad = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."}
    for method, path in (("POST", "/events/1/tickets/1/checkout"), ("GET", "/user/tickets")):
        status, reply, _ = shop.call(method, path, body={"email": "a@example.com"}, headers=bad)
        assert (status, reply["code"]) == (401, "invalid_token")


def test_browsers_may_call_from_the_frontend_only(shop: Shop) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,authorization,idempotency-key",
    }
    status, _, headers = shop.call("OPTIONS", "/events/1/tickets/1/checkout", headers=asked)
    assert status in {200, 204}
    assert headers["access-control-allow-origin"] == ORIGIN
    allowed = {name.strip().lower() for name in headers["access-control-allow-headers"].split(",")}
    assert {"content-type", "authorization", "idempotency-key"} <= allowed
    _, _, headers = shop.call("OPTIONS", "/events/1/tickets/1/checkout", headers=asked, origin="https://evil.example")
    assert "access-control-allow-origin" not in headers


def test_a_signed_webhook_starts_the_same_workflow(shop: Shop) -> None:
    made = shop.check_out()
    event = {
        "id": f"evt_{uuid.uuid4().hex[:16]}",
        "object": "event",
        "api_version": "2026-10-28",
        "created": int(time.time()),
        "livemode": False,
        "type": "checkout.session.completed",
        "data": {
            "object": {
                "id": made["session_id"],
                "object": "checkout.session",
                "amount_total": 2500,
                "currency": "eur",
                "livemode": False,
                "metadata": {"order_id": made["order_id"]},
                "mode": "payment",
                "payment_intent": "pi_webhook",
                "payment_status": "paid",
                "status": "complete",
            }
        },
    }
    body = json.dumps(event)
    signature = stripe.WebhookSignature.generate_signature_header(body, "whsec_local", int(time.time()))
    forged = signature[:-4] + ("0000" if not signature.endswith("0000") else "1111")
    for header, expected in ((forged, 400), (signature, 200)):
        status, reply, _ = shop.call(
            "POST", "/webhooks/stripe", body=body.encode(), headers={"Stripe-Signature": header}, origin=None
        )
        assert status == expected, reply
    assert wait_until(lambda: shop.status_of(made["session_id"]) == "paid", 30)


@pytest.mark.full
def test_with_a_test_key_the_real_stripe_is_used(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No more than its start: here is no network, and no test may need one."""
    running = Running(tmp_path_factory.mktemp("real") / "stack", STRIPE_SECRET_KEY="sk_test_of_nobody")
    try:
        addresses = running.wait_until_up()
        assert addresses["stripe_url"] == "https://api.stripe.com"
        assert not (running.directory / "stripe.sqlite").exists()
    finally:
        running.process.terminate()
        assert running.process.wait(60) == 0
        running.close()


def test_the_operators_page_shows_a_payment_beside_the_api(shop: Shop) -> None:
    made = shop.check_out(email="page@example.com")
    assert shop.pay(made["session_id"]).returncode == 0
    assert wait_until(lambda: shop.status_of(made["session_id"]) == "paid", 30)

    def rows() -> list[dict[str, Any]]:
        status, told, _ = shop.call("GET", "/operations/api/executions", origin=None)
        assert status == 200
        return list(told["rows"])

    wanted = (str(made["order_id"]), "OrderPaid")
    assert wait_until(lambda: wanted in [(row.get("order"), row.get("result")) for row in rows()], 30)
    assert shop.addresses["operations_url"] == f"{shop.addresses['api_url']}/operations/"
    for origin in (ORIGIN, "https://evil.example"):  # also the shop's own frontend has no business there
        assert shop.call("GET", "/operations/api/executions", origin=origin)[0] == 403
    status, listed, _ = shop.call("POST", "/operations/api/orders", body={"limit": 1}, origin=None)
    assert (status, [str(order["id"]) for order in listed["orders"]]) == (200, [made["order_id"]])
