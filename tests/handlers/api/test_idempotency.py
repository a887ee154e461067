"""A double click makes one order."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from handlers.api import create_checkout
from handlers.api.public_errors import public_error
from local.stripe_stand_in import StripeStandIn
from tests.conftest import Connect
from tests.factories import create_ticket, row_of
from tests.handlers.api.conftest import Api
from ticketing.checkout import checkout
from ticketing.checkout.checkout import check_out
from ticketing.checkout.errors import CheckoutBusy, NotEnoughSeats
from ticketing.checkout.placement import CheckoutRequest, CheckoutTerms, PlacedOrder, place
from ticketing.checkout.reply import CheckoutReply
from ticketing.database import Database
from ticketing.errors import DatabaseUnavailable
from ticketing.stripe import client as stripe_client
from ticketing.stripe.open_session import OpenSession, SessionRequest, StripeCheckoutSessions
from ticketing.stripe.sessions import StripeSessions

KEY = {"idempotency-key": "click-1"}
TERMS = CheckoutTerms(currency="eur", hold_seconds=1800, lock_seconds=32, delayed_method_days=7)


class Sessions:
    """Opens sessions as Stripe does: the same order, the same session. Can be told to wait or to break."""

    def __init__(self) -> None:
        self.opened: list[SessionRequest] = []
        self.retries: list[int] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.dies = False

    def open(self, request: SessionRequest, *, retries: int) -> OpenSession:
        self.opened.append(request)
        self.retries.append(retries)
        assert self.go_on.wait(20)
        if self.dies:
            raise SystemExit  # the process ends here, and nothing of ours runs any more
        return OpenSession(session_id=f"cs_test_{request.reference}", url=request.success_url)

    def expire(self, session_id: str) -> bool:
        raise AssertionError(session_id)

    def retrieve(self, session_id: str) -> dict[str, Any] | None:
        raise AssertionError(session_id)


@pytest.fixture
def ticket_id(database: Database) -> int:
    return create_ticket(database, max_quantity=10)


def wish(database: Database, ticket_id: int, **fields: Any) -> CheckoutRequest:
    return CheckoutRequest(
        **{
            "event_id": row_of(database, "tickets", ticket_id)["event_id"],
            "ticket_id": ticket_id,
            "quantity": 2,
            "email": "jo@example.com",
            "origin": "https://cachao.example",
            "idempotency_key": "click-1",
            **fields,
        }
    )


def count(database: Database, table: str) -> int:
    with database.transaction() as tx:
        row = tx.one(f"SELECT COUNT(*) AS n FROM {table}")
    assert row is not None
    return int(row["n"])


def age(database: Database, column: str, by: timedelta) -> None:
    with database.transaction() as tx:
        tx.change(f"UPDATE idempotency_keys SET {column} = {column} - INTERVAL %s SECOND", by.total_seconds())


def test_the_same_request_gets_the_first_reply(api: Api, database: Database, ticket_id: int) -> None:
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    first = api.checkout(event_id, ticket_id, quantity=2, headers=KEY)
    second = api.checkout(event_id, ticket_id, quantity=2, headers=KEY)
    assert first.status == 200
    assert second.body == first.body
    assert count(database, "ticket_orders") == 1
    assert row_of(database, "tickets", ticket_id)["held_quantity"] == 2


def test_the_first_reply_also_when_nothing_is_left(api: Api, database: Database) -> None:
    ticket_id = create_ticket(database, max_quantity=1)
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    first = api.checkout(event_id, ticket_id, headers=KEY)
    assert api.checkout(event_id, ticket_id, headers=KEY).body == first.body
    assert api.checkout(event_id, ticket_id, headers={"idempotency-key": "click-2"}).code == "held"


@pytest.mark.parametrize("change", [{"quantity": 3}, {"email": "other@example.com"}, {"discount_code": "X"}])
def test_the_same_key_for_another_request(api: Api, database: Database, ticket_id: int, change: dict[str, Any]) -> None:
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    api.checkout(event_id, ticket_id, quantity=2, headers=KEY)
    conflict = api.checkout(event_id, ticket_id, **{"quantity": 2, **change}, headers=KEY)
    assert (conflict.status, conflict.code) == (409, "idempotency_conflict")
    assert count(database, "ticket_orders") == 1


def test_keys_of_different_buyers_have_nothing_to_do_with_each_other(database: Database, ticket_id: int) -> None:
    replies = {
        check_out(database, Sessions(), wish(database, ticket_id, cognito_sub=sub), TERMS).order_id
        for sub in (None, "buyer-1", "buyer-2")
    }
    assert len(replies) == 3


def test_a_refusal_is_not_kept(api: Api, database: Database) -> None:
    ticket_id = create_ticket(database, is_active=0)
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    assert api.checkout(event_id, ticket_id, headers=KEY).code == "not_on_sale"
    with database.transaction() as tx:
        tx.change("UPDATE tickets SET is_active = 1 WHERE id = %s", ticket_id)
    assert api.checkout(event_id, ticket_id, headers=KEY).status == 200


def test_ten_clicks_at_once_make_one_order(
    connect: Connect, database: Database, stripe: StripeStandIn, ticket_id: int
) -> None:
    client = stripe_client.client("sk_test_1", api_base=stripe.url)
    sessions = StripeCheckoutSessions(client, StripeSessions(client))
    request = wish(database, ticket_id)
    barrier = threading.Barrier(10)

    def click(_: int) -> CheckoutReply:
        own = Database(connect)
        barrier.wait()
        return check_out(own, sessions, request, TERMS)

    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(click, range(10)))
    assert len({reply.session_id for reply in replies}) == 1
    assert count(database, "ticket_orders") == 1
    assert row_of(database, "tickets", ticket_id)["held_quantity"] == 2


def test_clicks_at_once_on_a_ticket_that_is_sold_out(connect: Connect, database: Database) -> None:
    ticket_id = create_ticket(database, max_quantity=0)
    request = wish(database, ticket_id)
    barrier = threading.Barrier(8)

    def click(_: int) -> int:
        own = Database(connect)
        barrier.wait()
        with pytest.raises(NotEnoughSeats) as refused:
            check_out(own, Sessions(), request, TERMS)
        return refused.value.available

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(click, range(8))) == {0}
    assert count(database, "idempotency_keys") == 0


def test_a_second_click_does_not_wait_for_ever(
    connect: Connect, database: Database, ticket_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout, "_WAIT_SECONDS", 0.5)
    sessions, request = Sessions(), wish(database, ticket_id)
    sessions.go_on.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(check_out, Database(connect), sessions, request, TERMS)
        while not sessions.opened:
            pass
        with pytest.raises(CheckoutBusy) as refused:
            check_out(database, sessions, request, TERMS)
        sessions.go_on.set()
        reply = first.result()
    public = public_error(refused.value)
    assert (public.status, public.code, public.retry_after) == (503, "try_again", 2)
    assert check_out(database, sessions, request, TERMS) == reply
    assert len(sessions.opened) == 1


def test_an_attempt_that_died_is_taken_up_where_it_stopped(database: Database, ticket_id: int) -> None:
    sessions, request = Sessions(), wish(database, ticket_id)
    sessions.dies = True
    with pytest.raises(SystemExit):
        check_out(database, sessions, request, TERMS)
    sessions.dies = False
    age(database, "locked_until", timedelta(seconds=TERMS.lock_seconds))
    reply = check_out(database, sessions, request, TERMS)
    # the very same order, so the very same request to Stripe
    assert sessions.opened[0] == sessions.opened[1]
    assert reply.order_id == sessions.opened[0].reference
    assert count(database, "ticket_orders") == 1
    assert row_of(database, "ticket_orders", int(reply.order_id))["stripe_checkout_session_id"] == reply.session_id


def test_an_attempt_whose_last_step_failed_is_taken_up(
    database: Database, ticket_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object) -> None:
        raise DatabaseUnavailable("gone")

    sessions, request = Sessions(), wish(database, ticket_id)
    with monkeypatch.context() as patched:
        patched.setattr(checkout, "_store", lose)
        with pytest.raises(DatabaseUnavailable):
            check_out(database, sessions, request, TERMS)
    reply = check_out(database, sessions, request, TERMS)  # at once: the key was unlocked
    assert sessions.opened[0] == sessions.opened[1]
    assert count(database, "ticket_orders") == 1
    assert check_out(database, sessions, request, TERMS) == reply


def test_an_attempt_that_died_too_long_ago_is_ended_and_made_anew(database: Database, ticket_id: int) -> None:
    sessions, request = Sessions(), wish(database, ticket_id)
    sessions.dies = True
    with pytest.raises(SystemExit):
        check_out(database, sessions, request, TERMS)
    sessions.dies = False
    age(database, "locked_until", timedelta(seconds=90))
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET hold_expires_at = hold_expires_at - INTERVAL 90 SECOND")
    reply = check_out(database, sessions, request, TERMS)
    dead, alive = sessions.opened
    assert reply.order_id == alive.reference != dead.reference
    assert row_of(database, "ticket_orders", int(dead.reference))["status"] == "failed"
    assert row_of(database, "tickets", ticket_id)["held_quantity"] == 2


@pytest.mark.parametrize("status", ["expired", "failed", "cancelled"])
def test_an_attempt_whose_order_was_ended_meanwhile_is_made_anew(
    database: Database, ticket_id: int, status: str
) -> None:
    sessions, request = Sessions(), wish(database, ticket_id)
    sessions.dies = True
    with pytest.raises(SystemExit):
        check_out(database, sessions, request, TERMS)
    sessions.dies = False
    age(database, "locked_until", timedelta(seconds=90))
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = %s", status)
    reply = check_out(database, sessions, request, TERMS)
    assert reply.order_id == sessions.opened[1].reference != sessions.opened[0].reference


def test_a_key_ends_with_the_session(database: Database, ticket_id: int) -> None:
    sessions, request = Sessions(), wish(database, ticket_id)
    first = check_out(database, sessions, request, TERMS)
    age(database, "expires_at", timedelta(seconds=1800))
    assert check_out(database, sessions, request, TERMS) == first
    age(database, "expires_at", timedelta(seconds=120))
    second = check_out(database, sessions, request, TERMS)
    assert second.order_id != first.order_id
    assert check_out(database, sessions, request, TERMS) == second


@pytest.mark.parametrize("change", ["name = 'Renamed'", "start_date = UTC_TIMESTAMP() + INTERVAL 1 DAY"])
def test_an_attempt_is_taken_up_after_its_event_was_changed(
    api: Api, database: Database, ticket_id: int, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Stripe refuses an idempotency key that comes with other parameters, for good."""

    def lose(*_: object) -> None:
        raise DatabaseUnavailable("gone")

    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    with monkeypatch.context() as patched:
        patched.setattr(checkout, "_store", lose)
        assert api.checkout(event_id, ticket_id, headers=KEY).status == 503
    with database.transaction() as tx:
        tx.change(f"UPDATE events SET {change}")
    reply = api.checkout(event_id, ticket_id, headers={**KEY, "origin": "https://www.cachao.example"})
    assert reply.status == 200
    assert count(database, "ticket_orders") == 1


