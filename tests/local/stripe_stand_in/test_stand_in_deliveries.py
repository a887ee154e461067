"""Events reach the bus and the webhook, however often that takes."""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stripe

from local.stripe_stand_in import EventDestination, SessionSeed, StripeStandIn
from local.stripe_stand_in.store import Store
from tests.local.stripe_stand_in.support import Bus
from tests.local.stripe_stand_in.webhook import SECRET, ReceivingEndpoint


def _pay_one(stand_in: StripeStandIn) -> str:
    session_id = stand_in.seed_session(SessionSeed(3000, status="open"))
    stand_in.pay(session_id)
    return session_id


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_webhooks_signature_holds(endpoint: ReceivingEndpoint) -> None:
    with StripeStandIn(webhook_url=endpoint.url, webhook_signing_secret=SECRET) as stand_in:
        session_id = _pay_one(stand_in)
        assert stand_in.wait_until_delivered()

    events = [stripe.Webhook.construct_event(body, signature, SECRET) for body, signature in endpoint.received]
    assert {event.type for event in events} == {
        "checkout.session.completed",
        "charge.succeeded",
        "payment_intent.succeeded",
    }
    completed = next(event for event in events if event.type == "checkout.session.completed")
    assert completed.data.object["id"] == session_id
    assert completed.pending_webhooks == 1
    body, signature = endpoint.received[0]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body.replace(b"3000", b"1"), signature, SECRET)


@pytest.mark.parametrize("status", [500, 302])
def test_a_webhook_that_refuses_gets_the_event_again(endpoint: ReceivingEndpoint, status: int) -> None:
    endpoint.status = status
    with StripeStandIn(
        webhook_url=endpoint.url,
        webhook_signing_secret=SECRET,
        webhook_events=["checkout.session.completed"],
        first_wait=0.01,
    ) as stand_in:
        _pay_one(stand_in)
        _wait(lambda: len(endpoint.received) >= 2)
        [delivery] = stand_in.deliveries()
        assert (delivery["state"], delivery["last_error"]) == ("pending", f"RuntimeError: HTTP status {status}")
        endpoint.status = 200
        assert stand_in.wait_until_delivered()


def test_nothing_is_lost_while_the_bus_is_down(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    bus.refusing = True
    with StripeStandIn(bus, first_wait=0.01) as stand_in:
        _pay_one(stand_in)
        _pay_one(stand_in)
        _wait(lambda: bus.tries >= 3)
        assert not stand_in.wait_until_delivered(timeout=0.01)
        assert "the bus is down" in caplog.text
        assert "buyer@example.com" not in caplog.text
        bus.refusing = False
        assert stand_in.wait_until_delivered()
        assert {delivery["state"] for delivery in stand_in.deliveries()} == {"delivered"}
    assert bus.types == ["checkout.session.completed"] * 2


def test_what_was_not_delivered_is_delivered_after_a_restart(bus: Bus, tmp_path: Path) -> None:
    path = tmp_path / "stripe.sqlite"
    bus.refusing = True
    with StripeStandIn(bus, path=path) as stand_in:
        _pay_one(stand_in)
        _wait(lambda: bus.tries >= 1)
    bus.refusing = False
    with StripeStandIn(bus, path=path) as stand_in:
        assert stand_in.wait_until_delivered()
    assert bus.types == ["checkout.session.completed"]


def test_an_event_can_come_twice(bus: Bus) -> None:
    with StripeStandIn(bus) as stand_in:
        _pay_one(stand_in)
        assert stand_in.wait_until_delivered()
        assert stand_in.redeliver(bus.envelopes[0]["detail"]["id"]) == 1
        assert stand_in.redeliver("evt_nobody") == 0
        assert stand_in.wait_until_delivered()
    first, second = bus.envelopes
    assert first["detail"] == second["detail"]
    assert first["id"] != second["id"]


def test_many_events_arrive_once_each_by_several_threads(bus: Bus) -> None:
    with StripeStandIn(bus, delivery_threads=4) as stand_in:
        sessions = stand_in.seed_sessions(SessionSeed(3000, status="open") for _ in range(100))
        for session_id in sessions:
            stand_in.pay(session_id)
        assert stand_in.wait_until_delivered()
    arrived = [session["id"] for session in bus.objects("checkout.session.completed")]
    assert sorted(arrived) == sorted(sessions)


@pytest.mark.parametrize(
    "destination",
    [
        EventDestination(status="disabled", disabled_reason="user"),
        EventDestination(event_payload="thin"),
        EventDestination(enabled_events=("charge.refunded",)),
    ],
)
def test_a_destination_that_does_not_take_them_gets_no_events(bus: Bus, destination: EventDestination) -> None:
    with StripeStandIn(bus, destination=destination) as stand_in:
        _pay_one(stand_in)
        assert stand_in.wait_until_delivered()
        assert stand_in.deliveries() == []
    assert bus.envelopes == []


@pytest.mark.parametrize("statement", ["SELECT id, event_id", "UPDATE event_deliveries", "COMMIT"])
def test_a_full_disk_ends_no_delivery(bus: Bus, monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    with StripeStandIn(bus, first_wait=0.01) as stand_in:
        disk = _Disk(stand_in._store._connection, statement)
        monkeypatch.setattr(stand_in._store, "_connection", disk)
        session_id = stand_in.seed_session(SessionSeed(3000, status="open"))
        disk.is_full = True
        with contextlib.suppress(sqlite3.OperationalError):
            stand_in.pay(session_id)
        _wait(lambda: disk.refused >= 2)
        disk.is_full = False
        if statement == "COMMIT":
            stand_in.pay(session_id)
        assert stand_in.wait_until_delivered()
    assert "checkout.session.completed" in {envelope["detail"]["type"] for envelope in bus.envelopes}


def test_what_a_full_disk_did_not_take_is_undone(tmp_path: Path) -> None:
    store = Store(tmp_path / "stripe.sqlite")
    with store.transaction() as connection:
        connection.execute("CREATE TABLE much (text TEXT)")
        connection.execute("INSERT INTO much VALUES ('before')")
        [pages] = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="disk is full"), store.transaction() as connection:
            connection.execute("INSERT INTO much VALUES (?)", ("x" * 10**6,))
    with store.transaction() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
        connection.execute("INSERT INTO much VALUES ('after')")
        assert connection.execute("SELECT text FROM much").fetchall() == [("before",), ("after",)]
    store.close()


class _Disk:
    """A connection whose disk is full at times: then statements that begin so fail."""

    def __init__(self, connection: sqlite3.Connection, statement: str) -> None:
        self._connection = connection
        self._statement = statement
        self.is_full = False
        self.refused = 0

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if self.is_full and sql.startswith(self._statement):
            self.refused += 1
            raise sqlite3.OperationalError("database or disk is full")
        return self._connection.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
