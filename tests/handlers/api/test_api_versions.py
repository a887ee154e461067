"""Five of Stripe's API versions, each event type in each one's shape, by each entry point: one reading, one result.

Thin where the version has it, which is the newest only; the object is then in the shape that the client asks for.

The shapes are those of the `stripe` package's releases for these versions (tests/stripe_types/versions.json).
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import msgspec
import pytest
import stripe as stripe_package

from handlers.api import receive_stripe_webhook
from handlers.workflow import validate_event
from local.sample_events.cases import SAMPLES, Sample
from local.sample_events.forms import in_form, partner_envelope
from local.stripe_stand_in.thin_events import notification
from tests.conftest import Connect, empty_tables
from tests.handlers.api.conftest import SIGNING_SECRET, Api
from tests.handlers.workflow.workflow_by_hand import run_workflow
from tests.stripe_types.shapes import VERSIONS, deviations, knows, shaped
from ticketing.database import Database
from ticketing.stripe.event_types import HANDLED_EVENTS, OWN_SOURCE
from ticketing.stripe.events import SessionEvent, read_event
from ticketing.stripe.thin_events import FetchObject

ORDERS: Final = Path(__file__).resolve().parents[3] / "events" / "orders.sql"
NEWEST: Final = max(VERSIONS, key=lambda release: VERSIONS[release]["api_version"])
_MORE: Final = frozenset(
    {
        "checkout.session.completed.unpaid",
        "checkout.session.completed.free",
        "checkout.session.completed.presentment",
        "checkout.session.completed.other_currency",
        "charge.refunded.part",
        "charge.dispute.closed.won",
    }
)
CASES: Final = [sample for sample in SAMPLES if sample.name in HANDLED_EVENTS | _MORE]
ENTRY_POINTS: Final = ("partner", "default", "webhook")
_TABLES: Final = ("ticket_orders", "tickets", "order_payments", "order_refunds", "order_disputes", "order_history")


def releases_of(sample: Sample) -> list[str]:
    """In which versions Stripe can say it: what a buyer saw has a field since 2025-03-31.basil."""
    field = "presentment_details" if sample.name.endswith(".presentment") else "id"
    return [release for release in VERSIONS if knows(release, "checkout.session", field)]


def event_of(sample: Sample, release: str) -> dict[str, Any]:
    body = shaped(release, sample.detail["data"]["object"])
    assert deviations(release, body) == []
    event = shaped(
        release, {**sample.detail, "api_version": VERSIONS[release]["api_version"], "data": {"object": body}}
    )
    assert deviations(release, event) == []
    return event


def test_the_versions_are_five_and_every_type_is_in_each() -> None:
    names = [said["api_version"].partition(".")[2] for said in VERSIONS.values()]
    assert names == ["acacia", "basil", "clover", "dahlia", "endive"]
    assert stripe_package.VERSION == NEWEST
    for said in VERSIONS.values():
        assert set(said["objects"]["event"]["fields"]["type"]["values"]) > HANDLED_EVENTS
    assert {sample.event_type for sample in CASES} == HANDLED_EVENTS
    assert len(CASES) == len(HANDLED_EVENTS | _MORE)
    assert {release for release, said in VERSIONS.items() if said["thin"]} == {NEWEST}
    assert set(VERSIONS[NEWEST]["thin"]) == HANDLED_EVENTS


def test_what_the_buyer_saw_is_named_and_kept(database: Database, connect: Connect) -> None:
    sample = next(known for known in SAMPLES if known.name == "checkout.session.completed.presentment")
    rows = rows_after(sample, NEWEST, database, connect)
    [payment] = rows["order_payments"]
    assert (payment["amount_minor"], payment["currency"]) == (4000, "eur")
    assert (payment["presented_minor"], payment["presented_currency"]) == (4680, "usd")
    said = read_event(partner_envelope(sample.name, event_of(sample, NEWEST)), livemode=False)
    assert isinstance(said, SessionEvent)
    assert said.charged == "40.00 EUR, seen by the buyer as 46.80 USD"


@pytest.mark.parametrize(
    "details",
    [
        "46.80 USD",
        {},
        {"presentment_amount": "4680", "presentment_currency": "usd"},
        {"presentment_amount": True, "presentment_currency": "usd"},
        {"presentment_amount": -1, "presentment_currency": "usd"},
        {"presentment_amount": 10**13, "presentment_currency": "usd"},
        {"presentment_amount": 4680, "presentment_currency": "dollars"},
        {"presentment_amount": 4000, "presentment_currency": "EUR"},
    ],
)
def test_a_payment_counts_whatever_is_said_of_what_the_buyer_saw(details: object) -> None:
    sample = next(known for known in SAMPLES if known.name == "checkout.session.completed.presentment")
    event = event_of(sample, NEWEST)
    event["data"]["object"]["presentment_details"] = details
    said = read_event(partner_envelope(sample.name, event), livemode=False)
    assert isinstance(said, SessionEvent)
    assert (said.outcome, said.charged) == ("paid", "40.00 EUR")


def through(entry_point: str, sample: Sample, event: dict[str, Any], api: Api, taken: list[dict[str, Any]]) -> Any:
    """Give the envelope with which an event comes out of an entry point."""
    if entry_point != "webhook":
        return in_form(partner_envelope(sample.name, event), "partner" if entry_point == "partner" else "default")
    body = json.dumps(event)
    signature = stripe_package.WebhookSignature.generate_signature_header(body, SIGNING_SECRET)
    reply = api.call("POST /webhooks/stripe", raw=body, headers={"Stripe-Signature": signature})
    assert reply.status == 200
    put = taken.pop()
    assert put["Source"] == OWN_SOURCE
    return {"source": put["Source"], "detail-type": put["DetailType"], "detail": json.loads(put["Detail"])}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the webhook endpoint puts on the bus."""
    entries: list[dict[str, Any]] = []

    def put_events(**given: Any) -> dict[str, Any]:
        entries.extend(given["Entries"])
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    monkeypatch.setattr(receive_stripe_webhook, "_event_bridge", lambda: SimpleNamespace(put_events=put_events))
    return entries


