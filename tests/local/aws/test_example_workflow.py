"""A whole stack in the local cloud: events in, executions, histories and alerts out."""

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import InvokeResult, function_error, throttled
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Proceed
from local.aws.moto_patches.event_bridge import Delivery, DeliveryError
from tests.local.conftest import EVENT_SOURCE, wait_until


@pytest.fixture(autouse=True)
def _clean(example: LocalCloud) -> Iterator[None]:
    yield
    example.lambdas.interceptors.clear()
    example.deliveries.interceptors.clear()
    assert dead_letters(example) == []


def put(cloud: LocalCloud, detail: dict[str, Any], *, source: str = "example.com", bus: str = "default") -> str:
    entry = {"Source": source, "DetailType": "test", "Detail": json.dumps(detail), "EventBusName": bus}
    [answer] = cloud.client("events").put_events(Entries=[entry])["Entries"]
    event_id: str = answer["EventId"]
    return event_id


def executions_of(cloud: LocalCloud, event_id: str) -> list[dict[str, Any]]:
    return [e for e in cloud.executions() if e["name"].startswith(f"{event_id}_")]


def run(cloud: LocalCloud, detail: dict[str, Any], **where: str) -> dict[str, Any]:
    [execution] = executions_of(cloud, put(cloud, detail, **where))
    return cloud.wait_for_execution(execution["executionArn"])


def names_entered(cloud: LocalCloud, execution: dict[str, Any]) -> list[str]:
    history = cloud.history(execution["executionArn"])
    return [event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event]


def types(cloud: LocalCloud, execution: dict[str, Any]) -> list[str]:
    return [event["type"] for event in cloud.history(execution["executionArn"])]


def dead_letters(cloud: LocalCloud) -> list[dict[str, Any]]:
    url = cloud.deployment.outputs["EventDeadLetterQueueUrl"]
    answer = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    for message in messages:
        cloud.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return messages


def test_an_event_runs_the_real_machine_with_real_functions(example: LocalCloud) -> None:
    awkward = 'he "said" \\ it\'s {% $x %} ${y} \n and $$'
    execution = run(example, {"do": "succeed", "say": awkward})
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["output"]) == {
        "said": awkward,
        "execution": execution["name"],
        "sides": [{"side": "left", "say": awkward}, {"side": "right", "error": "OutOfSortsError"}],
    }
    assert set(names_entered(example, execution)) == {
        "WhatToDo",
        "Echo",
        "Both",
        "Left",
        "Right",
        "RightFailed",
        "Done",
    }
    exited = next(e for e in example.history(execution["executionArn"]) if e["type"] == "TaskStateExited")
    assert json.loads(exited["stateExitedEventDetails"]["assignedVariables"]["said"]) == awkward


def test_both_buses_lead_to_the_machine(example: LocalCloud) -> None:
    assert run(example, {"do": "nothing"})["status"] == "SUCCEEDED"
    event = json.loads(run(example, {"do": "nothing"}, source=f"{EVENT_SOURCE}x", bus=EVENT_SOURCE)["input"])
    assert event["source"] == f"{EVENT_SOURCE}x"
    assert event["detail-type"] == "test"
    assert event["time"].endswith("Z")
    assert set(event) == {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}


def test_events_that_no_rule_wants_start_nothing(example: LocalCloud) -> None:
    before = len(example.executions())
    put(example, {"do": "nothing"}, source="somebody.else")
    put(example, {"do": "nothing"}, source=EVENT_SOURCE)  # on the wrong bus
    assert len(example.executions()) == before


def test_a_disabled_rule_sees_nothing(example: LocalCloud) -> None:
    events, rule = example.client("events"), example.deployment.physical_ids["DefaultBusRule"]
    events.disable_rule(Name=rule)
    try:
        assert executions_of(example, put(example, {"do": "nothing"})) == []
    finally:
        events.enable_rule(Name=rule)


@pytest.mark.parametrize("detail", ["[]", '"text"', "7", "{not json"])
def test_detail_must_be_an_object(example: LocalCloud, detail: str) -> None:
    entry = {"Source": "example.com", "DetailType": "test", "Detail": detail}
    answer = example.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "MalformedDetail"


def test_a_failure_is_retried_alerted_and_carried_to_the_end(example: LocalCloud) -> None:
    sns, sqs = example.client("sns"), example.client("sqs")
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=example.deployment.outputs["AlertTopicArn"], Protocol="sqs", Endpoint=arn)

    execution = run(example, {"do": "fail", "say": 'so "it" is'})

    assert (execution["status"], execution["error"], execution["cause"]) == ("FAILED", "OutOfSortsError", 'so "it" is')
    assert types(example, execution).count("TaskFailed") == 3  # once, and two retries
    assert names_entered(example, execution) == ["WhatToDo", "Fail", "Alert", "Failed"]
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    alert = json.loads(message["Body"])
    assert alert["Subject"] == "Failed: OutOfSortsError"
    assert alert["Message"] == 'Fail said: so "it" is'
    assert alert["MessageAttributes"]["error"] == {"Type": "String", "Value": "OutOfSortsError"}


