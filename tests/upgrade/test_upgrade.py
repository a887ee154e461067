"""docs/upgrade.md, from a database and a stack description of the version before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cachao import function_code, start_executions
from cachao.aws.environment import Choice, Environment, find
from cachao.doctor import state_machine
from cachao.problems import Problem
from local.aws.cloud import LocalCloud
from tests.factories import create_order, envelope, row_of, session_of
from tests.upgrade.conftest import ROOT, Deployments
from tests.workflow.conftest import ended
from ticketing.database import Database


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("*.sql"))


def test_the_migrations_of_this_version_go_on_from_the_history_of_the_one_before(
    deployments: Deployments, before: Path
) -> None:
    def history() -> list[str]:
        with deployments.database.transaction() as tx:
            return sorted(row["name"] for row in tx.all("SELECT name FROM cachao_migrations"))

    old, new = names(before / "functions" / "migrations"), names(ROOT / "functions" / "migrations")
    assert history() == [Path(name).stem for name in old]
    order_id = create_order(deployments.database)
    order = row_of(deployments.database, "ticket_orders", order_id)
    applied = deployments.migrate("new")
    assert [f"{name}.sql" for name in applied] == [name for name in new if name not in old]
    assert history() == [Path(name).stem for name in new]
    now = row_of(deployments.database, "ticket_orders", order_id)
    assert {column: now[column] for column in order} == order
    assert deployments.migrate("new") == []
    assert deployments.migrate("old") == [], "the version before, deployed again, finds nothing to do"


@pytest.fixture
def stack_of_before(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """The stack as an operator's new `cachao` finds it before the deployment: without an alias."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint_url)
    environment = find(Choice(stack="cachao-local", region=cloud.region))
    del environment.outputs["StateMachineAliasArn"]
    return environment


def test_a_stack_of_before_is_started_and_examined_by_the_workflow_itself(
    cloud: LocalCloud, database: Database, stack_of_before: Environment
) -> None:
    assert [finding.state for finding in state_machine.check(stack_of_before)] == ["fine"]
    order = row_of(database, "ticket_orders", create_order(database))
    event: dict[str, Any] = envelope("checkout.session.completed", session_of(order))
    _, arn = start_executions.start(stack_of_before, f"upgrade-{order['id']}", json.dumps(event))
    assert ended(cloud, arn).status == "SUCCEEDED"
    told = cloud.client("stepfunctions").describe_execution(executionArn=arn)
    assert "stateMachineAliasArn" not in told


def test_a_folder_without_built_functions_is_refused(stack_of_before: Environment, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="has no built functions"):
        function_code.put(stack_of_before, "MigrateDatabaseFunction", tmp_path)


def test_the_code_of_the_version_to_come_is_put_into_the_function(stack_of_before: Environment, tmp_path: Path) -> None:
    name = stack_of_before.resource("MigrateDatabaseFunction")
    (tmp_path / "handlers" / "maintenance").mkdir(parents=True)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001.sql").write_text("SELECT 1;", encoding="utf-8")
    sizes = []
    for folder in (tmp_path, ROOT / "functions"):
        sizes.append(function_code.put(stack_of_before, "MigrateDatabaseFunction", folder))
        settings = stack_of_before.client("lambda").get_function_configuration(FunctionName=name)
        assert settings["CodeSize"] == sizes[-1]
    assert sizes[0] < sizes[1]
