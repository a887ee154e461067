"""A healthy chain from Stripe to the paid order, for tests that break it, and what the doctor says of it then."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from botocore.exceptions import ClientError
from moto.events.models import events_backends
from typer.main import get_command

from cachao.aws.environment import Choice, Environment, find
from cachao.cli import app
from cachao.doctor.addressing import is_command
from cachao.doctor.examination import examine
from cachao.doctor.finding import Finding
from local.aws.cloud import LocalCloud
from local.stripe_stand_in import StripeStandIn
from tests.conftest import PARTNER_BUS
from ticketing.database import Database

SUBSCRIBER = "arn:aws:sqs:eu-west-1:123456789012:somebody"


@dataclass
class Patient:
    """Everything that can be broken."""

    cloud: LocalCloud
    stripe: StripeStandIn
    database: Database

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def id(self, logical_id: str) -> str:
        return self.cloud.deployment.physical_ids[logical_id]

    @property
    def source(self) -> Any:
        return events_backends[self.cloud.account_id][self.cloud.region].event_sources[PARTNER_BUS]


@pytest.fixture
def patient(
    cloud: LocalCloud, stripe_stand_in: StripeStandIn, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Patient]:
    """A healthy chain: a subscriber, and Stripe's destination for the partner source; no failures of other tests."""
    _forget_the_past(monkeypatch)
    destination = stripe_stand_in.destination
    before = dict(vars(destination))
    destination.id = PARTNER_BUS.rpartition("/")[2]
    topic = cloud.deployment.outputs["AlertTopicArn"]
    cloud.client("sqs").create_queue(QueueName="somebody")
    arn = cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=SUBSCRIBER)["SubscriptionArn"]
    yield Patient(cloud, stripe_stand_in, database)
    vars(destination).update(before)
    with contextlib.suppress(cloud.client("sns").exceptions.NotFoundException):
        cloud.client("sns").unsubscribe(SubscriptionArn=arn)


def _forget_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures that other tests made on purpose are none of this test's."""
    begin = datetime.now(UTC)
    monkeypatch.setattr("cachao.doctor.recent_executions._LOOK_BACK", timedelta(0))
    monkeypatch.setattr("cachao.doctor.stripe_account._LOOK_BACK", timedelta(days=-1))
    monkeypatch.setattr("cachao.doctor.recent_executions.datetime", Frozen(begin))


class Frozen:
    """A `datetime` whose `now` stands still."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self, _zone: object) -> datetime:
        return self._moment


_OPTIONS = {"cachao": "--local", "aws": "--endpoint-url"}
# A whole command inside a sentence nobody can copy; its mere name is a hint.
_IN_A_SENTENCE = re.compile(r"\b(?:cachao|aws) [a-z-]+ --")


def check_advice(finding: Finding) -> None:
    """A break's advice can be followed by pasting: a command is a line that runs as it is, and means this stack."""
    commands = [line for line in finding.todo.split("\n") if is_command(line)]
    assert commands, finding
    for line in commands:
        for one in line.split(" && "):
            name, *words = shlex.split(one)
            assert _OPTIONS.get(name, "") in one, line
            if name == "cachao":
                parse(words)
    for line in finding.todo.split("\n"):
        assert is_command(line) or (line and not _IN_A_SENTENCE.search(line)), line


def parse(words: list[str]) -> None:
    """Let the command's own parser read it, and do nothing."""
    group: Any = get_command(app)
    # What a person fills in.
    [name, *rest] = ["1" if word == "NUMBER" else word for word in words if word != "--local"]
    group.commands[name].make_context(name, rest)


Causes = Callable[[str], dict[str, Finding]]


@pytest.fixture
def causes(environment: Environment, patient: Patient) -> Causes:
    """What is broken about a link, by the cause's name."""

    def look(link: str) -> dict[str, Finding]:
        found = {finding.cause: finding for finding in examine(environment, [link]) if finding.state == "broken"}
        for finding in found.values():
            check_advice(finding)
        return found

    return look


class Says(Protocol):
    """Makes an operation of AWS answer otherwise: with this, or with an error."""

    def __call__(self, service: str, operation: str, answer: dict[str, Any] | Exception) -> None: ...


@pytest.fixture
def aws_says(monkeypatch: pytest.MonkeyPatch) -> Says:
    """For what the local AWS cannot be made to do; operations are named as boto3's methods."""
    answers: dict[tuple[str, str], dict[str, Any] | Exception] = {}
    original = Environment.client

    def client(self: Environment, service: str) -> Any:
        return _Otherwise(original(self, service), {name: a for (of, name), a in answers.items() if of == service})

    monkeypatch.setattr(Environment, "client", client)

    def say(service: str, operation: str, answer: dict[str, Any] | Exception) -> None:
        answers[service, operation] = answer

    return say


class _Otherwise:
    """A boto3 client some of whose operations answer what a test says."""

    def __init__(self, real: Any, answers: dict[str, dict[str, Any] | Exception]) -> None:
        self._real = real
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        if name not in self._answers:
            return getattr(self._real, name)
        answer = self._answers[name]

        def operation(**_given: Any) -> dict[str, Any]:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return operation

    def get_paginator(self, name: str) -> Any:
        return _Pages(getattr(self, name)) if name in self._answers else self._real.get_paginator(name)


class _Pages:
    def __init__(self, operation: Callable[..., dict[str, Any]]) -> None:
        self._operation = operation

    def paginate(self, **given: Any) -> Iterator[dict[str, Any]]:
        yield self._operation(**given)


def refused(code: str, operation: str = "Operation") -> ClientError:
    """An error as AWS answers it."""
    return ClientError({"Error": {"Code": code, "Message": "No."}}, operation)


def unknowns(environment: Environment, link: str) -> list[str]:
    """What nobody can tell about a link."""
    found = examine(environment, [link])
    return [finding.says for finding in found if finding.state == "cannot tell"]


@pytest.fixture
def elsewhere(on_aws: None, patient: Patient, aws_says: Says) -> Environment:
    """The same chain, looked at as on AWS."""
    return find(Choice(stack="cachao-local", region=patient.cloud.region))
