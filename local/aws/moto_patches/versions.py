"""Versions and aliases of state machines in moto.

What moto 5.2.5 lacks:
- `StartExecution` by the ARN of an alias does not exist; one that is started by a version's runs beside the machine;
- an execution does not say on which version and by which alias it runs;
- `DescribeStateMachineForExecution` gives the machine's definition of today, not the execution's.
"""

import copy
import random
from typing import Any

from moto.core.responses import ActionResult
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from local.aws.moto_patches.replacing import Replacements

_PARTS_OF_A_MACHINE = 7


def apply(replacements: Replacements) -> None:
    """Let executions be started by qualified ARNs; after `execution.apply`, whose start this one uses."""
    start = StepFunctionsParserBackend.start_execution

    def start_execution(self: Any, state_machine_arn: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        parts = state_machine_arn.split(":")
        if len(parts) <= _PARTS_OF_A_MACHINE:
            return start(self, state_machine_arn, *args, **kwargs)
        alias = None if parts[-1].isdecimal() else self.describe_state_machine_alias(state_machine_arn)
        version_arn = state_machine_arn if alias is None else _chosen(alias.routing_configuration)
        machine = copy.copy(self.describe_state_machine(":".join(parts[:_PARTS_OF_A_MACHINE])))
        version = self.describe_state_machine(version_arn)
        machine.definition, machine.roleArn = version.definition, version.roleArn
        execution = start(_WithMachine(self, machine), machine.arn, *args, **kwargs)
        if not hasattr(execution, "version_arn"):  # one that was there before keeps its own
            execution.version_arn, execution.alias_arn = version_arn, None if alias is None else alias.arn
        return execution

    replacements.set(StepFunctionsParserBackend, "start_execution", start_execution)
    replacements.set(StepFunctionResponse, "describe_execution", _describe_execution)
    replacements.set(StepFunctionResponse, "describe_state_machine_for_execution", _describe_machine_of_execution)


_moto_describe_execution = StepFunctionResponse.describe_execution


class _WithMachine:
    """moto's backend, for which a machine has the definition of one of its versions."""

    def __init__(self, backend: object, machine: object) -> None:
        self._backend = backend
        self._machine = machine

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._backend, name)

    def describe_state_machine(self, _arn: str) -> object:
        return self._machine


def _chosen(routes: list[dict[str, Any]]) -> str:
    weights = [int(route["weight"]) for route in routes]
    return str(random.choices(routes, weights)[0]["stateMachineVersionArn"])  # noqa: S311 -- no secret


def _describe_execution(self: Any) -> ActionResult:  # noqa: ANN401
    answer = _moto_describe_execution(self)
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    for key, name in (("stateMachineVersionArn", "version_arn"), ("stateMachineAliasArn", "alias_arn")):
        if getattr(execution, name, None):
            answer.result[key] = getattr(execution, name)
    return answer


def _describe_machine_of_execution(self: Any) -> ActionResult:  # noqa: ANN401
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    machine = execution.state_machine
    return ActionResult(
        {
            "stateMachineArn": machine.arn,
            "name": machine.name,
            "definition": machine.definition,
            "roleArn": machine.roleArn,
            "updateDate": machine.update_date,
            "loggingConfiguration": machine.loggingConfiguration,
        }
    )
