"""One resource of a stack, asked for by its name in the template.

moto 5.2.5 keeps a None for each resource whose condition is not met, and its DescribeStackResource fails at the first
of them. Its ListStackResources writes it with an empty name.
"""

from __future__ import annotations

from typing import Any

from moto.cloudformation import models
from moto.cloudformation.exceptions import ValidationError

from local.aws.moto_patches.replacing import Replacements


def apply(replacements: Replacements) -> None:
    """Let moto pass over what was not created."""
    replacements.set(models.CloudFormationBackend, "describe_stack_resource", _describe)


def _describe(backend: models.CloudFormationBackend, stack_name: str, logical_resource_id: str) -> tuple[Any, Any]:
    stack = backend.get_stack(stack_name)
    for resource in stack.stack_resources:
        if getattr(resource, "logical_resource_id", None) == logical_resource_id:
            return stack, resource
    raise ValidationError(stack_name, f"Resource {logical_resource_id} does not exist for stack {stack_name}")
