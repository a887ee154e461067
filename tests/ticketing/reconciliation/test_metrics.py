"""The figure of PaymentEventsMissingAlarm: payments that a run by itself had to find, each once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from handlers import event_bus, runtime, stripe_access
from handlers.maintenance import reconcile_orders
from handlers.workflow import mark_order_paid
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_order, names_of
from tests.handlers.workflow.workflow_by_hand import WorkflowBus
from tests.ticketing.paid_orders import order_row, payment_event, status
from ticketing.database import Database
from ticketing.reconciliation import metrics

METRIC = "PaymentEventsMissing"
CONTEXT = SimpleNamespace(aws_request_id="request-1", get_remaining_time_in_millis=lambda: 840_000)
SCHEDULED = {"id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}, "time": "now"}
BY_HAND = {"execution_id": "cachao reconcile"}

# A run with this input, and what it counted: None where the metric is not there at all.
Sweep = Callable[[dict[str, Any]], float | None]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, database: Database) -> Iterator[StripeStandIn]:
    with StripeStandIn() as running:
        monkeypatch.setattr(reconcile_orders, "database", database)
        monkeypatch.setenv("STRIPE_ACCOUNT_SHARED", "false")
        monkeypatch.setattr(stripe_access, "stripe_secret", lambda: SimpleNamespace(api_key="sk_test_local"))
        monkeypatch.setattr(event_bus, "client", lambda: None)
        monkeypatch.setattr(reconcile_orders, "EventBridgeBus", lambda _client, _name: WorkflowBus(database))
        monkeypatch.setenv("STRIPE_API_BASE", running.url)
        monkeypatch.setenv("EVENT_BUS_NAME", "default")
        monkeypatch.setattr(runtime.metrics.provider, "namespace", "Cachao")
        yield running


@pytest.fixture
def sweep(stand_in: StripeStandIn, capsys: pytest.CaptureFixture[str]) -> Sweep:
    def run(event: dict[str, Any]) -> float | None:
        capsys.readouterr()
        reconcile_orders.handler(event, CONTEXT)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
        assert sum(line.get("ReconciliationRuns", [0])[0] for line in lines) == (0 if event.get("dry_run") else 1)
        return next((line[METRIC][0] for line in lines if METRIC in line), None)

    return run


def order_past_its_hold(database: Database, stand_in: StripeStandIn, **seed: Any) -> int:
    order = create_order(database)
    past_its_hold(database, order)
    session = order_row(database, order)["stripe_checkout_session_id"]
    fields = {"amount_total": 2000, "metadata": names_of(order_row(database, order)), "session_id": session, **seed}
    stand_in.seed_session(SessionSeed(**fields))
    return order


def past_its_hold(database: Database, order: int) -> None:
    with database.transaction() as tx:
        tx.change(
            "UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE,"
            " next_check_at = IF(next_check_at IS NULL, NULL, UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE) WHERE id = %s",
            order,
        )


def test_a_run_that_finds_none_says_so(sweep: Sweep) -> None:
    # A figure of 0, so that the dashboard shows that somebody looked.
    assert sweep(SCHEDULED) == 0


def test_a_payment_whose_event_never_came_counts_once(
    database: Database, stand_in: StripeStandIn, sweep: Sweep
) -> None:
    orders = [order_past_its_hold(database, stand_in) for _ in range(3)]
    order_past_its_hold(database, stand_in, status="expired")  # nobody paid
    assert sweep(SCHEDULED) == 3
    assert {status(database, order) for order in orders} == {"paid"}
    assert sweep(SCHEDULED) == 0


def test_an_order_whose_payment_had_to_be_found_counts_as_paid_like_any_other(
    database: Database, stand_in: StripeStandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # What the runbook says of CheckoutsWithoutPaymentsAlarm: it keeps still where only the events stay away.
    monkeypatch.setattr(mark_order_paid, "database", database)
    order = create_order(database)
    payment = msgspec.structs.replace(payment_event(database, order), event_id="evt_reconcile_cs_test_1")
    given = {"execution_id": "execution-1", "order_id": order, "payment": msgspec.to_builtins(payment)}
    capsys.readouterr()
    mark_order_paid.handler(given, CONTEXT)
    assert '"OrdersPaid":[1.0]' in capsys.readouterr().out


def test_a_payment_that_the_workflow_refuses_counts_once_however_often_it_is_sent(
    database: Database, stand_in: StripeStandIn, sweep: Sweep
) -> None:
    order = order_past_its_hold(database, stand_in, amount_total=4200)
    counted = []
    for _ in range(3):
        past_its_hold(database, order)
        counted.append(sweep(SCHEDULED))
        time.sleep(0.01)  # the runs' times must not touch
    assert status(database, order) == "pending"
    assert counted == [1, 0, 0]


@pytest.mark.parametrize("by_hand", [{}, {"since": "2020-01-01T00:00:00"}, {"dry_run": True}])
def test_what_a_person_looks_for_is_not_counted(
    database: Database, stand_in: StripeStandIn, sweep: Sweep, by_hand: dict[str, Any]
) -> None:
    order = order_past_its_hold(database, stand_in)
    assert sweep(BY_HAND | by_hand) is None
    assert status(database, order) == ("pending" if by_hand.get("dry_run") else "paid")


def test_a_delayed_payment_counts_when_its_session_had_to_be_found(
    database: Database, stand_in: StripeStandIn, sweep: Sweep
) -> None:
    order = order_past_its_hold(database, stand_in, payment_status="unpaid")
    assert sweep(SCHEDULED) == 1
    assert status(database, order) == "processing"
    past_its_hold(database, order)
    assert sweep(SCHEDULED) == 0


def test_a_payment_of_an_order_that_waits_no_more_counts_too(
    database: Database, stand_in: StripeStandIn, sweep: Sweep
) -> None:
    order = order_past_its_hold(database, stand_in, created=int(time.time()) - 3600)
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = 'expired', held_quantity = 0 WHERE id = %s", order)
        tx.change("UPDATE tickets SET held_quantity = 0")
    assert sweep(SCHEDULED) == 1
    assert status(database, order) == "paid"
    assert sweep(SCHEDULED) == 0


def test_a_backlog_is_counted_in_parts(
    database: Database, stand_in: StripeStandIn, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_AT_ONCE", 2)
    for _ in range(5):
        order_past_its_hold(database, stand_in)
    assert sweep(SCHEDULED) == 5
