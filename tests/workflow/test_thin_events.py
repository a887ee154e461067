"""Thin events through the whole workflow, over either bus: Stripe is asked for what they are about."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
import stripe
from werkzeug.test import Client

from local.aws.cloud import LocalCloud
from local.aws.http_api import HttpApi
from local.stripe_stand_in import SessionSeed, StripeStandIn
from local.stripe_stand_in.faults import FaultKind
from tests.factories import PARTNER_SOURCE, create_order, envelope, names_of, row_of, stripe_event
from tests.workflow.conftest import Ended, Run, ended, started
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]
# ValidateEvent, LookUpOrder, MarkOrderPaid and the two counts.
SUCCESS_ATTEMPTS = 5


SECRET = "whsec_local"


def deliver(cloud: LocalCloud, event: dict[str, Any]) -> int:
    """As Stripe's webhook: signed, to the API; gives the answer's status."""
    body = json.dumps(event)
    signature = stripe.WebhookSignature.generate_signature_header(body, SECRET, int(time.time()))
    api = Client(HttpApi(cloud.deployment.template.http_api, cloud.lambdas))
    answer = api.post("/webhooks/stripe", data=body, headers={"Stripe-Signature": signature})
    return answer.status_code


def by_webhook(cloud: LocalCloud, event: dict[str, Any]) -> Ended:
    """The one execution that it starts."""
    before = started(cloud)
    assert deliver(cloud, event) == HTTPStatus.OK
    [arn] = started(cloud)[len(before) :]
    return ended(cloud, arn)


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


@pytest.mark.parametrize("large", [False, True])
def test_the_webhook_endpoint_takes_it_and_makes_what_is_too_large_thin(
    cloud: LocalCloud, database: Database, stripe_stand_in: StripeStandIn, alerts: Alerts, *, large: bool
) -> None:
    order, session = paid_at_stripe(database, stripe_stand_in)
    event = thin(session)["detail"]
    if large:
        body = stripe_stand_in.session(session) | {"custom_text": "x" * 2_000_000}
        event = stripe_event("checkout.session.completed", body)
    done = by_webhook(cloud, event)
    assert (done.status, done.states[-1]) == ("SUCCEEDED", "OrderPaid"), done.cause
    assert row_of(database, "ticket_orders", order)["status"] == "paid"
    assert alerts() == []


@pytest.mark.parametrize("status", [500, 429])
def test_stripe_is_asked_again_while_it_is_away(
    run: Run, database: Database, stripe_stand_in: StripeStandIn, alerts: Alerts, status: FaultKind
) -> None:
    order, session = paid_at_stripe(database, stripe_stand_in)
    stripe_stand_in.fail_next(2, status=status, path_prefix="/v1/checkout/sessions/")
    ended = run(thin(session))
    assert ended.states[-1] == "OrderPaid", ended.cause
    # One request in each try.
    assert ended.attempts() == SUCCESS_ATTEMPTS + 2
    assert row_of(database, "ticket_orders", order)["status"] == "paid"
    assert alerts() == []


def test_where_stripe_stays_away_it_is_one_alert_that_says_so(
    run: Run, database: Database, stripe_stand_in: StripeStandIn, alerts: Alerts
) -> None:
    order, session = paid_at_stripe(database, stripe_stand_in)
    stripe_stand_in.fail_next(50, status=500, path_prefix="/v1/checkout/sessions/")
    done = run(thin(session))
    stripe_stand_in.clear_faults()
    assert (done.status, done.error) == ("FAILED", "StripeUnavailable")
    [alert] = alerts()
    assert f"Checkout Session: {session}" in alert["Message"]
    assert row_of(database, "ticket_orders", order)["status"] == "pending"
    assert run(thin(session)).states[-1] == "OrderPaid"


def test_a_session_that_stripe_does_not_have_is_one_alert(run: Run, alerts: Alerts) -> None:
    ended = run(thin("cs_test_deleted"))
    assert (ended.status, ended.error) == ("FAILED", "InvalidEvent")
    [alert] = alerts()
    assert "cs_test_deleted, which Stripe does not have in this account and mode" in alert["Message"]
    assert "Checkout Session: cs_test_deleted" in alert["Message"]
