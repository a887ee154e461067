"""The state machine: active, and its functions there, active, and allowed to be called by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cachao.aws.environment import Environment
from cachao.doctor import permissions
from cachao.doctor.finding import NOT_PROCESSED, Finding, fine, unknown
from cachao.doctor.guarding import guarded
from cachao.problems import error_code

LINK: Final = "State machine"
_FUNCTION = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+")
_DEPLOY: Final = "Deploy again (docs/deploy.md)."


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the workflow could run now."""
    arn = environment.state_machine_arn
    try:
        machine = environment.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
    except Exception as error:
        if error_code(error) != "StateMachineDoesNotExist":
            raise
        yield _broken("state_machine_missing", f"{arn} does not exist.", _DEPLOY)
        return
    if machine["status"] != "ACTIVE":
        yield _broken("state_machine_inactive", f"The state machine is {machine['status']}.", _DEPLOY)
        return
    functions = sorted(set(_FUNCTION.findall(machine["definition"])))
    problems = [
        *(problem for function in functions for problem in guarded(LINK, _check_function(environment, function))),
        *guarded(LINK, _check_role(environment, machine["roleArn"], functions)),
    ]
    yield from problems
    if not problems:
        yield fine(LINK, f"It is active, and so are its {len(functions)} functions.")


def _check_function(environment: Environment, arn: str) -> Iterator[Finding]:
    name = arn.rpartition(":")[2]
    try:
        settings = environment.client("lambda").get_function_configuration(FunctionName=name)
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        yield _broken("function_missing", f"The function {name} does not exist.", _DEPLOY)
        return
    state = settings.get("State", "Active")
    if state not in {"Active", "Inactive"}:  # inactive is only asleep: the next call wakes it
        yield _broken(
            "function_not_active",
            f"The function {name} is {state}: {settings.get('StateReason', 'no reason given')}",
            "If a deployment is under way, wait for it. Otherwise fix the reason, and deploy again.",
        )


def _check_role(environment: Environment, role: str, functions: list[str]) -> Iterator[Finding]:
    denied = permissions.denied(environment, role, "lambda:InvokeFunction", functions)
    if denied is None:
        yield unknown(
            LINK, "Its permission to call its functions could not be read.", "You need iam:SimulatePrincipalPolicy."
        )
    elif denied:
        names = ", ".join(arn.rpartition(":")[2] for arn in denied)
        yield _broken("invoke_permission_missing", f"Its role {role} may not call {names}.", _DEPLOY)


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_PROCESSED)
