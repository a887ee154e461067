"""CloudFormation as far as `cachao redeploy` asks it, which the local AWS cannot: shapes by boto3's own model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.validate import validate_parameters

from cachao.aws.environment import Environment
from cachao.redeploy import change_set

STACK_ID: Final = "arn:aws:cloudformation:eu-west-1:123456789012:stack/cachao-local/1234"
NOTHING: Final = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)


def drifted(part: str, kind: str, was: str, **more: Any) -> dict[str, Any]:
    """One change that CloudFormation would make."""
    change = {"LogicalResourceId": part, "ResourceType": kind, "ResourceDriftStatus": was, "Action": "Modify", **more}
    return {"Type": "Resource", "ResourceChange": change}


RULE: Final = drifted("PartnerPaymentRule", "AWS::Events::Rule", "DELETED", Action="Add")
ROLE: Final = drifted(
    "StartWorkflowRole",
    "AWS::IAM::Role",
    "MODIFIED",
    Replacement="False",
    Details=[{"Target": {"Attribute": "Properties", "Name": "AssumeRolePolicyDocument"}}],
)
UNTOUCHED: Final = drifted("HttpApi", "AWS::ApiGatewayV2::Api", "IN_SYNC", Action="SyncWithActual")


@dataclass
class Deployment:
    """A stack that drifted, and what becomes of it."""

    changes: list[dict[str, Any]] = field(default_factory=lambda: [RULE, ROLE, UNTOUCHED])
    status: str = "UPDATE_COMPLETE"
    ends_as: str = "UPDATE_COMPLETE"
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _until_made: int = 1
    _until_ended: int = 0

    def named(self, operation: str) -> list[dict[str, Any]]:
        """With what an operation was asked for."""
        return [given for name, given in self.asked if name == operation]

    def create_change_set(self, _given: dict[str, Any]) -> dict[str, Any]:
        self._until_made = 1
        return {"Id": "1"}

    def describe_change_set(self, given: dict[str, Any]) -> dict[str, Any]:
        self._until_made -= 1
        if self._until_made >= 0:
            return {"Status": "CREATE_IN_PROGRESS"}
        if not self.changes:
            return {"Status": "FAILED", "StatusReason": NOTHING}
        # One a page.
        place = int(given.get("NextToken", "0"))
        more = {"NextToken": str(place + 1)} if place + 1 < len(self.changes) else {}
        return {"Status": "CREATE_COMPLETE", "Changes": [self.changes[place]], **more}

    def delete_change_set(self, _given: dict[str, Any]) -> dict[str, Any]:
        return {}

    def execute_change_set(self, _given: dict[str, Any]) -> dict[str, Any]:
        self.status, self._until_ended = "UPDATE_IN_PROGRESS", 1
        return {}

    def describe_stacks(self, parsed: dict[str, Any]) -> None:
        if self.status == "UPDATE_IN_PROGRESS":
            self._until_ended -= 1
            if self._until_ended < 0:
                self.status = self.ends_as
        for stack in parsed["Stacks"]:
            stack["StackStatus"] = self.status

    def describe_stack_events(self, _given: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC)
        event = {"StackId": STACK_ID, "StackName": "cachao-local", "ResourceStatus": "UPDATE_FAILED"}
        return {
            "StackEvents": [
                event | {"EventId": "2", "Timestamp": now, "LogicalResourceId": "HttpApi"},
                event
                | {
                    "EventId": "1",
                    "Timestamp": now - timedelta(milliseconds=1),
                    "LogicalResourceId": "StartWorkflowRole",
                }
                | {"ResourceStatusReason": "You may not do iam:UpdateAssumeRolePolicy."},
                event | {"EventId": "0", "Timestamp": now - timedelta(days=1), "LogicalResourceId": "OfYesterday"},
            ]
        }


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    made = Deployment()
    original = Environment.client

    def client(self: Environment, service: str) -> Any:
        found = original(self, service)
        if service == "cloudformation":
            _answer_by(made, found)
        return found

    monkeypatch.setattr(Environment, "client", client)
    monkeypatch.setattr(change_set, "_LOOK_EVERY_SECONDS", 0)
    return made


def _answer_by(deployment: Deployment, client: Any) -> None:
    def answer(model: Any, params: dict[str, Any], **_: object) -> Any:
        operation: Callable[[dict[str, Any]], dict[str, Any]] = getattr(deployment, _name(model))
        given = deployment.asked[-1][1]
        found = operation(given)
        validate_parameters(found, model.output_shape)
        return AWSResponse(params["url"], 200, HTTPHeaders(), None), found

    def note(params: dict[str, Any], model: Any, **_: object) -> None:
        deployment.asked.append((_name(model), params))

    def stacks(parsed: dict[str, Any], **_: object) -> None:
        deployment.describe_stacks(parsed)

    events = client.meta.events
    for name in ("CreateChangeSet", "DescribeChangeSet", "DeleteChangeSet", "ExecuteChangeSet", "DescribeStackEvents"):
        events.register_first(f"before-parameter-build.cloudformation.{name}", note, unique_id=f"note-{name}")
        events.register(f"before-call.cloudformation.{name}", answer, unique_id=f"answer-{name}")
    events.register("after-call.cloudformation.DescribeStacks", stacks, unique_id="stacks")


def _name(model: Any) -> str:
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in model.name)
    return words.removeprefix("_")
