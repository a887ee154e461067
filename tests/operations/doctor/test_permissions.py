"""docs/runbook.md says what each command may have to do at AWS: held against the calls that the commands make.

Recorded where boto3 sends them, on the local cloud reached as AWS is. What a command calls only where something is
broken is read from its code: the doctor's.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from botocore.model import OperationModel
from typer.testing import CliRunner

from cachao.aws.environment import Environment
from cachao.cli import app
from local.aws.cloud import LocalCloud
from local.stripe_stand_in import StripeStandIn
from tests.factories import create_order, create_ticket, row_of
from tests.operations.conftest import paid_event
from tests.operations.connect.site import Site
from tests.operations.replay.test_replay import send_dead_letter
from tests.operations.test_commands import doubly_paid, late_order
from tests.workflow.conftest import Ended
from ticketing.database import Database

__all__ = ["doubly_paid"]

ROOT: Final = Path(__file__).parents[3]
RUNBOOK: Final = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
INVOKE: Final = "lambda:InvokeFunction"
# What IAM calls otherwise than the API does.
ACTIONS: Final = {"lambda:Invoke": INVOKE}
PREFIXES: Final = {"monitoring": "cloudwatch"}

Recorded = set[tuple[str, str]]


def table() -> dict[str, Recorded]:
    """Each command's permissions; a function's name beside InvokeFunction, else nothing."""
    rows = re.findall(
        r"^\| (all|`[\w-]+`) \| (.*) \|$", RUNBOOK[RUNBOOK.index("## What `cachao` may do") :], re.MULTILINE
    )
    found: dict[str, Recorded] = {}
    for command, cell in rows:
        actions = re.findall(r"`(\w+:[\w*]+)`", cell)
        functions = re.findall(r"\w+Function\b", cell.replace("InvokeFunction", ""))
        allowed = {(action, "") for action in actions if action != INVOKE}
        found[command.strip("`")] = allowed | ({(INVOKE, name) for name in functions} if INVOKE in actions else set())
    return found


TABLE: Final = table()


@pytest.fixture
def calls(on_aws: None, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded: Recorded = set()
    original = Environment.client
    heard: set[int] = set()

    def client(self: Environment, service: str) -> Any:
        made = original(self, service)
        if id(made) not in heard:
            heard.add(id(made))

            def record(model: OperationModel, params: dict[str, Any], **_: object) -> None:
                function = re.search(r"/functions/([^/]+)/invocations", str(params.get("url_path", "")))
                named = {found: name for name, found in cloud.deployment.physical_ids.items()}
                recorded.add((action_of(made, model.name), named[function[1]] if function else ""))

            made.meta.events.register("before-call.*.*", record)
        return made

    monkeypatch.setattr(Environment, "client", client)
    return recorded


def action_of(client: Any, operation: str) -> str:
    prefix = client.meta.service_model.signing_name
    action = f"{PREFIXES.get(prefix, prefix)}:{operation}"
    return ACTIONS.get(action, action)


def not_listed(command: str, made: Recorded) -> Recorded:
    listed = TABLE["all"] | TABLE[command]
    return {
        call
        for call in made
        if not any(fnmatch.fnmatch(call[0], action) and call[1] == function for action, function in listed)
    }


def never_made(command: str, made: Recorded) -> Recorded:
    return {
        (action, function)
        for action, function in TABLE[command]
        if not any(fnmatch.fnmatch(call[0], action) and call[1] == function for call in made)
    }


def invoke(cloud: LocalCloud, *words: object) -> None:
    result = CliRunner().invoke(app, [*map(str, words), "--region", cloud.region])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception


def test_every_command_is_in_the_table() -> None:
    assert set(TABLE) == {
        "all",
        *(command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback),
        *(group.name for group in app.registered_groups),
    }


def test_reading(cloud: LocalCloud, calls: Recorded, mismatched: tuple[int, Ended]) -> None:
    order_id, ended = mismatched
    said: dict[str, list[tuple[object, ...]]] = {
        "executions": [("--failed",), ("--order", order_id)],
        "orders": [()],
        "disputes": [()],
        "show": [(order_id,), (ended.name, "--picture", "way.svg"), (ended.name[:20],), ("cs_test_unknown",)],
    }
    for command, lines in said.items():
        calls.clear()
        for words in lines:
            invoke(cloud, command, *words)
        assert not_listed(command, calls) == set()
        assert never_made(command, calls) == set()


def test_watching(cloud: LocalCloud, calls: Recorded, database: Database) -> None:
    machine = cloud.deployment.outputs["StateMachineArn"]
    event = json.dumps(paid_event(database, create_order(database)))
    cloud.lambdas.interceptors.append(_slow)
    cloud.client("stepfunctions").start_execution(stateMachineArn=machine, name="watched-slowly", input=event)
    invoke(cloud, "watch", "--for", "1", "--every", "0.3")
    assert not_listed("watch", calls) == never_made("watch", calls) == set()


def _slow(invocation: Any, proceed: Callable[[Any], Any]) -> Any:
    import time  # noqa: PLC0415 -- of this step only

    time.sleep(1)
    return proceed(invocation)


@pytest.mark.usefixtures("dead_letters")
def test_replaying(cloud: LocalCloud, calls: Recorded, database: Database, mismatched: tuple[int, Ended]) -> None:
    send_dead_letter(cloud, json.dumps(paid_event(database, create_order(database))))
    send_dead_letter(cloud, "no event")
    invoke(cloud, "replay", mismatched[1].name, "--yes")
    invoke(cloud, "replay", mismatched[1].name, "--order", mismatched[0], "--yes")
    invoke(cloud, "replay", "--failed", "--yes")
    invoke(cloud, "replay", "--dead-letters", "--yes")
    assert not_listed("replay", calls) == never_made("replay", calls) == set()


@pytest.mark.usefixtures("dead_letters")
def test_a_buyers_data(
    cloud: LocalCloud, calls: Recorded, database: Database, doubly_paid: tuple[int, str, str]
) -> None:
    order = row_of(database, "ticket_orders", doubly_paid[0])
    send_dead_letter(cloud, json.dumps(paid_event(database, order["id"], customer_email=order["email"])))
    send_dead_letter(cloud, "no event")
    invoke(cloud, "buyer", "export", order["email"])
    invoke(cloud, "buyer", "forget", order["email"], "--yes")
    assert not_listed("buyer", calls) == never_made("buyer", calls) == set()


def test_sending_and_repairing(
    cloud: LocalCloud,
    calls: Recorded,
    database: Database,
    stripe_stand_in: StripeStandIn,
    doubly_paid: tuple[int, str, str],
) -> None:
    late_order(database, stripe_stand_in, status="expired")
    create_ticket(database, held_quantity=1)
    Path("event.json").write_text(json.dumps(paid_event(database, create_order(database))))
    invoke(cloud, "refund", doubly_paid[0], "--yes")
    invoke(cloud, "refund", doubly_paid[0], "--seats", 1, "--yes")
    invoke(cloud, "refund", "--ticket", create_ticket(database), "--yes")
    assert not_listed("refund", calls) == never_made("refund", calls) == set()
    calls.clear()
    invoke(cloud, "migrate")
    invoke(cloud, "migrate", "--dry-run")
    assert not_listed("migrate", calls) == never_made("migrate", calls) == set()
    for command, words in {
        "event": ("event.json", "--yes"),
        "reconcile": ("--yes",),
        "counts": ("--all", "--yes"),
        "move": (doubly_paid[0], "--ticket", create_ticket(database), "--yes"),
        "change": (doubly_paid[0], "--quantity", 2, "--yes"),
        "take-back": (doubly_paid[0], "--seats", 1, "--yes"),
        "mark-paid": (create_order(database), "--without-stripe", "--yes"),
        "correct": (doubly_paid[0], "--email", "jenny@example.com", "--yes"),
        "limit": ("--ticket", create_ticket(database), "--to", 7, "--yes"),
    }.items():
        calls.clear()
        invoke(cloud, command, *words)
        assert not_listed(command, calls) == never_made(command, calls) == set(), command


def test_connecting(calls: Recorded, site: Site, address: str) -> None:
    assert address
    invoke(site.cloud, "connect", "--yes")
    site.deploy(site.made[0].source)
    for words in ((), ("--webhook",)):
        invoke(site.cloud, "connect", *words, "--yes")
    assert not_listed("connect", calls) == never_made("connect", calls) == set()


@pytest.mark.usefixtures("dead_letters", "mismatched")
def test_the_doctors_rounds(cloud: LocalCloud, calls: Recorded) -> None:
    send_dead_letter(cloud, "no event")
    invoke(cloud, "doctor")
    made = calls | written_in(ROOT / "operations" / "cachao" / "doctor")
    assert not_listed("doctor", made) == set()
    assert never_made("doctor", made) == set()


def written_in(folder: Path) -> Recorded:
    """The calls in the code, whatever they need to be made."""
    code = "\n".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
    found: Recorded = set()
    for service in ("cloudwatch", "events", "iam", "lambda", "sns", "sqs", "stepfunctions", "secretsmanager"):
        client = boto3.client(
            service,
            region_name="eu-west-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        for method, operation in client.meta.method_to_api_mapping.items():
            if re.search(rf'\b{service}\b(?:"\))?\.{method}\(|"{service}"\)\.get_paginator\(\s*"{method}"', code):
                found.add((action_of(client, operation), ""))
    return found
