"""The version before this one, out of the repository's history: its functions, its workflow and its migrations."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from local.aws.cloud import LocalCloud
from local.aws.lambda_worker import LambdaFunction
from local.database.mariadb import MariaDB
from tests.conftest import Connect
from tests.workflow.conftest import alerts as alerts  # noqa: PLC0414 -- a fixture
from ticketing.database import Database

ROOT = Path(__file__).parents[2]
# What is deployed where this version comes to. Raise it with each release.
BEFORE = "b81f520d67e565853af5f7609bd89f13e02b3a81"

Age = Literal["old", "new"]


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the version before."""
    archive = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"the repository's history lacks {BEFORE[:7]}, the version before: fetch it whole")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


@dataclass
class Deployments:
    """Versions of functions and workflow of both ages, and a database that is of the old one at first."""

    cloud: LocalCloud
    database: Database
    old_code: Path
    versions: dict[tuple[Age, Age], str] = field(default_factory=dict)

    @property
    def alias(self) -> str:
        return self.cloud.deployment.outputs["StateMachineAliasArn"]

    def migrate(self, age: Age) -> list[str]:
        """Apply the migrations of a version, by its own function."""
        function = self.cloud.deployment.functions["MigrateDatabaseFunction"]
        code = self.old_code if age == "old" else function.code_directory
        self.cloud.lambdas.publish(dataclasses.replace(function, code_directory=code))
        try:
            answer = self.cloud.lambdas.invoke(function.name, b'{"execution_id": "test"}')
        finally:
            self.cloud.lambdas.publish(function)
        assert answer.function_error is None, answer.payload
        applied: list[str] = json.loads(answer.payload)["applied"]
        return applied

    def deploy(self, functions: Age, workflow: Age) -> None:
        """Point the alias at functions and a workflow of these ages."""
        self.cloud.point_alias(self.versions[functions, workflow])

    def ages_of(self, execution_arn: str) -> tuple[Age, Age]:
        """Say which functions and which workflow an execution ran on."""
        told = self.cloud.client("stepfunctions").describe_execution(executionArn=execution_arn)
        return next(ages for ages, arn in self.versions.items() if arn == told["stateMachineVersionArn"])


@pytest.fixture
def deployments(cloud: LocalCloud, mariadb: MariaDB, empty_schema: Connect, before: Path) -> Iterator[Deployments]:
    """The database of the version before, and all four mixtures of functions and workflow."""
    client = cloud.client("stepfunctions")
    routes = client.describe_state_machine_alias(stateMachineAliasArn=cloud.deployment.outputs["StateMachineAliasArn"])
    restored = routes["routingConfiguration"][0]["stateMachineVersionArn"]
    now = client.describe_state_machine(stateMachineArn=restored)["definition"]
    found = Deployments(cloud, Database(empty_schema), before / "functions")
    numbers = {
        "new": _published(cloud, cloud.deployment.functions, None),
        "old": _published(cloud, cloud.deployment.functions, found.old_code),
    }
    texts = {"new": now, "old": _definition_of(before, now)}
    ages: tuple[Age, Age] = ("old", "new")
    for functions in ages:
        for workflow in ages:
            text = texts[workflow]
            for name, number in numbers[functions].items():
                text = text.replace(f':function:{name}:1"', f':function:{name}:{number}"')
            found.versions[functions, workflow] = cloud.publish(text)
    with _on_database(cloud, mariadb, f"{mariadb.name}_empty"):
        found.migrate("old")
        found.deploy("old", "old")
        yield found
        cloud.wait_until_idle(timeout_seconds=60)
        cloud.point_alias(restored)
        cloud.publish(now)


def _published(cloud: LocalCloud, functions: Mapping[str, LambdaFunction], code: Path | None) -> dict[str, int]:
    """Publish all functions of the workflow with this code; `$LATEST` is as it was, afterwards."""
    numbers = {}
    for logical_id in cloud.deployment.template.published & functions.keys():
        function = functions[logical_id]
        changed = function if code is None else dataclasses.replace(function, code_directory=code)
        numbers[function.name] = cloud.lambdas.publish(changed)
        cloud.lambdas.publish(function)
    return numbers


def _definition_of(before: Path, now: str) -> str:
    """Give the workflow of before with the substitutions of today's."""
    text = json.dumps(yaml.safe_load((before / "statemachine" / "ticket_payment.asl.yaml").read_text(encoding="utf-8")))
    today = json.dumps(yaml.safe_load((ROOT / "statemachine" / "ticket_payment.asl.yaml").read_text(encoding="utf-8")))
    for name, value in _substitutions(today, now).items():
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text, "the workflow of before needs a substitution that there is none of any more"
    return text


def _substitutions(text: str, deployed: str) -> dict[str, str]:
    """Read off what stands in the deployed definition in the places of `${Name}`."""
    found: dict[str, str] = {}
    at = 0
    parts = text.split("${")
    assert deployed.startswith(parts[0])
    at = len(parts[0])
    for number, part in enumerate(parts[1:], 1):
        name, _, rest = part.partition("}")
        end = deployed.index(rest, at) if rest or number < len(parts) - 1 else len(deployed)
        found[name] = deployed[at:end]
        at = end + len(rest)
    return found


class _on_database:  # noqa: N801 -- a context manager
    """Send the functions to another database, as a rotation of their secrets does."""

    def __init__(self, cloud: LocalCloud, mariadb: MariaDB, name: str) -> None:
        self._cloud = cloud
        self._mariadb = mariadb
        self._name = name
        self._before: dict[str, str] = {}

    def __enter__(self) -> None:
        secrets, parameters = self._cloud.client("secretsmanager"), self._cloud.deployment.template.parameters
        for parameter in ("DatabaseSecretArn", "DatabaseMigrationSecretArn"):
            arn = parameters[parameter]
            self._before[arn] = secrets.get_secret_value(SecretId=arn)["SecretString"]
            changed = json.loads(self._before[arn]) | {"dbname": self._name, "username": self._mariadb.user}
            secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(changed))
        self._cloud.lambdas.kill_workers()

    def __exit__(self, *_: object) -> None:
        for arn, text in self._before.items():
            self._cloud.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=text)
        self._cloud.lambdas.kill_workers()


Executions = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def since(cloud: LocalCloud) -> Executions:
    """The executions since the test began, oldest first."""
    known = {execution["executionArn"] for execution in cloud.executions()}

    def listed() -> list[dict[str, Any]]:
        found = [one for one in cloud.executions() if one["executionArn"] not in known]
        return list(reversed(found))

    return listed
