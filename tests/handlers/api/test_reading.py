"""What can be read: an event's tickets, a buyer's orders, the order of a session; and what cannot."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import create_event, create_order, create_ticket, row_of
from tests.handlers.api.conftest import Api
from ticketing.buyers import orders as buyer_orders
from ticketing.database import Database

Token = Callable[..., dict[str, str]]


def test_the_tickets_of_an_event(api: Api, database: Database) -> None:
    event_id = create_event(database)
    first = create_ticket(
        database,
        event_id=event_id,
        name="Standard",
        price=Decimal("20.10"),
        max_quantity=10,
        sold_quantity=3,
        image_url="https://cachao.example/a.png",
        created_at="2026-01-02 03:04:05",
    )
    second = create_ticket(database, event_id=event_id, name="Door", max_quantity=None, is_active=0)
    third = create_ticket(database, event_id=event_id, max_quantity=2, sold_quantity=5)
    create_ticket(database)  # of another event
    create_order(database, ticket_id=first, quantity=2)
    reply = api.call("GET /events/{id}/tickets", {"id": str(event_id)})
    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    assert reply.body["tickets"][-1] == {
        "id": str(first),
        "event_id": str(event_id),
        "name": "Standard",
        "price": 20.1,
        "image_url": "https://cachao.example/a.png",
        "max_quantity": 10,
        "sold_quantity": 3,
        "available": 5,
        "max_per_order": 5,
        "is_active": True,
        "created_at": "2026-01-02T03:04:05Z",
    }
    shown = [(t["id"], t["available"], t["max_per_order"], t["is_active"]) for t in reply.body["tickets"]]
    assert shown == [(str(third), 0, 0, True), (str(second), None, 0, False), (str(first), 5, 5, True)]


def test_what_one_order_may_have(api: Api, database: Database) -> None:
    event_id, over = create_event(database), create_event(database, start_date="2020-01-01 20:00:00")
    create_ticket(database, event_id=event_id, max_quantity=None)
    create_ticket(database, event_id=over, max_quantity=None)
    for event, most in ((event_id, 10), (over, 0)):
        [ticket] = api.call("GET /events/{id}/tickets", {"id": str(event)}).body["tickets"]
        assert ticket["max_per_order"] == most


def test_an_event_without_tickets_and_no_event(api: Api, database: Database) -> None:
    event_id = create_event(database)
    assert api.call("GET /events/{id}/tickets", {"id": str(event_id)}).body == {"success": True, "tickets": []}
    missing = api.call("GET /events/{id}/tickets", {"id": str(event_id + 1000)})
    assert (missing.status, missing.code) == (404, "not_found")


def test_the_order_of_a_session_while_pending_and_when_paid(api: Api, database: Database) -> None:
    order_id = create_order(database, quantity=2, stripe_checkout_session_id="cs_test_Abc")
    order = row_of(database, "ticket_orders", order_id)
    reply = api.call("GET /orders", query={"session_id": "cs_test_Abc"})
    assert reply.body == {
        "success": True,
        "order": {
            "id": str(order_id),
            "status": "pending",
            "event_id": str(order["event_id"]),
            "ticket_id": str(order["ticket_id"]),
            "quantity": 2,
            "total_amount": 40,
            "currency": "eur",
            "paid_at": None,
            "checkout_url": None,  # an order from before this was kept
        },
    }
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = 'paid', paid_at = '2026-01-02 03:04:05.5' WHERE id = %s", order_id)
    order = api.call("GET /orders", query={"session_id": "cs_test_Abc"}).body["order"]
    assert (order["status"], order["paid_at"]) == ("paid", "2026-01-02T03:04:05.500000Z")


@pytest.mark.parametrize(
    "session_id",
    [None, "", "cs_test_abc", "cs_test_Abd", "cs_test_Abc ", "cs_test_Ab_", "%", "cs_' OR '1'='1", "x" * 9000, "cs_é"],
)
def test_a_session_that_nobody_knows(api: Api, database: Database, session_id: str | None) -> None:
    create_order(database, stripe_checkout_session_id="cs_test_Abc")
    create_order(database, stripe_checkout_session_id=None)
    reply = api.call("GET /orders", query=None if session_id is None else {"session_id": session_id})
    assert (reply.status, reply.code) == (404, "not_found")


def ids(api: Api, headers: dict[str, str]) -> list[int]:
    reply = api.call("GET /user/tickets", headers=headers)
    assert reply.status == 200
    assert reply.body["count"] == len(reply.body["orders"])
    return [int(order["id"]) for order in reply.body["orders"]]


def test_a_buyer_sees_the_orders_of_the_account_and_of_the_verified_address(
    api: Api, database: Database, token: Token
) -> None:
    event_id = create_event(database, name="Salsa", start_date="2027-05-01 20:00:00", end_date=None)
    ticket_id = create_ticket(database, event_id=event_id, name="Standard", price=Decimal("20.50"))
    own = create_order(database, ticket_id=ticket_id, cognito_sub="buyer-1", created_at="2026-01-01 00:00:00")
    guest = create_order(database, ticket_id=ticket_id, email="Jo@Example.com", created_at="2026-01-03 00:00:00")
    both = create_order(
        database, ticket_id=ticket_id, cognito_sub="buyer-1", email="JO@example.com", created_at="2026-01-02 00:00:00"
    )
    create_order(database, ticket_id=ticket_id, cognito_sub="buyer-2", email="al@example.com")
    assert ids(api, token(email="jo@EXAMPLE.com", email_verified=True)) == [guest, both, own]
    assert ids(api, token()) == [both, own]
    assert ids(api, token(email="jo@example.com", email_verified=False)) == [both, own]
    assert ids(api, token(email="jo@example.com")) == [both, own]
    assert ids(api, token("buyer-9")) == []
    order = api.call("GET /user/tickets", headers=token()).body["orders"][0]
    assert order["event_name"] == "Salsa"
    # As the live API's other routes give it, which a browser shows as it shows theirs; and as the organiser typed it.
    assert order["event_start_date"] == "2027-05-01T20:00:00.000Z"
    assert order["event_start_local"] == "2027-05-01T20:00:00"
    assert (order["event_end_date"], order["event_end_local"]) == (None, None)
    assert (order["ticket_name"], order["ticket_price"], order["unit_price"]) == ("Standard", 20.5, 20.5)


def test_an_access_token_has_no_address(api: Api, database: Database, token: Token) -> None:
    create_order(database, email="jo@example.com")
    claims = {"token_use": "access", "client_id": "client1", "email": "jo@example.com", "email_verified": True}
    assert ids(api, token(**claims)) == []


@pytest.mark.parametrize(
    "address",
    [
        "jose@example.com",
        "JOSE@example.com",
        "josé@example.com ",
        "ss@example.com",
        "\N{KELVIN SIGN}im@example.com",  # in lower case it is kim
    ],
)
def test_an_address_that_mariadb_takes_for_the_same_is_another_persons(
    api: Api, database: Database, token: Token, address: str
) -> None:
    create_order(database, email="josé@example.com")
    create_order(database, email="ß@example.com")
    create_order(database, email="kim@example.com")
    create_order(database, cognito_sub="BUYER-1", email="x@example.com")
    assert ids(api, token(email=address, email_verified=True)) == []


@pytest.mark.parametrize("address", ["josé@example.com", "JOSÉ@Example.com"])
def test_an_address_with_other_letters_than_asciis_is_found(
    api: Api, database: Database, token: Token, address: str
) -> None:
    order_id = create_order(database, email="José@example.com")
    assert ids(api, token(email=address, email_verified=True)) == [order_id]


@pytest.mark.parametrize("kept", ["jo@m\u00fcller.example", "Jo@xn--mller-kva.example", "jo@M\u00dcLLER.example"])
@pytest.mark.parametrize("verified", ["jo@m\u00fcller.example", "jo@XN--mller-kva.example"])
def test_an_address_whose_domain_is_written_in_two_ways_is_one(
    api: Api, database: Database, token: Token, kept: str, verified: str
) -> None:
    order_id = create_order(database, email=kept)
    create_order(database, email="jo@muller.example")
    assert ids(api, token(email=verified, email_verified=True)) == [order_id]


def test_an_event_whose_dates_are_days_or_nothing(api: Api, database: Database, token: Token) -> None:
    with database.transaction() as tx:
        tx.change("SET SESSION sql_mode = ''")  # a zero date is as old as such a table
    event_id = create_event(database, start_date="0000-00-00 00:00:00", end_date="2027-05-01")
    create_order(database, ticket_id=create_ticket(database, event_id=event_id), cognito_sub="buyer-1")
    [order] = api.call("GET /user/tickets", headers=token()).body["orders"]
    assert (order["event_start_date"], order["event_start_local"]) == (None, None)
    assert (order["event_end_date"], order["event_end_local"]) == ("2027-05-01T00:00:00.000Z", "2027-05-01T00:00:00")


def test_the_page_of_an_order_while_it_waits_for_its_payment(api: Api, database: Database) -> None:
    ticket = row_of(database, "tickets", create_ticket(database))
    made = api.checkout(ticket["event_id"], ticket["id"]).body
    asked = {"session_id": made["session_id"]}
    assert api.call("GET /orders", query=asked).body["order"]["checkout_url"] == made["checkout_url"]
    for status in ("processing", "paid", "expired", "failed", "cancelled", "refunded"):
        with database.transaction() as tx:
            tx.change("UPDATE ticket_orders SET status = %s", status)
        assert api.call("GET /orders", query=asked).body["order"]["checkout_url"] is None


def test_a_ticket_keeps_its_name_when_its_row_is_deleted(api: Api, database: Database, token: Token) -> None:
    event_id = create_event(database, name="Salsa \U0001f389")
    ticket_id = create_ticket(database, event_id=event_id, name="Standard")
    assert api.checkout(event_id, ticket_id, headers=token()).status == 200
    with database.transaction() as tx:
        tx.change("UPDATE tickets SET name = 'Standing'")
    [order] = api.call("GET /user/tickets", headers=token()).body["orders"]
    assert order["ticket_name"] == "Standing"  # as it is called today, while it is there
    with database.transaction() as tx:
        tx.change("DELETE FROM tickets")
        tx.change("DELETE FROM events")
    [order] = api.call("GET /user/tickets", headers=token()).body["orders"]
    assert (order["ticket_name"], order["event_name"]) == ("Standard", "Salsa \U0001f389")
    assert not {"bought_ticket", "bought_event"} & set(order)


def test_an_order_whose_event_is_gone_is_still_the_buyers(api: Api, database: Database, token: Token) -> None:
    order_id = create_order(database, cognito_sub="buyer-1")
    with database.transaction() as tx:
        tx.change("DELETE FROM tickets")
        tx.change("DELETE FROM events")
    [order] = api.call("GET /user/tickets", headers=token()).body["orders"]
    assert (order["id"], order["event_name"], order["ticket_price"]) == (str(order_id), None, None)


def test_orders_that_somebody_else_left_unpaid_push_nothing_of_the_buyers_out(
    api: Api, database: Database, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buyer_orders, "_MOST_BY_EMAIL", 4)
    ticket_id = create_ticket(database, max_quantity=None)
    mine: dict[str, Any] = {"ticket_id": ticket_id, "email": "jo@example.com", "created_at": "2026-01-01 00:00:00"}
    paid = create_order(database, **mine, status="paid")
    under_way = create_order(database, **mine, status="processing")
    own_waiting = create_order(database, **mine, cognito_sub="buyer-1")
    own_lapsed = create_order(database, **mine, cognito_sub="buyer-1", status="expired")
    for status in ("pending", "pending", "pending", "expired", "failed", "expired", "failed"):
        create_order(database, ticket_id=ticket_id, email="jo@example.com", status=status)
    shown = ids(api, token(email="jo@example.com", email_verified=True))
    assert {paid, under_way, own_waiting, own_lapsed} < set(shown)
    others = set(shown) - {paid, under_way, own_waiting, own_lapsed}
    assert len(others) == 2
    assert {row_of(database, "ticket_orders", order)["status"] for order in others} == {"pending"}


def test_an_accounts_own_orders_are_bounded_too(
    api: Api, database: Database, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buyer_orders, "_MOST_OWN", 2)
    paid = create_order(database, cognito_sub="buyer-1", status="paid", created_at="2026-01-01 00:00:00")
    for _ in range(3):
        create_order(database, cognito_sub="buyer-1")
    shown = ids(api, token())
    assert len(shown) == 2
    assert shown[-1] == paid


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": ""}, {"authorization": "Bearer x"}, {"Authorization": "Basic x"}]
)
def test_orders_need_a_good_token(api: Api, headers: dict[str, str]) -> None:
    reply = api.call("GET /user/tickets", headers=headers)
    assert (reply.status, reply.code) == (401, "invalid_token")
