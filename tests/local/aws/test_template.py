"""The template as AWS reads it, and what the local stack takes from it."""

import json
from pathlib import Path

import pytest

from local.aws.left_out_services import SERVICES
from local.aws.template import Cors, Resolver, Route, Template, TemplateError, Throttle, load_template
from tests.local.conftest import EVENT_SOURCE, EXAMPLE


def write_template(folder: Path, text: str) -> Path:
    file = folder / "template.yaml"
    file.write_text(f"Transform: AWS::Serverless-2016-10-31\n{text}", encoding="utf-8")
    return file


def load(file: Path, **parameters: str) -> Template:
    return load_template(file, parameters=parameters, region="eu-west-1", account_id="123456789012")


def test_routes_come_from_the_functions_events(example_template: Template) -> None:
    assert set(example_template.http_api.routes) == {
        Route("POST", "/events/{id}/tickets/{ticketId}/checkout", "HttpFunction"),
        Route("GET", "/events/{id}/tickets", "HttpFunction"),
        Route("ANY", "/echo/{proxy+}", "ApiEchoFunction"),
        Route("POST", "/sleep", "ApiSleepFunction"),
    }


def test_cors_and_throttling_come_from_the_api(example_template: Template) -> None:
    assert example_template.http_api.cors == Cors(
        allow_origins=("https://shop.example", "https://other.example"),
        allow_methods=("GET", "POST"),
        allow_headers=("content-type", "authorization", "idempotency-key"),
        expose_headers=("retry-after",),
        max_age_seconds=600,
    )
    assert example_template.http_api.throttle == Throttle(rate=100.0, burst=50)


def test_the_state_machine_is_inlined_with_its_substitutions(example_template: Template) -> None:
    definition = example_template.body["Resources"]["ExampleStateMachine"]["Properties"]["DefinitionString"]
    parts = definition["Fn::Join"][1]
    assert {"Fn::GetAtt": ["EchoFunction", "Arn"]} in parts
    assert {"Ref": "AlertTopic"} in parts
    assert json.loads("".join(part if isinstance(part, str) else "arn" for part in parts))["StartAt"] == "WhatToDo"


def test_what_cannot_be_deployed_is_left_out_with_what_refers_to_it(example_template: Template) -> None:
    assert example_template.skipped["HttpApi"] == "AWS::ApiGatewayV2::Api"
    assert example_template.skipped["FailureAlarm"] == "AWS::CloudWatch::Alarm"
    assert not set(example_template.skipped) & set(example_template.body["Resources"])
    assert "ApiUrl" not in example_template.body["Outputs"]


def test_each_function_runs_from_its_own_folder(example_template: Template) -> None:
    assert set(example_template.code_directories.values()) == {EXAMPLE / "functions"}


def test_a_missing_parameter_is_named(tmp_path: Path) -> None:
    file = write_template(tmp_path, "Parameters: {Size: {Type: String}}\nResources: {T: {Type: AWS::SNS::Topic}}\n")
    with pytest.raises(TemplateError, match="Size has no default"):
        load(file)
    assert load(file, Size="5", Unknown="x").parameters == {"Size": "5"}


def test_an_undefined_substitution_is_named(tmp_path: Path) -> None:
    (tmp_path / "machine.yaml").write_text("{StartAt: A, States: {A: {Type: Pass, Result: '${Missing}', End: true}}}")
    file = write_template(
        tmp_path, "Resources: {M: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: machine.yaml}}}\n"
    )
    with pytest.raises(TemplateError, match="M uses undefined substitutions: Missing"):
        load(file)


def test_intrinsic_functions_that_depend_on_parameters_are_resolved() -> None:
    body = {
        "Parameters": {"Names": {"Type": "CommaDelimitedList"}, "Stage": {"Type": "String"}},
        "Conditions": {
            "IsLive": {"Fn::And": [{"Fn::Equals": [{"Ref": "Stage"}, "live"]}, {"Fn::Not": [{"Condition": "No"}]}]},
            "No": {"Fn::Or": [{"Fn::Equals": ["a", "b"]}]},
        },
    }
    resolver = Resolver(body, {"Names": "a, b", "Stage": "live"}, {"AWS::Region": "eu-west-1"})
    value = {
        "list": {"Ref": "Names"},
        "joined": {"Fn::Join": ["-", {"Ref": "Names"}]},
        "second": {"Fn::Select": [1, {"Fn::Split": ["-", "x-y"]}]},
        "chosen": {"Fn::If": ["IsLive", {"Fn::Sub": "${Stage}.${AWS::Region}"}, "no"]},
        "kept": [{"Ref": "Topic"}, {"Fn::GetAtt": ["Topic", "Arn"]}],
    }
    assert resolver.resolve(value) == {
        "list": ["a", "b"],
        "joined": "a-b",
        "second": "y",
        "chosen": "live.eu-west-1",
        "kept": [{"Ref": "Topic"}, {"Fn::GetAtt": ["Topic", "Arn"]}],
    }


def test_the_shops_own_template_can_be_read() -> None:
    project = EXAMPLE.parents[3]
    parameters = {
        "StripeEventSourceName": EVENT_SOURCE.replace("example.com", "stripe.com"),
        "StripeLivemode": "false",
        "StripeSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:stripe",
        "DatabaseSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:database",
        "FrontendOrigins": "http://localhost:3000",
        "FrontendUrl": "http://localhost:3000",
        "CognitoIssuer": "https://cognito-idp.eu-west-1.amazonaws.com/pool",
        "CognitoClientIds": "client",
    }
    template = load(project / "template.yaml", **parameters)
    assert set(template.code_directories.values()) == {project / "functions"}
    services = {resource["Type"].split("::")[1].lower() for resource in template.body["Resources"].values()}
    assert services & set(SERVICES) == set(), "moto's models of it are left out"
    assert template.http_api.cors is not None
    assert template.http_api.cors.allow_origins == ("http://localhost:3000",)
    scheduled = ("EndHoldsFunction", "ReconcileOrdersFunction", "SummarizeAlertsFunction")
    assert template.asynchronous_retries == dict.fromkeys(scheduled, 0)
