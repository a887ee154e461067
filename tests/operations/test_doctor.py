"""`cachao doctor`: a healthy chain is fine, and each break that is made on purpose is recognised and named."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto.events.models import events_backends

from local.cloud import LocalCloud
from local.stripe_stand_in import StripeStandIn
from operations.doctor import (
    alerts,
    database,
    event_bus,
    partner_source,
    permissions,
    recent_executions,
    rules,
    state_machine,
    stripe_destination,
    targets,
)
from operations.doctor.examination import examine
from operations.doctor.finding import Finding
from operations.environment import Environment
from tests.conftest import PARTNER_BUS
from tests.factories import create_order, envelope, row_of, session_of
from tests.operations.conftest import Cachao
from tests.workflow.conftest import Run
from ticketing.database import Database

SUBSCRIBER = "arn:aws:sqs:eu-west-1:123456789012:somebody"


@dataclass
class Patient:
    """Everything that can be broken."""

    cloud: LocalCloud
    stripe: StripeStandIn
    database: Database

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def id(self, logical_id: str) -> str:
        return self.cloud.deployment.physical_ids[logical_id]

    @property
    def source(self) -> Any:
        return events_backends[self.cloud.account_id][self.cloud.region].event_sources[PARTNER_BUS]


@pytest.fixture
def patient(cloud: LocalCloud, stripe_stand_in: StripeStandIn, database: Database) -> Iterator[Patient]:
    """A healthy chain: a subscriber, and Stripe's destination for the partner source; no failures of other tests."""
    destination = stripe_stand_in.destination
    before = dict(vars(destination))
    destination.id = PARTNER_BUS.rpartition("/")[2]
    topic = cloud.deployment.outputs["AlertTopicArn"]
    cloud.client("sqs").create_queue(QueueName="somebody")
    arn = cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=SUBSCRIBER)["SubscriptionArn"]
    yield Patient(cloud, stripe_stand_in, database)
    vars(destination).update(before)
    with contextlib.suppress(cloud.client("sns").exceptions.NotFoundException):
        cloud.client("sns").unsubscribe(SubscriptionArn=arn)


@pytest.fixture(autouse=True)
def _only_from_now_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures that other tests made on purpose are none of this test's."""
    begin = datetime.now(UTC)
    monkeypatch.setattr("operations.doctor.recent_executions._LOOK_BACK", timedelta(0))
    monkeypatch.setattr("operations.doctor.recent_executions.datetime", _Frozen(begin))


class _Frozen:
    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self, _zone: object) -> datetime:
        return self._moment


Causes = Callable[[str], dict[str, Finding]]


@pytest.fixture
def causes(environment: Environment, patient: Patient) -> Causes:
    """What is broken about a link, by the cause's name."""

    def look(link: str) -> dict[str, Finding]:
        found = {finding.cause: finding for finding in examine(environment, [link]) if finding.state == "broken"}
        assert all(finding.todo for finding in found.values()), found
        return found

    return look


def test_a_healthy_chain_is_fine_link_by_link(patient: Patient, cachao: Cachao) -> None:
    answer = cachao("doctor", json=True)
    states = {(finding["link"], finding["state"]) for finding in answer.data["findings"]}
    assert answer.exit_code == 0, answer.text
    assert {link for link, _ in states} == {
        "Stripe secret",
        "Stripe event destination",
        "Partner event source",
        "Partner event bus",
        "Rules",
        "Targets and dead letters",
        "State machine",
        "Recent executions",
        "Alerts",
        "Reconciliation",
        "Database",
        "Pending orders",
    }
    # Only what moto does not measure is left open.
    assert {link for link, state in states if state != "fine"} <= {"Alerts"}
    text = cachao("doctor").text
    assert "Nothing is broken." in text


def test_a_stack_with_the_webhook_door_only_has_fewer_links_to_break(
    patient: Patient, cachao: Cachao, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Environment, "event_source_name", "")
    patient.source.state = "PENDING"  # of no concern to it
    try:
        answer = cachao("doctor", json=True)
    finally:
        patient.source.state = "ACTIVE"
    assert (answer.exit_code, answer.data["broken"]) == (0, 0)
    assert "There is no partner door" in answer.text


