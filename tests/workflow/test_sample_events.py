"""Each file of events/ through the real workflow, as events/README.md says to send it: it ends as its index says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from local.sample_events.cases import COMPLETED, SAMPLES, Sample
from local.sample_events.forms import entries
from tests.conftest import PARTNER_BUS
from tests.factories import row_of
from tests.workflow.conftest import Ended, ended, started
from ticketing.database import Database

# All over the partner bus; over the default bus, where only the envelope differs, one that passes and one that fails.
SENT = [
    *((sample, "partner") for sample in SAMPLES),
    *((sample, "default") for sample in SAMPLES if sample.name in {COMPLETED, "malformed"}),
]
EVENTS = Path(__file__).resolve().parents[2] / "events"


@pytest.fixture
def _orders(database: Database) -> None:
    sql = re.sub(r"^--.*$", "", (EVENTS / "orders.sql").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for _ in range(2):  # it may be run again and again
        with database.transaction() as tx:
            for statement in filter(str.strip, sql.split(";")):
                tx.change(statement)


def send(cloud: LocalCloud, form: str, name: str) -> Ended | None:
    """Put a file's event on a bus, the partner bus by its real name; None: it started nothing."""
    before = started(cloud)
    envelope = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    entry: Any = entries(envelope, PARTNER_BUS if form == "partner" else None)
    answer = cloud.client("events").put_events(Entries=entry)
    assert answer["FailedEntryCount"] == 0, answer
    since = started(cloud)[len(before) :]
    assert len(since) <= 1
    return ended(cloud, since[0]) if since else None


def send_what_comes_before(cloud: LocalCloud, form: str, sample: Sample) -> None:
    if sample.after is None:
        return
    earlier = next(other for other in SAMPLES if other.name == sample.after)
    send_what_comes_before(cloud, form, earlier)
    end = send(cloud, form, earlier.name)
    assert end is not None
    assert end.status == "SUCCEEDED", end.cause


@pytest.mark.usefixtures("_orders")
@pytest.mark.parametrize(("sample", "form"), SENT, ids=[f"{form}-{sample.name}" for sample, form in SENT])
def test_a_sample_ends_as_its_index_says(
    cloud: LocalCloud,
    start: Callable[[Any], Ended],
    alerts: Callable[[], list[dict[str, Any]]],
    sample: Sample,
    form: str,
) -> None:
    send_what_comes_before(cloud, form, sample)
    told_before = len(alerts())
    end = send(cloud, form, sample.name)
    if end is None:
        assert sample.name == "unhandled"
        end = start(json.loads((EVENTS / f"{sample.name}.json").read_text(encoding="utf-8")))
    if end.status == "SUCCEEDED":
        assert (end.states[-1], len(alerts()) - told_before) == (sample.end, int(sample.end == "RecordedAndTold"))
    else:
        assert (end.error, len(alerts()) - told_before) == (sample.end, 1), end.cause


@pytest.mark.usefixtures("_orders")
def test_a_payment_that_is_told_again_is_counted_once(cloud: LocalCloud, database: Database) -> None:
    for name in ("checkout.session.completed", "checkout.session.completed", "checkout.session.completed.again"):
        end = send(cloud, "partner", name)
        assert end is not None
        assert end.states[-1] == "OrderPaid"
    assert row_of(database, "ticket_orders", 4242)["status"] == "paid"
    ticket = row_of(database, "tickets", 4241)
    assert (ticket["sold_quantity"], ticket["held_quantity"]) == (2, 1)
