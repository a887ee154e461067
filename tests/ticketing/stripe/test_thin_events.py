"""Thin events mean the same as their snapshots; the object's state as Stripe has it now decides."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest

from local.sample_events.cases import SAMPLES, THIN_SAMPLES
from local.sample_events.files import envelope as sample_envelope
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_order, envelope, names_of, row_of, stripe_event
from tests.handlers.workflow.workflow_by_hand import run_workflow
from tests.ticketing.paid_orders import entries, order_row, seats, status
from ticketing.database import Database
from ticketing.errors import ConfigurationError, InvalidEvent, StripeUnavailable
from ticketing.stripe.client import client
from ticketing.stripe.event_types import HANDLED_EVENTS, OBJECT_OF, THIN_EVENTS, snapshot_type, thin_type
from ticketing.stripe.events import DisputeEvent, IgnoredEvent, SessionEvent, StripeEvent, read_event
from ticketing.stripe.retrieve import StripeObjects
from ticketing.stripe.thin_events import as_thin, thin_envelope

COMPLETED = "checkout.session.completed"


def thin(event_type: str = COMPLETED, object_id: str = "cs_test_1", **fields: Any) -> dict[str, Any]:
    detail = {
        "id": "evt_test_65thin",
        "object": "v2.core.event",
        "type": thin_type(event_type),
        "livemode": False,
        "created": "2026-11-21T12:00:02.000Z",
        "context": None,
        "related_object": {"id": object_id, "type": OBJECT_OF.get(event_type, "payout"), "url": "/v1/x"},
        **fields,
    }
    return envelope(str(detail["type"]), None, detail=detail)


def session(**fields: Any) -> dict[str, Any]:
    body = {"id": "cs_test_1", "object": "checkout.session", "status": "complete", "payment_status": "paid"}
    return {**body, "amount_total": 4000, "currency": "eur", "payment_intent": "pi_1", "metadata": {}, **fields}


def read(event: object, body: dict[str, Any] | None) -> StripeEvent:
    return read_event(event, livemode=False, fetch=lambda _kind, _id: body)


def never(_kind: str, _id: str) -> dict[str, Any] | None:
    raise AssertionError("Stripe was asked")


@pytest.mark.parametrize("sample", THIN_SAMPLES, ids=lambda sample: sample.name)
def test_a_thin_sample_means_the_same_as_its_snapshot(sample: Any) -> None:
    twin = next(known for known in SAMPLES if known.name == snapshot_type(sample.name))
    snapshot = sample_envelope(twin, "partner")
    body = snapshot["detail"]["data"]["object"]
    said = read_event(snapshot, livemode=False)
    got = read(sample_envelope(sample, "partner"), body)
    names = {"event_id", "fetched_at"}
    assert {**msgspec.to_builtins(got), **dict.fromkeys(names)} == {
        **msgspec.to_builtins(said),
        **dict.fromkeys(names),
    }
    assert got.event_type == said.event_type


@pytest.mark.parametrize(
    ("event_type", "fields", "outcome", "lost_as"),
    [
        (COMPLETED, {}, "paid", None),
        (COMPLETED, {"payment_status": "unpaid"}, "awaiting", None),
        # It has moved on since.
        ("checkout.session.async_payment_failed", {}, "paid", None),
        ("checkout.session.expired", {}, "paid", None),
        ("checkout.session.async_payment_succeeded", {"payment_status": "unpaid"}, "awaiting", None),
        ("checkout.session.async_payment_failed", {"payment_status": "unpaid"}, "lost", "failed"),
        ("checkout.session.expired", {"status": "expired", "payment_status": "unpaid"}, "lost", "expired"),
        (
            "checkout.session.expired",
            {"status": "expired", "payment_status": "no_payment_required", "amount_total": 0},
            "lost",
            "expired",
        ),
        (COMPLETED, {"payment_status": "no_payment_required", "amount_total": 0, "payment_intent": None}, "paid", None),
    ],
)
def test_the_sessions_state_as_fetched_decides(
    event_type: str, fields: dict[str, Any], outcome: str, lost_as: str | None
) -> None:
    event = read(thin(event_type), session(**fields))
    assert isinstance(event, SessionEvent)
    assert (event.outcome, event.lost_as) == (outcome, lost_as)
    assert event.event_type == event_type
    # When Stripe said so, which is the time of the payment.
    assert event.as_of == 1795262402


def test_a_session_that_is_still_open_is_refused() -> None:
    with pytest.raises(InvalidEvent, match="cannot be about a session that is open and unpaid"):
        read(thin(), session(status="open", payment_status="unpaid"))


def test_a_dispute_says_when_its_event_happened_and_when_it_was_asked_for() -> None:
    body = {"id": "dp_1", "object": "dispute", "amount": 4000, "currency": "eur", "status": "lost", "charge": "ch_1"}
    event = read(thin("charge.dispute.created", "dp_1"), body)
    assert isinstance(event, DisputeEvent)
    assert event.status == "lost"
    assert event.as_of == 1795262402
    assert event.fetched_at is not None
    assert abs(event.fetched_at - time.time()) < 60


@pytest.mark.parametrize(
    ("event", "because"),
    [
        (thin("payout.paid", "po_1"), "type"),
        (thin(type="v2.money_management.adjustment.created", related_object=None), "type"),
        (thin(context="acct_other"), "account"),
        (thin(context="acct_other", livemode=True, related_object=None), "account"),
    ],
)
def test_what_is_none_of_the_shops_business_is_ignored_without_asking_stripe(event: object, because: str) -> None:
    read_as = read_event(event, livemode=False, fetch=never)
    assert isinstance(read_as, IgnoredEvent)
    assert read_as.because == because


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (thin(livemode=True), "live mode"),
        (thin(id="evt_1\n"), "The event's id is not a Stripe id"),
        (thin(related_object=None), "must be about a checkout.session, not about nothing"),
        (thin(related_object={"id": "ch_1", "type": "charge"}), "must be about a checkout.session, not about charge"),
        (thin(related_object={"id": "../x", "type": "checkout.session"}), "related_object.id is not a Stripe id"),
        (thin(related_object=["cs_1"]), "`$.related_object`"),
        ({**thin(), "detail-type": COMPLETED}, "detail-type checkout.session.completed is not the event's type"),
        ({**thin(), "source": "aws.s3"}, "must be stripe.com"),
        ({**thin(), "detail": {"object": "v2.core.event"}}, "missing required field `id`"),
    ],
)
def test_a_malformed_thin_event_is_refused_without_asking_stripe(event: object, sentence: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        read_event(event, livemode=False, fetch=never)
    assert sentence in str(caught.value)


def test_an_object_that_stripe_does_not_have_is_told() -> None:
    with pytest.raises(InvalidEvent, match=r"about checkout\.session cs_test_1, which Stripe does not have"):
        read(thin(), None)


def test_without_anybody_to_ask_it_is_refused() -> None:
    with pytest.raises(InvalidEvent, match="is thin"):
        read_event(thin(), livemode=False)


@pytest.mark.parametrize("event_type", sorted(HANDLED_EVENTS))
def test_a_snapshot_can_be_sent_thin(event_type: str) -> None:
    kind = OBJECT_OF[event_type]
    snapshot = envelope(event_type, {"id": "x_1", "object": kind, "padding": "x" * 500})
    made = thin_envelope(snapshot)
    assert made is not None
    assert (made["detail-type"], made["source"], made["id"]) == (
        thin_type(event_type),
        snapshot["source"],
        snapshot["id"],
    )
    assert made["detail"]["id"] == snapshot["detail"]["id"]
    assert made["detail"]["related_object"] == {"id": "x_1", "type": kind}
    assert len(json.dumps(made)) < 1000


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        stripe_event("payout.paid", {"id": "po_1"}),
        stripe_event(COMPLETED, None),
        stripe_event(COMPLETED, {"id": 5}),
    ],
)
def test_what_does_not_say_what_it_is_about_cannot_be_sent_thin(event: object) -> None:
    assert as_thin(event) is None
    assert thin_envelope({"detail": event}) is None


def test_the_thin_types_are_the_snapshots() -> None:
    assert {snapshot_type(event_type) for event_type in THIN_EVENTS} == HANDLED_EVENTS == set(OBJECT_OF)


# --- Against Stripe's stand-in ----------------------------------------------------------------------------------------


@pytest.fixture
def objects() -> Any:
    with StripeStandIn() as stand_in:
        yield stand_in, StripeObjects(client("sk_test_local", api_base=stand_in.url, network_retries=0))


def test_a_snapshot_and_its_thin_twin_have_one_effect(database: Database, objects: Any) -> None:
    stand_in, stripe = objects
    order = create_order(database, quantity=2)
    row = row_of(database, "ticket_orders", order)
    session_id = stand_in.seed_session(
        SessionSeed(4000, session_id=row["stripe_checkout_session_id"], metadata=names_of(row))
    )
    snapshot = envelope(COMPLETED, stand_in.session(session_id))
    for event in (thin(object_id=session_id), snapshot, thin(object_id=session_id)):
        assert run_workflow(database, event, fetch=stripe.retrieve) == "paid"
    assert (status(database, order), seats(database, order)) == ("paid", (2, 0))
    assert entries(database, order).count("paid") == 1
    intent = str(stand_in.session(session_id)["payment_intent"])
    refund = stand_in.refund(intent, amount=4000)
    for event in (
        thin("refund.created", str(refund["id"])),
        envelope("refund.created", stand_in_refund(stripe, refund)),
        thin("charge.refunded", str(refund["charge"])),
    ):
        assert run_workflow(database, event, fetch=stripe.retrieve) == "refunded"
    assert seats(database, order) == (0, 0)
    assert order_row(database, order)["refunded_amount"] == 40
    assert entries(database, order).count("refunded") == 1


def stand_in_refund(stripe: StripeObjects, refund: dict[str, Any]) -> dict[str, Any]:
    found = stripe.retrieve("refund", str(refund["id"]))
    assert found is not None
    return found


@pytest.mark.parametrize("kind", sorted(set(OBJECT_OF.values())))
def test_each_kind_is_fetched_in_one_request(objects: Any, kind: str) -> None:
    stand_in, stripe = objects
    assert stripe.retrieve(kind, "xx_missing") is None
    stand_in.fail_next(1, status=500)
    with pytest.raises(StripeUnavailable):
        stripe.retrieve(kind, "xx_missing")
    stand_in.fail_next(1, status=429)
    with pytest.raises(StripeUnavailable):
        stripe.retrieve(kind, "xx_missing")
    stand_in.fail_next(1, status=401)
    with pytest.raises(ConfigurationError):
        stripe.retrieve(kind, "xx_missing")
    stand_in.fail_next(1, status=400)
    with pytest.raises(InvalidEvent):
        stripe.retrieve(kind, "xx_missing")
