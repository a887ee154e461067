"""Each function may do at AWS what its code calls, and is told the settings that it reads: no less, no more."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from local.lint.subject import load, referred
from tests.conftest import TEMPLATE
from tests.handlers import call_graph
from tests.handlers.call_graph import modules, reached_from

SAM: Final = load(TEMPLATE).template
FUNCTIONS: Final = {
    name: resource["Properties"]
    for name, resource in SAM["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
MODULES: Final = modules()
# boto3's methods that functions/ calls, and what they need.
CALLS: Final = {
    "put_events": "events:PutEvents",
    "publish": "sns:Publish",
    "scan": "dynamodb:Scan",
    "update_item": "dynamodb:UpdateItem",
    "describe_execution": "states:DescribeExecution",
    "get_execution_history": "states:GetExecutionHistory",
}
POLICIES: Final = {"EventBridgePutEventsPolicy": "events:PutEvents", "SNSPublishMessagePolicy": "sns:Publish"}
# Read by Powertools, not by us.
NOT_OURS: Final = {"POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME", "LOG_LEVEL"}
GLOBALS: Final = SAM["Globals"]["Function"]["Environment"]["Variables"]
VARIABLES: Final = {
    name
    for variables in [GLOBALS, *(one.get("Environment", {}).get("Variables", {}) for one in FUNCTIONS.values())]
    for name in variables
} - NOT_OURS

each_function = pytest.mark.parametrize("function", sorted(FUNCTIONS))


def told(function: str) -> dict[str, Any]:
    return {**GLOBALS, **FUNCTIONS[function].get("Environment", {}).get("Variables", {})}


def allowed(function: str) -> tuple[set[str], set[str]]:
    """Actions that a function may do, and the parameters of the secrets that it may read."""
    actions: set[str] = set()
    secrets: set[str] = set()
    for policy in FUNCTIONS[function].get("Policies", []):
        if "AWSSecretsManagerGetSecretValuePolicy" in policy:
            secrets.add(str(policy["AWSSecretsManagerGetSecretValuePolicy"]["SecretArn"]))
        actions |= {action for name, action in POLICIES.items() if name in policy}
        for statement in policy.get("Statement", []):
            named = statement["Action"]
            actions |= {named} if isinstance(named, str) else set(named)
    return actions, secrets


@each_function
def test_a_function_may_do_what_its_code_calls(function: str) -> None:
    reached = reached_from(FUNCTIONS[function]["Handler"], MODULES)
    actions, secrets = allowed(function)
    assert {action for method, action in CALLS.items() if method in reached.attributes} == actions
    read = {name for name in reached.texts if name.endswith("_SECRET_ARN")}
    assert {str(told(function)[name]) for name in read} == secrets


@each_function
def test_a_function_is_told_what_its_code_reads(function: str) -> None:
    read = reached_from(FUNCTIONS[function]["Handler"], MODULES).texts & VARIABLES
    assert read <= set(told(function))
    assert set(FUNCTIONS[function].get("Environment", {}).get("Variables", {})) - NOT_OURS <= read


def test_each_client_that_is_made_is_one_whose_calls_are_known() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in (call_graph.FUNCTIONS / "handlers").rglob("*.py"))
    made = set(re.findall(r"\.client\(\s*\"(\w+)\"", source))
    assert made == {"dynamodb", "events", "sns", "stepfunctions"}, "add its methods to CALLS"


def test_a_right_too_few_would_be_found() -> None:
    reached = reached_from("handlers.workflow.count_ticket_sale.handler", MODULES)
    assert "DATABASE_SECRET_ARN" in reached.texts
    assert "STRIPE_SECRET_ARN" not in reached.texts
    assert referred({"Ref": "X"}) == "X"
