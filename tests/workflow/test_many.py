"""Many events at once: nothing is dropped, everything is counted once."""

from __future__ import annotations

import json
import random

import pytest

from local.aws.cloud import LocalCloud
from tests.conftest import PARTNER_BUS
from tests.factories import create_code, create_order, create_ticket, envelope, row_of, session_of
from tests.sizes import size
from ticketing.database import Database

ORDERS = size(60, 200)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_many_events_put_at_once_all_end_paid_exactly_once(cloud: LocalCloud, database: Database) -> None:
    ticket_id = create_ticket(database, max_quantity=1000)
    code_id = create_code(database, max_uses=1000)
    orders = [
        row_of(
            database, "ticket_orders", create_order(database, ticket_id=ticket_id, quantity=2, discount_code_id=code_id)
        )
        for _ in range(ORDERS)
    ]
    entries = []
    for order in orders:
        event = envelope("checkout.session.completed", session_of(order))
        entries.append(
            {
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
                "EventBusName": PARTNER_BUS,
            }
        )
    entries += random.sample(entries, 20)  # some of them twice
    already = {execution["executionArn"] for execution in cloud.executions()}
    events = cloud.client("events")
    for begin in range(0, len(entries), 10):  # as many as PutEvents takes
        assert events.put_events(Entries=entries[begin : begin + 10])["FailedEntryCount"] == 0
    cloud.wait_until_idle(timeout_seconds=220)
    ended = [e for e in cloud.executions() if e["executionArn"] not in already]
    assert len(ended) == len(entries)
    assert {execution["status"] for execution in ended} == {"SUCCEEDED"}
    with database.transaction() as tx:
        paid = tx.one("SELECT COUNT(*) AS n FROM ticket_orders WHERE status = 'paid' AND held_quantity = 0")
    assert paid == {"n": ORDERS}
    ticket, code = row_of(database, "tickets", ticket_id), row_of(database, "discount_codes", code_id)
    assert (ticket["sold_quantity"], ticket["held_quantity"]) == (2 * ORDERS, 0)
    assert (code["used_count"], code["held_count"]) == (ORDERS, 0)
