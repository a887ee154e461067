"""Leaving gives back: Stripe's back link ends the checkout and sends the browser to the shop, whatever happens."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from handlers.api import cancel_checkout
from local.stripe_stand_in import StripeStandIn
from tests.factories import create_code, create_ticket, row_of
from tests.handlers.api.conftest import Api, Reply
from ticketing.database import Database, Row
from ticketing.errors import DatabaseUnavailable
from ticketing.stripe import client as stripe_client

CANCEL = "GET /checkout/cancel"
SHOP = "https://www.cachao.example"


class Checkout:
    """A checkout that a buyer is on Stripe's page of."""

    def __init__(self, api: Api, database: Database, stripe: StripeStandIn, **body: Any) -> None:
        self._api, self._database = api, database
        self.ticket_id = create_ticket(database, max_quantity=5)
        self.event_id = row_of(database, "tickets", self.ticket_id)["event_id"]
        create_code(database, event_id=self.event_id, code="ONCE", max_uses=1)
        reply = api.checkout(
            self.event_id, self.ticket_id, quantity=5, headers={"origin": SHOP}, discount_code="once", **body
        )
        assert reply.status == 200
        self.order_id = int(reply.body["order_id"])
        self.session_id = str(reply.body["session_id"])
        self.link = dict(parse_qsl(urlsplit(str(stripe.session(self.session_id)["cancel_url"])).query))

    def leave(self, **changes: str) -> Reply:
        return self._api.call(CANCEL, query=self.link | changes)

    @property
    def order(self) -> Row:
        return row_of(self._database, "ticket_orders", self.order_id)

    @property
    def held(self) -> tuple[int, int]:
        with self._database.transaction() as tx:
            code = tx.one("SELECT held_count FROM discount_codes")
        assert code is not None
        return int(row_of(self._database, "tickets", self.ticket_id)["held_quantity"]), int(code["held_count"])


@pytest.fixture
def checkout(api: Api, database: Database, stripe: StripeStandIn) -> Checkout:
    return Checkout(api, database, stripe)


