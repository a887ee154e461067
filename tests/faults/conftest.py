"""The laboratory of the fault matrix, and the table that it prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from local.database.mariadb import MariaDB
from local.stripe_stand_in import StripeStandIn
from tests.conftest import Connect
from tests.faults.faults import Machine
from tests.faults.laboratory import Laboratory
from tests.faults.proxy import DatabaseProxy
from tests.faults.table import Table

# The functions ask for 5 s. Lock waits are real here, only shorter.
_SHORTER_LOCK_WAIT = {b"innodb_lock_wait_timeout = 5": b"innodb_lock_wait_timeout = 1"}
_NO_AUTOMATIC_REFUND, _AUTOMATIC_REFUND = "{% 'false' = 'true' %}", "{% 'true' = 'true' %}"

_table = Table()


@pytest.fixture(scope="session")
def table() -> Table:
    """What every cell writes its result into."""
    return _table


@pytest.fixture(scope="module")
def laboratory(
    session_cloud: LocalCloud, mariadb: MariaDB, _migrated: Connect, stripe_stand_in: StripeStandIn
) -> Iterator[Laboratory]:
    """The session's cloud, its functions sent to the database over the proxy."""
    with DatabaseProxy((mariadb.host, mariadb.port), rewrite=_SHORTER_LOCK_WAIT) as proxy:
        _send_functions_to(session_cloud, proxy.port)
        machines = _machines(session_cloud)
        yield Laboratory(session_cloud, mariadb, _migrated, proxy, stripe_stand_in, machines)
        session_cloud.lambdas.interceptors.clear()
        _send_functions_to(session_cloud, mariadb.port)


def _send_functions_to(cloud: LocalCloud, port: int) -> None:
    """Change the database's secret, as a rotation does, and start all workers anew, so that they read it."""
    arn = cloud.deployment.template.parameters["DatabaseSecretArn"]
    secrets = cloud.client("secretsmanager")
    secret = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
    secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(secret | {"port": port}))
    cloud.lambdas.kill_workers()


def _machines(cloud: LocalCloud) -> dict[Machine, str]:
    """Deploy the workflow with AutomaticRefund on beside the other one, three times (faults.Fault.machine)."""
    client = cloud.client("stepfunctions")
    machine = client.describe_state_machine(stateMachineArn=cloud.deployment.outputs["StateMachineArn"])
    assert machine["definition"].count(_NO_AUTOMATIC_REFUND) == 1, "the definition says AutomaticRefund in another way"
    definition = json.loads(machine["definition"].replace(_NO_AUTOMATIC_REFUND, _AUTOMATIC_REFUND))
    definitions: dict[Machine, Any] = {
        "usual": definition,
        "impatient": _changed(definition, _impatient),
        "patient": _changed(definition, _patient),
    }
    arns: dict[Machine, str] = {}
    for name, changed in definitions.items():
        made = client.create_state_machine(
            name=f"fault-matrix-{name}", definition=json.dumps(changed), roleArn=machine["roleArn"]
        )
        arns[name] = made["stateMachineArn"]
    return arns


def _changed(definition: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Give the definition with every Lambda task changed."""
    if isinstance(definition, list):
        return [_changed(part, change) for part in definition]
    if not isinstance(definition, dict):
        return definition
    copy = {key: _changed(value, change) for key, value in definition.items()}
    return change(copy) if str(copy.get("Resource", "")).endswith(":lambda:invoke") else copy


def _impatient(task: dict[str, Any]) -> dict[str, Any]:
    """Give a task that is given up after one second."""
    return task | {"TimeoutSeconds": 1}


def _patient(task: dict[str, Any]) -> dict[str, Any]:
    """Give a task whose waits are a fiftieth of the real ones, all of each; the session's are a five-hundredth."""
    return task | {
        "Retry": [
            retrier
            | {
                "IntervalSeconds": 10 * retrier["IntervalSeconds"],
                "MaxDelaySeconds": 10 * retrier["MaxDelaySeconds"],
                "JitterStrategy": "NONE",
            }
            for retrier in task["Retry"]
        ]
    }


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if _table.cells:
        terminalreporter.section("fault matrix")
        terminalreporter.write_line(str(_table))
