"""The files of events/ are current, whole, and are what their index says."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from moto.events.models import EventPattern
from samtranslator.yaml_helper import yaml_parse

from local.__main__ import main
from local.sample_events.cases import COMPLETED, SAMPLES, THIN_SAMPLES, Sample
from local.sample_events.files import INDEX_BEGIN, all_files, envelope, index, with_index, write
from local.sample_events.forms import Form
from local.sample_events.stripe_objects import FREE_SESSION_ID, SESSION_ID
from ticketing.errors import InvalidEvent
from ticketing.stripe.event_types import HANDLED_EVENTS
from ticketing.stripe.events import SessionEvent, read_event

PROJECT = Path(__file__).resolve().parents[2]
EVENTS = PROJECT / "events"
# The events as Stripe documents and sent them, where they are at hand.
FIXTURES = PROJECT.parent / "shared" / "fixtures"
REWRITE = "run: python -m local sample-events --write"

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
each_form = pytest.mark.parametrize("form", ["partner", "default"])


def read(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["sample-events", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


@functools.cache
def rules() -> dict[str, EventPattern]:
    resources = yaml_parse((PROJECT / "template.yaml").read_text(encoding="utf-8"))["Resources"]
    return {
        form: EventPattern(None, resources[rule]["Properties"]["EventPattern"])
        for form, rule in (("partner", "PartnerPaymentRule"), ("default", "DefaultBusPaymentRule"))
    }


def test_the_files_are_current() -> None:
    there = {str(path.relative_to(EVENTS)): path.read_text(encoding="utf-8") for path in EVENTS.rglob("*.json")}
    assert there == all_files(), REWRITE


def test_the_index_is_current() -> None:
    readme = (EVENTS / "README.md").read_text(encoding="utf-8")
    assert readme == with_index(readme), REWRITE


def test_an_index_without_its_place_is_refused() -> None:
    with pytest.raises(ValueError, match=INDEX_BEGIN):
        with_index("# Sample events")


def test_writing_removes_what_is_no_more(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text((EVENTS / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "partner").mkdir()
    (tmp_path / "partner" / "old.json").write_text("{}", encoding="utf-8")
    assert write(tmp_path) == len(SAMPLES) + len(THIN_SAMPLES)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")} == set(all_files())
    assert index() in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_there_is_a_sample_of_every_event_type() -> None:
    assert {sample.event_type for sample in SAMPLES} >= HANDLED_EVENTS


@each_form
@each_sample
def test_a_sample_is_read_as_its_index_says(sample: Sample, form: Form) -> None:
    sent = envelope(sample, form)
    if sample.outcome == "InvalidEvent":
        with pytest.raises(InvalidEvent):
            read_event(sent, livemode=False)
    else:
        assert read_event(sent, livemode=False).outcome == sample.outcome


@each_form
@each_sample
def test_a_sample_goes_through_its_own_entry_point_only(sample: Sample, form: Form) -> None:
    let_in = {entry_point for entry_point, pattern in rules().items() if pattern.matches_event(envelope(sample, form))}
    assert let_in == ({form} if sample.event_type in HANDLED_EVENTS else set())


def test_the_command_prints_the_other_forms(capsys: pytest.CaptureFixture[str]) -> None:
    file, partner = str(EVENTS / f"{COMPLETED}.json"), read(COMPLETED)
    assert printed(capsys, file, "--as", "partner") == partner

    default = printed(capsys, file, "--as", "default")
    assert (default["source"], default["resources"], default["detail"]) == ("stripe.com", [], partner["detail"])
    assert default["id"] != partner["id"]

    [entry] = printed(capsys, file)
    assert (entry["Source"], entry["EventBusName"]) == ("stripe.com", "default")
    assert (entry["DetailType"], json.loads(entry["Detail"])) == (partner["detail-type"], partner["detail"])

    bus = "aws.partner/stripe.com/ed_test_1"
    [entry] = printed(capsys, file, "--as", "put-events", "--bus", bus)
    assert (entry["Source"], entry["EventBusName"]) == (bus, bus)
    moved = printed(capsys, file, "--as", "partner", "--bus", bus)
    assert (moved["source"], moved["resources"]) == (bus, [f"arn:aws:events:eu-west-1::event-source/{bus}"])


def test_the_command_says_what_it_cannot_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.json").write_text("{", encoding="utf-8")
    (tmp_path / "list.json").write_text("[]", encoding="utf-8")
    for arguments, said in (
        ((), "--write"),
        ((str(tmp_path / "none.json"),), "cannot be read"),
        ((str(tmp_path / "text.json"),), "cannot be read as JSON"),
        ((str(tmp_path / "list.json"),), "is no EventBridge envelope"),
        ((str(EVENTS / f"{COMPLETED}.json"), "--write"), "--write"),
    ):
        assert main(["sample-events", *arguments]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("sample", THIN_SAMPLES, ids=lambda sample: sample.name)
def test_a_thin_sample_is_its_twins_notification(sample: Sample) -> None:
    twin, thin = read(sample.name.removeprefix("v1.")), read(sample.name)
    assert (thin["detail-type"], thin["detail"]["object"]) == (sample.name, "v2.core.event")
    assert thin["detail"]["related_object"]["id"] == twin["detail"]["data"]["object"]["id"]
    assert thin["id"] != twin["id"]
    assert thin["detail"]["id"] != twin["detail"]["id"]


def test_there_is_a_thin_sample_of_every_event_type() -> None:
    assert {sample.event_type for sample in THIN_SAMPLES} == {f"v1.{event_type}" for event_type in HANDLED_EVENTS}


def test_ids_look_as_those_of_stripe_do() -> None:
    detail = read(COMPLETED)["detail"]
    assert len(SESSION_ID) == len(FREE_SESSION_ID) == 66
    assert (len(detail["id"]), len(detail["data"]["object"]["payment_intent"])) == (28, 27)


def test_the_sql_makes_the_orders_of_the_samples() -> None:
    sql = (EVENTS / "orders.sql").read_text(encoding="utf-8")
    assert f"'{SESSION_ID}'" in sql
    assert f"'{FREE_SESSION_ID}'" in sql


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the recorded events are not at hand")
@pytest.mark.parametrize(
    ("fixture", "sample"),
    [
        ("recorded_eventbridge_checkout.session.completed.json", COMPLETED),
        ("fixture_refund.json", "refund.updated"),
    ],
)
def test_a_sample_has_every_field_that_stripe_sends(fixture: str, sample: str) -> None:
    sent = json.loads((FIXTURES / fixture).read_text(encoding="utf-8"))
    ours = read(sample)
    if "detail" in sent:
        assert sent.keys() == ours.keys()
        assert sent["detail"].keys() == ours["detail"].keys()
        sent = sent["detail"]["data"]["object"]
    assert sent.keys() - ours["detail"]["data"]["object"].keys() == set()


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the recorded events are not at hand")
def test_the_recorded_event_is_read() -> None:
    file = FIXTURES / "recorded_eventbridge_checkout.session.completed.json"
    payment = read_event(json.loads(file.read_text(encoding="utf-8")), livemode=False)
    assert isinstance(payment, SessionEvent)
    assert (payment.outcome, payment.amount_minor, payment.currency) == ("paid", 3000, "usd")
    assert payment.order_reference is None
