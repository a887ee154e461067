"""The calls that commands make at AWS, as IAM sees them: an action on a resource."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Final

from botocore.model import OperationModel

from local.aws.cloud import LocalCloud

Call = tuple[str, str]

# What IAM calls otherwise than the API does.
ACTIONS: Final = {"lambda:Invoke": "lambda:InvokeFunction"}
PREFIXES: Final = {"monitoring": "cloudwatch"}
# Nobody needs a permission for it.
FREE: Final = "sts:GetCallerIdentity"


class Recorder:
    """Hears what boto3 is asked to send, before it sends it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.calls: set[Call] = set()
        self.number = 0
        self.on_call: Callable[[str], object] = lambda _: None
        self._where = f"{cloud.region}:{cloud.account_id}"
        self._region = cloud.region
        self._account = cloud.account_id
        self._log_group = cloud.deployment.outputs["FunctionLogGroupName"]
        self._heard: dict[int, Any] = {}

    def listen(self, client: Any) -> None:
        if id(client) in self._heard:
            return
        self._heard[id(client)] = client  # kept: a number may be another client's when one is gone

        def record(model: OperationModel, params: dict[str, Any], **_: object) -> None:
            action = action_of(client, model.name)
            self.number += 1
            self.on_call(action)
            if action != FREE:
                self.calls.add((action, self._resource(action, params)))

        client.meta.events.register("before-parameter-build.*.*", record)

    def _resource(self, action: str, given: dict[str, Any]) -> str:
        service = action.partition(":")[0]
        if action in {"events:ListRules", "events:TestEventPattern", "cloudwatch:GetMetricStatistics"}:
            return "*"
        of: dict[str, Callable[[], str]] = {
            "cloudformation": lambda: self._arn(service, f"stack/{given['StackName']}/1234"),
            "states": lambda: given.get("executionArn") or _machine(given),
            "lambda": lambda: self._arn(service, f"function:{_function(given['FunctionName'])}"),
            "logs": lambda: self._arn(service, f"log-group:{given.get('logGroupName', self._log_group)}:log-stream:"),
            "sqs": lambda: self._arn(service, given["QueueUrl"].rpartition("/")[2]),
            "events": lambda: self._events(action, given),
            "iam": lambda: self._iam(given),
            "sns": lambda: given["TopicArn"],
            "secretsmanager": lambda: given["SecretId"],
        }
        return str(of[service]())

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self._where}:{resource}"

    def _events(self, action: str, given: dict[str, Any]) -> str:
        if action == "events:PutEvents":
            return self._arn("events", f"event-bus/{given['Entries'][0]['EventBusName']}")
        if action == "events:DescribeEventBus":
            return self._arn("events", f"event-bus/{given['Name']}")
        if action == "events:DescribeEventSource":
            return f"arn:aws:events:{self._region}::event-source/{given['Name']}"
        bus = given.get("EventBusName", "default")
        on = "" if bus == "default" else f"{bus}/"
        return self._arn("events", f"rule/{on}{given.get('Rule') or given['Name']}")

    def _iam(self, given: dict[str, Any]) -> str:
        if "RoleName" in given:
            return f"arn:aws:iam::{self._account}:role/{given['RoleName']}"
        return str(given.get("PolicySourceArn") or given["PolicyArn"])


def action_of(client: Any, operation: str) -> str:
    prefix = client.meta.service_model.signing_name
    action = f"{PREFIXES.get(prefix, prefix)}:{operation}"
    return ACTIONS.get(action, action)


def allows(policy: dict[str, Any], call: Call) -> bool:
    """What IAM says of it: this action, on this resource."""
    return any(
        call[0] in statement["Action"] and any(fnmatchcase(call[1], pattern) for pattern in statement["Resource"])
        for statement in policy["Statement"]
    )


def _machine(given: dict[str, Any]) -> str:
    # A version or an alias is authorized by its machine:
    # https://docs.aws.amazon.com/step-functions/latest/dg/auth-version-alias.html
    qualified: str = given.get("stateMachineAliasArn") or given["stateMachineArn"]
    return ":".join(qualified.split(":")[:7])


def _function(name_or_arn: str) -> str:
    """`name`, `name:version` or an ARN -> what stands behind `function:`."""
    return name_or_arn.partition(":function:")[2] or name_or_arn
