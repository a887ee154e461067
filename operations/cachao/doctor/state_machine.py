"""The state machine: active, and the versions of its functions there, active, and allowed to be called by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cachao.aws.environment import Environment
from cachao.doctor import functions, permissions
from cachao.doctor.advice import REDEPLOY
from cachao.doctor.finding import NOT_PROCESSED, Finding, fine, unknown
from cachao.doctor.guarding import guarded
from cachao.problems import error_code

LINK: Final = "State machine"
# A function of the time before versions has none.
_FUNCTION = re.compile(r"(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+)(?::(\d+))?")
# What a version keeps, whatever becomes of the function.
_SETTINGS: Final = ("Environment", "MemorySize", "Timeout", "Runtime", "VpcConfig", "CodeSha256")


@dataclass(frozen=True, order=True)
class _Called:
    """A function as the definition names it."""

    arn: str
    version: str

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the workflow could run now."""
    arn = environment.state_machine_arn
    try:
        machine = environment.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
    except Exception as error:
        if error_code(error) != "StateMachineDoesNotExist":
            raise
        yield _broken("state_machine_missing", f"{arn} does not exist.", REDEPLOY)
        return
    if machine["status"] != "ACTIVE":
        yield _broken("state_machine_inactive", f"The state machine is {machine['status']}.", REDEPLOY)
        return
    versions = _versions_behind_alias(environment)
    if not versions:
        yield _broken(
            "alias_missing", f"{environment.workflow_arn} does not exist, so no rule starts anything.", REDEPLOY
        )
        return
    definitions = [_definition(environment, version) for version in versions]
    called = sorted({_Called(*found) for text in definitions for found in _FUNCTION.findall(text)})
    problems = [
        *(
            problem
            for function in called
            # While a deployment goes on, versions of before are called as well.
            for problem in guarded(LINK, _check_function(environment, function, compare=len(versions) == 1))
        ),
        *guarded(LINK, _check_role(environment, machine["roleArn"], sorted({function.arn for function in called}))),
    ]
    yield from problems
    if not problems:
        number = len({function.arn for function in called})
        yield fine(LINK, f"It is active, and so are its {number} functions.{_shares(versions)}")


def _versions_behind_alias(environment: Environment) -> dict[str, int]:
    """Give the versions that are started, with their shares in percent; none: the alias is not there."""
    if environment.workflow_arn == environment.state_machine_arn:
        return {environment.state_machine_arn: 100}
    client = environment.client("stepfunctions")
    try:
        alias = client.describe_state_machine_alias(stateMachineAliasArn=environment.workflow_arn)
    except Exception as error:
        if error_code(error) not in {"ResourceNotFound", "ResourceNotFoundException"}:
            raise
        return {}
    return {route["stateMachineVersionArn"]: int(route["weight"]) for route in alias["routingConfiguration"]}


def _definition(environment: Environment, arn: str) -> str:
    return str(environment.client("stepfunctions").describe_state_machine(stateMachineArn=arn)["definition"])


def _shares(versions: dict[str, int]) -> str:
    if len(versions) == 1:
        return ""
    shares = " and ".join(f"{share} % version {arn.rpartition(':')[2]}" for arn, share in versions.items())
    return f" A deployment is under way: it starts {shares}."


def _check_function(environment: Environment, called: _Called, *, compare: bool) -> Iterator[Finding]:
    """Look at the version that is called; of the function itself the link of all functions tells."""
    client, name = environment.client("lambda"), called.name
    if not called.version:
        return
    try:
        settings = client.get_function_configuration(FunctionName=name)
        pinned = client.get_function_configuration(FunctionName=f"{name}:{called.version}")
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        if _exists(environment, name):
            yield _broken("function_missing", f"The function {name} has no version {called.version}.", REDEPLOY)
        return
    if not functions.is_well(pinned):
        yield functions.not_active(LINK, f"{name}:{called.version}", pinned)
    elif compare and functions.is_well(settings) and (changed := _changed(settings, pinned)):
        yield _broken(
            "settings_not_in_effect",
            f"The workflow runs version {called.version} of {name}, and the function has other settings by now:"
            f" {', '.join(changed)}.",
            f"{REDEPLOY}\nIf they are to stay: put them into template.yaml, give the function there another"
            " Description, any, and deploy: that publishes a version with them.",
        )


def _exists(environment: Environment, name: str) -> bool:
    try:
        environment.client("lambda").get_function_configuration(FunctionName=name)
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return False
    return True


def _changed(now: dict[str, Any], pinned: dict[str, Any]) -> list[str]:
    return [name for name in _SETTINGS if now.get(name) != pinned.get(name)]


def _check_role(environment: Environment, role: str, arns: list[str]) -> Iterator[Finding]:
    denied = permissions.denied(environment, role, "lambda:InvokeFunction", arns)
    if denied is None:
        yield unknown(
            LINK, "Its permission to call its functions could not be read.", "You need iam:SimulatePrincipalPolicy."
        )
    elif denied:
        names = ", ".join(arn.rpartition(":")[2] for arn in denied)
        yield _broken("invoke_permission_missing", f"Its role {role} may not call {names}.", REDEPLOY)


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_PROCESSED)
