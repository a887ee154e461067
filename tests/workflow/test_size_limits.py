"""Step Functions' limit of 262,144 bytes: what goes beyond ends an execution without its alert, so nothing may."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import InvokeResult
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_order, envelope, names_of, row_of, session_of
from tests.workflow.conftest import Ended, Run
from tests.workflow.scenarios import Scene
from ticketing.database import Database

Start = Callable[[Any], Ended]
Alerts = Callable[[], list[dict[str, Any]]]
LIMIT, KEPT_BACK = 262_144, 250_000


@pytest.fixture
def scene(cloud: LocalCloud, database: Database, run: Run, stripe_stand_in: StripeStandIn) -> Scene:
    return Scene(cloud, database, run, stripe_stand_in)


def paid_event(order: dict[str, Any], *, size: int, compact: bool) -> dict[str, Any]:
    """An event of so many bytes, as `start` writes it or without any space."""
    event = envelope("checkout.session.completed", session_of(order, custom_text=""))
    separators = (",", ":") if compact else None
    missing = size - len(json.dumps(event, separators=separators))
    event["detail"]["data"]["object"]["custom_text"] = "x" * missing
    assert len(json.dumps(event, separators=separators)) == size
    return event


def test_an_event_up_to_the_bound_is_handled(start: Start, alerts: Alerts, database: Database) -> None:
    order = row_of(database, "ticket_orders", create_order(database))
    ended = start(paid_event(order, size=KEPT_BACK, compact=True))
    assert (ended.status, ended.error) == ("SUCCEEDED", None), ended.cause
    assert row_of(database, "ticket_orders", order["id"])["status"] == "paid"
    assert alerts() == []


BEYOND = pytest.mark.parametrize(
    ("size", "compact"), [(KEPT_BACK + 1, True), (LIMIT, False)], ids=["just beyond the bound", "all that can start"]
)


@BEYOND
def test_a_larger_one_is_read_as_a_thin_one(
    start: Start, alerts: Alerts, database: Database, stripe_stand_in: StripeStandIn, size: int, compact: bool
) -> None:
    order = row_of(database, "ticket_orders", create_order(database))
    seed = SessionSeed(2000, session_id=order["stripe_checkout_session_id"], metadata=names_of(order))
    stripe_stand_in.seed_session(seed)
    ended = start(paid_event(order, size=size, compact=compact))
    assert (ended.status, ended.error) == ("SUCCEEDED", None), ended.cause
    assert row_of(database, "ticket_orders", order["id"])["status"] == "paid"
    assert alerts() == []


@BEYOND
def test_a_larger_one_that_does_not_say_what_it_is_about_is_one_alert(
    start: Start, alerts: Alerts, database: Database, size: int, compact: bool
) -> None:
    order = row_of(database, "ticket_orders", create_order(database))
    event = paid_event(order, size=size, compact=compact)
    session = event["detail"]["data"]["object"]
    # In the same number of bytes.
    session["custom_text"] += "x" * (len(session["id"]) + 1)
    session["id"] = 7
    ended = start(event)
    assert (ended.status, ended.error) == ("FAILED", "InvalidEvent")
    [alert] = alerts()
    assert "larger than 250,000 bytes" in alert["Message"]
    assert event["detail"]["id"] in alert["Message"]
    assert row_of(database, "ticket_orders", order["id"]) == order


def test_control_without_the_bound_it_would_end_without_an_alert_of_its_own(
    scene: Scene, start: Start, alerts: Alerts, database: Database
) -> None:
    order = row_of(database, "ticket_orders", create_order(database))
    with scene.definition(lambda definition: definition.replace("> 250000", "> 999999")):
        ended = start(paid_event(order, size=LIMIT, compact=False))
    assert (ended.status, ended.error) == ("FAILED", "States.DataLimitExceeded")
    assert ended.states == ["ValidateEvent"]
    alert = told_in_the_end(alerts)
    assert alert["MessageAttributes"]["step"]["Value"] == "ValidateEvent"


def told_in_the_end(alerts: Alerts) -> dict[str, Any]:
    """The one alert by which an execution is told that had none of its own: a moment after its end."""
    deadline = time.monotonic() + 20
    while not (told := alerts()) and time.monotonic() < deadline:
        time.sleep(0.05)
    [alert] = told
    assert alert["MessageAttributes"]["error"]["Value"] == "ExecutionFailed"
    assert "States.DataLimitExceeded" in alert["Message"]
    return alert


def test_an_answer_beyond_the_limit_ends_without_an_alert_of_its_own(scene: Scene, alerts: Alerts) -> None:
    """What no state machine can help; that no function answers so much is the functions' own affair."""
    answer = InvokeResult(json.dumps({"order_id": 1, "status": "x" * LIMIT}).encode())
    with scene.answering("LookUpOrderFunction", lambda _invocation, _proceed: answer):
        ended = scene.complete(scene.pending())
    assert (ended.status, ended.error) == ("FAILED", "States.DataLimitExceeded")
    assert told_in_the_end(alerts)["MessageAttributes"]["step"]["Value"] == "LookUpOrder"
