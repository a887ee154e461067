"""`cachao stripe`: what Stripe has, without its dashboard: why a refund failed, where the money is, whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from local.stripe_stand_in import PaymentSeed, StripeStandIn
from tests.factories import create_order, row_of
from tests.operations.conftest import Cachao
from tests.operations.test_corrections import seeded
from tests.ticketing.paid_orders import pay
from ticketing.database import Database


@pytest.fixture
def story(database: Database, stripe_stand_in: StripeStandIn) -> dict[str, Any]:
    """A payment with a refund that failed and a dispute, by every id that leads to it."""
    order = create_order(database, quantity=2)
    session = seeded(stripe_stand_in, database, order)
    payment = stripe_stand_in.session(session)["payment_intent"]
    pay(database, order, payment_intent=payment)
    stripe_stand_in.set_refund_outcome(payment, "fails_at_once")
    refund = stripe_stand_in.refund(payment, amount=1000)
    dispute = stripe_stand_in.open_dispute(payment)
    [line] = dispute["balance_transactions"]
    event = stripe_stand_in.emit("charge.dispute.created", dispute["id"])
    ids = {"pi": payment, "cs": session, "ch": dispute["charge"], "re": refund["id"], "dp": dispute["id"]}
    return ids | {"order": order, "txn": line["id"], "evt": event["id"]}


@pytest.mark.parametrize("by", ["order", "pi", "cs", "ch", "re", "dp", "evt", "txn"])
def test_every_id_leads_to_the_payment_and_all_that_belongs_to_it(
    cachao: Cachao, story: dict[str, Any], by: str
) -> None:
    answer = cachao("stripe", story[by], json=True)
    assert answer.exit_code == 0, answer.notes
    found = {one["id"]: one for one in answer.data["objects"]}
    assert found.keys() >= {story[kind] for kind in ("pi", "cs", "re", "dp")}
    assert len(found) == 4 + (by in {"evt", "txn"})
    assert found[story["re"]]["facts"]["failed because"] == "expired_or_canceled_card"
    assert found[story["dp"]]["facts"]["money_moved_minor"] == -4000


def test_a_person_reads_amounts_and_times_and_never_the_mark(
    cachao: Cachao, database: Database, story: dict[str, Any]
) -> None:
    shown = cachao("stripe", story["order"])
    for part in (f"Payment {story['pi']}", "-40.00 EUR", "expired_or_canceled_card", "order's mark", "the order's"):
        assert part in shown.text
    mark = row_of(database, "ticket_orders", story["order"])["order_mark"]
    assert mark not in shown.text + str(cachao("stripe", story["order"], json=True).data)


def test_whose_a_payment_is_its_mark_says(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn, story: dict[str, Any]
) -> None:
    named = {"order_id": str(story["order"]), "event_id": "1", "ticket_id": "1"}
    for metadata, mark in ((named | {"order_mark": "of-a-second-shop"}, "another"), (named, "none"), ({}, "none")):
        payment = stripe_stand_in.foreign_payment(PaymentSeed(500, metadata=metadata))
        [found] = cachao("stripe", payment, json=True).data["objects"]
        assert (found["has_mark"], found["metadata"].get("order_id")) == (mark, metadata.get("order_id"))


def test_a_session_that_was_never_paid_is_shown_alone(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn
) -> None:
    order = create_order(database)
    session = seeded(stripe_stand_in, database, order, status="open", payment_status="unpaid")
    [found] = cachao("stripe", order, json=True).data["objects"]
    assert (found["id"], found["facts"]["status"], found["facts"]["payment"]) == (session, "open", "unpaid")


@pytest.mark.parametrize(
    ("wanted", "exit_code", "said"),
    [
        ("pi_none", 1, "Stripe has not pi_none"),
        ("evt_none", 1, "Stripe has not evt_none"),
        ("999999", 1, "There is no order 999999"),
        ("po_1", 2, "no id that can be looked up"),
        ("4f0c6a12", 2, "no id that can be looked up"),
    ],
)
def test_what_is_not_there_is_said(cachao: Cachao, wanted: str, exit_code: int, said: str) -> None:
    answer = cachao("stripe", wanted)
    assert (answer.exit_code, said in answer.notes) == (exit_code, True), answer.notes


def test_an_order_that_stripe_does_not_know_is_said_so(cachao: Cachao, database: Database) -> None:
    assert "Stripe has not the session or payment of order" in cachao("stripe", create_order(database)).notes
