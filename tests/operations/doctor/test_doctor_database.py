"""The doctor on alerts, database and waiting orders: each break that is made is recognised and named."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from cachao.doctor import alerts, database, database_trouble
from local.aws.lambda_answers import function_error
from tests.factories import create_order
from tests.operations.conftest import Cachao, paid_event
from tests.operations.doctor.patients import Causes, Patient, Says, refused
from tests.workflow.conftest import Run


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
        taken = tx.one("SELECT name FROM cachao_migrations ORDER BY name DESC LIMIT 1")
        assert taken is not None
        tx.change("DELETE FROM cachao_migrations WHERE name = %s", taken["name"])
    found = causes(database.LINK)
    assert set(found) == {"migrations_pending"}
    answer = cachao("migrate", json=True)
    assert answer.data == {"applied": [taken["name"]]}
    assert causes(database.LINK) == {}


class AnsweringFunction:
    """InspectOrder, as it answers where the server refuses writes."""

    def invoke(self, function: str, given: dict[str, Any]) -> dict[str, Any]:
        assert (function, given) == ("InspectOrderFunction", {"health": True})
        return {"pending_migrations": [], "health": {"write_obstacle": "The server logs statements."}}


def test_a_server_that_refuses_every_write_is_named() -> None:
    [found] = database.check(AnsweringFunction())  # type: ignore[arg-type]
    assert (found.state, found.cause, found.says) == ("broken", "writes_refused", "The server logs statements.")
    assert "cachao replay --failed --since 2d --error ConfigurationError" in found.todo


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("10.11.18-MariaDB-0+deb12u1", ""),
        ("10.6.27-MariaDB-log", "10.6, which MariaDB has not maintained since 2026-07-06"),
        ("11.2.6-MariaDB", "11.2: no long-term release"),
        ("13.1.2-MariaDB", ""),
        ("", ""),
    ],
)
def test_a_server_that_nobody_maintains_is_named(version: str, says: str) -> None:
    found = [*database._check_version(version, date(2026, 11, 29))]
    assert [(finding.state, says in finding.says) for finding in found] == ([("fine", True)] if says else [])


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


def test_a_wrong_password_is_named_although_the_functions_still_rest_on_the_right_one(
    patient: Patient, causes: Causes
) -> None:
    assert causes(database.LINK) == {}
    secrets, arn = patient.client("secretsmanager"), patient.cloud.deployment.template.parameters["DatabaseSecretArn"]
    before = secrets.get_secret_value(SecretId=arn)["SecretString"]
    secrets.put_secret_value(SecretId=arn, SecretString=json.dumps({**json.loads(before), "password": "changed"}))
    try:
        assert set(causes(database.LINK)) == {"database_unreachable"}
    finally:
        secrets.put_secret_value(SecretId=arn, SecretString=before)
    assert causes(database.LINK) == {}


def test_a_database_secret_of_another_shape_is_named(patient: Patient, causes: Causes) -> None:
    with database_secret(patient, lambda _: "{}"):
        found = causes(database.LINK)
    assert set(found) == {"database_misconfigured"}
    assert "DATABASE_SECRET_ARN" in found["database_misconfigured"].says


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("Runtime.ImportModuleError", "Unable to import module 'handlers.maintenance.inspect_order'"),
        (None, "Runtime exited"),
    ],
)
def test_a_function_that_fails_by_itself_does_not_blame_the_database(
    patient: Patient, causes: Causes, error: str | None, says: str
) -> None:
    patient.cloud.lambdas.interceptors.append(lambda _invocation, _proceed: function_error(error, says))
    found = causes(database.LINK)
    assert set(found) == {"inspection_failing"}
    assert says in found["inspection_failing"].says
    assert "the database" not in found["inspection_failing"].todo


TIMED_OUT = "Task timed out after 15.00 seconds"


@pytest.mark.parametrize("error", ["Sandbox.Timedout", None])
def test_a_time_out_is_most_likely_the_databases(
    patient: Patient, causes: Causes, monkeypatch: pytest.MonkeyPatch, error: str | None
) -> None:
    monkeypatch.setattr(database_trouble, "_NOW", timedelta(0))  # other tests' failures are none of this one's
    patient.cloud.lambdas.interceptors.append(lambda _invocation, _proceed: function_error(error, TIMED_OUT))
    found = causes(database.LINK)
    assert set(found) == {"inspection_failing"}
    assert TIMED_OUT in found["inspection_failing"].says
    todo = found["inspection_failing"].todo
    assert todo.index("database") < todo.index("Secrets Manager")


@pytest.fixture
def hanging(patient: Patient) -> Iterator[threading.Event]:
    """The workflow's functions say that the database is away, the inspection says nothing at all."""
    again = threading.Event()

    def answer(invocation: Any, proceed: Any) -> Any:
        if invocation.function.logical_id == "InspectOrderFunction":
            return function_error("Sandbox.Timedout", TIMED_OUT)
        if invocation.function.logical_id != "LookUpOrderFunction" or again.is_set():
            return proceed(invocation)
        return function_error("DatabaseUnavailable", "Away.")

    patient.cloud.lambdas.interceptors.append(answer)
    yield again
    again.set()


def test_a_time_out_while_executions_try_again_is_the_databases(
    patient: Patient, causes: Causes, hanging: threading.Event
) -> None:
    event = paid_event(patient.database, create_order(patient.database))
    machine = patient.cloud.deployment.outputs["StateMachineArn"]
    client = patient.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=machine, input=json.dumps(event))["executionArn"]
    wait_until(lambda: any("taskFailedEventDetails" in one for one in history(client, arn)))
    found = causes(database.LINK)
    hanging.set()
    assert set(found) == {"database_unreachable"}
    assert "trying again after DatabaseUnavailable" in found["database_unreachable"].says
    assert "cachao replay --local --failed --since 2d --error DatabaseUnavailable" in found["database_unreachable"].todo
    patient.cloud.wait_for_execution(arn)


def test_a_time_out_after_executions_failed_is_the_databases(
    patient: Patient, causes: Causes, run: Run, hanging: threading.Event
) -> None:
    event = paid_event(patient.database, create_order(patient.database))
    assert run(event).error == "DatabaseUnavailable"
    assert "failed with DatabaseUnavailable" in causes(database.LINK)["database_unreachable"].says


def test_a_time_out_is_told_also_where_executions_may_not_be_looked_at(
    patient: Patient, causes: Causes, aws_says: Says, hanging: threading.Event
) -> None:
    aws_says("stepfunctions", "list_executions", refused("AccessDeniedException", "ListExecutions"))
    assert set(causes(database.LINK)) == {"inspection_failing"}


def history(client: Any, arn: str) -> list[dict[str, Any]]:
    return list(client.get_execution_history(executionArn=arn)["events"])


def wait_until(it_is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not it_is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_orders_past_their_hold_and_the_backlog_are_counted(patient: Patient, causes: Causes) -> None:
    late = create_order(patient.database)
    create_order(patient.database, hold=False, created_at="2025-01-01 12:00:00")
    with patient.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP() - INTERVAL 1 HOUR WHERE id = %s", late)
    found = causes(database.LINK)
    assert set(found) == {"orders_past_hold", "backlog"}
    assert found["orders_past_hold"].says.startswith("1 order is unpaid")
