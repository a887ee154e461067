"""By what a stack knows again what it made at Stripe: a metadata field with the stack's place and name."""

from __future__ import annotations

from typing import Any, Final

from cachao.aws.environment import Environment

KEY: Final = "cachao_stack"


def mark(environment: Environment) -> str:
    """Give the field's value: AWS account, region and stack."""
    return f"{environment.account_id}/{environment.region}/{environment.stack['StackName']}"


def is_ours(environment: Environment, metadata: Any) -> bool:  # noqa: ANN401 -- Stripe's own object
    """Tell whether what has this metadata was made by this command for this stack."""
    found = getattr(metadata, KEY, None) if metadata is not None else None
    return found == mark(environment)