def ids_of(event: dict[str, Any]) -> tuple[str, str]:
    """Give the ids of a snapshot event and of its thin twin."""
    return event["id"], notification(event)["id"]


@pytest.mark.parametrize("sample", CASES, ids=lambda sample: sample.name)
def test_a_thin_event_has_the_same_reading_through_every_entry_point(
    sample: Sample, api: Api, taken: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    event = event_of(sample, NEWEST)
    monkeypatch.setattr(validate_event, "_fetch", fetcher(event))
    wanted = reading(partner_envelope(sample.name, event))
    for entry_point in ENTRY_POINTS:
        said = reading(through(entry_point, sample, notification(event), api, taken))
        assert said.pop("event_id") == ids_of(event)[1]
        if wanted["object"] == "dispute":
            # What it says of the money is of the event's time, its state of when it was fetched.
            assert abs(said.pop("fetched_at") - time.time()) < 60
        assert {**said, "event_id": event["id"]} == wanted, entry_point


def fetcher(event: dict[str, Any]) -> FetchObject:
    """Give what gives an event's object, as Stripe would."""
    body: dict[str, Any] = event["data"]["object"]

    def fetch(kind: str, object_id: str) -> dict[str, Any]:
        assert (kind, object_id) == (body["object"], body["id"])
        return body

    return fetch


def reading(envelope: Any) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(
        validate_event.handler({"execution_id": "arn:x", "envelope": envelope}, None)
    )
    return said


@pytest.mark.parametrize("sample", CASES, ids=lambda sample: sample.name)
def test_one_reading_whatever_version_and_entry_point(sample: Sample, api: Api, taken: list[dict[str, Any]]) -> None:
    readings = {}
    for release in releases_of(sample):
        event = event_of(sample, release)
        for entry_point in ENTRY_POINTS:
            envelope = through(entry_point, sample, event, api, taken)
            readings[release, entry_point] = reading(envelope)
    assert readings[NEWEST, "partner"]["outcome"] == sample.outcome
    assert {cell: reading for cell, reading in readings.items() if reading != readings[NEWEST, "partner"]} == {}


@pytest.mark.parametrize("sample", CASES, ids=lambda sample: sample.name)
def test_the_same_rows_whatever_version(sample: Sample, database: Database, connect: Connect) -> None:
    rows = {release: rows_after(sample, release, database, connect) for release in releases_of(sample)}
    assert rows[NEWEST]["order_history"] or rows[NEWEST]["order_disputes"]
    for release, found in rows.items():
        assert found == rows[NEWEST], release
    assert rows_after(sample, NEWEST, database, connect, thin=True) == rows[NEWEST]


def rows_after(
    sample: Sample, release: str, database: Database, connect: Connect, *, thin: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Run the sample, and what comes before it, in one version's shape; give the rows without what is their own."""
    empty_tables(connect)
    sql = re.sub(r"^--.*$", "", ORDERS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    with database.transaction() as tx:
        for statement in filter(str.strip, sql.split(";")):
            tx.change(statement)
    snapshot_ids = {}
    for step in [*reversed(before(sample)), sample]:
        event = event_of(step, release)
        snapshot_ids[ids_of(event)[1]] = event["id"]
        sent = notification(event) if thin else event
        run_workflow(database, partner_envelope(step.name, sent), fetch=fetcher(event))
    with database.transaction() as tx:
        return {
            table: [
                {name: _comparable(name, value, snapshot_ids) for name, value in row.items() if name != "id"}
                for row in tx.all(f"SELECT * FROM {table} ORDER BY 1")
            ]
            for table in _TABLES
        }


def _comparable(name: str, value: Any, snapshot_ids: dict[str, str]) -> Any:
    """Of a moment whether there is one, of a thin event's id its twin's."""
    return value is not None if name.endswith("_at") else snapshot_ids.get(value, value)


def before(sample: Sample) -> list[Sample]:
    """The samples that come before it, the nearest first."""
    if sample.after is None:
        return []
    earlier = next(other for other in SAMPLES if other.name == sample.after)
    return [earlier, *before(earlier)]
