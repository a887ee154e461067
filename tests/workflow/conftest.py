"""What workflow tests do: put an event, wait for the execution, read its history and its alert."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.aws.cloud import LocalCloud
from local.stripe_stand_in import StripeStandIn
from tests.conftest import PARTNER_BUS
from tests.reference.faults import ScriptedWorld
from tests.reference.interpreter import Interpreter, Outcome
from tests.reference.jsonata import ReferenceJsonata
from tests.reference.tools import ToolsMissing
from ticketing.database import Database


@dataclass(frozen=True)
class Ended:
    """An execution that has ended."""

    status: str
    output: dict[str, Any]
    error: str | None
    cause: str | None
    history: list[dict[str, Any]]
    name: str
    arn: str
    definition: str

    @property
    def states(self) -> list[str]:
        """The states that were entered, in order."""
        return [
            event["stateEnteredEventDetails"]["name"] for event in self.history if "stateEnteredEventDetails" in event
        ]

    def attempts(self) -> int:
        """How many Lambda tasks were scheduled."""
        scheduled = (event.get("taskScheduledEventDetails", {}) for event in self.history)
        return sum(1 for details in scheduled if details.get("resourceType") == "lambda")


Run = Callable[[dict[str, Any]], Ended]
Alerts = Callable[[], list[dict[str, Any]]]


@dataclass(frozen=True)
class Played:
    """A scenario's ending, and the alerts that it sent."""

    ended: Ended
    alerts: list[dict[str, Any]]


Play = Callable[[str], Played]


@pytest.fixture(scope="session")
def _played() -> dict[str, Played]:
    return {}


@pytest.fixture
def play(
    cloud: LocalCloud,
    database: Database,
    run: Run,
    stripe_stand_in: StripeStandIn,
    alerts: Alerts,
    _played: dict[str, Played],
) -> Play:
    """Play a scenario, once in a session: its ending and its alerts are kept."""
    from tests.workflow.scenarios import SCENARIOS, Scene  # noqa: PLC0415 -- it imports this module

    def play_once(name: str) -> Played:
        if name not in _played:
            forget_alerts(cloud)  # each scenario's error is the first: many of one error become one alert
            before = len(alerts())
            ended = SCENARIOS[name][0](Scene(cloud, database, run, stripe_stand_in))
            _played[name] = Played(ended, alerts()[before:])
        return _played[name]

    return play_once


@pytest.fixture
def run(cloud: LocalCloud) -> Run:
    """Put an envelope on the bus that its source belongs to, and wait for the execution that it starts."""

    def put_and_wait(envelope: dict[str, Any]) -> Ended:
        before = started(cloud)
        put(cloud, envelope)
        [arn] = started(cloud)[len(before) :]
        return ended(cloud, arn)

    return put_and_wait


@pytest.fixture
def start(cloud: LocalCloud) -> Callable[[Any], Ended]:
    """Start an execution with any input, past the rules: what a replay or a mistaken hand would do."""

    def start_and_wait(given: object) -> Ended:
        machine = cloud.deployment.outputs["StateMachineArn"]
        arn = cloud.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(given))[
            "executionArn"
        ]
        return ended(cloud, arn)

    return start_and_wait


def started(cloud: LocalCloud) -> list[str]:
    """Give the ARNs of all executions that ever started, the oldest first; moto is asked, not its API: that is slow."""
    machine = machine_of(cloud, cloud.deployment.outputs["StateMachineArn"])
    return [execution.execution_arn for execution in machine.executions]


def machine_of(cloud: LocalCloud, arn: str) -> Any:
    """Give moto's own state machine."""
    return stepfunctions_parser_backends[cloud.account_id][cloud.region].describe_state_machine(arn)


def put(cloud: LocalCloud, envelope: dict[str, Any]) -> None:
    """Put an envelope as its sender would: partner events on the partner bus, our own on the default bus."""
    source = envelope["source"]
    answer = cloud.client("events").put_events(
        Entries=[
            {
                "Source": source,
                "DetailType": envelope["detail-type"],
                "Detail": json.dumps(envelope["detail"]),
                "EventBusName": PARTNER_BUS if source.startswith("aws.partner/") else "default",
            }
        ]
    )
    assert answer["FailedEntryCount"] == 0, answer


def ended(cloud: LocalCloud, arn: str) -> Ended:
    execution = cloud.wait_for_execution(arn)
    return Ended(
        status=execution["status"],
        output=json.loads(execution.get("output") or "{}"),
        error=execution.get("error"),
        cause=execution.get("cause"),
        history=list(cloud.history(arn)),
        name=execution["name"],
        arn=arn,
        # As it is now: some tests change it for a while.
        definition=machine_of(cloud, execution["stateMachineArn"]).definition,
    )


def forget_alerts(cloud: LocalCloud) -> None:
    """Empty the table by which many alerts of one error become one."""
    dynamodb, table = cloud.client("dynamodb"), cloud.deployment.physical_ids["AlertTable"]
    for item in dynamodb.scan(TableName=table, ProjectionExpression="alert_key")["Items"]:
        dynamodb.delete_item(TableName=table, Key=item)


def grow_old(cloud: LocalCloud) -> None:
    """Make all alerts as old as they must be for the summary."""
    dynamodb, table = cloud.client("dynamodb"), cloud.deployment.physical_ids["AlertTable"]
    for item in dynamodb.scan(TableName=table)["Items"]:
        if "claimed_at" in item:
            item["claimed_at"] = {"S": "2026-01-01T10:00:00.000Z"}
            dynamodb.put_item(TableName=table, Item=item)


@pytest.fixture
def alerts(cloud: LocalCloud) -> Iterator[Alerts]:
    """The alerts since the test began, as a subscriber gets them. None was told before: each error is the first."""
    forget_alerts(cloud)
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = cloud.deployment.outputs["AlertTopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    received: list[dict[str, Any]] = []

    def receive() -> list[dict[str, Any]]:
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                received.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return received

    yield receive
    sns.unsubscribe(SubscriptionArn=subscription)
    sqs.delete_queue(QueueUrl=queue)


# --- The second engine (tests/reference) ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def jsonata() -> Iterator[ReferenceJsonata]:
    try:
        reference = ReferenceJsonata()
    except ToolsMissing as error:
        pytest.skip(f"no second engine: {error}")
    yield reference
    reference.close()


def execution_of(ended: Ended) -> dict[str, object]:
    """What `$states.context.Execution` has."""
    started = ended.history[0]["timestamp"]
    return {"Id": ended.arn, "Name": ended.name, "StartTime": started.strftime("%Y-%m-%dT%H:%M:%S.000Z")}


# Each has tasks that the others have not.
OUTCOMES: Final = ("paid", "delayed payment", "expired", "refund", "dispute", "second payment, refunded automatically")


def run_alone(
    right: Ended, world: ScriptedWorld, given: object, reference: ReferenceJsonata
) -> tuple[Interpreter, Outcome]:
    """Run on the second interpreter only, which takes a hundredth of the time."""
    interpreter = Interpreter(json.loads(right.definition), execution_of(right), world, reference)
    return interpreter, interpreter.run(given)
