"""Money that Stripe took when the event was over: the order is paid, and a person is told once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import Connect
from tests.factories import create_event, create_order, create_ticket, envelope, session_of
from tests.handlers.workflow.workflow_by_hand import run_workflow
from tests.ticketing.paid_orders import entries, order_row, payment_event
from ticketing.alerts import Alert
from ticketing.database import Database
from ticketing.orders import history
from ticketing.payments.accept import mark_order_paid
from ticketing.reconciliation.made_events import events_of_paid_session
from ticketing.stripe.events import SessionEvent

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:machine:"
NEVER = "0000-00-00 00:00:00"

# When the event began and ended, when Stripe took the money, and whether it was over then.
CASES: dict[str, tuple[str | None, str | None, str, bool]] = {
    "before its end": ("2026-11-20 20:00", "2026-11-20 23:00", "2026-11-20 22:00", False),
    "after its end here, not in the last time zone": (
        "2026-11-20 20:00",
        "2026-11-20 23:00",
        "2026-11-21 10:59",
        False,
    ),
    "after its end everywhere": ("2026-11-20 20:00", "2026-11-20 23:00", "2026-11-21 11:01", True),
    "on the day on which it ends": ("2026-11-18 00:00", "2026-11-20 00:00", "2026-11-21 11:59", False),
    "after the day on which it ended": ("2026-11-18 00:00", "2026-11-20 00:00", "2026-11-21 12:00", True),
    "without an end, within a day": ("2026-11-20 20:00", None, "2026-11-22 07:59", False),
    "without an end, a day later": ("2026-11-20 20:00", None, "2026-11-22 08:00", True),
    "without either": (None, None, "2030-01-01 00:00", False),
    "with zero dates": (NEVER, NEVER, "2030-01-01 00:00", False),
    "with an end that is a zero date": ("2026-11-20 20:00", NEVER, "2026-11-22 08:00", True),
}


@pytest.fixture(autouse=True)
def _no_execution() -> Iterator[None]:
    yield
    history.written_by(None)


def order_of_event(database: Database, start: str | None, end: str | None, **columns: Any) -> int:
    with database.transaction() as tx:
        tx.change("SET SESSION sql_mode = ''")  # as shops have them that store zero dates
    event = create_event(database, start_date=start, end_date=end)
    return create_order(database, ticket_id=create_ticket(database, event_id=event), **columns)


def unix(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())


def paid_event(database: Database, order: int, at: str, event_type: str, **fields: Any) -> dict[str, Any]:
    made = envelope(event_type, session_of(order_row(database, order), **fields))
    return made | {"detail": made["detail"] | {"created": unix(at)}}


def pay(database: Database, order: int, at: str, execution: int, *, event: str = "completed") -> list[Alert]:
    history.written_by(f"{EXECUTION}{execution}")
    told: list[Alert] = []
    result = run_workflow(database, paid_event(database, order, at, f"checkout.session.{event}"), told=told)
    assert result == "paid"
    return told


@pytest.mark.parametrize(("start", "end", "paid_at", "late"), CASES.values(), ids=CASES)
def test_a_payment_after_the_event_is_told(
    database: Database, start: str | None, end: str | None, paid_at: str, late: bool
) -> None:
    order = order_of_event(database, start, end)
    told = pay(database, order, paid_at, 1)
    assert [alert.name for alert in told] == (["PaidAfterEvent"] if late else [])
    for alert in told:
        assert alert.message.startswith(f"Order {order} was paid by pi_order{order} (20.00 EUR) at {paid_at} UTC")
        assert (alert.money_taken, alert.what_to_do is not None) == ("yes, 20.00 EUR", True)
    assert pay(database, order, "2035-01-01 00:00", 2) == []
    assert order_row(database, order)["ticket_counted_at"] is not None


def test_a_delayed_payment_that_settles_after_the_event_is_told(database: Database) -> None:
    order = order_of_event(database, "2026-11-20 20:00", None)
    unpaid = paid_event(database, order, "2026-11-20 10:00", "checkout.session.completed", payment_status="unpaid")
    assert run_workflow(database, unpaid) == "processing"
    [alert] = pay(database, order, "2026-11-25 10:00", 1, event="async_payment_succeeded")
    assert alert.name == "PaidAfterEvent"
    assert "it began 2026-11-20 20:00:00" in alert.message


def test_only_the_payment_that_pays_the_order_is_told(database: Database) -> None:
    order = order_of_event(database, "2026-11-20 20:00", None)
    assert pay(database, order, "2026-11-20 10:00", 1) == []
    again = paid_event(
        database, order, "2026-11-25 10:00", "checkout.session.completed", id="cs_test_2", payment_intent="pi_2"
    )
    told: list[Alert] = []
    assert run_workflow(database, again, told=told) == "DuplicatePayment"
    assert (told, "paid_after_event" in entries(database, order)) == ([], False)


def test_a_ticket_for_nothing_took_no_money(database: Database) -> None:
    order = order_of_event(database, "2026-11-20 20:00", None, unit_price=0)
    nothing = {"payment_status": "no_payment_required", "payment_intent": None}
    event = paid_event(database, order, "2026-11-25 10:00", "checkout.session.completed", **nothing)
    told: list[Alert] = []
    assert (run_workflow(database, event, told=told), told) == ("paid", [])


def test_a_step_that_is_tried_again_by_the_same_execution_tells_it_again(database: Database) -> None:
    order = order_of_event(database, "2026-11-20 20:00", None)
    payment = payment_event(database, order)
    assert isinstance(payment, SessionEvent)
    payment.as_of = unix("2026-11-25 10:00")
    history.written_by(f"{EXECUTION}1")
    first, again = (mark_order_paid(database, order, payment) for _ in range(2))
    assert (first.changed, again.changed) == (True, False)
    assert first.alerts == again.alerts != []


def test_an_order_moved_to_another_date_is_late_by_that_one(database: Database) -> None:
    order = order_of_event(database, "2026-11-20 20:00", None)
    later = create_ticket(database, event_id=create_event(database, start_date="2026-12-20 20:00"))
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET ticket_id = %s WHERE id = %s", later, order)
    assert pay(database, order, "2026-11-25 10:00", 1) == []


def test_a_payment_waits_for_nobody_who_changes_the_event(database: Database, connect: Connect) -> None:
    order = order_of_event(database, "2026-11-20 20:00", None)
    other = connect()
    with other.cursor() as cursor:
        cursor.execute("UPDATE events SET name = 'Renamed'")
        # Of the orders on either side: who writes down what is off about an order has locked that order.
        for beside in (order - 1, order + 1):
            cursor.execute(
                "INSERT INTO counts_off (order_id, effect, amount, reason) VALUES (%s, 'x', 1, 'gone')", (beside,)
            )
        assert [alert.name for alert in pay(database, order, "2026-11-25 10:00", 1)] == ["PaidAfterEvent"]
    other.rollback()


def test_what_reconciliation_finds_later_counts_by_the_time_of_the_payment(database: Database) -> None:
    """The session was opened before the event was over, or after; what counts is when the money was taken."""
    order = order_of_event(database, "2026-11-20 20:00", None)
    charge = {"id": "ch_1", "created": unix("2026-11-25 10:00"), "amount": 2000, "amount_refunded": 0}
    session = session_of(order_row(database, order)) | {
        "created": unix("2026-11-20 10:00"),
        "payment_intent": {"id": "pi_1", "latest_charge": charge},
    }
    [made] = events_of_paid_session(session)
    told: list[Alert] = []
    event = {"source": "stripe.com", "detail-type": made.detail_type, "detail": json.loads(made.detail)}
    assert run_workflow(database, event, told=told) == "paid"
    assert [alert.name for alert in told] == ["PaidAfterEvent"]
