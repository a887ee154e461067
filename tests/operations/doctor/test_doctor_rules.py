"""The doctor on EventBridge: source, bus, rules, and the schedule; each break that is made is recognised and named."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.events.models import events_backends

from cachao.aws.environment import Environment
from cachao.doctor import event_bus, partner_source, rules, schedules, stripe_destination
from cachao.doctor.examination import examine
from tests.conftest import PARTNER_BUS
from tests.operations.doctor.patients import Causes, Patient, Says, refused


@pytest.mark.parametrize(("state", "cause"), [("PENDING", "source_pending"), ("DELETED", "source_deleted")])
def test_a_source_that_is_not_active_is_named(patient: Patient, causes: Causes, state: str, cause: str) -> None:
    patient.source.state = state
    try:
        found = causes(partner_source.LINK)
    finally:
        patient.source.state = "ACTIVE"
    assert set(found) == {cause}
    assert found[cause].case == "Events not reaching EventBridge"


def test_a_pending_source_says_until_when(patient: Patient, causes: Causes, aws_says: Says) -> None:
    patient.source.state = "PENDING"
    try:
        assert "goes away after 7 days" in causes(partner_source.LINK)["source_pending"].says
        expires = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
        aws_says("events", "describe_event_source", {"State": "PENDING", "ExpirationTime": expires})
        assert "goes away at 2026-11-28 12:00:00 UTC" in causes(partner_source.LINK)["source_pending"].says
    finally:
        patient.source.state = "ACTIVE"


def test_a_source_that_is_not_there_is_named(patient: Patient, causes: Causes, aws_says: Says) -> None:
    aws_says("events", "describe_event_source", refused("ResourceNotFoundException"))
    assert "does not exist in eu-west-1" in causes(partner_source.LINK)["source_deleted"].says


@pytest.mark.parametrize(
    ("state", "cause"), [("ACTIVE", "bus_missing"), ("PENDING", "source_pending"), ("DELETED", "source_deleted")]
)
def test_a_missing_bus_is_told_once(
    patient: Patient, environment: Environment, causes: Causes, state: str, cause: str
) -> None:
    buses = events_backends[patient.cloud.account_id][patient.cloud.region].event_buses
    bus = buses.pop(PARTNER_BUS)
    patient.source.state = state
    try:
        found = [causes(link) for link in (partner_source.LINK, event_bus.LINK, rules.LINK)]
    finally:
        buses[PARTNER_BUS] = bus
        patient.source.state = "ACTIVE"
    assert [name for one in found for name in one] == [cause]


def test_a_source_that_stripe_knows_is_gone_is_told_once(patient: Patient, environment: Environment) -> None:
    vars(patient.stripe.destination).update(status="disabled", disabled_reason="no_aws_event_source_exists")
    patient.source.state = "DELETED"
    try:
        found = list(examine(environment, [stripe_destination.LINK, partner_source.LINK]))
    finally:
        patient.source.state = "ACTIVE"
    assert [finding.cause for finding in found] == ["source_deleted"]


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
def without_rule(patient: Patient, logical_id: str, bus: str) -> Iterator[None]:
    kept = events_backends[patient.cloud.account_id][patient.cloud.region].event_buses[bus].rules
    name = patient.id(logical_id).rpartition("|")[2]
    rule = kept.pop(name)
    try:
        yield
    finally:
        kept[name] = rule


@pytest.mark.parametrize(
    ("logical_id", "bus"), [("PartnerPaymentRule", PARTNER_BUS), ("DefaultBusPaymentRule", "default")]
)
def test_a_missing_rule_is_named(patient: Patient, causes: Causes, logical_id: str, bus: str) -> None:
    with without_rule(patient, logical_id, bus):
        found = causes(rules.LINK)
    assert set(found) == {"rule_missing"}
    assert bus in found["rule_missing"].says


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


@contextlib.contextmanager
def another_rule(patient: Patient, pattern: dict[str, Any], *targets: str) -> Iterator[None]:
    events = patient.client("events")
    events.put_rule(Name="from-an-older-set-up", EventPattern=json.dumps(pattern), State="ENABLED")
    ids = [str(number) for number, _ in enumerate(targets)]
    if targets:
        events.put_targets(
            Rule="from-an-older-set-up",
            Targets=[{"Id": id_, "Arn": arn} for id_, arn in zip(ids, targets, strict=True)],
        )
    try:
        yield
    finally:
        if targets:
            events.remove_targets(Rule="from-an-older-set-up", Ids=ids)
        events.delete_rule(Name="from-an-older-set-up")


OWN = {"source": ["stripe.com"], "detail-type": ["checkout.session.completed"]}
PARTNER = {"source": [{"prefix": "aws.partner/stripe.com"}]}


@pytest.mark.parametrize(
    ("pattern", "cause"),
    [
        (PARTNER, "rule_on_wrong_bus"),
        ({"source": [{"prefix": "aws.partner/"}]}, "rule_on_wrong_bus"),
        ({"source": [{"wildcard": "aws.partner/*/ed_*"}]}, "rule_on_wrong_bus"),
        ({"source": ["aws.partner/stripe.com/ed_OLD"]}, "rule_on_wrong_bus"),
        ({"source": [{"prefix": "aws.partner/stripe.com/ed_OLD"}]}, "rule_on_wrong_bus"),
        ({"$or": [{"source": ["aws.partner/stripe.com/ed_OLD"]}, {"account": ["1"]}]}, "rule_on_wrong_bus"),
        (OWN, "left_over_rule"),
        ({"source": [{"prefix": "stripe"}]}, "left_over_rule"),
    ],
)
def test_a_left_over_rule_on_the_default_bus_is_named(
    patient: Patient, causes: Causes, pattern: dict[str, Any], cause: str
) -> None:
    with another_rule(patient, pattern):
        found = causes(rules.LINK)
    assert set(found) == {cause}
    assert "from-an-older-set-up" in found[cause].says
    assert "It starts nothing." in found[cause].says
    assert "Delete it:\naws events delete-rule --region" in found[cause].todo


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": [{"prefix": ""}]},
        {"account": ["123456789012"]},
        {"source": [{"anything-but": "aws.ec2"}]},
        {"source": [{"prefix": "aws."}]},
        {"source": ["aws.partner/auth0.com/tenant/1"]},
    ],
)
def test_a_rule_that_takes_whatever_comes_or_somebody_elses_is_left_alone(
    patient: Patient, causes: Causes, pattern: dict[str, Any]
) -> None:
    with another_rule(patient, pattern):
        assert causes(rules.LINK) == {}


def test_a_rule_that_is_disabled_already_is_left_alone(patient: Patient, causes: Causes) -> None:
    with another_rule(patient, OWN):
        patient.client("events").disable_rule(Name="from-an-older-set-up")
        assert causes(rules.LINK) == {}


@pytest.fixture
def other_machine(patient: Patient) -> Iterator[str]:
    """The workflow of another stack of this shop, in the same account."""
    machines = patient.client("stepfunctions")
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    role = "arn:aws:iam::123456789012:role/other"
    arn = machines.create_state_machine(
        name="cachao-live-TicketPayment", definition=json.dumps(definition), roleArn=role
    )["stateMachineArn"]
    yield arn
    machines.delete_state_machine(stateMachineArn=arn)


@pytest.mark.parametrize("pattern", [OWN, PARTNER])
@pytest.mark.parametrize("qualifier", ["", ":live"])
def test_another_stacks_rule_is_told_and_never_advised_away(
    patient: Patient,
    environment: Environment,
    other_machine: str,
    pattern: dict[str, Any],
    qualifier: str,
) -> None:
    with another_rule(patient, pattern, other_machine + qualifier):
        found = list(examine(environment, [rules.LINK]))
    assert {finding.state for finding in found} == {"fine"}
    [told] = [finding for finding in found if "from-an-older-set-up" in finding.says]
    assert "cachao-live-TicketPayment" in told.says
    assert "delete-rule" not in "".join(finding.todo for finding in found)


def test_another_stacks_rule_is_left_alone_also_where_its_machine_may_not_be_looked_at(
    patient: Patient, causes: Causes, other_machine: str, aws_says: Says
) -> None:
    aws_says("stepfunctions", "describe_state_machine", refused("AccessDeniedException"))
    with another_rule(patient, OWN, other_machine):
        assert causes(rules.LINK) == {}


def test_a_rule_that_starts_our_workflow_and_another_only_loses_ours(
    patient: Patient, environment: Environment, causes: Causes, other_machine: str
) -> None:
    with another_rule(patient, OWN, other_machine, environment.state_machine_arn):
        found = causes(rules.LINK)
    assert set(found) == {"left_over_rule"}
    assert "remove-targets" in found["left_over_rule"].todo
    assert found["left_over_rule"].todo.endswith("--ids 1")


@pytest.mark.parametrize(
    ("target", "says", "todo"),
    [
        ("arn:aws:states:eu-west-1:123456789012:stateMachine:gone", "gone, which does not exist", "Delete it:"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:gone", "gone, which does not exist", "Delete it:"),
        ("ours", "It starts cachao-local-TicketPayment", "Delete it:"),
        ("ReconcileOrdersFunction", "ReconcileOrdersFunction", "Delete it, unless you know that you need it:"),
        ("arn:aws:sqs:eu-west-1:123456789012:log", ":log", "Delete it, unless you know that you need it:"),
    ],
)
def test_a_left_over_rule_says_what_it_starts(
    patient: Patient, environment: Environment, causes: Causes, target: str, says: str, todo: str
) -> None:
    if target == "ours":
        target = environment.state_machine_arn
    elif target == "ReconcileOrdersFunction":
        name = patient.id(target)
        target = f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"
    with another_rule(patient, OWN, target):
        found = causes(rules.LINK)
    assert set(found) == {"left_over_rule"}
    assert says in found["left_over_rule"].says
    assert todo in found["left_over_rule"].todo
    assert "--ids 0 && aws events delete-rule" in found["left_over_rule"].todo


def test_rules_of_other_things_are_left_alone(patient: Patient, causes: Causes) -> None:
    events = patient.client("events")
    events.put_rule(Name="others", EventPattern=json.dumps({"source": ["aws.ec2"]}), State="ENABLED")
    try:
        assert causes(rules.LINK) == {}
    finally:
        events.delete_rule(Name="others")


# --- What calls functions by itself ---------------------------------------------------------------------------------

SCHEDULE = "ReconcileOrdersFunctionEveryQuarterOfAnHour"
SCHEDULES = [
    SCHEDULE,
    "EndHoldsFunctionEveryMinute",
    "SummarizeAlertsFunctionEveryTenMinutes",
    "TellEndedExecutionFunctionExecutionEnded",
]


def test_every_rule_of_the_template_that_calls_a_function_is_looked_at(patient: Patient) -> None:
    resources = patient.cloud.deployment.template.body["Resources"]
    found = {name for name, resource in resources.items() if resource["Type"] == "AWS::Events::Rule"}
    assert found == {*SCHEDULES, "PartnerPaymentRule", "DefaultBusPaymentRule"}
    assert [one.rule for one in schedules._ALL] == SCHEDULES


@pytest.mark.parametrize("rule", SCHEDULES)
def test_a_missing_schedule_is_named(patient: Patient, causes: Causes, rule: str) -> None:
    with without_rule(patient, rule, "default"):
        assert set(causes(schedules.LINK)) == {"schedule_missing"}


@pytest.mark.parametrize("rule", SCHEDULES)
def test_a_disabled_schedule_is_named(patient: Patient, causes: Causes, rule: str) -> None:
    events, name = patient.client("events"), patient.id(rule)
    events.disable_rule(Name=name)
    try:
        found = causes(schedules.LINK)
    finally:
        events.enable_rule(Name=name)
    assert set(found) == {"schedule_disabled"}
    assert "aws events enable-rule" in found["schedule_disabled"].todo


def test_a_schedule_that_calls_something_else_is_named(patient: Patient, causes: Causes) -> None:
    events, name = patient.client("events"), patient.id(SCHEDULE)
    [target] = events.list_targets_by_rule(Rule=name)["Targets"]
    events.put_targets(Rule=name, Targets=[{**target, "Arn": f"{target['Arn']}-old"}])
    try:
        found = causes(schedules.LINK)
        events.remove_targets(Rule=name, Ids=[target["Id"]])
        nothing = causes(schedules.LINK)
    finally:
        events.put_targets(Rule=name, Targets=[target])
    assert set(found) == {"schedule_target_missing"}
    assert "calls nothing" in nothing["schedule_target_missing"].says


def policy_for(source: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": "*",
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    }
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}


@pytest.mark.parametrize(
    "answer",
    [refused("ResourceNotFoundException"), policy_for("arn:aws:events:eu-west-1:123456789012:rule/another")],
)
def test_a_schedule_that_may_not_call_its_function_is_named(
    elsewhere: Environment, aws_says: Says, answer: Any
) -> None:
    aws_says("lambda", "get_policy", policy_for("arn:aws:events:eu-west-1:123456789012:rule/*"))
    assert [finding.state for finding in examine(elsewhere, [schedules.LINK])] == ["fine"]
    aws_says("lambda", "get_policy", answer)
    found = list(examine(elsewhere, [schedules.LINK]))
    assert [finding.cause for finding in found] == ["schedule_not_allowed"] * len(SCHEDULES)


def test_a_policy_that_may_not_be_looked_at_is_no_finding(elsewhere: Environment, aws_says: Says) -> None:
    aws_says("lambda", "get_policy", refused("AccessDeniedException", "GetPolicy"))
    assert {finding.state for finding in examine(elsewhere, [schedules.LINK])} == {"cannot tell"}