# --- Stripe's destination ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "cause", "says"),
    [
        ({"status": "disabled", "disabled_reason": "user"}, "destination_disabled", "reason: user"),
        ({"status": "disabled", "disabled_reason": "no_aws_event_source_exists"}, "destination_disabled", "no_aws"),
        ({"event_payload": "thin"}, "thin_payload", "thin events"),
        ({"enabled_events": ("checkout.session.completed",)}, "event_types_missing", "checkout.session.expired"),
        ({"aws_account_id": "999999999999"}, "wrong_account", "999999999999"),
        ({"aws_region": "us-east-1"}, "wrong_region", "us-east-1"),
        ({"livemode": True}, "wrong_mode", "live mode"),
        ({"id": "ed_test_other"}, "destination_missing", "ed_test_other sends to account 123456789012, eu-west-1"),
    ],
)
def test_a_wrong_destination_is_named(
    patient: Patient, causes: Causes, fields: dict[str, Any], cause: str, says: str
) -> None:
    vars(patient.stripe.destination).update(fields)
    found = causes(stripe_destination.LINK)
    assert set(found) == {cause}
    assert says in found[cause].says
    assert found[cause].case == "Events not reaching EventBridge"


def test_all_event_types_by_a_star_are_enough(patient: Patient, causes: Causes) -> None:
    patient.stripe.destination.enabled_events = ("*",)
    assert causes(stripe_destination.LINK) == {}


def test_a_key_that_stripe_refuses_is_named(patient: Patient, causes: Causes) -> None:
    patient.stripe.fail_next(3, status=401, path_prefix="/v2/")
    try:
        assert set(causes(stripe_destination.LINK)) == {"stripe_key_refused"}
    finally:
        patient.stripe.clear_faults()


def test_a_stripe_that_does_not_answer_stops_nothing(patient: Patient, cachao: Cachao) -> None:
    patient.stripe.fail_next(3, status=500, path_prefix="/v2/")
    try:
        answer = cachao("doctor", json=True)
    finally:
        patient.stripe.clear_faults()
    states = {finding["link"]: finding["state"] for finding in answer.data["findings"]}
    assert states["Stripe event destination"] == "cannot tell"
    assert (states["Rules"], answer.exit_code) == ("fine", 5)


# --- EventBridge ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "cause"), [("PENDING", "source_pending"), ("DELETED", "source_deleted")])
def test_a_source_that_is_not_active_is_named(patient: Patient, causes: Causes, state: str, cause: str) -> None:
    patient.source.state = state
    try:
        found = causes(partner_source.LINK)
    finally:
        patient.source.state = "ACTIVE"
    assert set(found) == {cause}
    assert found[cause].case == "Events not reaching EventBridge"


def test_a_missing_bus_is_named(patient: Patient, causes: Causes) -> None:
    buses = events_backends[patient.cloud.account_id][patient.cloud.region].event_buses
    bus = buses.pop(PARTNER_BUS)
    try:
        found = causes(event_bus.LINK)
    finally:
        buses[PARTNER_BUS] = bus
    assert set(found) == {"bus_missing"}


@pytest.mark.parametrize(
    ("logical_id", "bus"), [("PartnerPaymentRule", PARTNER_BUS), ("DefaultBusPaymentRule", "default")]
)
def test_a_disabled_rule_is_named(patient: Patient, causes: Causes, logical_id: str, bus: str) -> None:
    events = patient.client("events")
    events.disable_rule(Name=patient.id(logical_id), EventBusName=bus)
    try:
        found = causes(rules.LINK)
    finally:
        events.enable_rule(Name=patient.id(logical_id), EventBusName=bus)
    assert set(found) == {"rule_disabled"}
    assert f"--name {patient.id(logical_id)}" in found["rule_disabled"].todo


@contextlib.contextmanager
def pattern_of(patient: Patient, logical_id: str, bus: str, pattern: dict[str, Any]) -> Iterator[None]:
    events, name = patient.client("events"), patient.id(logical_id)
    before = events.describe_rule(Name=name, EventBusName=bus)["EventPattern"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern), State="ENABLED")
    try:
        yield
    finally:
        events.put_rule(Name=name, EventBusName=bus, EventPattern=before, State="ENABLED")


def test_the_source_stripe_com_on_the_partner_bus_is_named(patient: Patient, causes: Causes) -> None:
    pattern = {"source": ["stripe.com"], "detail-type": ["checkout.session.completed"]}
    with pattern_of(patient, "PartnerPaymentRule", PARTNER_BUS, pattern):
        assert set(causes(rules.LINK)) == {"pattern_source_is_stripe_com"}


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ({"source": ["aws.partner/stripe.com"]}, "any event"),
        ({"source": [{"prefix": "aws.partner/stripe.com/"}], "detail-type": ["checkout.session.completed"]}, "expired"),
        ({"source": [{"prefix": "aws.partner"}], "detail": {"data": {"object": {"mode": ["setup"]}}}}, "any event"),
    ],
)
def test_a_pattern_that_misses_real_events_is_named(
    patient: Patient, causes: Causes, pattern: dict[str, Any], says: str
) -> None:
    with pattern_of(patient, "PartnerPaymentRule", PARTNER_BUS, pattern):
        found = causes(rules.LINK)
    assert set(found) == {"pattern_does_not_match"}
    assert says in found["pattern_does_not_match"].says


