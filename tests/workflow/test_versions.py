"""A deployment under executions: each ends on the version of workflow and functions that it began with."""

from __future__ import annotations

import dataclasses
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import InvokeResult
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Interceptor, Proceed
from tests.factories import create_order, envelope, row_of, session_of
from tests.workflow.conftest import Run, ended, put
from ticketing.database import Database

FUNCTION = "MarkOrderPaidFunction"


@pytest.fixture
def calls(cloud: LocalCloud) -> Any:
    """Where MarkOrderPaid's code was, each time it was called; it waits for `may_go_on` first."""
    seen: list[Path] = []
    may_go_on = threading.Event()

    def watched(invocation: Invocation, proceed: Proceed) -> InvokeResult:
        if invocation.function.logical_id == FUNCTION:
            seen.append(invocation.function.code_directory)
            assert may_go_on.wait(30)
        return proceed(invocation)

    interceptor: Interceptor = watched
    cloud.lambdas.interceptors.append(interceptor)
    yield seen, may_go_on
    may_go_on.set()
    cloud.lambdas.interceptors.remove(interceptor)


def paid(database: Database) -> dict[str, Any]:
    return envelope("checkout.session.completed", session_of(row_of(database, "ticket_orders", create_order(database))))


def test_what_began_before_a_deployment_ends_on_the_version_of_before(
    cloud: LocalCloud, database: Database, calls: Any, tmp_path: Path
) -> None:
    seen, may_go_on = calls
    client = cloud.client("stepfunctions")
    alias = cloud.deployment.outputs["StateMachineAliasArn"]
    routes = client.describe_state_machine_alias(stateMachineAliasArn=alias)["routingConfiguration"]
    old = routes[0]["stateMachineVersionArn"]
    definition = client.describe_state_machine(stateMachineArn=old)["definition"]
    function = cloud.deployment.functions[FUNCTION]
    code = tmp_path / "functions"
    shutil.copytree(function.code_directory, code, ignore=shutil.ignore_patterns("__pycache__"))

    before = client.start_execution(stateMachineArn=alias, input=json.dumps(paid(database)))["executionArn"]
    while not seen:
        threading.Event().wait(0.01)
    number = cloud.lambdas.publish(dataclasses.replace(function, code_directory=code))
    pinned = f'{cloud.lambdas.arn(function)}:1"'
    assert pinned in definition
    new = cloud.publish(definition.replace(pinned, f'{cloud.lambdas.arn(function)}:{number}"'))
    cloud.point_alias(new)
    try:
        after = client.start_execution(stateMachineArn=alias, input=json.dumps(paid(database)))["executionArn"]
        may_go_on.set()
        assert [ended(cloud, arn).status for arn in (before, after)] == ["SUCCEEDED", "SUCCEEDED"]
    finally:
        cloud.point_alias(old)
        cloud.publish(definition)
        cloud.lambdas.publish(function)
    assert seen == [function.code_directory, code]
    for arn, version in ((before, old), (after, new)):
        told = client.describe_execution(executionArn=arn)
        assert (told["stateMachineVersionArn"], told["stateMachineAliasArn"]) == (version, alias)
        assert told["stateMachineArn"] == cloud.deployment.outputs["StateMachineArn"]


@pytest.mark.usefixtures("run")
def test_a_canary_gets_its_share_and_goes_again(cloud: LocalCloud, database: Database, run: Run) -> None:
    client = cloud.client("stepfunctions")
    alias = cloud.deployment.outputs["StateMachineAliasArn"]
    [route] = client.describe_state_machine_alias(stateMachineAliasArn=alias)["routingConfiguration"]
    old = route["stateMachineVersionArn"]
    canary = cloud.publish()
    cloud.point_alias(old, canary=canary, percent=99)
    try:
        names = [run(paid(database)).name for _ in range(4)]
    finally:
        cloud.point_alias(old)
    machine = cloud.deployment.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:")
    versions = [client.describe_execution(executionArn=f"{machine}:{name}")["stateMachineVersionArn"] for name in names]
    assert canary in versions
    put(cloud, paid(database))
    last = cloud.executions()[0]["executionArn"]
    assert ended(cloud, last).status == "SUCCEEDED"
    assert client.describe_execution(executionArn=last)["stateMachineVersionArn"] == old
