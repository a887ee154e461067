"""Makes the commands that the doctor advises mean this stack, wherever they are pasted.

Without a region or a profile `aws events delete-rule` would do its work in whatever account the shell is signed in to.
"""

from __future__ import annotations

import dataclasses
import re

from cachao.aws.environment import Environment
from cachao.doctor.finding import Finding

# On a line of its own; what stands in a sentence is a hint.
_CACHAO = re.compile(r"^cachao [a-z-]+", re.MULTILINE)
_AWS = re.compile(r"\baws (?:cloudwatch|events|sns|sqs|lambda|logs|iam|secretsmanager) [a-z-]+")


def addressed(environment: Environment, finding: Finding) -> Finding:
    """Give the finding with the stack, region and profile in each command of its advice."""
    todo = _CACHAO.sub(lambda found: f"{found[0]} {environment.cachao_options}", finding.todo)
    todo = _AWS.sub(lambda found: f"{found[0]} {environment.aws_options}", todo)
    return dataclasses.replace(finding, todo=todo)


def is_command(line: str) -> bool:
    """Tell whether a line of an advice is a command to be copied."""
    return line.startswith(("cachao ", "aws ", "tail "))
