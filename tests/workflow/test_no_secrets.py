"""Nothing secret gets out of a run: not into logs, histories, alerts, tracebacks or what Lambda shows of a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from local.database.mariadb import MariaDB
from tests.factories import create_code, create_order, envelope, refund_of, row_of, session_of
from tests.workflow.conftest import Run
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def secrets(cloud: LocalCloud, mariadb: MariaDB) -> set[str]:
    """All that the functions' secrets hold and nobody may see."""
    parameters, client = cloud.deployment.template.parameters, cloud.client("secretsmanager")
    found = {mariadb.password}
    for name in ("StripeSecretArn", "DatabaseSecretArn", "DatabaseMigrationSecretArn", "DatabaseAdminSecretArn"):
        text = json.loads(client.get_secret_value(SecretId=parameters[name])["SecretString"])
        found |= {str(text[key]) for key in ("api_key", "webhook_signing_secret", "password") if key in text}
    assert len(found) >= 3
    return found


@pytest.fixture
def wrong_password(cloud: LocalCloud) -> Iterator[str]:
    """The database refuses the functions: what they say then must not have the password that they tried."""
    arn, client = cloud.deployment.template.parameters["DatabaseSecretArn"], cloud.client("secretsmanager")
    before = client.get_secret_value(SecretId=arn)["SecretString"]
    wrong = "wrong-Passw0rd-that-nobody-may-see"
    client.put_secret_value(SecretId=arn, SecretString=json.dumps(json.loads(before) | {"password": wrong}))
    cloud.lambdas.kill_workers()
    yield wrong
    client.put_secret_value(SecretId=arn, SecretString=before)
    cloud.lambdas.kill_workers()


def shown(cloud: LocalCloud, alerts: Alerts) -> Iterator[tuple[str, str]]:
    """Give all that somebody may read of a run who may not read secrets, with where it stands."""
    for file in sorted(cloud.lambdas.logs_directory.glob("*.log")):
        yield file.name, file.read_text(encoding="utf-8", errors="replace")
    for execution in cloud.executions():
        yield execution["name"], json.dumps(cloud.history(execution["executionArn"]), default=str)
    for name, function in cloud.deployment.functions.items():
        settings = cloud.client("lambda").get_function_configuration(FunctionName=function.name)
        yield name, json.dumps(settings, default=str)
    yield "alerts", json.dumps(alerts())
    stack = cloud.client("cloudformation").describe_stacks(StackName="cachao-local")["Stacks"]
    yield "stack", json.dumps(stack, default=str)


def test_no_secret_is_shown_by_a_run_with_all_that_can_fail_in_it(
    cloud: LocalCloud, database: Database, run: Run, alerts: Alerts, secrets: set[str], request: pytest.FixtureRequest
) -> None:
    order = row_of(database, "ticket_orders", create_order(database, discount_code_id=create_code(database)))
    assert run(envelope("checkout.session.completed", session_of(order))).status == "SUCCEEDED"
    assert run(envelope("checkout.session.completed", session_of(order, amount_total=1))).status == "FAILED"
    # Of a payment that nobody knows: Stripe is asked, with the key.
    assert run(envelope("refund.created", refund_of(order, amount=1, payment_intent="pi_gone"))).status == "SUCCEEDED"
    unsigned = {"headers": {"stripe-signature": "t=1,v1=00"}, "body": "{}", "requestContext": {"http": {}}}
    cloud.lambdas.invoke("ReceiveStripeWebhookFunction", json.dumps(unsigned).encode())
    wrong = request.getfixturevalue("wrong_password")
    refused = run(envelope("checkout.session.completed", session_of(order)))
    assert (refused.status, refused.error) == ("FAILED", "DatabaseUnavailable")
    cloud.lambdas.invoke("MigrateDatabaseFunction", b'{"execution_id": "test"}')

    places = dict(shown(cloud, alerts))
    assert "DatabaseUnavailable" in places["alerts"]
    assert "LookUpOrderFunction.log" in places
    assert {place for place, text in places.items() for secret in {*secrets, wrong} if secret in text} == set()
