"""Coming back: the same wish gets the same checkout, another one ends it, and what one client holds is bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.stripe_stand_in import StripeStandIn
from tests.conftest import Connect
from tests.factories import create_code, create_ticket, row_of
from tests.handlers.api.conftest import Api, Reply, forget
from tests.handlers.api.test_concurrent_checkouts import at_once, buy
from ticketing.checkout.openers import Client
from ticketing.database import Database

BROWSER = {"user-agent": "Firefox"}
HERE, ELSEWHERE = "203.0.113.7", "198.51.100.9"
Token = Callable[..., dict[str, str]]


class Shop:
    """One ticket, and buyers who ask for it."""

    def __init__(self, api: Api, database: Database) -> None:
        self.database = database
        self._api = api
        self.ticket_id = create_ticket(database, max_quantity=100)
        self.event_id = row_of(database, "tickets", self.ticket_id)["event_id"]
        create_code(database, event_id=self.event_id, code="TEN", max_uses=100)

    def guest(self, *, source_ip: str = HERE, headers: dict[str, str] = BROWSER, **body: Any) -> Reply:
        return self._api.checkout(
            self.event_id, self.ticket_id, headers=headers, source_ip=source_ip, **{"quantity": 2, **body}
        )

    @property
    def held(self) -> int:
        return int(row_of(self.database, "tickets", self.ticket_id)["held_quantity"])

    def status_of(self, reply: Reply) -> str:
        return str(row_of(self.database, "ticket_orders", int(reply.body["order_id"]))["status"])


@pytest.fixture
def shop(api: Api, database: Database) -> Shop:
    return Shop(api, database)


def test_the_same_wish_gets_the_same_page(shop: Shop) -> None:
    first, again = shop.guest(discount_code="ten"), shop.guest(discount_code=" TEN")
    assert (first.status, again.body, shop.held) == (200, first.body, 2)


def test_an_account_is_known_from_anywhere(shop: Shop, token: Token) -> None:
    first = shop.guest(headers=token())
    again = shop.guest(headers=token() | {"user-agent": "Safari"}, source_ip=ELSEWHERE)
    assert (again.body, shop.held) == (first.body, 2)


@pytest.mark.parametrize(
    "other",
    [{"source_ip": ELSEWHERE}, {"headers": {"user-agent": "Chrome"}}, {"email": "ann@example.com"}],
    ids=["network", "browser", "address"],
)
def test_who_merely_knows_an_address_sees_and_ends_nothing(shop: Shop, other: dict[str, Any]) -> None:
    first = shop.guest()
    for quantity in (2, 3):
        stranger = shop.guest(quantity=quantity, **other)
        assert stranger.status == 200
        assert stranger.body["checkout_url"] != first.body["checkout_url"]
    assert shop.status_of(first) == "pending"


def test_an_account_of_another_is_another_buyer(shop: Shop, token: Token) -> None:
    first = shop.guest(headers=token())
    assert shop.guest(headers=token("buyer-2")).body["order_id"] != first.body["order_id"]
    assert shop.guest().body["order_id"] != first.body["order_id"]
    assert shop.status_of(first) == "pending"


@pytest.mark.parametrize("change", [{"quantity": 3}, {"discount_code": "TEN"}], ids=["quantity", "code"])
@pytest.mark.parametrize("logged_in", [False, True], ids=["guest", "account"])
def test_another_wish_ends_the_earlier_checkout_first(
    shop: Shop, stripe: StripeStandIn, token: Token, change: dict[str, Any], *, logged_in: bool
) -> None:
    headers = token() if logged_in else BROWSER
    first = shop.guest(headers=headers)
    second = shop.guest(headers=headers, **change)
    assert second.body["order_id"] != first.body["order_id"]
    assert (shop.status_of(first), shop.held) == ("expired", change.get("quantity", 2))
    assert stripe.session(first.body["session_id"])["status"] == "expired"


def test_a_paid_checkout_is_no_earlier_one(shop: Shop, stripe: StripeStandIn) -> None:
    first = shop.guest()
    stripe.pay(first.body["session_id"])
    with shop.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = 'paid' WHERE id = %s", int(first.body["order_id"]))
    assert shop.guest().body["order_id"] != first.body["order_id"]
    assert shop.status_of(first) == "paid"


def test_a_guest_is_forgotten_after_ten_minutes(shop: Shop) -> None:
    first = shop.guest()
    with shop.database.transaction() as tx:
        tx.change("UPDATE order_checkouts SET placed_at = placed_at - INTERVAL 601 SECOND")
    assert shop.guest().body["order_id"] != first.body["order_id"]
    assert shop.status_of(first) == "pending"


@pytest.mark.parametrize("known", [True, False], ids=["one buyer", "control: five buyers"])
def test_clicks_at_once_make_one_order(connect: Connect, database: Database, *, known: bool) -> None:
    ticket_id = create_ticket(database, max_quantity=100)
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    client = Client(network=HERE, user_agent="Firefox")

    def click(own: Database, number: int) -> str:
        email = "jo@example.com" if known else f"jo{number}@example.com"
        return buy(own, ticket_id, event_id, quantity=2, email=email, client=client)

    assert at_once(5, connect, click) == {"ordered": 5}
    orders = 1 if known else 5
    assert row_of(database, "tickets", ticket_id)["held_quantity"] == 2 * orders
    with database.transaction() as tx:
        assert len(tx.all("SELECT id FROM ticket_orders")) == orders


def test_what_one_client_holds_is_bounded(shop: Shop, token: Token) -> None:
    replies = [shop.guest(email=f"bot{number}@example.com", quantity=10) for number in range(5)]
    assert [reply.status for reply in replies[:4]] == [200] * 4
    assert replies[4].code == "too_many_held"
    assert shop.held == 40
    # Nobody else meets it.
    assert shop.guest(source_ip=ELSEWHERE).status == 200
    assert shop.guest(headers=token()).status == 200


def test_a_seat_whose_hold_ended_is_sold_at_once(
    api: Api, database: Database, stripe: StripeStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLD_SECONDS", "300")
    forget()
    ticket_id = create_ticket(database, max_quantity=2)
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    first = api.checkout(event_id, ticket_id, quantity=2)
    assert (first.status, api.checkout(event_id, ticket_id, email="ann@example.com").code) == (200, "held")
    order_id = int(first.body["order_id"])
    with database.transaction() as tx:
        left = tx.one(
            "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), hold_expires_at) AS s FROM ticket_orders WHERE id = %s",
            order_id,
        )
        assert left is not None
        assert 290 <= left["s"] <= 300
        tx.change("UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) WHERE id = %s", order_id)
    assert api.checkout(event_id, ticket_id, email="ann@example.com").status == 200
    assert stripe.session(first.body["session_id"])["status"] == "expired"
    assert row_of(database, "ticket_orders", order_id)["status"] == "expired"


def test_who_pays_while_his_hold_ends_keeps_his_seats(api: Api, database: Database, stripe: StripeStandIn) -> None:
    ticket_id = create_ticket(database, max_quantity=2)
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    first = api.checkout(event_id, ticket_id, quantity=2)
    stripe.pay(first.body["session_id"])
    with database.transaction() as tx:
        tx.change(
            "UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) WHERE id = %s", int(first.body["order_id"])
        )
    assert api.checkout(event_id, ticket_id, email="ann@example.com").code == "held"
    assert row_of(database, "tickets", ticket_id)["held_quantity"] == 2
