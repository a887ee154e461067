"""Whether a role may do something: by IAM's simulator, or by its policies where that cannot be asked."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from cachao.aws.environment import Environment


def denied(environment: Environment, role_arn: str, action: str, resources: list[str]) -> list[str] | None:
    """Give the resources on which the role may not do the action; None: nobody can tell.

    Raises:
        ClientError: NoSuchEntity, where the role does not exist.
    """
    iam = environment.client("iam")
    simulated = None if environment.is_local else _simulate(iam, role_arn, action, resources)
    if simulated is not None:
        return simulated
    try:
        statements = list(_statements(iam, role_arn.rpartition("/")[2]))
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchEntity":
            raise
        return None
    return [resource for resource in resources if not _allowed(statements, action, resource)]


def trusts(environment: Environment, role_arn: str, service: str) -> bool:
    """Tell whether a service may take on the role.

    Raises:
        ClientError: NoSuchEntity, where the role does not exist.
    """
    role = environment.client("iam").get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
    document = _document(role["AssumeRolePolicyDocument"])
    return any(
        service in _as_list(principal.get("Service") if isinstance(principal, dict) else principal)
        for statement in _as_list(document.get("Statement"))
        if statement.get("Effect") == "Allow"
        for principal in [statement.get("Principal")]
    )


def _simulate(iam: Any, role_arn: str, action: str, resources: list[str]) -> list[str] | None:  # noqa: ANN401 -- a client
    # One resource a request: of several, EvalDecision speaks of the whole, and EvalResourceName need not be there.
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    refused = []
    try:
        for resource in resources:
            asked = {"PolicySourceArn": role_arn, "ActionNames": [action], "ResourceArns": [resource]}
            results = iam.simulate_principal_policy(**asked)["EvaluationResults"]
            if any(_decision(found) != "allowed" for found in results):
                refused.append(resource)
    except ClientError:
        return None  # not allowed to ask: read
    return refused


def _decision(found: dict[str, Any]) -> str:
    specific = found.get("ResourceSpecificResults") or []
    return str(specific[0]["EvalResourceDecision"] if specific else found["EvalDecision"])


def _statements(iam: Any, role_name: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 -- a boto3 client
    for name in iam.list_role_policies(RoleName=role_name)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role_name, PolicyName=name)["PolicyDocument"]
        yield from _as_list(_document(document).get("Statement"))
    for attached in iam.list_attached_role_policies(RoleName=role_name)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        yield from _as_list(_document(document).get("Statement"))


def _allowed(statements: list[dict[str, Any]], action: str, resource: str) -> bool:
    applying = [
        statement
        for statement in statements
        if any(fnmatchcase(action.lower(), str(one).lower()) for one in _as_list(statement.get("Action")))
        and any(fnmatchcase(resource, str(one)) for one in _as_list(statement.get("Resource")))
    ]
    effects = {statement.get("Effect") for statement in applying}
    return "Allow" in effects and "Deny" not in effects


def _document(document: Any) -> dict[str, Any]:  # noqa: ANN401 -- boto3 gives an object, or its quoted text
    if isinstance(document, str):
        text = unquote(document)
        # The local AWS writes policies of CloudFormation as Python would.
        document = json.loads(text) if text.lstrip().startswith('{"') else ast.literal_eval(text)
    return document if isinstance(document, dict) else {}


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401 -- one or many, as policies have it
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