@pytest.mark.parametrize(
    ("pattern", "cause"),
    [
        ({"source": [{"prefix": "aws.partner/stripe.com"}]}, "rule_on_wrong_bus"),
        ({"source": ["stripe.com"], "detail-type": ["checkout.session.completed"]}, "left_over_rule"),
    ],
)
def test_a_left_over_rule_on_the_default_bus_is_named(
    patient: Patient, causes: Causes, pattern: dict[str, Any], cause: str
) -> None:
    events = patient.client("events")
    events.put_rule(Name="from-an-older-set-up", EventPattern=json.dumps(pattern), State="ENABLED")
    try:
        found = causes(rules.LINK)
    finally:
        events.delete_rule(Name="from-an-older-set-up")
    assert set(found) == {cause}
    assert "from-an-older-set-up" in found[cause].says


def test_rules_of_other_things_are_left_alone(patient: Patient, causes: Causes) -> None:
    events = patient.client("events")
    events.put_rule(Name="others", EventPattern=json.dumps({"source": ["aws.ec2"]}), State="ENABLED")
    try:
        assert causes(rules.LINK) == {}
    finally:
        events.delete_rule(Name="others")


# --- Targets -------------------------------------------------------------------------------------------------------


def policy(iam: Any, role: str, name: str) -> dict[str, Any]:
    found = permissions._document(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
    return {"Version": "2012-10-17", **found}


@contextlib.contextmanager
def target_of(patient: Patient, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    events = patient.client("events")
    where = {"Rule": patient.id("PartnerPaymentRule"), "EventBusName": PARTNER_BUS}
    [target] = events.list_targets_by_rule(**where)["Targets"]
    changed = json.loads(json.dumps(target))
    change(changed)
    events.put_targets(**where, Targets=[changed])
    try:
        yield
    finally:
        events.put_targets(**where, Targets=[target])


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda target: target.update(Arn="arn:aws:lambda:eu-west-1:123456789012:function:old"), "target_missing"),
        (lambda target: target.pop("RoleArn"), "role_missing"),
        (lambda target: target.update(RoleArn="arn:aws:iam::123456789012:role/gone"), "role_missing"),
        (lambda target: target.pop("DeadLetterConfig"), "no_dead_letter_queue"),
    ],
)
def test_a_wrong_target_is_named(
    patient: Patient, causes: Causes, change: Callable[[dict[str, Any]], None], cause: str
) -> None:
    with target_of(patient, change):
        found = causes(targets.LINK)
    assert set(found) == {cause}
    assert found[cause].case == "Events received but not processed"


def test_a_role_without_permission_is_named(patient: Patient, causes: Causes) -> None:
    iam, role = patient.client("iam"), patient.id("StartWorkflowRole")
    before = policy(iam, role, "StartTicketPayment")
    iam.delete_role_policy(RoleName=role, PolicyName="StartTicketPayment")
    try:
        assert set(causes(targets.LINK)) == {"permission_missing"}
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="StartTicketPayment", PolicyDocument=json.dumps(before))


def test_a_role_that_eventbridge_may_not_take_on_is_named(patient: Patient, causes: Causes) -> None:
    iam, role = patient.client("iam"), patient.id("StartWorkflowRole")
    before = permissions._document(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    other = json.loads(json.dumps(before).replace("events.amazonaws.com", "lambda.amazonaws.com"))
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(other))
    try:
        assert set(causes(targets.LINK)) == {"role_not_trusted"}
    finally:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(before))


def test_dead_letters_are_counted_and_their_reason_is_told(patient: Patient, causes: Causes, dead_letters: str) -> None:
    patient.client("sqs").send_message(
        QueueUrl=dead_letters,
        MessageBody="{}",
        MessageAttributes={"ERROR_CODE": {"DataType": "String", "StringValue": "NO_PERMISSIONS"}},
    )
    found = causes(targets.LINK)
    assert set(found) == {"dead_letters"}
    assert "NO_PERMISSIONS (1)" in found["dead_letters"].says
    assert "cachao replay --local --dead-letters" in found["dead_letters"].todo


# --- The workflow --------------------------------------------------------------------------------------------------


def test_a_role_that_may_not_call_a_function_is_named(patient: Patient, causes: Causes) -> None:
    iam, role = patient.client("iam"), patient.id("TicketPaymentStateMachineRole")
    name = "TicketPaymentStateMachineRolePolicy0"
    before = policy(iam, role, name)
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        found = causes(state_machine.LINK)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(before))
    assert set(found) == {"invoke_permission_missing"}
    assert "ValidateEventFunction" in found["invoke_permission_missing"].says


