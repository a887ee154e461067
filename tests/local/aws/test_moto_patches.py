"""Plain moto, without our patches: each test fails when moto gains what a patch adds, and the patch can go."""

import copy
import inspect
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import jwt
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from moto import backends, mock_aws
from moto.cloudformation import parsing
from moto.cognitoidp.models import CognitoIdpBackend
from moto.core.models import botocore_stubber
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.core.utils import get_service_model
from moto.dynamodb.models import Table
from moto.events.models import EventBus, EventPattern
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_dynamodb import (
    StateTaskServiceDynamoDB,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.parser.utils import TMP_THREADS
from pycognito.aws_srp import AWSSRP

from local.aws import moto_patches
from local.aws.lambda_answers import InvokeResult
from local.aws.left_out_services import SERVICES
from local.aws.moto_patches import speed
from local.aws.moto_patches.event_bridge import EventDelivery
from local.aws.moto_patches.replacing import Replacements
from local.aws.user_pool import READY_USER, create_user_pool
from tests.local.conftest import wait_until

PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
PARTNER_BUS = "aws.partner/example.com/ed_1"
ROLE = "arn:aws:iam::123456789012:role/any"


@pytest.fixture
def plain() -> Iterator[None]:
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield


def client(service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def test_every_patch_can_be_taken_back() -> None:
    def inside() -> list[object]:
        return [
            vars(StepFunctionsParserBackend)["start_execution"],
            vars(EventBus).get("physical_resource_id"),
            moto_jsonata._eval_jsonata,
            result_path.parse,
            lambda_eval_utils._invoke_lambda_function,
            CognitoIdpBackend.respond_to_auth_challenge,
        ]

    before, replacements = inside(), Replacements()
    moto_patches.speed.apply(replacements)
    moto_patches.jsonata.apply(replacements)
    moto_patches.execution.apply(replacements, retry_wait_factor=1.0, tasks_at_once=1)
    moto_patches.versions.apply(replacements)
    moto_patches.lambda_tasks.apply(
        replacements, invoke=lambda _name, payload: InvokeResult(payload), endpoint_url="http://127.0.0.1:1"
    )
    moto_patches.event_bridge.apply(
        replacements, EventDelivery(invoke_function=lambda _name, _payload: None, retry_wait_factor=1.0)
    )
    moto_patches.user_pools.apply(replacements)
    assert all(now is not then for now, then in zip(inside(), before, strict=True))
    replacements.undo()
    assert inside() == before


def test_jsonata_has_no_evaluator() -> None:
    assert moto_jsonata._eval_jsonata is None
    with pytest.raises(TypeError, match="not callable"):
        moto_jsonata.eval_jsonata_expression("1 + 1")


def test_jsonata_variables_are_pasted_without_escaping() -> None:
    assert moto_jsonata.encode_jsonata_variable_declarations({"$x": 'a"b'}) == '$x:="a"b";'
    store = VariableStore()
    store.set("x", 'a"b')
    assert store.get_assigned_variables() == {"x": '"a"b"'}


@pytest.mark.usefixtures("plain")
def test_executions_without_a_name_are_all_called_none() -> None:
    sfn = client("stepfunctions")
    arn = sfn.create_state_machine(name="m", definition=PASS, roleArn=ROLE)["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    assert execution.endswith(":None")
    # While the first one runs, the second is the same one.
    assert wait_until(lambda: sfn.describe_execution(executionArn=execution)["status"] == "SUCCEEDED")
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        sfn.start_execution(stateMachineArn=arn)


@pytest.mark.usefixtures("plain")
def test_the_definition_of_an_execution_is_that_of_now() -> None:
    sfn = client("stepfunctions")
    arn = sfn.create_state_machine(name="m", definition=PASS, roleArn=ROLE)["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=arn, name="x")["executionArn"]
    sfn.update_state_machine(stateMachineArn=arn, definition=PASS.replace('"A"', '"B"'))
    assert '"B"' in sfn.describe_state_machine_for_execution(executionArn=execution)["definition"]


def test_names_of_resources_end_at_random() -> None:
    first, second = (parsing.generate_resource_name("AWS::Lambda::Function", "stack", "Echo") for _ in range(2))
    assert first[:-12] == second[:-12] == "stack-Echo-"
    assert first != second


@pytest.mark.usefixtures("plain")
def test_input_beyond_the_limit_is_taken() -> None:
    sfn = client("stepfunctions")
    arn = sfn.create_state_machine(name="m", definition=PASS, roleArn=ROLE)["stateMachineArn"]
    assert sfn.start_execution(stateMachineArn=arn, name="x", input=json.dumps("y" * 300_000))["executionArn"]


@pytest.mark.usefixtures("plain")
def test_an_alias_starts_nothing_and_an_execution_does_not_know_its_version() -> None:
    sfn = client("stepfunctions")
    made = sfn.create_state_machine(name="m", definition=PASS, roleArn=ROLE, publish=True)
    version = f"{made['stateMachineArn']}:1"
    routes = [{"stateMachineVersionArn": version, "weight": 100}]
    alias = sfn.create_state_machine_alias(name="live", routingConfiguration=routes)["stateMachineAliasArn"]
    with pytest.raises(ClientError, match="StateMachineDoesNotExist"):
        sfn.start_execution(stateMachineArn=alias, name="x")
    arn = sfn.start_execution(stateMachineArn=made["stateMachineArn"], name="x")["executionArn"]
    assert "stateMachineVersionArn" not in sfn.describe_execution(executionArn=arn)
    changed = PASS.replace('"A"', '"B"')
    sfn.update_state_machine(stateMachineArn=made["stateMachineArn"], definition=changed)
    assert sfn.describe_state_machine_for_execution(executionArn=arn)["definition"] == changed


def test_arguments_beyond_the_limit_are_passed_on() -> None:
    source = inspect.getsource(state_task_service.StateTaskService._before_eval_execution)
    assert "_verify_size_quota" not in source
    assert "DataLimitExceeded" not in source


def test_a_catch_of_all_catches_what_none_can() -> None:
    error = StatesErrorName(typ=StatesErrorNameType.StatesStatesDataLimitExceeded)
    environment: Any = SimpleNamespace(stack=[error])
    ErrorEqualsDecl([StatesErrorName(typ=StatesErrorNameType.StatesALL)])._eval_body(environment)
    assert environment.stack == [True]


@pytest.mark.usefixtures("plain")
def test_cloudformation_makes_state_machines_that_never_run() -> None:
    template = {
        "Resources": {
            "M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"DefinitionString": PASS, "RoleArn": ROLE}}
        }
    }
    client("cloudformation").create_stack(StackName="s", TemplateBody=json.dumps(template))
    assert client("stepfunctions").list_state_machines()["stateMachines"] == []


@pytest.mark.usefixtures("plain")
def test_pages_by_status_break_off_when_an_execution_ends() -> None:
    sfn = client("stepfunctions")
    waiting = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 60, "End": True}}})
    arn = sfn.create_state_machine(name="m", definition=waiting, roleArn=ROLE)["stateMachineArn"]
    started = [sfn.start_execution(stateMachineArn=arn, name=f"e{n}")["executionArn"] for n in range(3)]

    def in_state(status: str) -> int:
        return len(sfn.list_executions(stateMachineArn=arn, statusFilter=status)["executions"])

    assert wait_until(lambda: in_state("RUNNING") == len(started))
    page = sfn.list_executions(stateMachineArn=arn, statusFilter="RUNNING", maxResults=1)
    for execution in started:
        sfn.stop_execution(executionArn=execution)
    assert wait_until(lambda: in_state("ABORTED") == len(started))
    with pytest.raises(ClientError, match="InvalidToken"):
        sfn.list_executions(stateMachineArn=arn, statusFilter="RUNNING", maxResults=1, nextToken=page["nextToken"])


