"""A paid Checkout Session through the real state machine, with the real functions on a real MariaDB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.factories import create_code, create_order, create_ticket, dispute_of, envelope, row_of, session_of
from tests.workflow.conftest import Run
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]

SOURCES = pytest.mark.parametrize("source", ["aws.partner/stripe.com/ed_test_1234567890", "stripe.com"])


@SOURCES
def test_a_paid_event_makes_a_paid_counted_order(run: Run, alerts: Alerts, database: Database, source: str) -> None:
    ticket_id = create_ticket(database, max_quantity=5)
    code_id = create_code(database)
    order_id = create_order(database, ticket_id=ticket_id, quantity=3, discount_code_id=code_id)
    event = envelope(
        "checkout.session.completed", session_of(row_of(database, "ticket_orders", order_id)), source=source
    )
    for changed, counted in ((True, "counted"), (False, "already_counted")):
        ended = run(event)
        assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
        # As Step Functions bills it, and docs/cost.md computes it.
        assert len(ended.states) == 9
        assert ended.output == {
            "result": "OrderPaid",
            "order_id": order_id,
            "changed": changed,
            "ticket_sale": counted,
            "discount_use": counted,
        }
        order = row_of(database, "ticket_orders", order_id)
        assert (order["status"], order["stripe_payment_intent_id"]) == ("paid", f"pi_order{order_id}")
        ticket = row_of(database, "tickets", ticket_id)
        assert (ticket["sold_quantity"], ticket["held_quantity"]) == (3, 0)
        code = row_of(database, "discount_codes", code_id)
        assert (code["used_count"], code["held_count"]) == (1, 0)
    assert alerts() == []


def test_another_amount_ends_in_one_alert_and_changes_nothing(run: Run, alerts: Alerts, database: Database) -> None:
    order_id = create_order(database)
    before = row_of(database, "ticket_orders", order_id)
    ended = run(envelope("checkout.session.completed", session_of(before, amount_total=1)))
    assert (ended.status, ended.error) == ("FAILED", "AmountMismatch")
    assert ended.cause is not None
    assert ended.cause.startswith(f"LookUpOrder: Order {order_id} costs 20.00 EUR")
    assert ended.states == [
        "ValidateEvent",
        "LookUpOrder",
        "DescribeFailure",
        "AlertOnce",
        "ClaimAlert",
        "IsAlertMine",
        "CountAlert",
        "IsAlertFirst",
        "AlertOperators",
        "NoteAlertTold",
        "PaymentFailed",
    ]
    assert row_of(database, "ticket_orders", order_id) == before
    [alert] = alerts()
    assert alert["Subject"] == f"Cachao cachao-local: AmountMismatch - order {order_id}"
    assert alert["MessageAttributes"]["error"]["Value"] == "AmountMismatch"


def test_a_dispute_is_told_with_what_became_of_the_money(run: Run, alerts: Alerts, database: Database) -> None:
    order = row_of(database, "ticket_orders", create_order(database))
    run(envelope("checkout.session.completed", session_of(order)))
    for event_type, status, told in (
        (
            "charge.dispute.created",
            "needs_response",
            "yes; the bank holds it until the dispute is decided.",
        ),
        ("charge.dispute.closed", "lost", "yes. The bank took it back."),
        ("charge.dispute.funds_reinstated", "won", "yes. The shop keeps it, and the buyer has no ticket."),
    ):
        ended = run(envelope(event_type, dispute_of(order, status=status)))
        assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
        assert f"Was money taken: {told}" in alerts()[-1]["Message"]
    assert row_of(database, "ticket_orders", order["id"])["status"] == "refunded"
