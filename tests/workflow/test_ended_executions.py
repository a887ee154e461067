"""An execution that times out, is aborted, or is ended by Step Functions itself has an alert of its own."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto.dynamodb.exceptions import DynamodbException
from moto.dynamodb.models import DynamoDBBackend

from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import InvokeResult
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Proceed
from local.stripe_stand_in import StripeStandIn
from tests.factories import envelope, session_of
from tests.workflow.conftest import Run, put, started
from tests.workflow.scenarios import Scene
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def scene(cloud: LocalCloud, database: Database, run: Run, stripe_stand_in: StripeStandIn) -> Scene:
    return Scene(cloud, database, run, stripe_stand_in)


@contextlib.contextmanager
def hanging(scene: Scene, end: threading.Event) -> Iterator[dict[str, Any]]:
    """A payment whose execution hangs in MarkOrderPaid; gives its order, with the execution's ARN as `execution`."""
    reached = threading.Event()

    def hang(_invocation: Invocation, _proceed: Proceed) -> InvokeResult:
        reached.set()
        end.wait(30)
        return InvokeResult(b"{}")

    before = started(scene.cloud)
    order = scene.pending()
    with scene.answering("MarkOrderPaidFunction", hang):
        try:
            put(scene.cloud, envelope("checkout.session.completed", session_of(order)))
            assert reached.wait(30)
            [arn] = started(scene.cloud)[len(before) :]
            yield order | {"execution": arn}
        finally:
            end.set()


def told_soon(alerts: Alerts) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while not (told := alerts()) and time.monotonic() < deadline:
        time.sleep(0.05)
    [alert] = told
    return alert


def check(alert: dict[str, Any], order: dict[str, Any], name: str) -> None:
    arn = order["execution"]
    assert alert["Subject"] == f"Cachao cachao-local: {name} - order {order['id']}"
    for line in (
        f"{name} in MarkOrderPaid",
        f"Order: {order['id']}",
        "Step: MarkOrderPaid",
        f"Was money taken: yes, 20.00 EUR. To see whether the order is paid, run: cachao show {order['id']}",
        f"Payment: pi_order{order['id']}",
        f"Execution: {arn}",
        f"Console: https://console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/{arn}",
        f"Runbook: docs/runbook.md#{name.lower()}",
    ):
        assert line in alert["Message"].splitlines()
    assert f"cachao replay {arn.rpartition(':')[2]}" in alert["Message"]
    values = {name: value["Value"] for name, value in alert["MessageAttributes"].items()}
    assert values == {
        "error": name,
        "order": str(order["id"]),
        "step": "MarkOrderPaid",
        "stack": "cachao-local",
        "livemode": "false",
    }


def test_an_execution_that_somebody_aborts(scene: Scene, alerts: Alerts) -> None:
    end = threading.Event()
    with hanging(scene, end) as order:
        scene.cloud.client("stepfunctions").stop_execution(executionArn=order["execution"], cause="a mistake")
        end.set()  # moto's engine ends it only now
        assert scene.cloud.wait_for_execution(order["execution"])["status"] == "ABORTED"
        check(told_soon(alerts), order, "ExecutionAborted")


def test_an_execution_that_times_out(scene: Scene, alerts: Alerts) -> None:
    with (
        scene.definition(lambda text: text.replace('"TimeoutSeconds": 3600', '"TimeoutSeconds": 2')),
        hanging(scene, threading.Event()) as order,
    ):
        assert scene.cloud.wait_for_execution(order["execution"])["status"] == "TIMED_OUT"
        check(told_soon(alerts), order, "ExecutionTimedOut")


# --- What the event may leave out, and what may fail beside it ------------------------------------------------------


def tell(scene: Scene, **detail: Any) -> str:
    function = scene.cloud.deployment.functions["TellEndedExecutionFunction"].name
    answer = scene.cloud.lambdas.invoke(function, json.dumps({"detail": detail}).encode())
    assert answer.function_error is None, answer.payload
    result: str = json.loads(answer.payload)["result"]
    return result


def ended_execution(scene: Scene) -> dict[str, Any]:
    """The detail of a payment's execution that succeeded, as if it had been aborted."""
    execution = scene.cloud.client("stepfunctions").describe_execution
    arn = execution(executionArn=started(scene.cloud)[-1])["executionArn"]
    return {"executionArn": arn, "name": arn.rpartition(":")[2], "status": "ABORTED", "input": None}


def test_an_input_that_is_too_long_for_the_event_is_looked_up(scene: Scene, alerts: Alerts) -> None:
    order = scene.pending()
    scene.complete(order)
    assert tell(scene, **ended_execution(scene)) == "told"
    [alert] = alerts()
    assert f"\nOrder: {order['id']}\n" in alert["Message"]


def test_one_end_is_told_once_and_many_are_a_summary(scene: Scene, alerts: Alerts) -> None:
    scene.complete(scene.pending())
    detail = ended_execution(scene)
    assert [tell(scene, **detail), tell(scene, **detail)] == ["told", "told"], "the same one, as Lambda tries again"
    scene.complete(scene.pending())
    assert tell(scene, **ended_execution(scene)) == "left"
    assert len(alerts()) == 2


def test_what_cannot_be_looked_up_or_counted_is_told(
    scene: Scene, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object, **_named: object) -> None:
        raise DynamodbException("InternalServerError", "DynamoDB is away")

    monkeypatch.setattr(DynamoDBBackend, "update_item", away)
    arn = "arn:aws:states:eu-west-1:123456789012:execution:gone:gone"
    assert tell(scene, executionArn=arn, name="gone", status="TIMED_OUT", input="no JSON") == "told"
    [alert] = alerts()
    for line in ("Order: unknown", "Step: unknown", "Was money taken: unknown: see the input of the execution"):
        assert line in alert["Message"].splitlines()


@pytest.mark.parametrize(
    "detail",
    [
        {"status": "SUCCEEDED"},
        {"status": "FAILED", "error": "AmountMismatch", "cause": "LookUpOrder: Order 1 costs 20.00 EUR."},
        {"status": "FAILED", "error": "States.Timeout", "cause": "MarkOrderPaid: The step gave no reason."},
        {"status": "FAILED", "error": "States.Timeout", "cause": "CountTicketSale and CountDiscountUse: no reason."},
    ],
    ids=str,
)
def test_what_had_its_own_alert_is_not_told_again(scene: Scene, alerts: Alerts, detail: dict[str, str]) -> None:
    arn = "arn:aws:states:eu-west-1:123456789012:execution:gone:gone"
    assert tell(scene, executionArn=arn, name="gone", input="{}", **detail) == "nothing"
    assert alerts() == []
