"""Checkout Sessions by the real `stripe` package."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stripe
from stripe._api_version import _ApiVersion

from local.stripe_stand_in import SessionSeed, StripeStandIn
from local.stripe_stand_in.context import API_VERSION
from tests.local.stripe_stand_in.support import Bus, Clock, client_of, headers_of

Make = Callable[..., Any]


def test_the_api_version_is_the_one_of_the_installed_package() -> None:
    assert _ApiVersion.CURRENT == API_VERSION


def test_a_new_session_is_open_and_has_what_was_asked_for(client: stripe.StripeClient, new_session: Make) -> None:
    session = new_session()

    assert re.fullmatch(r"cs_test_a1\w{56}", session.id)
    assert (session.status, session.payment_status, session.mode) == ("open", "unpaid", "payment")
    assert (session.amount_subtotal, session.amount_total, session.currency) == (3000, 3000, "eur")
    assert session.to_dict()["metadata"] == {"order_id": "17", "event_id": "3", "ticket_id": "5"}
    assert session.payment_intent is None
    assert session.url.endswith(f"/c/pay/{session.id}")
    assert session.last_response.headers["Request-Id"].startswith("req_")
    assert session.last_response.headers["Stripe-Version"] == API_VERSION
    again = client.v1.checkout.sessions.retrieve(session.id)
    assert again.to_dict() == session.to_dict()


def test_line_items_come_when_asked_for(client: stripe.StripeClient, new_session: Make) -> None:
    session = new_session(expand=["line_items"])

    assert session.line_items.data[0].amount_total == 3000
    items = client.v1.checkout.sessions.line_items.list(session.id)
    assert [(item.quantity, item.amount_total) for item in items.data] == [(2, 3000)]


def test_a_paid_session_expands_to_its_payment_and_charge(
    stand_in: StripeStandIn,
    client: stripe.StripeClient,
    new_session: Make,
) -> None:
    session = new_session(payment_intent_data={"metadata": {"order_id": "of the payment"}})
    stand_in.pay(session.id)

    paid = client.v1.checkout.sessions.retrieve(
        session.id,
        {"expand": ["payment_intent.latest_charge", "line_items"]},
    ).to_dict()

    assert (paid["status"], paid["payment_status"], paid["url"]) == ("complete", "paid", None)
    intent = paid["payment_intent"]
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 3000)
    # The session's own metadata does not reach the payment.
    assert intent["metadata"] == intent["latest_charge"]["metadata"] == {"order_id": "of the payment"}
    assert intent["latest_charge"]["paid"] is True
    charge = client.v1.charges.retrieve(intent["latest_charge"]["id"], {"expand": ["payment_intent"]}).to_dict()
    assert charge["payment_intent"]["id"] == intent["id"]
    found = client.v1.checkout.sessions.list({"payment_intent": intent["id"]})
    assert [item.id for item in found.data] == [session.id]


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"metdata": {"a": "b"}}, "parameter_unknown", "metdata"),
        ({"payment_intent_data": {"metdata": {"a": "b"}}}, "parameter_unknown", "payment_intent_data[metdata]"),
        ({"automatic_tax": {"enabled": True}}, "not_imitated_by_the_stand_in", "automatic_tax"),
        ({"mode": "subscription"}, "not_imitated_by_the_stand_in", "mode"),
        ({"mode": "pay"}, None, "mode"),
        ({"line_items": None}, "parameter_missing", "line_items"),
        ({"success_url": None}, "parameter_missing", "success_url"),
        ({"success_url": ""}, "parameter_invalid_empty", "success_url"),
        ({"success_url": "shop.example.com"}, "url_invalid", "success_url"),
        ({"cancel_url": "https://shop.example.com/\r\nSet-Cookie: a=b"}, "url_invalid", "cancel_url"),
        ({"customer_email": "ana(at)example.com"}, "email_invalid", "customer_email"),
        ({"customer_email": ""}, "parameter_invalid_empty", "customer_email"),
        ({"unit_amount": "15.00"}, "parameter_invalid_integer", "line_items[0][price_data][unit_amount]"),
        ({"unit_amount": -1}, "parameter_invalid_integer", "line_items[0][price_data][unit_amount]"),
        ({"quantity": 0}, "parameter_invalid_integer", "line_items[0][quantity]"),
        ({"unit_amount": 49, "quantity": 1}, "amount_too_small", None),
        ({"unit_amount": 49, "quantity": 1, "currency": "jpy"}, "amount_too_small", None),
        ({"unit_amount": 100_000_000, "quantity": 1}, "amount_too_large", None),
        ({"currency": "xyz"}, None, "line_items[0][price_data][currency]"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata"),
        ({"metadata": {f"k{number}": "v" for number in range(51)}}, None, "metadata"),
        ({"client_reference_id": "r" * 201}, "parameter_invalid_string_length", "client_reference_id"),
        (
            {"allowed_payment_method_types": ["card", "paypal"]},
            "not_imitated_by_the_stand_in",
            "allowed_payment_method_types",
        ),
        ({"payment_method_types": ["card"]}, "parameter_unknown", "payment_method_types"),
        ({"excluded_payment_method_types": ["sepa"]}, None, "excluded_payment_method_types[0]"),
        ({"locale": "klingon"}, None, "locale"),
        ({"expand": ["customer"]}, None, "expand"),
        ({"line_items": [{"quantity": 1}]}, "parameter_missing", "line_items[0][price_data]"),
    ],
)
def test_parameters_are_checked(
    new_session: Make, changes: dict[str, Any], code: str | None, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        new_session(**changes)

    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, code, param)
    assert caught.value.user_message
    assert caught.value.request_id is not None


@pytest.mark.parametrize(
    ("seconds", "accepted"),
    [(1700, False), (1799, True), (1800, True), (86_400, True), (86_500, False)],
)
def test_a_session_lives_from_30_minutes_to_24_hours(
    clock: Clock,
    new_session: Make,
    seconds: int,
    accepted: bool,
) -> None:
    if accepted:
        assert new_session(expires_at=int(clock()) + seconds).status == "open"
        return
    with pytest.raises(stripe.InvalidRequestError, match="expires_at") as caught:
        new_session(expires_at=int(clock()) + seconds)
    assert caught.value.param == "expires_at"


def test_the_default_expiry_is_24_hours(new_session: Make) -> None:
    session = new_session(expires_at=None)
    assert session.expires_at - session.created == 86_400


def test_an_unknown_session_is_missing(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=r"No such checkout\.session") as caught:
        client.v1.checkout.sessions.retrieve("cs_test_nobody")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_an_unknown_address_is_said_to_be_unknown(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as caught:
        client.v1.customers.list()
    assert caught.value.http_status == 404


def test_expiring_works_once_and_tells(
    stand_in: StripeStandIn,
    bus: Bus,
    client: stripe.StripeClient,
    new_session: Make,
) -> None:
    session = new_session()
    expired = client.v1.checkout.sessions.expire(session.id)

    assert (expired.status, expired.url) == ("expired", None)
    with pytest.raises(stripe.InvalidRequestError, match="status of `expired`"):
        client.v1.checkout.sessions.expire(session.id)
    assert stand_in.wait_until_delivered()
    assert bus.types == ["checkout.session.expired"]
    assert bus.envelopes[0]["detail"]["request"]["id"] == headers_of(expired)["Request-Id"]
    assert stand_in.pay(session.id).outcome == "expired"


def test_a_paid_session_cannot_be_expired(
    stand_in: StripeStandIn, client: stripe.StripeClient, new_session: Make
) -> None:
    session = new_session()
    stand_in.pay(session.id)
    with pytest.raises(stripe.InvalidRequestError, match="status of `complete`"):
        client.v1.checkout.sessions.expire(session.id)


def test_a_session_expires_by_itself(
    stand_in: StripeStandIn,
    bus: Bus,
    clock: Clock,
    client: stripe.StripeClient,
    new_session: Make,
) -> None:
    session = new_session()
    declined = stand_in.pay(session.id, "4000000000009995")
    clock.advance(1801)

    deadline = time.monotonic() + 3
    while client.v1.checkout.sessions.retrieve(session.id).status == "open" and time.monotonic() < deadline:
        time.sleep(0.05)

    assert stand_in.wait_until_delivered()
    assert bus.types == ["checkout.session.expired"]
    assert declined.payment_intent is not None
    assert client.v1.payment_intents.retrieve(declined.payment_intent).status == "canceled"


def test_a_session_past_its_time_cannot_be_paid_even_before_it_is_swept(clock: Clock, bus: Bus) -> None:
    stand_in = StripeStandIn(bus, clock=clock)  # not started: nothing expires by itself
    session_id = stand_in.seed_session(SessionSeed(3000, status="open"))
    clock.advance(1801)

    assert stand_in.pay(session_id).outcome == "expired"
    assert stand_in.run_due() == 0


def test_lists_page_through_everything_in_both_directions(stand_in: StripeStandIn, client: stripe.StripeClient) -> None:
    now = int(time.time())
    seeds = [SessionSeed(3000, created=now - 1000 + number // 2) for number in range(25)]
    oldest_first = stand_in.seed_sessions(seeds)
    sessions = client.v1.checkout.sessions

    everything = [item.id for item in sessions.list({"limit": 10}).auto_paging_iter()]
    assert everything == oldest_first[::-1]
    page = sessions.list({"limit": 5, "ending_before": everything[10]})
    assert ([item.id for item in page.data], page.has_more) == (everything[5:10], True)
    assert [item.id for item in page.auto_paging_iter()] == everything[:10][::-1]
    recent = sessions.list({"created": {"gte": now - 990, "lt": now - 989}})
    assert {item.created for item in recent.data} == {now - 990}


def test_lists_filter_by_status(stand_in: StripeStandIn, client: stripe.StripeClient) -> None:
    for status in ("open", "complete", "expired"):
        stand_in.seed_session(SessionSeed(3000, status=status))
    found = client.v1.checkout.sessions.list({"status": "complete", "expand": ["data.payment_intent"]})
    assert [(item.status, item.payment_status) for item in found.data] == [("complete", "paid")]
    intent = found.to_dict()["data"][0]["payment_intent"]
    assert intent["amount_received"] == 3000


@pytest.mark.parametrize(
    "wrong",
    [{"limit": 101}, {"limit": 0}, {"status": "paid"}, {"starting_after": "cs_test_nobody"}, {"customer_email": "a"}],
)
def test_lists_check_their_parameters(client: stripe.StripeClient, wrong: dict[str, Any]) -> None:
    parameters: Any = wrong
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.list(parameters)


def test_everything_is_still_there_after_a_restart(tmp_path: Path, parameters: Make) -> None:
    path = tmp_path / "folder" / "stripe.sqlite"
    sent = parameters()
    with StripeStandIn(path=path) as first:
        session = client_of(first).v1.checkout.sessions.create(sent, {"idempotency_key": "once"})
    bus = Bus()
    with StripeStandIn(bus, path=path) as second:
        again = client_of(second).v1.checkout.sessions.create(sent, {"idempotency_key": "once"})
        assert again.id == session.id
        second.pay(session.id)
        assert second.wait_until_delivered()
    assert bus.types == ["checkout.session.completed"]


def test_thousands_of_sessions_are_there_in_seconds(stand_in: StripeStandIn, client: stripe.StripeClient) -> None:
    started = time.process_time()
    stand_in.seed_sessions(SessionSeed(3000, metadata={"order_id": str(number)}) for number in range(2_000))
    assert time.process_time() - started < 2
    page = client.v1.checkout.sessions.list({"limit": 3}).to_dict()
    assert page["has_more"]
    assert json.dumps(page)
