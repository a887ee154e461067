"""The doctor on alerts, database and waiting orders: each break that is made is recognised and named."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

import pytest

from local.lambda_answers import function_error
from operations.doctor import alerts, database
from tests.factories import create_order
from tests.operations.conftest import Cachao
from tests.operations.patients import Causes, Patient, Says


def test_a_topic_without_subscribers_is_named(patient: Patient, causes: Causes) -> None:
    sns = patient.client("sns")
    topic = patient.cloud.deployment.outputs["AlertTopicArn"]
    for found in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=found["SubscriptionArn"])
    assert set(causes(alerts.LINK)) == {"nobody_subscribed"}


def test_a_subscription_that_nobody_confirmed_is_named(patient: Patient, causes: Causes, aws_says: Says) -> None:
    # moto confirms every subscription at once; AWS lists one that is not confirmed with this in place of its ARN.
    pending = {"SubscriptionArn": "PendingConfirmation", "Protocol": "email", "Endpoint": "operators@example.com"}
    aws_says("sns", "list_subscriptions_by_topic", {"Subscriptions": [pending]})
    found = causes(alerts.LINK)
    assert set(found) == {"subscription_unconfirmed"}
    assert "o…@example.com" in found["subscription_unconfirmed"].says


def test_alerts_that_did_not_arrive_are_counted(patient: Patient, causes: Causes, aws_says: Says) -> None:
    aws_says("cloudwatch", "get_metric_statistics", {"Datapoints": [{"Sum": 3.0}]})
    found = causes(alerts.LINK)
    assert set(found) == {"alerts_not_delivered"}
    assert found["alerts_not_delivered"].says.startswith("3 alerts")


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


@contextlib.contextmanager
def database_secret(patient: Patient, text: Callable[[str], str]) -> Iterator[None]:
    arn = patient.cloud.deployment.template.parameters["DatabaseSecretArn"]
    secrets, function = patient.client("secretsmanager"), patient.id("InspectOrderFunction")
    before = secrets.get_secret_value(SecretId=arn)["SecretString"]
    secrets.put_secret_value(SecretId=arn, SecretString=text(before))
    patient.cloud.lambdas.kill_workers(function)  # workers that start anew read it
    try:
        yield
    finally:
        secrets.put_secret_value(SecretId=arn, SecretString=before)
        patient.cloud.lambdas.kill_workers(function)


def test_a_database_that_is_away_is_named(patient: Patient, causes: Causes) -> None:
    # A port at which nobody listens.
    with database_secret(patient, lambda before: json.dumps({**json.loads(before), "port": 1})):
        found = causes(database.LINK)
    assert set(found) == {"database_unreachable"}
    assert "DatabaseUnavailable" in found["database_unreachable"].says


def test_a_password_that_the_database_refuses_is_named(patient: Patient, causes: Causes) -> None:
    with database_secret(patient, lambda before: json.dumps({**json.loads(before), "password": "changed"})):
        found = causes(database.LINK)
    assert set(found) == {"database_unreachable"}
    assert "refuses the user or the password" in found["database_unreachable"].says


def test_a_database_secret_of_another_shape_is_named(patient: Patient, causes: Causes) -> None:
    with database_secret(patient, lambda _: "{}"):
        found = causes(database.LINK)
    assert set(found) == {"database_misconfigured"}
    assert "DATABASE_SECRET_ARN" in found["database_misconfigured"].says


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("Sandbox.Timedout", "Task timed out after 15.00 seconds"),
        ("Runtime.ImportModuleError", "Unable to import module 'handlers.inspect_order'"),
        (None, "Task timed out after 15.00 seconds"),
    ],
)
def test_a_function_that_fails_by_itself_does_not_blame_the_database(
    patient: Patient, causes: Causes, error: str | None, says: str
) -> None:
    patient.cloud.lambdas.interceptors.append(lambda _invocation, _proceed: function_error(error, says))
    found = causes(database.LINK)
    assert set(found) == {"inspection_failing"}
    assert says in found["inspection_failing"].says


def test_orders_past_their_hold_and_the_backlog_are_counted(patient: Patient, causes: Causes) -> None:
    late = create_order(patient.database)
    create_order(patient.database, hold=False, created_at="2025-01-01 12:00:00")
    with patient.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP() - INTERVAL 1 HOUR WHERE id = %s", late)
    found = causes(database.LINK)
    assert set(found) == {"orders_past_hold", "backlog"}
    assert found["orders_past_hold"].says.startswith("1 order is unpaid")
