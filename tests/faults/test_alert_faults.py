"""The tasks that publish alerts, when the topic refuses, for a while or for good."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from moto.sns.exceptions import SNSException
from moto.sns.models import SNSBackend

from local.aws.cloud import LocalCloud
from tests.factories import create_order, dispute_of, envelope, row_of, session_of
from tests.faults.tasks import publishing_tasks
from tests.workflow.conftest import Ended, alerts, ended
from ticketing.database import Database

__all__ = ["alerts"]

Alerts = Callable[[], list[dict[str, Any]]]
# Of ten retries.
_FOR_A_WHILE, _FOR_GOOD = 3, 1000


class _Refused(SNSException):  # type: ignore[misc] # moto is untyped
    code = 400

    def __init__(self) -> None:
        super().__init__("Throttled", "Rate exceeded")


@dataclass
class Topic:
    """Refuses so many times. With `loses_the_reply` the alert goes out before."""

    refusals: int = 0
    loses_the_reply: bool = False


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    state, publish = Topic(), SNSBackend.publish

    def publish_or_refuse(*arguments: Any, **named: Any) -> Any:
        if state.refusals == 0:
            return publish(*arguments, **named)
        state.refusals -= 1
        if state.loses_the_reply:
            publish(*arguments, **named)
        raise _Refused

    monkeypatch.setattr(SNSBackend, "publish", publish_or_refuse)
    return state


def _failed_payment(database: Database) -> dict[str, Any]:
    order = row_of(database, "ticket_orders", create_order(database))
    return envelope("checkout.session.completed", session_of(order, amount_total=1))


def _dispute(database: Database) -> dict[str, Any]:
    order_id = create_order(database, status="paid", stripe_payment_intent_id="pi_disputed")
    order = row_of(database, "ticket_orders", order_id)
    return envelope("charge.dispute.created", dispute_of(order, payment_intent="pi_disputed"))


# Each publishing task's scenario, and how its execution ends.
_SCENARIOS = {
    "AlertOperators": (_failed_payment, "FAILED", "AmountMismatch"),
    "PublishAlert": (_dispute, "SUCCEEDED", None),
}


def _run(cloud: LocalCloud, task: str, database: Database) -> Ended:
    event = _SCENARIOS[task][0](database)
    machine = cloud.deployment.outputs["StateMachineArn"]
    started = cloud.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(event))
    return ended(cloud, started["executionArn"])


@pytest.mark.parametrize("task", publishing_tasks())
def test_a_topic_that_refuses_for_a_while_gets_one_alert(
    cloud: LocalCloud, alerts: Alerts, database: Database, topic: Topic, task: str
) -> None:
    topic.refusals = _FOR_A_WHILE
    result = _run(cloud, task, database)
    assert (result.status, result.error) == _SCENARIOS[task][1:]
    assert topic.refusals == 0
    assert len(alerts()) == 1


@pytest.mark.parametrize("task", publishing_tasks())
def test_an_alert_whose_reply_is_lost_comes_again_rather_than_never(
    cloud: LocalCloud, alerts: Alerts, database: Database, topic: Topic, task: str
) -> None:
    # SNS knows no idempotency key for standard topics: at least once is what can be had.
    topic.refusals, topic.loses_the_reply = 1, True
    result = _run(cloud, task, database)
    assert (result.status, result.error) == _SCENARIOS[task][1:]
    first, second = alerts()
    assert first["Message"] == second["Message"]


@pytest.mark.parametrize("task", publishing_tasks())
def test_a_topic_that_never_takes_it_hides_no_failure(
    cloud: LocalCloud, alerts: Alerts, database: Database, topic: Topic, task: str
) -> None:
    topic.refusals = _FOR_GOOD
    result = _run(cloud, task, database)
    # The alarm on failed executions is the second line.
    assert result.status == "FAILED"
    assert result.error == (_SCENARIOS[task][2] or "SNS.ThrottledException"), result.error
    assert alerts() == []
