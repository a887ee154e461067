"""Many failures of one error are one alert and a summary; both entry points are one alert; and none is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from moto.dynamodb.exceptions import DynamodbException
from moto.dynamodb.models import DynamoDBBackend
from moto.sns.exceptions import SNSException
from moto.sns.models import SNSBackend

from local.aws.cloud import LocalCloud
from local.stripe_stand_in import StripeStandIn
from tests.conftest import PARTNER_BUS
from tests.factories import envelope, session_of
from tests.workflow.conftest import Ended, Run, ended, grow_old, put, started
from tests.workflow.scenarios import Scene
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]
MANY = 12


@pytest.fixture
def scene(cloud: LocalCloud, database: Database, run: Run, stripe_stand_in: StripeStandIn) -> Scene:
    return Scene(cloud, database, run, stripe_stand_in)


class _Refused(SNSException):  # type: ignore[misc] # moto is untyped
    code = 400

    def __init__(self) -> None:
        super().__init__("Throttled", "Rate exceeded")


def refuse(*_arguments: object, **_named: object) -> None:
    raise _Refused


def fail(scene: Scene, how_many: int) -> list[int]:
    """Let payments of cancelled orders fail, all at once; give the orders."""
    cloud, before = scene.cloud, set(started(scene.cloud))
    orders = [scene.pending(hold=False, status="cancelled") for _ in range(how_many)]
    for order in orders:
        put(cloud, envelope("checkout.session.completed", session_of(order)))
    cloud.wait_until_idle()
    found = [e for e in cloud.executions("FAILED") if e["executionArn"] not in before]
    assert len(found) == how_many, "each is in the list that `cachao executions --failed` gives"
    return [order["id"] for order in orders]


def summarize(scene: Scene, *, later: bool = True) -> dict[str, int]:
    """Run the summary as its schedule does, a while after the alerts were noted."""
    if later:
        grow_old(scene.cloud)
    function = scene.cloud.deployment.functions["SummarizeAlertsFunction"].name
    answer = scene.cloud.lambdas.invoke(function, b"{}")
    assert answer.function_error is None, answer.payload
    told: dict[str, int] = json.loads(answer.payload)
    return told


def test_many_failures_of_one_error_are_one_alert_and_a_summary(scene: Scene, alerts: Alerts) -> None:
    orders = fail(scene, MANY)
    [first] = alerts()
    assert "a summary lists what else fails with this error" in first["Message"]
    told_first = int(first["MessageAttributes"]["order"]["Value"])
    assert summarize(scene) == {"PaymentForClosedOrder": MANY - 1}
    _, summary = alerts()
    assert summary["Subject"].startswith(
        f"Cachao cachao-local: PaymentForClosedOrder - {MANY - 1} more executions, ord"
    )
    for line in (
        "cachao executions --failed --since 2h",
        "Runbook: docs/runbook.md#paymentforclosedorder",
        "Console: https://console.aws.amazon.com/",
    ):
        assert line in summary["Message"]
    for order in set(orders) - {told_first}:
        assert f"\n- Order {order}, MarkOrderPaid: " in summary["Message"]
        assert f"cachao refund {order} --payment pi_order{order}" in summary["Message"]
    assert summarize(scene) == {}
    assert len(alerts()) == 2


def test_another_error_has_an_alert_of_its_own(scene: Scene, alerts: Alerts) -> None:
    fail(scene, 2)
    assert scene.complete(scene.pending(), amount_total=1).error == "AmountMismatch"
    assert [alert["MessageAttributes"]["error"]["Value"] for alert in alerts()] == [
        "PaymentForClosedOrder",
        "AmountMismatch",
    ]


def test_the_summary_leaves_alone_what_is_being_told_right_now(scene: Scene, alerts: Alerts) -> None:
    fail(scene, 2)
    assert summarize(scene, later=False) == {}
    assert len(alerts()) == 1


def test_both_entry_points_at_once_are_one_alert(scene: Scene, alerts: Alerts) -> None:
    event = envelope("checkout.session.completed", session_of(scene.pending(), amount_total=1))
    before = started(scene.cloud)
    for source in (f"{PARTNER_BUS}", "stripe.com"):
        put(scene.cloud, {**event, "source": source})
    scene.cloud.wait_until_idle()
    both = [ended(scene.cloud, arn) for arn in started(scene.cloud)[len(before) :]]
    assert [(one.status, one.error) for one in both] == [("FAILED", "AmountMismatch")] * 2
    assert summarize(scene) == {}
    assert len(alerts()) == 1


def test_what_could_not_be_published_is_told_by_the_summary(
    scene: Scene, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(SNSBackend, "publish", refuse)
        [order] = fail(scene, 1)
        grow_old(scene.cloud)
        function = scene.cloud.deployment.functions["SummarizeAlertsFunction"].name
        assert scene.cloud.lambdas.invoke(function, b"{}").function_error is not None
    assert alerts() == []
    assert summarize(scene) == {"PaymentForClosedOrder": 1}
    [alert] = alerts()
    assert f"\n- Order {order}, MarkOrderPaid: " in alert["Message"]
    assert alert["MessageAttributes"]["order"]["Value"] == str(order)


def test_where_the_counting_fails_each_alert_goes_out(
    scene: Scene, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object, **_named: object) -> None:
        raise DynamodbException("InternalServerError", "DynamoDB is away")

    monkeypatch.setattr(DynamoDBBackend, "update_item", away)
    orders = fail(scene, 3)
    assert sorted(int(alert["MessageAttributes"]["order"]["Value"]) for alert in alerts()) == sorted(orders)


def test_what_was_started_by_hand_is_no_second_entry_point(
    scene: Scene, start: Callable[[Any], Ended], alerts: Alerts
) -> None:
    event = envelope("checkout.session.completed", session_of(scene.pending(), amount_total=1))
    assert scene.run(event).error == start(event).error == "AmountMismatch"
    assert len(alerts()) == 1
    assert summarize(scene) == {"AmountMismatch": 1}
