"""Events that EventBridge takes and Step Functions does not: they wait among the dead letters, and are started thin."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.conftest import PARTNER_BUS
from tests.factories import PARTNER_SOURCE, create_order, envelope, names_of, row_of, session_of
from tests.operations.conftest import Cachao
from tests.workflow.conftest import put, started
from ticketing.database import Database

# EventBridge's 1 MB, with some room for the envelope.
LARGEST = 1_000_000


def large(row: dict[str, Any], size: int, **fields: Any) -> dict[str, Any]:
    event = envelope("checkout.session.completed", session_of(row, custom_text="x" * size), **fields)
    event["detail"]["id"] = f"evt_large_{row['id']}"
    return event


@pytest.mark.usefixtures("dead_letters")
@pytest.mark.parametrize("source", [PARTNER_SOURCE, "stripe.com"])
@pytest.mark.parametrize("size", [262_144, LARGEST])
def test_it_waits_and_is_started_as_a_thin_one(
    cachao: Cachao, cloud: LocalCloud, database: Database, stripe_stand_in: StripeStandIn, source: str, size: int
) -> None:
    assert PARTNER_SOURCE.startswith(PARTNER_BUS)
    row = row_of(database, "ticket_orders", create_order(database))
    seed = SessionSeed(2000, session_id=row["stripe_checkout_session_id"], metadata=names_of(row))
    stripe_stand_in.seed_session(seed)
    before = len(started(cloud))
    put(cloud, large(row, size, source=source))
    assert len(started(cloud)) == before
    answer = cachao("replay", "--dead-letters", "--yes", json=True)
    assert [replay["status"] for replay in answer.data["replays"]] == ["SUCCEEDED"]
    assert row_of(database, "ticket_orders", row["id"])["status"] == "paid"
    # It can be replayed once more: what the execution was given fits.
    again = cachao("replay", answer.data["replays"][0]["execution"], "--again", "--yes", json=True)
    assert again.exit_code == 0
    assert row_of(database, "tickets", row["ticket_id"])["sold_quantity"] == row["quantity"]


@pytest.mark.usefixtures("dead_letters")
def test_one_that_nobody_can_start_holds_up_no_other(cachao: Cachao, cloud: LocalCloud, database: Database) -> None:
    row = row_of(database, "ticket_orders", create_order(database))
    nameless = large(row, LARGEST)
    nameless["detail"]["data"]["object"]["id"] = None
    put(cloud, nameless)
    for event in (nameless, envelope("checkout.session.completed", session_of(row))):
        cloud.client("sqs").send_message(
            QueueUrl=cloud.deployment.outputs["EventDeadLetterQueueUrl"], MessageBody=json.dumps(event)
        )
    answer = cachao("replay", "--dead-letters", "--yes", json=True)
    assert [replay["status"] for replay in answer.data["replays"]] == ["SUCCEEDED"]
    assert {letter["reason"] for letter in answer.data["left"]} == {
        "it is too large for an execution, and does not say what it is about"
    }
    assert len(answer.data["left"]) == 2
    assert row_of(database, "ticket_orders", row["id"])["status"] == "paid"