def test_a_reply_ends_with_its_orders_row(database: Database, ticket_id: int) -> None:
    sessions, request = Sessions(), wish(database, ticket_id)
    first = check_out(database, sessions, request, TERMS)
    with database.transaction() as tx:
        tx.change("DELETE FROM ticket_orders")
    assert check_out(database, sessions, request, TERMS).order_id != first.order_id


@pytest.mark.parametrize(
    ("status", "anew"),
    [
        ("expired", True),
        ("failed", True),
        ("cancelled", True),
        ("refunded", True),
        ("pending", False),
        ("processing", False),
        ("paid", False),
    ],
)
def test_a_reply_ends_with_its_order(database: Database, ticket_id: int, status: str, *, anew: bool) -> None:
    sessions, request = Sessions(), wish(database, ticket_id)
    first = check_out(database, sessions, request, TERMS)
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = %s WHERE id = %s", status, int(first.order_id))
    second = check_out(database, sessions, request, TERMS)
    assert (second.order_id != first.order_id) is anew
    assert check_out(database, sessions, request, TERMS) == second


def slow_database(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the database take so long to place an order, by the checkout's own clock, which begins at 0."""
    now = 0.0

    def place_slowly(*given: Any, **named: Any) -> PlacedOrder:
        nonlocal now
        now += seconds
        return place(*given, **named)

    monkeypatch.setattr(checkout, "place", place_slowly)
    monkeypatch.setattr(checkout, "time", SimpleNamespace(monotonic=lambda: now, time=time.time, sleep=time.sleep))


@pytest.mark.parametrize(("seconds", "retries"), [(0, 1), (3.4, 1), (3.6, 0), (14.9, 0)])
def test_what_the_database_takes_stripe_does_not_get(
    database: Database, ticket_id: int, monkeypatch: pytest.MonkeyPatch, seconds: float, retries: int
) -> None:
    sessions = Sessions()
    slow_database(monkeypatch, seconds)
    check_out(database, sessions, wish(database, ticket_id), TERMS, answer_by=28.0)
    assert sessions.retries == [retries]
    assert seconds + stripe_client.longest_seconds(retries) < 28


def test_without_time_for_stripe_nothing_is_held_and_the_buyer_may_try_again(
    database: Database, ticket_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions, request = Sessions(), wish(database, ticket_id)
    with monkeypatch.context() as patched:
        slow_database(patched, 15.1)
        with pytest.raises(CheckoutBusy):
            check_out(database, sessions, request, TERMS, answer_by=28.0)
    assert sessions.opened == []
    assert row_of(database, "tickets", ticket_id)["held_quantity"] == 0
    reply = check_out(database, sessions, request, TERMS)
    assert row_of(database, "ticket_orders", int(reply.order_id))["status"] == "pending"
    assert count(database, "ticket_orders") == 2


def test_what_comes_too_late_is_not_even_begun(database: Database, ticket_id: int) -> None:
    sessions = Sessions()
    with pytest.raises(CheckoutBusy):
        check_out(database, sessions, wish(database, ticket_id), TERMS, answer_by=time.monotonic() + 12)
    assert sessions.opened == []
    assert count(database, "ticket_orders") == 0
    assert count(database, "idempotency_keys") == 0


def test_the_time_of_a_checkout_begins_where_api_gateway_took_the_request(
    api: Api, database: Database, ticket_id: int
) -> None:
    """The start of a worker, the user pool's keys and the secrets are inside its 30 seconds, too."""
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    assert api.checkout(event_id, ticket_id, received_seconds_ago=10).status == 200
    late = api.checkout(event_id, ticket_id, received_seconds_ago=18)
    assert (late.status, late.code) == (503, "try_again")
    assert api.checkout(event_id, ticket_id, remaining_seconds=20).status == 200
    assert api.checkout(event_id, ticket_id, remaining_seconds=12).status == 503
    assert count(database, "ticket_orders") == 2


def test_an_attempt_that_is_alive_is_never_taken_for_dead() -> None:
    template = yaml_parse((Path(__file__).parents[3] / "template.yaml").read_text(encoding="utf-8"))
    lives = template["Resources"]["CreateCheckoutFunction"]["Properties"]["Timeout"]
    assert lives < create_checkout._LOCK_SECONDS


def test_expired_keys_are_removed(database: Database, ticket_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions()
    for number in range(3):
        check_out(database, sessions, wish(database, ticket_id, idempotency_key=f"click-{number}"), TERMS)
    age(database, "expires_at", timedelta(hours=2))
    monkeypatch.setattr(checkout, "_TIDY_EVERY", 1)
    check_out(database, sessions, wish(database, ticket_id, idempotency_key="click-9"), TERMS)
    assert count(database, "idempotency_keys") == 1


def test_a_transaction_that_the_database_gave_up_leaves_nothing_behind(
    database: Database, ticket_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadlock(*_: Any, **__: Any) -> PlacedOrder:
        raise DatabaseUnavailable("deadlock")

    request = wish(database, ticket_id)
    with monkeypatch.context() as patched:
        patched.setattr(checkout, "place", deadlock)
        with pytest.raises(DatabaseUnavailable):
            check_out(database, Sessions(), request, TERMS)
    check_out(database, Sessions(), request, TERMS)
    assert count(database, "ticket_orders") == 1


def test_a_refusal_frees_the_key_for_another_body(api: Api, database: Database, ticket_id: int) -> None:
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    assert api.checkout(event_id, ticket_id, discount_code="nope", headers=KEY).code == "code_unknown"
    assert api.checkout(event_id, ticket_id, headers=KEY).status == 200
