"""Makes the commands that the doctor advises mean this stack, wherever they are pasted.

Without a region or a profile `aws events delete-rule` would do its work in whatever account the shell is signed in to.
"""

from __future__ import annotations

import dataclasses
import re

from cachao.aws.environment import Environment
from cachao.doctor.finding import Finding

# Words that only follow where a command is meant, not the name.
_CACHAO = re.compile(
    r"\bcachao (?:connect|correct|counts|disputes|executions|limit|migrate|orders|prepare-database|reconcile|refund"
    r"|replay|sale|show|take-back)\b"
)
_AWS = re.compile(r"\baws (?:events|sns|sqs|lambda|iam|secretsmanager) [a-z-]+")
# A command that ends a sentence after a colon is to be copied: it gets a line of its own.
_AT_THE_END = re.compile(r"(?<=:) (?=(?:cachao|aws) [^\n]*$)", re.MULTILINE)


def addressed(environment: Environment, finding: Finding) -> Finding:
    """Give the finding with the stack, region and profile in each command of its advice."""
    todo = _AT_THE_END.sub("\n", finding.todo)
    todo = _CACHAO.sub(lambda found: f"{found[0]} {environment.cachao_options}", todo)
    todo = _AWS.sub(lambda found: f"{found[0]} {environment.aws_options}", todo)
    return dataclasses.replace(finding, todo=todo)


def is_command(line: str) -> bool:
    """Tell whether a line of an advice is a command to be copied."""
    return line.startswith(("cachao ", "aws "))
