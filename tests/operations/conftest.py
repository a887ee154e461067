"""The operators' command line against the local cloud, as an operator in the project's folder would use it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.sqs import sqs_backends
from typer.main import get_command
from typer.testing import CliRunner

from cachao.aws import environment as places
from cachao.aws.environment import Choice, Environment, find
from cachao.cli import app
from local.aws.cloud import LocalCloud
from tests.factories import create_order, envelope, row_of, session_of
from tests.operations.answer import Answer
from tests.operations.connect.site import address, kill_after, site  # noqa: F401 -- fixtures of several folders
from tests.operations.doctor.patients import aws_says, causes, elsewhere, patient  # noqa: F401 -- the doctor's tests' fixtures
from tests.workflow.conftest import Ended, Run, alerts, run  # noqa: F401 -- fixtures of these tests, too
from ticketing.database import Database

Cachao = Callable[..., Answer]


@pytest.fixture(scope="session", autouse=True)
def _what_never_changes_is_made_once() -> Iterator[None]:
    """Let all runs of a command share the parser of its arguments and boto3's session: a third of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", functools.cache(get_command))
        patch.setattr(places, "_local_session", functools.cache(places._local_session))
        yield


@pytest.fixture
def stack_folder(cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the local stack says where it is, as `make run` does."""
    local = {
        "aws_endpoint_url": cloud.endpoint_url,
        "region": cloud.region,
        "logs_dir": str(cloud._directory / "logs"),
    }
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(local))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CACHAO_STACK", raising=False)
    return tmp_path


@pytest.fixture
def environment(stack_folder: Path) -> Environment:
    return find(Choice())


@pytest.fixture
def cachao(stack_folder: Path) -> Cachao:
    """Run a command; `json=True`: with --json, so that `data` can be read."""

    def command(*arguments: object, json: bool = False, given: str | None = None) -> Answer:
        words = [str(argument) for argument in arguments] + (["--json"] if json else [])
        result = CliRunner().invoke(app, words, input=given)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return command


@pytest.fixture
def on_aws(cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No local stack in this folder: the same cloud, reached as AWS is, by credentials, region and --stack."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint_url)
    monkeypatch.setenv("CACHAO_STACK", "cachao-local")


def paid_event(database: Database, order_id: int, **fields: Any) -> dict[str, Any]:
    return envelope("checkout.session.completed", session_of(row_of(database, "ticket_orders", order_id), **fields))


@pytest.fixture
def dead_letters(cloud: LocalCloud) -> Iterator[str]:
    """The dead-letter queue's address; empty when the test begins and when it has ended."""
    url: str = cloud.deployment.outputs["EventDeadLetterQueueUrl"]
    queue = sqs_backends[cloud.account_id][cloud.region].queues[url.rpartition("/")[2]]

    def empty() -> None:  # SQS's own PurgeQueue may be asked for only once a minute
        queue._messages.clear()
        queue._pending_messages.clear()
        queue.deleted_messages.clear()

    empty()
    yield url
    empty()


@pytest.fixture
def mismatched(run: Run, database: Database) -> tuple[int, Ended]:  # noqa: F811 -- the fixture imported above
    """An order whose payment failed with AmountMismatch, because somebody changed its total."""
    order_id = create_order(database)
    event = paid_event(database, order_id)
    set_total(database, order_id, 21)
    ended = run(event)
    assert ended.error == "AmountMismatch"
    return order_id, ended


def set_total(database: Database, order_id: int, total: int) -> None:
    with database.transaction() as tx:
        tx.change(
            "UPDATE ticket_orders SET total_amount = %s, asked_minor = %s * 100 WHERE id = %s", total, total, order_id
        )
