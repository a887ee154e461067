"""The live shop's backlog: thousands of pending orders, half of them paid at Stripe, come right in one run.

`make test` takes some hundred, `make test-all` a fifth of the live shop's number; BACKLOG_ORDERS=10000 takes all of it,
in about a minute.
"""

from __future__ import annotations

import os
import time

import pytest

from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_ticket, row_of
from tests.handlers.workflow.workflow_by_hand import WorkflowBus
from tests.sizes import size
from ticketing.database import Database
from ticketing.reconciliation.run import Options, Progress, reconcile
from ticketing.stripe.client import client
from ticketing.stripe.sessions import StripeSessions

ORDERS = int(os.environ.get("BACKLOG_ORDERS") or size(400, 2000))
SPREAD_SECONDS = 60 * 24 * 3600


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_backlog_of_pending_orders_comes_right_in_one_run(database: Database) -> None:
    ticket = create_ticket(database, max_quantity=None)
    now = int(time.time())
    with database.transaction() as tx:
        # As the live shop left them: no hold, and now and then a session's id that was not stored.
        tx.change(
            "INSERT INTO ticket_orders (id, event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
            " stripe_checkout_session_id, created_at) SELECT seq, 1, %s, CONCAT('b', seq, '@example.com'), 1, 20, 20,"
            " 'pending', IF(seq %% 100, CONCAT('cs_test_backlog', seq), NULL), FROM_UNIXTIME(%s + seq * %s)"
            f" FROM seq_1_to_{ORDERS}",
            ticket,
            now - SPREAD_SECONDS - 3600,
            SPREAD_SECONDS // ORDERS,
        )
    seeds = (
        SessionSeed(
            amount_total=2000,
            metadata={"order_id": str(order), "event_id": "1", "ticket_id": str(ticket)},
            session_id=f"cs_test_backlog{order}",
            status="complete" if order % 2 else "expired",
            created=now - SPREAD_SECONDS - 3600 + order * (SPREAD_SECONDS // ORDERS),
        )
        for order in range(1, ORDERS + 1)
        # Of those without a stored session, every second has none at Stripe either, and nobody paid those.
        if order % 200
    )
    steps: list[Progress] = []
    with StripeStandIn() as stand_in:
        stand_in.seed_sessions(seeds)
        sessions = StripeSessions(client("sk_test_local", api_base=stand_in.url))
        bus = WorkflowBus(database)
        first = reconcile(database, sessions, bus, Options(requests_per_second=5000), progress=steps.append)
        second = reconcile(database, sessions, bus, Options(requests_per_second=5000))
    assert first.complete
    assert {(count.finding, count.action): count.number for count in first.counts} == {
        ("paid", "event_sent"): ORDERS // 2,
        ("expired", "released"): ORDERS // 2 - ORDERS // 200,
        ("no_session", "released"): ORDERS // 200,
    }
    assert set(bus.results) == {"paid"}
    assert (steps[-1].done, steps[0].total) == (ORDERS, ORDERS)
    assert row_of(database, "tickets", ticket)["sold_quantity"] == ORDERS // 2
    with database.transaction() as tx:
        counted = tx.all(
            "SELECT status, COUNT(*) AS n, COUNT(ticket_counted_at) AS c FROM ticket_orders GROUP BY status"
        )
    half = ORDERS // 2
    assert {row["status"]: (row["n"], row["c"]) for row in counted} == {"paid": (half, half), "expired": (half, 0)}
    assert second.rows == []
