"""The command itself: where it looks, how it fails, what --help says; on AWS as on the local stack."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import botocore.exceptions as aws
import pytest
import typer
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cachao.aws import environment as environment_module
from cachao.aws.environment import Environment
from cachao.cli import app
from cachao.problems import explain
from local.aws.cloud import LocalCloud
from tests.factories import create_order, row_of
from tests.operations.conftest import Cachao, paid_event
from tests.workflow.conftest import Ended
from ticketing.database import Database

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "doctor",
    "executions",
    "orders",
    "disputes",
    "show",
    "watch",
    "replay",
    "event",
    "refund",
    "move",
    "change",
    "take-back",
    "mark-paid",
    "correct",
    "limit",
    "sale",
    "reconcile",
    "counts",
    "migrate",
    "policy",
]


def invoke(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a local stack, and a machine without AWS credentials."""
    monkeypatch.chdir(tmp_path)
    for name in ("CACHAO_STACK", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    return tmp_path


# Those that only read; what the page does is asked on the page.
READING = {"doctor", "executions", "orders", "disputes", "page", "show", "watch", "policy", "books", "stripe"}


def test_every_command_that_changes_something_can_be_tried_and_can_be_told_yes() -> None:
    group: Any = typer.main.get_command(app)
    for name in set(group.commands) - READING:
        options = {option for parameter in walk(group.commands[name]) for option in parameter.opts}
        assert {"--dry-run", "--yes"} <= options, name


def walk(command: Any) -> list[Any]:
    """The parameters of a command, or of those that it has below it."""
    return [*command.params, *(one for below in getattr(command, "commands", {}).values() for one in walk(below))]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"cachao {command}" in result.stdout.split("Examples")[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_files_that_examples_name_are_there(command: str) -> None:
    examples = invoke(command, "--help").stdout.split("Examples")[1]
    for name in re.findall(r"\b[a-z]+(?:/[a-z_.-]+)+\.(?:json|ya?ml|md)\b", examples):
        assert (ROOT / name).is_file(), name


def test_an_example_names_a_file() -> None:
    assert "events/checkout.session.completed.json" in invoke("event", "--help").stdout


def test_help_lists_all_commands_and_completion() -> None:
    text = invoke("--help").stdout
    for word in [*COMMANDS, "--install-completion", "Exit codes"]:
        assert word in text


@pytest.mark.parametrize("command", [["doctor"], ["executions"], ["migrate"]])
def test_without_a_stack_it_asks_which(nowhere: Path, command: list[str]) -> None:
    result = invoke(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--stack NAME" in result.stderr


def test_without_credentials_it_says_how_to_get_some(nowhere: Path) -> None:
    result = invoke("executions", "--stack", "cachao", "--region", "eu-west-1")
    assert result.exit_code == 3
    assert "aws sso login" in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_region_it_says_so(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    result = invoke("executions", "--stack", "cachao")
    assert result.exit_code == 3
    # As `sam` says it; neither reads AWS_REGION.
    assert "--region, or set AWS_DEFAULT_REGION" in " ".join(result.stderr.split())


def test_an_unknown_profile_is_named(nowhere: Path) -> None:
    result = invoke("doctor", "--stack", "cachao", "--profile", "nobody")
    assert result.exit_code == 3
    assert "nobody" in result.stderr


def test_local_without_a_local_stack_says_how_to_start_one(nowhere: Path) -> None:
    result = invoke("--local", "doctor")
    assert result.exit_code == 3
    assert "make run" in result.stderr


def test_a_local_stack_that_is_gone_is_not_waited_for(nowhere: Path) -> None:
    (nowhere / ".local").mkdir()
    (nowhere / ".local" / "stack.json").write_text(
        json.dumps({"aws_endpoint_url": "http://127.0.0.1:9", "region": "eu-west-1"})
    )
    result = invoke("executions")
    assert result.exit_code == 3
    assert "make run" in result.stderr


def test_a_problem_is_told_as_json_too(nowhere: Path) -> None:
    result = invoke("doctor", "--json")
    assert result.exit_code == 2
    assert set(json.loads(result.stdout)) == {"error", "advice"}


def test_the_shared_options_may_stand_anywhere(cachao: Cachao, database: Database) -> None:
    assert cachao("--local", "--json", "executions").data == cachao("executions", "--json", "--local").data


# --- On AWS ----------------------------------------------------------------------------------------------------------


def test_everything_works_by_credentials_region_and_stack(
    on_aws: None, cloud: LocalCloud, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = create_order(database)
    event = json.dumps(paid_event(database, order_id))
    Path("event.json").write_text(event)
    sent = invoke("event", "event.json", "--yes", "--json", "--region", cloud.region)
    assert sent.exit_code == 0, sent.stderr
    # Nobody but Stripe can put partner events: this one went over the default bus.
    assert "as stripe.com, which starts the same workflow" in sent.stderr
    assert row_of(database, "ticket_orders", order_id)["status"] == "paid"
    monkeypatch.setattr("cachao.aws.logs._ask", lambda *_: None)
    shown = invoke("show", str(order_id), "--json", "--region", cloud.region)
    assert shown.exit_code == 0, shown.stderr
    data = json.loads(shown.stdout)
    # The logs did not answer, but the order's own history names the execution that changed it.
    assert data["complete"] is False
    assert [execution["result"] for execution in data["executions"]] == ["OrderPaid"]


def test_a_stack_that_is_not_there_is_named(on_aws: None, cloud: LocalCloud) -> None:
    result = invoke("doctor", "--stack", "other", "--region", cloud.region)
    assert result.exit_code == 3
    assert "There is no stack other" in result.stderr


def test_another_projects_stack_is_recognised(on_aws: None, cloud: LocalCloud) -> None:
    cloud.client("cloudformation").create_stack(
        StackName="unrelated",
        TemplateBody=json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}),
    )
    try:
        result = invoke("executions", "--stack", "unrelated", "--region", cloud.region)
    finally:
        cloud.client("cloudformation").delete_stack(StackName="unrelated")
    assert result.exit_code == 3
    assert "no output StateMachineArn" in result.stderr


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "not authorized to perform it"}}, "DescribeThing")