def test_a_function_that_is_too_slow_is_reported_as_lambda_does(example: LocalCloud) -> None:
    execution = run(example, {"do": "sleep", "seconds": 20})
    assert (execution["status"], execution["error"]) == ("FAILED", "Sandbox.Timedout")
    assert "Task timed out after 2.00 seconds" in execution["cause"]


def test_a_task_that_is_too_slow_times_out_and_its_late_answer_changes_nothing(example: LocalCloud) -> None:
    execution = run(example, {"do": "time out"})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Timeout")
    length = len(types(example, execution))
    assert not wait_until(lambda: len(types(example, execution)) > length, 0.8)
    assert "TaskTimedOut" in types(example, execution)
    assert types(example, execution)[-1] == "ExecutionFailed"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (throttled(), "Lambda.TooManyRequestsException"),
        (function_error("Runtime.OutOfMemory", "killed"), "Runtime.OutOfMemory"),
        (function_error(None, "2025-03-25T14:59:02.758Z x Task timed out after 3.00 seconds"), "Lambda.Unknown"),
        (InvokeResult(b"not json"), "States.QueryEvaluationError"),
    ],
)
def test_what_lambda_answers_becomes_the_error_that_aws_shows(
    example: LocalCloud, answer: InvokeResult, error: str
) -> None:
    def instead(_invocation: Invocation, _proceed: Proceed) -> InvokeResult:
        return answer

    example.lambdas.interceptors.append(instead)
    execution = run(example, {"do": "succeed", "say": "x"})
    assert (execution["status"], execution["error"]) == ("FAILED", error)
    if error == "Lambda.Unknown":
        assert execution["cause"].startswith("The cause could not be determined because Lambda did not return an")