def test_retries_really_sleep() -> None:
    assert "time.sleep(interval_seconds)" in inspect.getsource(retrier_decl.RetrierDecl._eval_body)


def test_a_fail_state_cannot_carry_on_an_error_of_the_service() -> None:
    with pytest.raises(ValueError, match="MUST NOT begin with"):
        CustomErrorName("States.Timeout")


def test_a_late_answer_is_written_into_the_history() -> None:
    source = inspect.getsource(state_task_service.StateTaskService._after_eval_execution)
    assert "is_running" not in source


def test_a_definition_is_parsed_each_time() -> None:
    assert AmazonStateLanguageParser.parse(PASS)[0] is not AmazonStateLanguageParser.parse(PASS)[0]


def test_every_thread_is_kept() -> None:
    assert type(TMP_THREADS) is list


def test_an_error_without_a_type_is_called_exception() -> None:
    assert '"Exception"' in inspect.getsource(StateTaskServiceLambda._from_error)


def test_an_error_of_a_dynamodb_task_is_always_dynamodbs() -> None:
    assert "FailureEventException" not in inspect.getsource(StateTaskServiceDynamoDB._from_error)
    assert "super()" not in inspect.getsource(StateTaskServiceDynamoDB._from_error)


@pytest.mark.usefixtures("plain")
def test_an_update_of_an_item_is_not_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    dynamodb, find = client("dynamodb"), Table.get_item
    attributes = [{"AttributeName": "id", "AttributeType": "S"}]
    keys = [{"AttributeName": "id", "KeyType": "HASH"}]
    dynamodb.create_table(TableName="t", AttributeDefinitions=attributes, KeySchema=keys, BillingMode="PAY_PER_REQUEST")

    def find_slowly(self: Table, *args: Any, **kwargs: Any) -> object:
        found = find(self, *args, **kwargs)
        time.sleep(0.1)
        return found

    def be_first(key: str, who: str) -> str:
        updated = dynamodb.update_item(
            TableName="t",
            Key={"id": {"S": key}},
            UpdateExpression="SET who = if_not_exists(who, :who)",
            ExpressionAttributeValues={":who": {"S": who}},
            ReturnValues="ALL_NEW",
        )
        return str(updated["Attributes"]["who"]["S"])

    def first_of_two(key: str) -> set[str]:
        with ThreadPoolExecutor(2) as at_once:
            return set(at_once.map(lambda who: be_first(key, who), ("a", "b")))

    monkeypatch.setattr(Table, "get_item", find_slowly)
    assert first_of_two("plain") == {"a", "b"}
    replacements = Replacements()
    moto_patches.tables.apply(replacements)
    try:
        assert len(first_of_two("patched")) == 1
    finally:
        replacements.undo()