def test_payments_without_order_id_are_named_as_such(patient: Patient, causes: Causes, run: Run) -> None:
    order = row_of(patient.database, "ticket_orders", create_order(patient.database))
    body = session_of(order, id="cs_test_foreign", metadata={})
    ended = run(envelope("checkout.session.completed", body))
    assert ended.error == "OrderNotFound"
    found = causes(recent_executions.LINK)
    assert set(found) == {"order_id_missing"}
    assert found["order_id_missing"].case == "order_id not in metadata"
    assert ended.name in found["order_id_missing"].says


def test_failures_are_told_by_their_error_until_a_replay_repairs_them(
    patient: Patient, cachao: Cachao, causes: Causes, run: Run
) -> None:
    order_id = create_order(patient.database)
    event = envelope("checkout.session.completed", session_of(row_of(patient.database, "ticket_orders", order_id)))
    with patient.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET total_amount = 21 WHERE id = %s", order_id)
    ended = run(event)
    found = causes(recent_executions.LINK)
    assert set(found) == {"executions_failing"}
    assert "1 execution of the last 24 hours failed with AmountMismatch" in found["executions_failing"].says
    assert "docs/runbook.md#amountmismatch" in found["executions_failing"].todo
    with patient.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET total_amount = 20 WHERE id = %s", order_id)
    assert cachao("replay", ended.name, "--yes").exit_code == 0
    assert causes(recent_executions.LINK) == {}


# --- Alerts and database -------------------------------------------------------------------------------------------


def test_a_topic_without_subscribers_is_named(patient: Patient, causes: Causes) -> None:
    sns = patient.client("sns")
    topic = patient.cloud.deployment.outputs["AlertTopicArn"]
    for found in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=found["SubscriptionArn"])
    assert set(causes(alerts.LINK)) == {"nobody_subscribed"}


def test_a_subscription_that_nobody_confirmed_is_named(
    patient: Patient, causes: Causes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto confirms every subscription at once; AWS lists one that is not confirmed with this in place of its ARN.
    from operations.environment import Environment  # noqa: PLC0415 -- used by this test only

    original = Environment.client

    def client(self: Environment, service: str) -> Any:
        if service != "sns":
            return original(self, service)
        return _Unconfirmed()

    monkeypatch.setattr(Environment, "client", client)
    found = causes(alerts.LINK)
    assert set(found) == {"subscription_unconfirmed"}
    assert "o…@example.com" in found["subscription_unconfirmed"].says


class _Unconfirmed:
    def get_paginator(self, _name: str) -> _Unconfirmed:
        return self

    def paginate(self, **_wanted: Any) -> list[dict[str, Any]]:
        pending = {
            "SubscriptionArn": "PendingConfirmation",
            "Protocol": "email",
            "Endpoint": "operators@example.com",
        }
        return [{"Subscriptions": [pending]}]


def test_a_missing_migration_is_named(patient: Patient, cachao: Cachao, causes: Causes) -> None:
    with patient.database.transaction() as tx:
        taken = tx.one("SELECT * FROM _yoyo_migration ORDER BY migration_id DESC LIMIT 1")
        assert taken is not None
        tx.change("DELETE FROM _yoyo_migration WHERE migration_hash = %s", taken["migration_hash"])
    found = causes(database.LINK)
    assert set(found) == {"migrations_pending"}
    answer = cachao("migrate", json=True)
    assert answer.data == {"applied": [taken["migration_id"]]}
    assert causes(database.LINK) == {}


def test_a_database_that_is_away_is_named(patient: Patient, causes: Causes) -> None:
    secret = patient.cloud.deployment.template.parameters["DatabaseSecretArn"]
    secrets, function = patient.client("secretsmanager"), patient.id("InspectOrderFunction")
    before = secrets.get_secret_value(SecretId=secret)["SecretString"]
    # A port at which nobody listens; workers that start anew read it.
    secrets.put_secret_value(SecretId=secret, SecretString=json.dumps({**json.loads(before), "port": 1}))
    patient.cloud.lambdas.kill_workers(function)
    try:
        found = causes(database.LINK)
    finally:
        secrets.put_secret_value(SecretId=secret, SecretString=before)
        patient.cloud.lambdas.kill_workers(function)
    assert set(found) == {"database_unreachable"}
    assert "DatabaseUnavailable" in found["database_unreachable"].says


def test_orders_past_their_hold_and_the_backlog_are_counted(patient: Patient, causes: Causes) -> None:
    late = create_order(patient.database)
    create_order(patient.database, hold=False, created_at="2025-01-01 12:00:00")
    with patient.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP() - INTERVAL 1 HOUR WHERE id = %s", late)
    found = causes(database.LINK)
    assert set(found) == {"orders_past_hold", "backlog"}
    assert found["orders_past_hold"].says.startswith("1 order is unpaid")
