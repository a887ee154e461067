"""What operators see of an order, found by any of its ids, without a word about the buyer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.factories import create_code, create_order, create_ticket, envelope, read_as, row_of, session_of
from ticketing.database import Database, Row, Transaction
from ticketing.errors import DuplicatePayment
from ticketing.operators.inspection import database_health, find_order
from ticketing.orders import history
from ticketing.payments.accept import mark_order_paid
from ticketing.payments.release import release_order
from ticketing.stripe.events import SessionEvent


def paid_order(database: Database) -> tuple[int, str]:
    order_id = create_order(database)
    event = envelope("checkout.session.completed", session_of(row_of(database, "ticket_orders", order_id)))
    mark_order_paid(database, order_id, read_as(SessionEvent, event))
    return order_id, event["detail"]["id"]


def test_an_order_is_found_by_each_of_its_ids(database: Database) -> None:
    order_id, event_id = paid_order(database)
    session_id = row_of(database, "ticket_orders", order_id)["stripe_checkout_session_id"]
    ids: list[dict[str, Any]] = [
        {"order_id": order_id},
        {"session_id": session_id},
        {"payment_intent_id": f"pi_order{order_id}"},
        {"stripe_event_id": event_id},
    ]
    for wanted in ids:
        found = find_order(database, **wanted)
        assert found is not None, wanted
        assert found.order["id"] == order_id
        assert [payment["role"] for payment in found.payments] == ["accepted"]
        assert [entry["entry"] for entry in found.history] == ["paid"]


def test_a_second_payment_is_found_by_its_own_session(database: Database) -> None:
    order_id, _ = paid_order(database)
    order = row_of(database, "ticket_orders", order_id)
    second = session_of(order, id="cs_test_second", payment_intent="pi_second")
    payment = read_as(SessionEvent, envelope("checkout.session.completed", second))
    with pytest.raises(DuplicatePayment):
        mark_order_paid(database, order_id, payment)
    found = find_order(database, session_id="cs_test_second")
    assert found is not None
    assert found.order["id"] == order_id
    assert [payment["role"] for payment in found.payments] == ["accepted", "duplicate"]


def test_each_way_to_find_an_order_uses_an_index(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
            " stripe_checkout_session_id, stripe_payment_intent_id) SELECT 1, 1, 'b@example.com', 1, 20, 20, 'paid',"
            " CONCAT('cs_', seq), CONCAT('pi_', seq) FROM seq_1_to_2000"
        )
        tx.change(
            "INSERT INTO order_payments (order_id, payment_key, stripe_checkout_session_id, role, amount_minor,"
            " currency) SELECT id, CONCAT('pi_', id), CONCAT('cs_', id), 'accepted', 2000, 'eur' FROM ticket_orders"
        )
        tx.change(
            "INSERT INTO order_history (order_id, entry, stripe_event_id)"
            " SELECT id, 'paid', CONCAT('evt_', id) FROM ticket_orders"
        )
        tx.change(
            "INSERT INTO order_refunds (stripe_refund_id, order_id, payment_key, amount_minor, status)"
            " SELECT CONCAT('re_', id), id, CONCAT('pi_', id), 2000, 'succeeded' FROM ticket_orders"
        )
        tx.change("UPDATE order_payments SET stripe_charge_id = CONCAT('ch_', id)")
        tx.change(
            "INSERT INTO order_disputes (stripe_dispute_id, order_id, payment_key, stripe_charge_id, amount_minor,"
            " currency, status, phase, is_open, reported_at) SELECT CONCAT('dp_', id), id, CONCAT('pi_', id),"
            " CONCAT('ch_', id), 2000, 'eur', 'won', 'won', 0, UTC_TIMESTAMP() FROM ticket_orders"
        )
        for table in ("ticket_orders", "order_payments", "order_refunds", "order_disputes", "order_history"):
            tx.all(f"ANALYZE TABLE {table}")
    asked: list[tuple[str, tuple[object, ...]]] = []
    real = Transaction.one

    def watching(tx: Transaction, sql: str, *parameters: object) -> Row | None:
        asked.append((sql, parameters))
        return real(tx, sql, *parameters)

    monkeypatch.setattr(Transaction, "one", watching)
    for wanted in (
        {"session_id": "cs_none"},
        {"payment_intent_id": "pi_none"},
        {"stripe_event_id": "evt_none"},
        {"refund_id": "re_none"},
        {"dispute_id": "dp_none"},
        {"charge_id": "ch_none"},
    ):
        assert find_order(database, **wanted) is None  # type: ignore[arg-type]
    monkeypatch.undo()
    assert len(asked) == 9
    with database.transaction() as tx:
        for sql, parameters in asked:
            for step in tx.all(f"EXPLAIN {sql}", *parameters):
                assert step["type"] not in {"ALL", "index"}, sql


@pytest.mark.parametrize(
    "wanted",
    [{}, {"order_id": 999}, {"session_id": "cs_none"}, {"payment_intent_id": "pi_no"}, {"stripe_event_id": "evt_no"}],
)
def test_what_is_not_there_is_not_found(database: Database, wanted: dict[str, Any]) -> None:
    create_order(database)
    assert find_order(database, **wanted) is None


def test_nothing_of_the_buyers_is_shown_and_times_say_that_they_are_utc(database: Database) -> None:
    order_id = create_order(database, email="jenny@example.com", cognito_sub="sub-of-jenny")
    shown = msgspec.json.encode(find_order(database, order_id=order_id)).decode()
    assert "jenny" not in shown
    assert '"created_at":"' in shown
    assert 'Z"' in shown


def test_the_room_that_is_left_is_told_and_the_code_is_not(database: Database) -> None:
    ticket_id = create_ticket(database, max_quantity=50)
    code_id = create_code(database, code="SECRET-CODE", max_uses=9)
    order_id = create_order(database, ticket_id=ticket_id, discount_code_id=code_id, quantity=3)
    found = find_order(database, order_id=order_id)
    assert found is not None
    assert found.ticket is not None
    assert found.code is not None
    assert (found.ticket["max_quantity"], found.ticket["sold_quantity"], found.ticket["held_quantity"]) == (50, 0, 3)
    assert (found.code["max_uses"], found.code["used_count"], found.code["held_count"]) == (9, 0, 1)
    assert "SECRET" not in msgspec.json.encode(found).decode()


def test_the_request_of_a_refund_stands_before_what_came_of_it(database: Database) -> None:
    order_id = create_order(database)
    entries = [("paid", "pi_1"), ("refund_succeeded", "re_1"), ("refunded", "pi_1"), ("refund_requested", "re_1")]
    with database.transaction() as tx:
        for entry, object_id in [*entries, ("refund_requested", "re_2")]:
            history.record(tx, order_id=order_id, entry=entry, stripe_event_id=object_id, stripe_object_id=object_id)
    found = find_order(database, order_id=order_id)
    assert found is not None
    assert [(entry["entry"], entry["stripe_object_id"]) for entry in found.history] == [
        ("paid", "pi_1"),
        ("refund_requested", "re_1"),
        ("refund_succeeded", "re_1"),
        ("refunded", "pi_1"),
        ("refund_requested", "re_2"),
    ]


def test_an_entry_names_the_execution_that_wrote_it(database: Database) -> None:
    order_id = create_order(database)
    history.written_by("arn:aws:states:eu-west-1:123456789012:execution:machine:name")
    try:
        release_order(database, order_id, lost_as="expired", stripe_event_id="evt_1")
    finally:
        history.written_by(None)
    release_order(database, order_id, lost_as="failed", stripe_event_id="evt_2")
    found = find_order(database, order_id=order_id)
    assert found is not None
    assert [entry["execution_id"] for entry in found.history] == [
        "arn:aws:states:eu-west-1:123456789012:execution:machine:name",
        None,
    ]


def test_orders_past_their_hold_are_counted_those_whose_hold_has_just_ended_not(database: Database) -> None:
    late, just_now, _live = (create_order(database) for _ in range(3))
    create_order(database, hold=False)
    create_order(database, hold=False, created_at="2025-01-01 12:00:00")
    with database.transaction() as tx:
        for order_id, minutes in ((late, 25), (just_now, 5)):
            tx.change(
                "UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP() - INTERVAL %s MINUTE WHERE id = %s",
                minutes,
                order_id,
            )
    health = database_health(database)
    assert (health.past_hold, health.without_hold) == (1, 1)
    assert health.oldest_past_hold is not None


def test_a_healthy_database_has_nothing_to_tell(database: Database) -> None:
    health = database_health(database)
    assert (health.past_hold, health.oldest_past_hold, health.without_hold) == (0, None, 0)
