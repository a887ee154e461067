"""A step that succeeds may give alerts: each goes out once, and the execution succeeds all the same."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import InvokeResult
from local.stripe_stand_in import StripeStandIn
from tests.workflow.conftest import Run
from tests.workflow.scenarios import Scene, broken
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]
LATE = {
    "name": "PaidAfterEvent",
    "message": "Order 1 was paid after the event.",
    "money_taken": "yes, 20.00 EUR",
    "what_to_do": "ask the buyer.",
}
TICKET_OFF = {"name": "CountsOff", "message": "The ticket is gone."}
CODE_OFF = {"name": "CountsOff", "message": "The code is gone."}


@pytest.fixture
def scene(cloud: LocalCloud, database: Database, run: Run, stripe_stand_in: StripeStandIn) -> Scene:
    return Scene(cloud, database, run, stripe_stand_in)


def answer(scene: Scene, function: str, **body: Any) -> contextlib.AbstractContextManager[None]:
    result = InvokeResult(json.dumps(body).encode())
    return scene.answering(f"{function}Function", lambda _invocation, _proceed: result)


@contextlib.contextmanager
def paid_late_and_off(scene: Scene) -> Iterator[None]:
    """MarkOrderPaid gives one alert, each count another one of the same name."""
    with (
        answer(scene, "MarkOrderPaid", status="paid", changed=True, alerts=[LATE]),
        answer(scene, "CountTicketSale", result="cannot_count", alerts=[TICKET_OFF]),
        answer(scene, "CountDiscountUse", result="cannot_count", alerts=[CODE_OFF]),
    ):
        yield


def by_name(alerts: Alerts) -> dict[str, str]:
    told = alerts()
    found = {alert["MessageAttributes"]["error"]["Value"]: alert["Message"] for alert in told}
    assert len(found) == len(told)
    return found


def test_each_alert_goes_out_once_and_the_execution_succeeds(scene: Scene, alerts: Alerts) -> None:
    order = scene.pending()
    with paid_late_and_off(scene):
        ended = scene.complete(order)
    assert (ended.status, ended.states[-1]) == ("SUCCEEDED", "RecordedAndTold"), ended.cause
    assert (ended.output["result"], ended.output["order_id"]) == ("OrderPaid", order["id"])
    told = by_name(alerts)
    assert set(told) == {"PaidAfterEvent", "CountsOff"}
    for line in (
        f"PaidAfterEvent: order {order['id']}",
        "What happened: Order 1 was paid after the event.",
        f"Order: {order['id']}",
        "Step: MarkOrderPaid",
        "Was money taken: yes, 20.00 EUR",
        "What to do now: ask the buyer.",
        "Runbook: docs/runbook.md#paidafterevent",
        f"Payment: pi_order{order['id']}",
    ):
        assert line in told["PaidAfterEvent"].splitlines()
    assert "\nConsole: https://" in told["PaidAfterEvent"]
    off = told["CountsOff"].splitlines()
    assert "What happened: The ticket is gone. The code is gone." in off
    assert "Step: CountTicketSale and CountDiscountUse" in off
    assert f"Was money taken: see the order: cachao show {order['id']}" in off


def test_what_was_to_be_told_is_told_by_the_alert_of_a_failure(scene: Scene, alerts: Alerts) -> None:
    with scene.answering("CountDiscountUseFunction", broken), paid_late_and_off(scene):
        ended = scene.complete(scene.pending())
    assert (ended.status, ended.error) == ("FAILED", "DataInconsistent")
    [alert] = alerts()
    besides = "Besides: PaidAfterEvent: Order 1 was paid after the event. CountsOff: The ticket is gone."
    assert besides in alert["Message"].splitlines()


@pytest.mark.parametrize(
    "answered",
    [
        {"step": "CountTicketSale"},
        {"step": "CountTicketSale", "error": None, "cause": 7},
        {"result": "cannot_count"},
        {"result": "cannot_count", "alerts": []},
        {"result": ["purple", "green"]},
        "counted",
        None,
    ],
    ids=str,
)
@pytest.mark.parametrize("function", ["CountTicketSale", "CountDiscountUse"])
def test_a_count_that_answers_something_else_is_one_alert(
    scene: Scene, alerts: Alerts, function: str, answered: object
) -> None:
    result = InvokeResult(json.dumps(answered).encode())
    with scene.answering(f"{function}Function", lambda _invocation, _proceed: result):
        ended = scene.complete(scene.pending())
    assert (ended.status, ended.error) == ("FAILED", "UnexpectedResult")
    [alert] = alerts()
    assert alert["MessageAttributes"]["step"]["Value"] == function


@pytest.mark.parametrize(
    "junk", ["CountsOff", 7, None, {}, [7], [{}], [{"name": "CountsOff"}], [{"name": 1, "message": "x"}]], ids=str
)
def test_alerts_that_nobody_understands_are_a_failure(scene: Scene, alerts: Alerts, junk: object) -> None:
    with answer(scene, "MarkOrderPaid", status="paid", changed=True, alerts=junk):
        ended = scene.complete(scene.pending())
    assert (ended.status, ended.error) == ("FAILED", "States.QueryEvaluationError"), ended.cause
    [alert] = alerts()
    assert alert["MessageAttributes"]["step"]["Value"] == "TellOperators"