def test_clients_are_made_anew() -> None:
    make = lambda_eval_utils.boto_client_for
    assert not botocore_stubber.enabled
    assert make("eu-west-1", "sns") is not make("eu-west-1", "sns")


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    "arn", ["states:eu-west-1:123456789012:stateMachine:m", "lambda:eu-west-1:123456789012:function:f"]
)
def test_rules_reach_neither_state_machines_nor_functions(arn: str) -> None:
    events = client("events")
    events.put_rule(Name="r", EventPattern='{"source": ["x"]}')
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": f"arn:aws:{arn}"}])
    with pytest.raises(NotImplementedError):
        events.put_events(Entries=[{"Source": "x", "DetailType": "t", "Detail": "{}"}])


@pytest.mark.usefixtures("plain")
def test_rules_on_a_partner_bus_fail() -> None:
    from moto.events.models import PartnerEventSource, events_backends  # noqa: PLC0415 - of this moto's lifetime

    backend = events_backends["123456789012"]["eu-west-1"]
    backend.event_sources[PARTNER_BUS] = PartnerEventSource("eu-west-1", PARTNER_BUS)
    events = client("events")
    events.create_event_bus(Name=PARTNER_BUS, EventSourceName=PARTNER_BUS)
    with pytest.raises(ClientError, match="ed_1 does not exist"):
        events.put_rule(Name="r", EventBusName=PARTNER_BUS, EventPattern='{"source": ["x"]}')


@pytest.mark.usefixtures("plain")
def test_cloudformation_wants_the_partner_source_to_exist() -> None:
    properties = {"Name": PARTNER_BUS, "EventSourceName": PARTNER_BUS}
    template = {"Resources": {"B": {"Type": "AWS::Events::EventBus", "Properties": properties}}}
    with pytest.raises(ResponseParserError, match="does not exist"):  # it says so in JSON, where XML is due
        client("cloudformation").create_stack(StackName="s", TemplateBody=json.dumps(template))
    assert not hasattr(EventBus, "physical_resource_id")


