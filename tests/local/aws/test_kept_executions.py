"""Executions, and messages of a topic, that are there again when the cloud is started anew."""

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.cloud import LocalCloud
from local.aws.moto_patches import kept_executions
from local.aws.template import Template
from local.journal import Journal
from tests.local.conftest import wait_until

GOOD = {"do": "succeed", "say": "x"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def started(folder: Path, template: Template) -> LocalCloud:
    cloud = LocalCloud(
        folder, port=0, retry_wait_factor=0.001, run_schedules=False, executions=Journal(folder / "executions")
    )
    cloud.start()
    cloud.deploy(template)
    return cloud


@pytest.fixture
def first(folder: Path, example_template: Template) -> Iterator[LocalCloud]:
    cloud = started(folder, example_template)
    yield cloud
    cloud.stop()


def machine(cloud: LocalCloud) -> str:
    return cloud.deployment.outputs["StateMachineArn"]


def run(cloud: LocalCloud, name: str, **given: Any) -> str:
    arn: str = cloud.client("stepfunctions").start_execution(
        stateMachineArn=machine(cloud), name=name, input=json.dumps(given)
    )["executionArn"]
    return arn


def seen(cloud: LocalCloud, arn: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """All that Step Functions says of an execution."""
    client = cloud.client("stepfunctions")
    described = client.describe_execution(executionArn=arn)
    described.pop("ResponseMetadata")
    definition = client.describe_state_machine_for_execution(executionArn=arn)["definition"]
    return described, list(cloud.history(arn)), definition


def test_what_ended_is_there_again_with_all_that_was_known_of_it(
    first: LocalCloud, folder: Path, example_template: Template
) -> None:
    good, bad = run(first, "good", detail=GOOD), run(first, "bad", detail={"do": "fail"})
    for arn in (good, bad):
        first.wait_for_execution(arn)
    before = {arn: seen(first, arn) for arn in (good, bad)}
    first.stop()
    again = started(folder, example_template)
    try:
        assert [found["name"] for found in again.executions()] == ["bad", "good"]
        assert {arn: seen(again, arn) for arn in (good, bad)} == before
        # A name is taken, and a new one is not.
        with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
            run(again, "good", detail={})
        again.wait_for_execution(run(again, "new", detail=GOOD))
        assert len(again.executions()) == 3
    finally:
        again.stop()


def test_what_ran_comes_back_as_stopped_with_its_way_so_far(
    first: LocalCloud, folder: Path, example_template: Template
) -> None:
    held, begun = threading.Event(), threading.Event()

    def hold(invocation: Any, proceed: Any) -> Any:
        begun.set()
        held.wait(30)
        return proceed(invocation)

    first.lambdas.interceptors.append(hold)
    arn = run(first, "held", detail=GOOD)
    assert begun.wait(30)
    killed = Journal(folder / "killed")  # what the file is at a kill: without what `stop` writes
    killed.replace(Journal(folder / "executions").load())
    way = [event["type"] for event in first.history(arn)]
    first.stop()
    held.set()
    again = started(folder, example_template)
    try:
        described, history, _ = seen(again, arn)
        assert (described["status"], described["error"]) == ("ABORTED", kept_executions.STOPPED_ERROR)
        assert [event["type"] for event in history][: len(way)] == way
        assert described["input"] == json.dumps({"detail": GOOD})
    finally:
        again.stop()
    killed.path.replace(folder / "executions")
    after_a_kill = started(folder, example_template)
    try:
        described, history, _ = seen(after_a_kill, arn)
        assert described["status"] == "ABORTED"
        assert [event["type"] for event in history] == ["ExecutionStarted", "ExecutionAborted"]
    finally:
        after_a_kill.stop()


def test_an_execution_has_the_definition_that_it_ran(
    first: LocalCloud, folder: Path, example_template: Template
) -> None:
    arn = run(first, "old", detail=GOOD)
    first.wait_for_execution(arn)
    definition = seen(first, arn)[2]
    first.client("stepfunctions").update_state_machine(
        stateMachineArn=machine(first),
        definition=json.dumps({"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}}}),
    )
    assert seen(first, arn)[2] == definition
    first.stop()
    again = started(folder, example_template)
    try:
        assert seen(again, arn)[2] == definition
    finally:
        again.stop()


def test_of_too_many_the_oldest_are_forgotten(
    first: LocalCloud, folder: Path, example_template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        first.wait_for_execution(run(first, f"n{number}", detail=GOOD))
    first.stop()
    monkeypatch.setattr(kept_executions, "MOST_KEPT", 2)
    before = (folder / "executions").stat().st_size
    again = started(folder, example_template)
    try:
        assert [found["name"] for found in again.executions()] == ["n3", "n2"]
        assert seen(again, again.executions()[0]["executionArn"])[0]["status"] == "SUCCEEDED"
        assert (folder / "executions").stat().st_size < before
    finally:
        again.stop()


def test_a_torn_journal_costs_the_last_entry_only(first: LocalCloud, folder: Path, example_template: Template) -> None:
    for name in ("whole", "torn"):
        first.wait_for_execution(run(first, name, detail=GOOD))
    first.stop()
    file = folder / "executions"
    file.write_bytes(file.read_bytes()[:-100])
    again = started(folder, example_template)
    try:
        states = {found["name"]: found["status"] for found in again.executions()}
        assert states == {"whole": "SUCCEEDED", "torn": "ABORTED"}
    finally:
        again.stop()


def test_names_stay_the_same(first: LocalCloud, folder: Path, example_template: Template) -> None:
    names = dict(first.deployment.physical_ids)
    first.stop()
    again = started(folder, example_template)
    try:
        assert machine(again) == names["ExampleStateMachine"]
        functions = {name for name in names if name.endswith("Function")}
        assert {name: again.deployment.physical_ids[name] for name in functions} == {n: names[n] for n in functions}
    finally:
        again.stop()


def test_messages_of_one_topic_are_handed_over_as_they_are_published(first: LocalCloud) -> None:
    sns = first.client("sns")
    kept: list[Mapping[str, Any]] = []
    topic, other = (sns.create_topic(Name=name)["TopicArn"] for name in ("kept", "other"))
    first.keep_messages(topic, kept.append)
    attributes = {"error": {"DataType": "String", "StringValue": "AmountMismatch"}}
    sns.publish(TopicArn=topic, Subject="Subject", Message="Text", MessageAttributes=attributes)
    sns.publish(TopicArn=other, Message="of another")
    assert wait_until(lambda: len(kept) == 1)
    [message] = kept
    assert (message["subject"], message["message"]) == ("Subject", "Text")
    assert message["attributes"] == {"error": "AmountMismatch"}
