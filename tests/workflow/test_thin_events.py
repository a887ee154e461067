"""Thin events through the whole workflow, over either bus: Stripe is asked for what they are about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import PARTNER_SOURCE, create_order, envelope, names_of, row_of
from tests.workflow.conftest import Run
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]


def thin(session_id: str, source: str = PARTNER_SOURCE) -> dict[str, Any]:
    detail = {
        "id": "evt_test_65thin",
        "object": "v2.core.event",
        "type": "v1.checkout.session.completed",
        "livemode": False,
        "created": "2026-11-21T12:00:02.000Z",
        "context": None,
        "related_object": {"id": session_id, "type": "checkout.session", "url": f"/v1/checkout/sessions/{session_id}"},
    }
    return envelope("v1.checkout.session.completed", None, detail=detail, source=source)


def paid_at_stripe(database: Database, stripe: StripeStandIn) -> tuple[int, str]:
    row = row_of(database, "ticket_orders", create_order(database))
    session = SessionSeed(2000, session_id=row["stripe_checkout_session_id"], metadata=names_of(row))
    return row["id"], stripe.seed_session(session)


@pytest.mark.parametrize("source", [PARTNER_SOURCE, "stripe.com"])
def test_a_thin_event_pays_its_order(
    run: Run, database: Database, stripe_stand_in: StripeStandIn, alerts: Alerts, source: str
) -> None:
    order, session = paid_at_stripe(database, stripe_stand_in)
    ended = run(thin(session, source))
    assert (ended.status, ended.states[-1]) == ("SUCCEEDED", "OrderPaid"), ended.cause
    assert row_of(database, "ticket_orders", order)["status"] == "paid"
    assert alerts() == []


def test_stripe_is_asked_again_while_it_is_away(
    run: Run, database: Database, stripe_stand_in: StripeStandIn, alerts: Alerts
) -> None:
    order, session = paid_at_stripe(database, stripe_stand_in)
    stripe_stand_in.fail_next(2, status=500, path_prefix="/v1/checkout/sessions/")
    ended = run(thin(session))
    assert ended.states[-1] == "OrderPaid", ended.cause
    assert ended.states.count("ValidateEvent") == 1
    assert row_of(database, "ticket_orders", order)["status"] == "paid"
    assert alerts() == []


def test_a_session_that_stripe_does_not_have_is_one_alert(run: Run, alerts: Alerts) -> None:
    ended = run(thin("cs_test_deleted"))
    assert (ended.status, ended.error) == ("FAILED", "InvalidEvent")
    [alert] = alerts()
    assert "cs_test_deleted, which Stripe does not have in this account and mode" in alert["Message"]
    assert "Checkout Session: cs_test_deleted" in alert["Message"]