@pytest.mark.usefixtures("plain")
def test_a_partner_source_is_never_pending_and_one_that_is_not_there_breaks_moto() -> None:
    from moto.events.models import PartnerEventSource  # noqa: PLC0415 - of this moto's lifetime

    assert PartnerEventSource("eu-west-1", PARTNER_BUS).state == "ACTIVE"
    with pytest.raises(KeyError):
        client("events").describe_event_source(Name="aws.partner/example.com/ed_2")


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    "rule", [{"EventPattern": '{"source": ["x"]}', "State": "DISABLED"}, {"ScheduleExpression": "rate(1 day)"}]
)
def test_disabled_and_schedule_rules_see_events(rule: dict[str, str]) -> None:
    sqs, events = client("sqs"), client("events")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    events.put_rule(Name="r", **rule)
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:eu-west-1:123456789012:q"}])
    events.put_events(Entries=[{"Source": "x", "DetailType": "t", "Detail": "{}"}])
    assert len(sqs.receive_message(QueueUrl=queue)["Messages"]) == 1


@pytest.mark.usefixtures("plain")
def test_detail_that_is_no_object_is_taken() -> None:
    with pytest.warns(UserWarning, match="ignored by AWS"):
        answer = client("events").put_events(Entries=[{"Source": "x", "DetailType": "t", "Detail": "[]"}])
    assert answer["FailedEntryCount"] == 0


def test_an_absent_pattern_matches_everything() -> None:
    assert EventPattern.load(None).matches_event({"source": "x", "detail": {}})


def test_repeated_work_is_still_repeated() -> None:
    assert inspect.isgeneratorfunction(backends.list_of_moto_modules)
    assert not hasattr(result_path.parse, "cache_info")
    assert state_task_service.copy is copy
    assert inspect.isgeneratorfunction(XFormedAttributePicker.get_possible_keys)


class _Aliased:
    class Meta:
        serialization_aliases: ClassVar = {"type": "kind"}

    def __init__(self, **values: object) -> None:
        vars(self).update(values)


def test_a_members_value_is_found_once_as_moto_finds_it() -> None:
    model = get_service_model("stepfunctions")
    shape = model.shape_for("HistoryEvent")
    pick = speed.picker(XFormedAttributePicker.get_possible_keys)
    moto = XFormedAttributePicker(response_transformers={"events.id": lambda _: "never"})
    things = [
        {"timestamp": 1, "taskFailedEventDetails": {"error": "E"}},
        {"previous_event_id": 2, "type": None, "HistoryEventType": "T", "TimestampX": 3},
        SimpleNamespace(id=7, previous_event_id=8, kind=9),
        _Aliased(id=7, kind=9, type=1),
        _Aliased(type=1),
    ]
    for key, member in shape.members.items():
        member.parent = shape
        for thing in things * 2:
            context = AttributePickerContext(thing, key, member, service_model=model, key_path="Output.events")
            assert pick(moto, context) == moto(context), (key, thing)


def test_cloudformation_imports_the_models_of_services_that_nothing_here_has() -> None:
    imports = inspect.getsource(parsing)
    assert [service for service in SERVICES if f"from moto.{service} import models" not in imports] == []


def test_plain_moto_lets_anybody_in_and_says_of_no_address_that_it_is_verified(plain: None) -> None:
    cognito = client("cognito-idp")
    pools = [create_user_pool(cognito, region="eu-west-1", endpoint_url="http://127.0.0.1:1") for _ in range(2)]
    assert pools[0]["user_pool_id"] != pools[1]["user_pool_id"]
    pool = pools[0]
    login = AWSSRP(READY_USER.email, "wrong", pool["user_pool_id"], pool["client_id"], client=cognito)
    # What moto calls a secret block is no base64.
    login.process_challenge = lambda challenge, _: {
        "TIMESTAMP": "any",
        "USERNAME": challenge["USERNAME"],
        "PASSWORD_CLAIM_SECRET_BLOCK": challenge["SECRET_BLOCK"],
        "PASSWORD_CLAIM_SIGNATURE": "any",
    }
    token = login.authenticate_user()["AuthenticationResult"]["IdToken"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert "email_verified" not in claims
    assert claims["email"] == claims["sub"]


def test_plain_moto_stumbles_over_a_resource_whose_condition_is_not_met(plain: None) -> None:
    queue = {"Type": "AWS::SQS::Queue"}
    cloudformation = client("cloudformation")
    template = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {"First": queue | {"Condition": "Never"}, "Second": queue},
    }
    cloudformation.create_stack(StackName="shop", TemplateBody=json.dumps(template))
    with pytest.raises((ClientError, AttributeError)):
        cloudformation.describe_stack_resource(StackName="shop", LogicalResourceId="Second")
