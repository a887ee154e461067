"""Checkout Sessions as the shop opens, reads, lists and ends them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import stripe

from tests.contract.conftest import Account, refused
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.open_session import SessionRequest, StripeCheckoutSessions
from ticketing.stripe.sessions import StripeSessions

Open = Callable[..., str]


def request(**changes: Any) -> SessionRequest:
    """What the shop's checkout asks for."""
    metadata = {"order_id": "17", "event_id": "3", "ticket_id": "5", "order_mark": uuid.uuid4().hex}
    given = SessionRequest(
        reference="17",
        metadata=metadata,
        product_name="Balcony <b>left</b> - Salsa & Son",
        quantity=2,
        unit_minor=1500,
        currency="eur",
        email="ana@example.com",
        expires_at=int(time.time()) + 35 * 60,
        is_urgent=False,
        success_url="https://shop.example.com/events/3?payment=success&session_id={CHECKOUT_SESSION_ID}",
        cancel_url="https://shop.example.com/events/3?payment=cancelled",
    )
    return msgspec.structs.replace(given, **changes)


@pytest.fixture
def opened(account: Account) -> Iterator[Open]:
    """Open a session as the shop does; what is open at the end is ended."""
    made: list[str] = []

    def open_one(given: SessionRequest | None = None) -> str:
        made.append(
            StripeCheckoutSessions(account.client, StripeSessions(account.client)).open(given or request()).session_id
        )
        return made[-1]

    yield open_one
    for session_id in set(made):
        StripeSessions(account.client).expire(session_id)


def test_a_session_is_as_it_was_asked_for(client: stripe.StripeClient, opened: Open) -> None:
    given = request()
    session = client.v1.checkout.sessions.retrieve(opened(given)).to_dict(for_json=True)
    assert len(session["id"]) <= 255
    assert (session["object"], session["mode"]) == ("checkout.session", "payment")
    assert (session["status"], session["payment_status"]) == ("open", "unpaid")
    assert (session["amount_total"], session["currency"]) == (3000, "eur")
    assert session["metadata"] == given.metadata
    assert session["client_reference_id"] == "17"
    assert session["expires_at"] == given.expires_at
    assert session["livemode"] is False
    # Since 2022: the PaymentIntent is made when somebody pays.
    assert session["payment_intent"] is None
    assert session["url"].startswith("http")


def test_an_urgent_one_excludes_methods_that_take_days(opened: Open) -> None:
    assert opened(request(is_urgent=True)).startswith("cs_test_")


def test_the_same_request_gives_the_same_session(opened: Open) -> None:
    given = request()
    assert opened(given) == opened(given)


def test_another_body_under_the_same_key_is_refused(client: stripe.StripeClient) -> None:
    key = f"contract-{uuid.uuid4()}"
    item: Any = {"quantity": 1, "price_data": {"currency": "eur", "unit_amount": 1500, "product_data": {"name": "A"}}}
    params: Any = {"mode": "payment", "line_items": [item], "success_url": "https://shop.example.com"}
    first = client.v1.checkout.sessions.create(params, {"idempotency_key": key})
    other: Any = {**params, "client_reference_id": "2"}
    error = refused(lambda: client.v1.checkout.sessions.create(other, {"idempotency_key": key}))
    assert isinstance(error, stripe.IdempotencyError)
    client.v1.checkout.sessions.expire(first.id)


def test_too_small_an_amount_has_a_code_of_its_own(opened: Open) -> None:
    with pytest.raises(StripeRefused) as caught:
        opened(request(unit_minor=10, quantity=1))
    assert (caught.value.code, caught.value.http_status) == ("amount_too_small", 400)


def test_too_short_a_time_is_refused_by_its_parameter(opened: Open) -> None:
    with pytest.raises(StripeRefused) as caught:
        opened(request(expires_at=int(time.time()) + 60))
    assert (caught.value.parameter, caught.value.http_status) == ("expires_at", 400)


def test_a_parameter_that_nobody_knows_is_refused_by_name(client: stripe.StripeClient) -> None:
    params: Any = {"mode": "payment", "colour": "red"}
    error = refused(lambda: client.v1.checkout.sessions.create(params))
    assert isinstance(error, stripe.InvalidRequestError)
    assert (error.code, error.param) == ("parameter_unknown", "colour")


def test_ending_a_session_twice_ends_it_once(client: stripe.StripeClient, opened: Open) -> None:
    session_id = opened()
    assert StripeSessions(client).expire(session_id) is True
    assert client.v1.checkout.sessions.retrieve(session_id).status == "expired"
    error = refused(lambda: client.v1.checkout.sessions.expire(session_id))
    assert error.http_status == 400
    assert StripeSessions(client).expire(session_id) is False


def test_a_session_that_is_not_there_is_none(client: stripe.StripeClient) -> None:
    error = refused(lambda: client.v1.checkout.sessions.retrieve("cs_test_a1nobody"))
    assert (error.http_status, error.code) == (404, "resource_missing")
    assert StripeSessions(client).retrieve("cs_test_a1nobody") is None


def test_the_list_goes_by_time_and_status(client: stripe.StripeClient, opened: Open) -> None:
    begin = int(time.time()) - 60
    open_one, ended = opened(), opened()
    client.v1.checkout.sessions.expire(ended)
    sessions = StripeSessions(client)
    for status, wanted, other in (("open", open_one, ended), ("expired", ended, open_one)):
        page, _ = sessions.page(created_from=begin, created_until=int(time.time()) + 60, status=status)  # type: ignore[arg-type]
        listed = {session["id"] for session in page}
        assert wanted in listed, status
        assert other not in listed, status
    page, more = sessions.page(created_from=begin + 86400, created_until=begin + 90000)
    assert (page, more) == ([], False)


def test_the_end_of_a_session_is_an_event(
    client: stripe.StripeClient, opened: Open, eventually: Callable[..., Any]
) -> None:
    session_id = opened()
    client.v1.checkout.sessions.expire(session_id)

    def event() -> Any:
        page = client.v1.events.list({"type": "checkout.session.expired", "limit": 20})
        return next((found for found in page.data if found.data.object["id"] == session_id), None)

    found = eventually(event)
    assert (found.object, found.livemode) == ("event", False)
    assert found.data.object["status"] == "expired"
    assert found.to_dict().get("account") is None
    assert client.v1.events.retrieve(found.id).type == "checkout.session.expired"
