"""`cachao doctor` as a whole: a healthy chain is fine, what cannot be looked at is told, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from cachao.aws.environment import Choice, Environment, find
from cachao.doctor import rules
from cachao.doctor.addressing import addressed
from cachao.doctor.examination import LINKS, examine
from cachao.doctor.finding import Finding
from tests.operations.conftest import Cachao
from tests.operations.doctor.patients import Patient, Says, refused, unknowns


def test_a_healthy_chain_is_fine_link_by_link(patient: Patient, cachao: Cachao) -> None:
    answer = cachao("doctor", json=True)
    states = {(finding["link"], finding["state"]) for finding in answer.data["findings"]}
    assert answer.exit_code == 0, answer.text
    assert {link for link, _ in states} == {
        "Stripe secret",
        "Stripe event destination",
        "Stripe account",
        "Partner event source",
        "Partner event bus",
        "Rules",
        "Targets and dead letters",
        "State machine",
        "Recent executions",
        "Alerts",
        "Schedules",
        "Functions",
        "Database",
        "Pending orders",
        "Counts",
    }
    # Only what moto does not measure is left open.
    assert {link for link, state in states if state != "fine"} <= {"Alerts"}
    text = cachao("doctor").text
    assert "Nothing is broken." in text
    assert "→" not in text  # nobody has to do anything


def test_a_stack_with_the_webhook_endpoint_only_has_fewer_links_to_break(
    patient: Patient, cachao: Cachao, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Environment, "event_source_name", "")
    patient.source.state = "PENDING"  # of no concern to it
    try:
        answer = cachao("doctor", json=True)
    finally:
        patient.source.state = "ACTIVE"
    assert (answer.exit_code, answer.data["broken"]) == (0, 0)
    assert "The stack has no partner event source" in answer.text


def test_what_cannot_be_looked_at_is_no_all_clear(patient: Patient, cachao: Cachao, aws_says: Says) -> None:
    aws_says("events", "describe_event_source", refused("AccessDeniedException", "DescribeEventSource"))
    answer = cachao("doctor", json=True)
    assert (answer.exit_code, answer.data["broken"], answer.data["cannot_tell"]) == (5, 0, 1)
    text = cachao("doctor").text
    assert "Nothing is known to be broken, but 1 thing could not be looked at." in text
    assert "Nothing is broken." not in text


def test_a_break_counts_for_more_than_what_cannot_be_looked_at(
    patient: Patient, cachao: Cachao, aws_says: Says
) -> None:
    aws_says("events", "describe_event_source", refused("AccessDeniedException", "DescribeEventSource"))
    patient.stripe.destination.status = "disabled"
    answer = cachao("doctor")
    assert answer.exit_code == 1
    assert "1 broken. 1 thing could not be looked at." in answer.text


OPERATIONS = {
    "Stripe secret": [("secretsmanager", "get_secret_value")],
    "Stripe event destination": [("secretsmanager", "get_secret_value")],
    "Stripe account": [("secretsmanager", "get_secret_value")],
    "Partner event source": [("events", "describe_event_source")],
    "Partner event bus": [("events", "describe_event_bus")],
    "Rules": [("events", "describe_rule"), ("events", "list_rules")],
    "Targets and dead letters": [("events", "list_targets_by_rule"), ("iam", "get_role"), ("sqs", "receive_message")],
    "State machine": [
        ("stepfunctions", "describe_state_machine"),
        ("stepfunctions", "describe_state_machine_alias"),
        ("lambda", "get_function_configuration"),
    ],
    "Recent executions": [("stepfunctions", "list_executions")],
    "Alerts": [("sns", "list_subscriptions_by_topic"), ("cloudwatch", "get_metric_statistics")],
    "Schedules": [("events", "describe_rule")],
    "Functions": [("cloudformation", "list_stack_resources"), ("lambda", "get_function_concurrency")],
    "Database": [("lambda", "invoke")],
    "Counts": [("lambda", "invoke")],
}


@pytest.mark.parametrize(
    ("link", "service", "operation"), [(link, *one) for link, named in OPERATIONS.items() for one in named]
)
def test_a_link_that_one_may_not_look_at_is_never_fine_nor_broken(
    patient: Patient,
    environment: Environment,
    aws_says: Says,
    dead_letters: str,
    link: str,
    service: str,
    operation: str,
) -> None:
    if operation == "receive_message":
        patient.client("sqs").send_message(QueueUrl=dead_letters, MessageBody="{}")
    aws_says(service, operation, refused("AccessDeniedException", operation))
    assert any("may not do this" in says for says in unknowns(environment, link))
    assert [finding.cause for finding in examine(environment, [link]) if finding.cause] == []


def test_every_link_is_among_them() -> None:
    assert set(OPERATIONS) == set(LINKS) - {"Stripe webhook endpoint"}  # that one has tests of its own


def test_one_part_that_cannot_be_looked_at_leaves_the_others(
    patient: Patient, environment: Environment, aws_says: Says, dead_letters: str
) -> None:
    patient.client("sqs").send_message(QueueUrl=dead_letters, MessageBody="{}")
    aws_says("iam", "get_role", refused("AccessDenied", "GetRole"))
    found = list(examine(environment, ["Targets and dead letters"]))
    assert [finding.cause for finding in found if finding.state == "broken"] == ["dead_letters"]
    # Both rules have the same role: once.
    assert sum("GetRole" in finding.says for finding in found) == 1


ADVISED = Finding(rules.LINK, "broken", "", "x", "aws events delete-rule --name a\nThen:\ncachao reconcile --since 3d")


def test_advice_means_the_stack_that_was_looked_at(
    patient: Patient, environment: Environment, elsewhere: Environment
) -> None:
    local = addressed(environment, ADVISED).todo
    assert f"aws events delete-rule --region eu-west-1 --endpoint-url {patient.cloud.endpoint_url} --name a" in local
    assert "cachao reconcile --local --since 3d" in local
    todo = addressed(elsewhere, ADVISED).todo
    assert todo == (
        "aws events delete-rule --region eu-west-1 --name a\n"
        "Then:\ncachao reconcile --stack cachao-local --region eu-west-1 --since 3d"
    )


def test_advice_keeps_the_profile_that_was_given(
    elsewhere: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(
        '[profile "live shop"]\nregion = eu-west-1\naws_access_key_id = testing\naws_secret_access_key = testing\n'
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    environment = find(Choice(stack="cachao-local", profile="live shop"))
    assert addressed(environment, ADVISED).todo == (
        "aws events delete-rule --region eu-west-1 --profile 'live shop' --name a\n"
        "Then:\ncachao reconcile --stack cachao-local --region eu-west-1 --profile 'live shop' --since 3d"
    )