def test_an_undefined_result_is_an_error_of_the_query(example: LocalCloud) -> None:
    execution = run(example, {"do": "succeed"})  # nothing to say: $states.result.Payload.event.say is undefined
    assert (execution["status"], execution["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "returned nothing (undefined)" in execution["cause"]


def test_an_execution_can_be_stopped_while_it_waits(example: LocalCloud) -> None:
    [execution] = executions_of(example, put(example, {"do": "wait"}))
    example.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    assert example.wait_for_execution(execution["executionArn"], timeout_seconds=5)["status"] == "ABORTED"


def test_an_execution_can_be_stopped_before_it_has_a_thread(
    example: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = ExecutionWorker._execution_logic

    def begin_late(self: ExecutionWorker) -> None:
        time.sleep(0.3)
        begin(self)

    monkeypatch.setattr(ExecutionWorker, "_execution_logic", begin_late)
    sfn, arn = example.client("stepfunctions"), example.deployment.outputs["StateMachineArn"]
    started = sfn.start_execution(stateMachineArn=arn, input='{"detail": {"do": "wait"}}')
    stopped = sfn.stop_execution(executionArn=started["executionArn"])
    assert stopped["stopDate"] >= started["startDate"]
    assert example.wait_for_execution(started["executionArn"], timeout_seconds=5)["status"] == "ABORTED"


def test_executions_may_have_names_and_each_name_is_one_execution(example: LocalCloud) -> None:
    sfn, arn = example.client("stepfunctions"), example.deployment.outputs["StateMachineArn"]
    given = '{"detail": {"do": "nothing"}}'
    without = {sfn.start_execution(stateMachineArn=arn, input=given)["executionArn"] for _ in range(3)}
    assert len(without) == 3
    named = sfn.start_execution(stateMachineArn=arn, name="replay-1", input=given)["executionArn"]
    assert named.endswith(":replay-1")
    example.wait_for_execution(named)
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        sfn.start_execution(stateMachineArn=arn, name="replay-1", input=given)


def test_input_beyond_the_limit_is_refused(example: LocalCloud) -> None:
    arn = example.deployment.outputs["StateMachineArn"]
    with pytest.raises(ClientError, match="ValidationException"):
        example.client("stepfunctions").start_execution(stateMachineArn=arn, input=json.dumps({"x": "y" * 262_144}))


def test_200_events_at_once_all_end(example: LocalCloud) -> None:
    entry = {"Source": "example.com", "DetailType": "test", "Detail": '{"do": "succeed", "say": "x"}'}
    before = len(example.executions("SUCCEEDED"))
    for _ in range(20):
        example.client("events").put_events(Entries=[entry] * 10)
    example.wait_until_idle(timeout_seconds=60)
    assert len(example.executions("SUCCEEDED")) == before + 200


def test_a_machine_that_is_gone_sends_events_to_the_dead_letter_queue_at_once(example: LocalCloud) -> None:
    target = {"Id": "Start", "Arn": "arn:aws:states:eu-west-1:123456789012:stateMachine:gone"}
    queue = example.client("sqs").get_queue_attributes(
        QueueUrl=example.deployment.outputs["EventDeadLetterQueueUrl"], AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    events = example.client("events")
    events.put_rule(Name="to-nowhere", EventPattern='{"source": ["nowhere"]}')
    events.put_targets(Rule="to-nowhere", Targets=[{**target, "DeadLetterConfig": {"Arn": queue}}])
    event_id = put(example, {"a": 1}, source="nowhere")
    [letter] = dead_letters(example)
    assert json.loads(letter["Body"])["id"] == event_id
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "StateMachineDoesNotExist"
    assert attributes["TARGET_ARN"] == target["Arn"]
    assert attributes["RULE_ARN"] == "arn:aws:events:eu-west-1:123456789012:rule/to-nowhere"
    assert attributes["RETRY_ATTEMPTS"] == "0"
    assert attributes["ERROR_MESSAGE"]


def test_a_delivery_that_may_pass_is_tried_again(example: LocalCloud) -> None:
    refusals = [1, 2]

    def refuse_twice(_delivery: Delivery) -> None:
        if refusals:
            refusals.pop()
            raise DeliveryError("ThrottlingException", "Rate exceeded")

    example.deliveries.interceptors.append(refuse_twice)
    event_id = put(example, {"do": "nothing"})
    assert wait_until(lambda: len(executions_of(example, event_id)) == 1)
    assert dead_letters(example) == []


def test_a_delivery_whose_retries_run_out_goes_to_the_dead_letter_queue(example: LocalCloud) -> None:
    def refuse(_delivery: Delivery) -> None:
        raise DeliveryError("ThrottlingException", "Rate exceeded")

    example.deliveries.interceptors.append(refuse)
    event_id = put(example, {"do": "nothing"}, source=EVENT_SOURCE, bus=EVENT_SOURCE)
    letters: list[dict[str, Any]] = []

    def has_arrived() -> bool:
        letters.extend(dead_letters(example))
        return bool(letters)

    assert wait_until(has_arrived)
    attributes = {name: value["StringValue"] for name, value in letters[0]["MessageAttributes"].items()}
    assert attributes["RETRY_ATTEMPTS"] == "3"  # the rule's own policy
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert f"rule/{EVENT_SOURCE}/" in attributes["RULE_ARN"]
    assert executions_of(example, event_id) == []


def test_a_schedule_calls_its_function(example: LocalCloud) -> None:
    seen: list[object] = []

    def note(invocation: Invocation, proceed: Proceed) -> InvokeResult:
        seen.append((invocation.function.logical_id, json.loads(invocation.payload)))
        return proceed(invocation)

    example.lambdas.interceptors.append(note)
    example.fire_schedule("EnvironmentFunctionEveryQuarter")
    assert wait_until(lambda: seen == [("EnvironmentFunction", {"reason": "schedule"})])


def test_functions_can_be_invoked_by_boto3(example: LocalCloud) -> None:
    client = example.client("lambda")
    name = example.deployment.physical_ids["EchoFunction"]
    answer = client.invoke(FunctionName=name, Payload=b'{"a": 1}')
    assert answer["StatusCode"] == 200
    assert json.load(answer["Payload"])["event"] == {"a": 1}
    failed = client.invoke(FunctionName=example.deployment.physical_ids["FailFunction"], Payload=b"{}")
    assert failed["FunctionError"] == "Unhandled"
    assert json.load(failed["Payload"])["errorType"] == "OutOfSortsError"
    assert client.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")["StatusCode"] == 202
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.invoke(FunctionName="nobody")


def test_functions_get_the_templates_environment_resolved(example: LocalCloud) -> None:
    variables = example.deployment.functions["EchoFunction"].environment
    assert variables["GREETING"] == "hello"
    assert variables["ORIGINS"] == "https://shop.example,https://other.example"
    assert variables["TOPIC_ARN"] == example.deployment.outputs["AlertTopicArn"]


def test_pages_of_a_list_hold_while_executions_end(example: LocalCloud) -> None:
    sfn, arn = example.client("stepfunctions"), example.deployment.outputs["StateMachineArn"]
    started = [sfn.start_execution(stateMachineArn=arn, input='{"detail": {"do": "wait"}}') for _ in range(4)]
    first = sfn.list_executions(stateMachineArn=arn, statusFilter="RUNNING", maxResults=2)
    assert [e["executionArn"] for e in first["executions"]] == [started[3]["executionArn"], started[2]["executionArn"]]
    for execution in started[2:]:
        sfn.stop_execution(executionArn=execution["executionArn"])
        example.wait_for_execution(execution["executionArn"])
    second = sfn.list_executions(stateMachineArn=arn, statusFilter="RUNNING", nextToken=first["nextToken"])
    assert [e["executionArn"] for e in second["executions"]] == [started[1]["executionArn"], started[0]["executionArn"]]
    for execution in started[:2]:
        sfn.stop_execution(executionArn=execution["executionArn"])


def test_only_one_cloud_runs_in_a_process(example: LocalCloud) -> None:
    with pytest.raises(RuntimeError, match="another LocalCloud"):
        LocalCloud(example._directory, port=0).start()
    assert example.executions() is not None


def test_nothing_of_the_developers_aws_is_read(example: LocalCloud) -> None:
    credentials = boto3.session.Session().get_credentials()
    assert credentials is not None
    assert credentials.access_key == "testing"
