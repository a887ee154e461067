"""Zero dates ('0000-00-00'), as live tables have them where nobody knew a date, are NULL everywhere."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.conftest import Connect
from tests.factories import create_code, create_order, create_ticket, row_of
from tests.handlers.api.test_concurrent_checkouts import buy
from tests.handlers.workflow.workflow_by_hand import WorkflowBus
from tests.ticketing.paid_orders import seats, status
from tests.ticketing.schema.schemas import run
from ticketing.buyers.orders import orders_of
from ticketing.buyers.tokens import Buyer
from ticketing.checkout.catalog import tickets_of_event
from ticketing.database import Database
from ticketing.operators.inspection import database_health, find_order
from ticketing.operators.listing import OrdersWanted, list_orders
from ticketing.reconciliation.run import Options, reconcile
from ticketing.schema.runner import apply_migrations
from ticketing.stripe.client import client
from ticketing.stripe.sessions import StripeSessions

ZERO = "0000-00-00 00:00:00"
# What the live columns are elsewhere: a DATETIME that may not be NULL, a TIMESTAMP, a DATE.
NO_DATES = {
    "events": ("start_date", "end_date"),
    "tickets": ("created_at", "updated_at"),
    "ticket_discounts": ("valid_until",),
    "discount_codes": ("valid_from", "valid_until", "created_at", "updated_at"),
    "ticket_orders": ("validated_at", "created_at", "updated_at"),
}


def forget_all_dates(database: Database) -> None:
    """Make every date of the live columns a zero date, as a server without STRICT mode let the old shop do."""
    with database.transaction() as tx:
        for table, columns in NO_DATES.items():
            tx.change(f"UPDATE {table} SET {', '.join(f'{column} = %s' for column in columns)}", *[ZERO] * len(columns))


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("DATE", "0000-00-00", None),
        ("DATE", "2026-02-00", None),
        ("DATE", "2026-02-03", date(2026, 2, 3)),
        ("DATETIME", ZERO, None),
        ("DATETIME(6)", "0000-00-00 00:00:00.000000", None),
        ("DATETIME", "2026-00-03 10:00:00", None),
        ("DATETIME", "2026-02-03 10:00:00", datetime.fromisoformat("2026-02-03T10:00:00")),
        ("DATETIME(3)", "2026-02-03 10:00:00.125", datetime.fromisoformat("2026-02-03T10:00:00.125000")),
        ("DATETIME(6)", "9999-12-31 23:59:59.999999", datetime.fromisoformat("9999-12-31T23:59:59.999999")),
        ("TIMESTAMP NULL", ZERO, None),
        ("TIMESTAMP(6) NULL", "2026-02-03 10:00:00.000001", datetime.fromisoformat("2026-02-03T10:00:00.000001")),
        ("DATETIME", None, None),
    ],
)
def test_a_date_that_is_none_is_null(
    empty_schema: Connect, kind: str, value: str | None, expected: date | None
) -> None:
    run(empty_schema, f"CREATE TABLE dates (written {kind})")
    with Database(empty_schema).transaction() as tx:
        tx.change("INSERT INTO dates VALUES (%s)", value)
        row = tx.one("SELECT written FROM dates")
    assert row == {"written": expected}


def test_tickets_are_sold_and_shown_that_have_no_dates(database: Database) -> None:
    ticket = create_ticket(database)
    event = row_of(database, "tickets", ticket)["event_id"]
    create_code(database, event_id=event, code="SALSA10")
    forget_all_dates(database)
    assert buy(database, ticket, event, discount_code="salsa10", cognito_sub="sub-1") == "ordered"
    [listed] = tickets_of_event(database, event, most=10) or []
    assert (listed.available, listed.created_at) == (99, None)
    forget_all_dates(database)
    [shown] = orders_of(database, Buyer(cognito_sub="sub-1", verified_email=None))
    assert (shown.created_at, shown.event_start_date, shown.event_end_date) == (None, None, None)


@pytest.mark.parametrize("no_date", [ZERO, None])
def test_an_order_without_a_date_does_not_end_the_reconciliation(
    empty_schema: Connect, stand_in: StripeStandIn, no_date: str | None
) -> None:
    apply_migrations(empty_schema)
    run(empty_schema, "ALTER TABLE ticket_orders MODIFY created_at DATETIME NULL")
    database = Database(empty_schema)
    paid = create_order(database, hold=False)
    without_session = create_order(database, hold=False, stripe_checkout_session_id=None)
    dated = create_order(database, hold=False, created_at="2026-01-01 00:00:00")
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET created_at = %s WHERE id <> %s", no_date, dated)
    for order in (paid, dated):
        row = row_of(database, "ticket_orders", order)
        stand_in.seed_session(
            SessionSeed(
                amount_total=2000,
                session_id=row["stripe_checkout_session_id"],
                metadata={"order_id": str(order), "event_id": str(row["event_id"]), "ticket_id": str(row["ticket_id"])},
            )
        )
    assert database_health(database).without_hold == 3
    sessions = StripeSessions(client("sk_test_local", api_base=stand_in.url, network_retries=0))
    report = reconcile(database, sessions, WorkflowBus(database), Options(requests_per_second=2000))
    found = {row.order_id: (row.finding, row.action) for row in report.rows}
    assert found == {
        paid: ("paid", "event_sent"),
        dated: ("paid", "event_sent"),
        without_session: ("no_session", "released"),
    }
    assert [status(database, order) for order in (paid, dated, without_session)] == ["paid", "paid", "expired"]
    assert seats(database, paid) == (1, 0)


def test_operators_see_an_order_without_a_date(database: Database) -> None:
    order = create_order(database)
    forget_all_dates(database)
    found = find_order(database, order_id=order)
    assert found is not None
    assert found.order["created_at"] is None
    wanted = OrdersWanted(since=datetime(2020, 1, 1, tzinfo=UTC))
    assert list_orders(database, wanted).orders == []