@pytest.mark.parametrize(
    ("error", "exit_code", "says"),
    [
        (client_error("AccessDeniedException"), 3, "may not do this (DescribeThing)"),
        (client_error("ExpiredToken"), 3, "refuses your credentials"),
        (client_error("ThrottlingException"), 3, "asks to slow down (DescribeThing"),
        (client_error("ValidationException"), 1, "AWS refused DescribeThing"),
        (aws.EndpointConnectionError(endpoint_url="https://x"), 3, "cannot be reached"),
        (aws.ReadTimeoutError(endpoint_url="https://x"), 3, "cannot be reached"),
        (aws.ParamValidationError(report="bad"), 1, "bad"),
    ],
)
def test_errors_of_aws_become_sentences(error: Exception, exit_code: int, says: str) -> None:
    problem = explain(error)
    assert problem is not None
    assert problem.exit_code == exit_code
    assert says in problem.sentence


def test_a_bug_stays_a_bug() -> None:
    assert explain(KeyError("x")) is None


def test_access_denied_in_the_middle_stops_no_other_link(
    cachao: Cachao, monkeypatch: pytest.MonkeyPatch, mismatched: tuple[int, Ended]
) -> None:
    original = Environment.client

    def client(self: Environment, service: str) -> Any:
        if service == "sns":
            raise client_error("AccessDenied")
        return original(self, service)

    monkeypatch.setattr(Environment, "client", client)
    answer = cachao("doctor", json=True)
    states = {finding["link"]: finding for finding in reversed(answer.data["findings"])}
    assert states["Alerts"]["state"] == "cannot tell"
    assert "may not do this" in states["Alerts"]["says"]
    assert states["Database"]["state"] == "fine"


@pytest.mark.parametrize("code", ["ResourceNotReadyException", "CodeArtifactUserPendingException"])
def test_a_function_that_sleeps_is_called_again_when_it_is_awake(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    client = environment.client("lambda")
    real, calls = client.invoke, []

    def asleep_at_first(**given: Any) -> Any:
        calls.append(given)
        if len(calls) < 3:
            raise ClientError({"Error": {"Code": code, "Message": "asleep"}}, "Invoke")
        return real(**given)

    monkeypatch.setattr(client, "invoke", asleep_at_first)
    monkeypatch.setattr(environment_module, "_WAKING_LOOK_SECONDS", 0.0)
    assert environment.invoke("InspectOrderFunction", {"health": True})["health"] is not None
    assert len(calls) == 3


def test_a_function_that_refuses_for_good_is_not_called_again(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Invoke")

    monkeypatch.setattr(environment.client("lambda"), "invoke", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        environment.invoke("InspectOrderFunction", {"health": True})
