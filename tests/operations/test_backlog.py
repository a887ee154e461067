"""The live shop's backlog through everything: `cachao reconcile`, the deployed function, the bus, the state machine.

`make test` takes some dozens, `make test-all` some hundred orders; BACKLOG_ORDERS=10000 takes as many as the live shop
has, in about four minutes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_ticket, row_of
from tests.operations.conftest import Cachao
from tests.sizes import size
from ticketing.database import Database

ORDERS = int(os.environ.get("BACKLOG_ORDERS") or size(60, 300))
DAY = 24 * 3600
SPREAD_SECONDS = 60 * DAY

Alerts = Callable[[], list[dict[str, Any]]]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_backlog_comes_right_in_one_run(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn, cloud: LocalCloud, alerts: Alerts
) -> None:
    ticket, first = _place_backlog(database, stripe_stand_in)
    done = cachao("reconcile", "--since", "90d", "--rate", 80, "--yes", json=True)
    # 1: the stand-in has payments of other tests, whose orders are gone, and those are reported.
    assert done.exit_code in {0, 1}, done.text + done.notes
    cloud.wait_until_idle(timeout_seconds=600)
    with database.transaction() as tx:
        found = tx.all(
            "SELECT status, COUNT(*) AS n, COUNT(ticket_counted_at) AS counted FROM ticket_orders WHERE id >= %s"
            " GROUP BY status",
            first,
        )
    half = ORDERS // 2
    assert {row["status"]: (row["n"], row["counted"]) for row in found} == {"paid": (half, half), "expired": (half, 0)}
    assert row_of(database, "tickets", ticket)["sold_quantity"] == half
    assert alerts() == []
    again = cachao("reconcile", "--since", "90d", "--rate", 80, "--yes", json=True)
    assert [row for row in again.data["rows"] if row["order_id"] is not None] == []


def test_the_schedule_of_the_template_does_it_by_itself(
    database: Database, stripe_stand_in: StripeStandIn, cloud: LocalCloud
) -> None:
    _, first = _place_backlog(database, stripe_stand_in, orders=2)
    cloud.fire_schedule("ReconcileOrdersFunctionEveryQuarterOfAnHour")
    deadline = time.monotonic() + 30
    while (statuses := [row_of(database, "ticket_orders", first + n)["status"] for n in (0, 1)]) != ["paid", "expired"]:
        assert time.monotonic() < deadline, statuses
        time.sleep(0.1)


def _place_backlog(database: Database, stripe: StripeStandIn, *, orders: int = ORDERS) -> tuple[int, int]:
    """Orders as the live shop left them, without holds, of the last 60 days; every second one is paid at Stripe."""
    ticket = create_ticket(database, max_quantity=None)
    began, every = int(time.time()) - SPREAD_SECONDS - 3600, SPREAD_SECONDS // orders
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
            " stripe_checkout_session_id, created_at) SELECT 1, %s, CONCAT('b', seq, '@example.com'), 1, 20, 20,"
            f" 'pending', CONCAT('cs_test_backlog', %s, '_', seq), FROM_UNIXTIME(%s + seq * %s) FROM seq_1_to_{orders}",
            ticket,
            ticket,
            began,
            every,
        )
        row = tx.one("SELECT MIN(id) AS first FROM ticket_orders WHERE ticket_id = %s", ticket)
    assert row is not None
    stripe.seed_sessions(
        SessionSeed(
            amount_total=2000,
            metadata={"order_id": str(row["first"] + number - 1)},
            session_id=f"cs_test_backlog{ticket}_{number}",
            status="complete" if number % 2 else "expired",
            created=began + number * every,
        )
        for number in range(1, orders + 1)
    )
    return ticket, row["first"]