def test_who_leaves_gives_seats_and_code_back_at_once(
    checkout: Checkout, api: Api, database: Database, stripe: StripeStandIn
) -> None:
    assert checkout.held == (5, 1)
    assert api.checkout(checkout.event_id, checkout.ticket_id).code == "held"
    reply = checkout.leave()
    assert (reply.status, reply.headers["location"]) == (303, f"{SHOP}/events/{checkout.event_id}?payment=cancelled")
    assert (reply.headers["cache-control"], reply.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert stripe.session(checkout.session_id)["status"] == "expired"
    assert (checkout.order["status"], checkout.held) == ("expired", (0, 0))
    # and once: the link is of no use any more
    assert api.checkout(checkout.event_id, checkout.ticket_id, quantity=5).status == 200
    assert checkout.leave().headers["location"] == reply.headers["location"]
    assert checkout.held[0] == 5


def test_only_a_digest_of_the_token_is_kept(checkout: Checkout, database: Database) -> None:
    token = checkout.link["token"]
    assert len(token) == 43
    with database.transaction() as tx:
        everything = [tx.all(f"SELECT * FROM {table}") for table in ("ticket_orders", "order_checkouts")]
    assert token not in str(everything)


def test_the_token_is_in_no_log(checkout: Checkout, logged: io.StringIO) -> None:
    checkout.leave()
    assert "replied" in logged.getvalue()
    assert checkout.link["token"] not in logged.getvalue()


@pytest.mark.parametrize("card", ["4242424242424242", None], ids=["paid", "debit under way"])
def test_who_paid_meanwhile_is_told_so(
    checkout: Checkout, database: Database, stripe: StripeStandIn, card: str | None
) -> None:
    if card is None:
        with database.transaction() as tx:
            tx.change("UPDATE ticket_orders SET status = 'processing' WHERE id = %s", checkout.order_id)
    else:
        stripe.pay(checkout.session_id, card=card)
    location = checkout.leave().headers["location"]
    page = f"{SHOP}/events/{checkout.event_id}"
    assert location == f"{page}?payment=success&session_id={checkout.session_id}"
    assert checkout.held == (5, 1)
    assert checkout.order["status"] in {"pending", "processing"}


def test_a_session_that_expired_meanwhile(checkout: Checkout, stripe: StripeStandIn) -> None:
    client = stripe_client.client("sk_test_of_the_tests", api_base=stripe.url)
    client.v1.checkout.sessions.expire(checkout.session_id)
    assert checkout.leave().headers["location"].endswith("?payment=cancelled")
    assert checkout.held == (0, 0)  # although its event has not come


@pytest.mark.parametrize("token", ["", "x", "é" * 50, "' OR 1=1 --", "x" * 5000])
def test_a_token_that_nobody_knows(checkout: Checkout, token: str) -> None:
    reply = checkout.leave(token=token)
    assert (reply.status, reply.headers["location"]) == (303, f"{SHOP}/events/{checkout.event_id}?payment=cancelled")
    assert checkout.held == (5, 1)


def test_the_token_of_another_order_ends_that_one_only(
    checkout: Checkout, api: Api, database: Database, stripe: StripeStandIn
) -> None:
    other = api.checkout(*_another(database))
    checkout.leave()
    assert row_of(database, "ticket_orders", int(other.body["order_id"]))["status"] == "pending"


def _another(database: Database) -> tuple[int, int]:
    ticket_id = create_ticket(database)
    return row_of(database, "tickets", ticket_id)["event_id"], ticket_id


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "//evil.example", "javascript:alert(1)", "https://www.cachao.example.evil.example", ""],
)
def test_it_leads_to_the_shop_only(checkout: Checkout, origin: str) -> None:
    assert checkout.leave(origin=origin).headers["location"].startswith("https://cachao.example/events/")


@pytest.mark.parametrize("event", ["", "../x", "1/../../evil", "1?payment=success", "1\r\nSet-Cookie: a=b", "@evil"])
def test_an_event_that_cannot_be_one_leads_to_the_shops_first_page(checkout: Checkout, event: str) -> None:
    assert checkout.leave(token="x", event=event).headers["location"] == f"{SHOP}/?payment=cancelled"


def test_a_link_without_anything(api: Api) -> None:
    reply = api.call(CANCEL)
    assert (reply.status, reply.headers["location"]) == (303, "https://cachao.example/?payment=cancelled")


def test_while_stripe_is_away_the_hold_is_over_all_the_same(
    checkout: Checkout, api: Api, stripe: StripeStandIn
) -> None:
    stripe.fail_next(10, status=500)
    assert checkout.leave().headers["location"].endswith("?payment=cancelled")
    assert (checkout.order["status"], checkout.held) == ("pending", (5, 1))
    stripe.clear_faults()
    # the schedule ends it, or whoever wants the seats
    assert api.checkout(checkout.event_id, checkout.ticket_id, quantity=5).status == 200
    assert stripe.session(checkout.session_id)["status"] == "expired"
    assert checkout.order["status"] == "expired"


def test_while_the_database_is_away_the_browser_gets_back_to_the_shop(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(cancel_checkout, "database", Database(away))  # type: ignore[arg-type]
    location = checkout.leave().headers["location"]
    assert location == f"{SHOP}/events/{checkout.event_id}?payment=cancelled"


@pytest.mark.parametrize("error", [RuntimeError("jo@example.com"), ValueError()])
def test_a_bug_is_nothing_that_a_buyer_sees(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO, error: Exception
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(cancel_checkout, "leave_checkout", broken)
    assert checkout.leave().status == 303
    assert "A checkout could not be ended" in logged.getvalue()
    assert "jo@example.com" not in logged.getvalue()
