"""Anything put on either bus, or started by hand, ends as Ignored or in exactly one alert, with nothing changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import TABLES
from tests.factories import create_order, envelope, row_of, session_of
from tests.sizes import size
from tests.workflow.conftest import Ended, Run
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]
COMPLETED = "checkout.session.completed"
INJECTION = "1'; DROP TABLE ticket_orders; --"


def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.transaction() as tx:
        return {table: tx.all(f"SELECT * FROM {table}") for table in TABLES}


# What its sender may put as the session; the envelope around it is well-formed, so the rules let it through.
SESSIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no session": lambda _order: None,
    "a list": lambda _order: [1, 2, 3],
    "a string": lambda _order: "session",
    "another object": lambda _order: {"id": "in_1", "object": "invoice"},
    "no id": lambda order: session_of(order, id=None),
    "an id that is none": lambda order: session_of(order, id="cs_test_1\nX-Injected: 1"),
    "an amount as text": lambda order: session_of(order, amount_total="2000"),
    "an amount as a fraction": lambda order: session_of(order, amount_total=2000.5),
    "a negative amount": lambda order: session_of(order, amount_total=-2000),
    "no amount": lambda order: session_of(order, amount_total=None),
    "a huge amount": lambda order: session_of(order, amount_total=10**30),
    "a currency that is none": lambda order: session_of(order, currency="€"),
    "a payment status that is none": lambda order: session_of(order, payment_status="perhaps"),
    "metadata as a list": lambda order: session_of(order, metadata=["order_id", 1]),
    "an order that is no text": lambda order: session_of(order, metadata={"order_id": order["id"]}),
    "an unknown order": lambda order: session_of(order, metadata={"order_id": "999999999"}),
    "SQL for an order": lambda order: session_of(order, metadata={"order_id": INJECTION}),
    "SQL after an order": lambda order: session_of(order, metadata={"order_id": f"{order['id']} OR 1=1"}),
    "JSONata for an order": lambda order: session_of(order, metadata={"order_id": "{% $states.input %}"}),
    "200,000 characters": lambda order: session_of(order, metadata={"order_id": "9" * 200_000}),
    "deep nesting": lambda order: session_of(order, custom_text=json.loads("[" * 400 + "]" * 400), amount_total=1),
}


@pytest.mark.parametrize("source", size(["stripe.com"], ["aws.partner/stripe.com/ed_test_1234567890", "stripe.com"]))
@pytest.mark.parametrize("kind", SESSIONS)
def test_a_bad_session_is_one_alert_and_no_change(
    run: Run, alerts: Alerts, database: Database, kind: str, source: str
) -> None:
    order = row_of(database, "ticket_orders", create_order(database))
    before = everything(database)
    ended = run(envelope(COMPLETED, SESSIONS[kind](order), source=source))
    assert ended.status == "FAILED"
    assert ended.error in {"InvalidEvent", "OrderNotFound", "AmountMismatch"}, ended.cause
    assert ended.attempts() <= 2, "what cannot pass was tried again"
    [alert] = alerts()
    assert ended.error in alert["Subject"]
    assert "\n" not in alert["Subject"]
    assert everything(database) == before


# What somebody may start an execution with, past the rules.
INPUTS: dict[str, Any] = {
    "nothing": {},
    "null": None,
    "a number": 7,
    "a list": [{"detail": {}}],
    "text": "{% $states.input %}",
    "no detail": {"source": "stripe.com", "detail-type": COMPLETED},
    "detail as text": {"source": "stripe.com", "detail-type": COMPLETED, "detail": "{}"},
    "detail of null": {"source": "stripe.com", "detail-type": COMPLETED, "detail": None},
    "another source": envelope(COMPLETED, {}, source="aws.s3"),
    "a source alike": envelope(COMPLETED, {}, source="aws.partner/stripe.com.evil.example/ed_1"),
    "types that differ": {**envelope(COMPLETED, {}), "detail-type": "checkout.session.expired"},
    "no Stripe event": {"source": "stripe.com", "detail-type": COMPLETED, "detail": {"object": "charge"}},
}


@pytest.mark.parametrize(
    ("event_id", "told"),
    [
        ("evt_1RWIaFPLMCn9OYH0FPPvZ1hz", "evt_1RWIaFPLMCn9OYH0FPPvZ1hz (not verified: the event is malformed)"),
        ("evt_jenny@example.com", "unreadable"),
        ("evt_" + "9" * 100, "unreadable"),
        ("evt_1\nStep: none", "unreadable"),
        ("Jenny Rosen", "unreadable"),
        (12, "unreadable"),
        (["evt_1", "evt_2"], "unreadable"),
        ({"id": "evt_1"}, "unreadable"),
        (None, "unreadable"),
    ],
)
def test_an_event_that_cannot_be_read_is_named_where_it_names_itself(
    start: Callable[[Any], Ended], alerts: Alerts, event_id: object, told: str
) -> None:
    broken = envelope(COMPLETED, {"object": "checkout.session"})
    broken["detail"]["id"] = event_id
    assert start(broken).error == "InvalidEvent"
    [alert] = alerts()
    assert f"\nStripe event: {told}\n" in alert["Message"]
    assert (f"run: cachao stripe {event_id}" in alert["Message"]) == (told != "unreadable")
    assert "enny" not in alert["Message"]


@pytest.mark.parametrize("kind", INPUTS)
def test_a_bad_input_is_one_alert_and_no_change(
    start: Callable[[Any], Ended], alerts: Alerts, database: Database, kind: str
) -> None:
    before = everything(database)
    ended = start(INPUTS[kind])
    assert (ended.status, ended.error) == ("FAILED", "InvalidEvent"), ended.cause
    assert ended.attempts() == 1, "ValidateEvent, once"
    assert len(alerts()) == 1
    assert everything(database) == before


def test_live_events_are_refused_where_test_events_are_handled(run: Run, alerts: Alerts, database: Database) -> None:
    order = row_of(database, "ticket_orders", create_order(database))
    event = envelope(COMPLETED, session_of(order))
    event["detail"]["livemode"] = True
    ended = run(event)
    assert (ended.status, ended.error) == ("FAILED", "InvalidEvent")
    assert "live mode" in str(ended.cause)
    assert len(alerts()) == 1
    assert row_of(database, "ticket_orders", order["id"]) == order
