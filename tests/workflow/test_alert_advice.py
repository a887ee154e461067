"""What an alert tells a person to do fits what happened to the money."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from local.cloud import LocalCloud
from local.stripe_stand_in import StripeStandIn
from tests.factories import create_order, create_ticket
from tests.workflow.conftest import Run
from tests.workflow.scenarios import Scene, with_automatic_refund
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def scene(cloud: LocalCloud, database: Database, run: Run, stripe_stand_in: StripeStandIn) -> Scene:
    return Scene(cloud, database, run, stripe_stand_in)


@pytest.mark.parametrize("refunds", [False, True], ids=["refunds by hand", "refunds by itself"])
def test_what_was_free_is_not_to_be_refunded(scene: Scene, alerts: Alerts, refunds: bool) -> None:
    ticket_id = create_ticket(scene.database, max_quantity=1)
    order = scene.pending(
        ticket_id=ticket_id, hold=False, status="expired", unit_price=Decimal(0), total_amount=Decimal(0)
    )
    create_order(scene.database, ticket_id=ticket_id)
    with scene.definition(with_automatic_refund) if refunds else contextlib.nullcontext():
        ended = scene.complete(order, payment_status="no_payment_required", payment_intent=None)
    assert (ended.status, ended.error) == ("FAILED", "PaidButSoldOut"), ended.cause
    [alert] = alerts()
    assert "\nWas money taken: no, nothing had to be paid\n" in alert["Message"]
    assert "\nWhat to do now: nothing was paid, so that nothing is to be refunded." in alert["Message"]


def test_what_was_paid_is_to_be_refunded(scene: Scene, alerts: Alerts) -> None:
    order = scene.pending(hold=False, status="cancelled")
    scene.complete(order, payment_intent="pi_late")
    [alert] = alerts()
    assert "\nWas money taken: yes, 20.00 EUR\n" in alert["Message"]
    assert f"\nWhat to do now: refund the buyer: cachao refund {order['id']} --payment pi_late\n" in alert["Message"]
