"""The handlers of refunds, disputes and reconciliation as Lambda calls them, with a real database and the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from handlers import event_bus, runtime, stripe_access
from handlers.maintenance import reconcile_orders
from handlers.workflow import look_up_order, record_dispute, record_refund, refund_payment
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_order, names_of
from tests.handlers.workflow.workflow_by_hand import WorkflowBus
from tests.ticketing.paid_orders import charge_event, dispute_event, order_row, pay, payment_event, refund_event, status
from ticketing.database import Database
from ticketing.errors import DuplicatePayment, RefundFailed, UnexpectedResult

CONTEXT = SimpleNamespace(aws_request_id="request-1", get_remaining_time_in_millis=lambda: 840_000)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, database: Database) -> Iterator[StripeStandIn]:
    with StripeStandIn() as running:
        for module in (look_up_order, reconcile_orders, record_dispute, record_refund, refund_payment):
            monkeypatch.setattr(module, "database", database)
        monkeypatch.setattr(stripe_access, "stripe_secret", lambda: SimpleNamespace(api_key="sk_test_local"))
        monkeypatch.setenv("STRIPE_API_BASE", running.url)
        monkeypatch.setenv("EVENT_BUS_NAME", "default")
        monkeypatch.setenv("STRIPE_ACCOUNT_SHARED", "false")
        monkeypatch.setattr(runtime.metrics.provider, "namespace", "Cachao")
        yield running


def call(module: Any, **given: object) -> Any:
    return module.handler({"execution_id": "execution-1", **msgspec.to_builtins(given)}, CONTEXT)


def test_a_refund_is_recorded(database: Database, stand_in: StripeStandIn) -> None:
    order = create_order(database)
    pay(database, order)
    assert call(record_refund, order_id=order, payment=charge_event(database, order, 2000)) == {
        "status": "refunded",
        "changed": True,
        "refunded_minor": 2000,
        "currency": "eur",
    }


def test_a_dispute_says_which_alert_is_due(database: Database, stand_in: StripeStandIn) -> None:
    order = create_order(database)
    event = dispute_event(database, order, "charge.dispute.created")
    told = call(record_dispute, order_id=order, payment=event)
    assert (told["status"], told["changed"]) == ("pending", False)
    [alert] = told["alerts"]
    assert alert["name"] == "DisputeOpened"
    again = dispute_event(database, order, "charge.dispute.funds_withdrawn")
    assert call(record_dispute, order_id=order, payment=again)["alerts"] == []


def test_look_up_order_asks_stripe_for_a_payment_that_nobody_knows(database: Database, stand_in: StripeStandIn) -> None:
    order = create_order(database, stripe_checkout_session_id="cs_test_own")
    session = stand_in.seed_session(
        SessionSeed(amount_total=2000, metadata=names_of(order_row(database, order)), session_id="cs_test_own")
    )
    intent = stand_in.session(session)["payment_intent"]
    known = refund_event(database, order, "refund.created", 2000, payment_intent=intent)
    assert call(look_up_order, payment=known)["order_id"] == order
    unknown = refund_event(database, order, "refund.created", 2000, payment_intent="pi_elsewhere")
    assert call(look_up_order, payment=unknown) == {"order_id": None, "status": "foreign", "took_money": False}


def test_a_payment_that_paid_nothing_is_given_back(database: Database, stand_in: StripeStandIn) -> None:
    order = create_order(database)
    session = stand_in.seed_session(SessionSeed(amount_total=2000))
    second = stand_in.session(session)["payment_intent"]
    pay(database, order)
    with pytest.raises(DuplicatePayment):
        pay(database, order, payment_intent=second)
    refunded = call(refund_payment, order_id=order, payment_key=second)
    assert refunded["refund_id"].startswith("re_")
    assert {key: refunded[key] for key in refunded if key != "refund_id"} == {
        "amount_minor": 2000,
        "currency": "eur",
        "amount": "20.00 EUR",
        "payment_key": second,
        "status": "succeeded",
    }
    twice = {"payment_key": second, "payment": payment_event(database, order)}
    with pytest.raises(RefundFailed, match="once"):
        call(refund_payment, order_id=order, **twice)


def test_the_schedules_own_event_runs_a_reconciliation(
    database: Database, stand_in: StripeStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_bus, "client", lambda: None)
    monkeypatch.setattr(reconcile_orders, "EventBridgeBus", lambda _client, _name: WorkflowBus(database))
    order, missing = create_order(database), create_order(database)
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE")
    stand_in.seed_session(
        SessionSeed(
            amount_total=2000,
            session_id=order_row(database, order)["stripe_checkout_session_id"],
            metadata=names_of(order_row(database, order)),
        )
    )
    scheduled = {"id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}, "time": "now"}
    report = reconcile_orders.handler(scheduled, CONTEXT)
    assert (report["complete"], report["cursor"], report["done"], report["total"]) == (True, None, 2, 2)
    assert report["counts"] == [
        {"finding": "paid", "action": "event_sent", "number": 1},
        {"finding": "session_missing", "action": "reported", "number": 1},
    ]
    assert [row["order_id"] for row in report["rows"]] == [missing]  # what needs a person
    assert status(database, order) == "paid"


def test_by_hand_a_run_is_called_until_it_is_complete(
    database: Database, stand_in: StripeStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_bus, "client", lambda: None)
    orders = [create_order(database) for _ in range(30)]
    report: dict[str, Any] = {"complete": False, "cursor": None}
    rows: list[dict[str, Any]] = []
    calls = 0
    while not report["complete"]:
        report = call(
            reconcile_orders,
            since="2020-01-01T00:00:00+01:00",
            dry_run=True,
            all_rows=True,
            seconds=0.25,
            cursor=report["cursor"],
            requests_per_second=40,
        )
        rows += report["rows"]
        calls += 1
    assert [row["order_id"] for row in rows] == orders
    assert calls >= 4  # at most ten questions in a call, and one for the sessions at Stripe


def test_a_malformed_request_is_refused(database: Database, stand_in: StripeStandIn) -> None:
    with pytest.raises(UnexpectedResult):
        call(reconcile_orders, since="yesterday")
