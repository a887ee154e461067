"""What the commands reach at AWS, and the ARNs of it: those of a stack, or patterns with STACK, REGION and ACCOUNT.

Which kind of resource an action takes: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachao.aws.environment import Environment
from cachao.aws.stripe_access import secret_arn
from ticketing.stripe.event_types import PARTNER_SOURCE_PREFIX

_ANY_SOURCE_NAME: Final = f"{PARTNER_SOURCE_PREFIX}*"


@dataclass(frozen=True)
class Stack:
    """Where a stack is, and what its parts are called: `physical_id` gives a part's own name, or a pattern of it."""

    partition: str
    region: str
    account: str
    name: str
    physical_id: Callable[[str], str]
    stripe_secret: str
    event_source: str


def deployed(environment: Environment) -> Stack:
    """Give a stack that is there.

    Raises:
        Problem: it is not.
    """
    return Stack(
        partition=str(environment.stack["StackId"]).split(":")[1],
        region=environment.region,
        account=environment.account_id,
        name=str(environment.stack["StackName"]),
        physical_id=environment.resource,
        stripe_secret=secret_arn(environment),
        event_source=environment.event_source_name or _ANY_SOURCE_NAME,
    )


def imagined() -> Stack:
    """Give a stack of which only the template is known: CloudFormation puts the stack's name before each part's."""
    return Stack(
        partition="aws",
        region="REGION",
        account="ACCOUNT",
        name="STACK",
        physical_id=lambda logical_id: f"STACK-{logical_id}-*",
        stripe_secret="arn:aws:secretsmanager:REGION:ACCOUNT:secret:STRIPE_SECRET",  # noqa: S106 -- a secret's address
        event_source=_ANY_SOURCE_NAME,
    )


@dataclass(frozen=True)
class Place:
    """Something at AWS that an action is about; `arns` gives it for a stack."""

    called: str
    arns: Callable[[Stack], list[str]]


def _arn(stack: Stack, service: str, resource: str) -> str:
    return f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}:{resource}"


def _workflow(stack: Stack, kind: str) -> str:
    # A state machine's physical id is its ARN. Alone of all its name is without the stack's.
    name = stack.physical_id("TicketPaymentStateMachine").rpartition(":")[2].removeprefix("STACK-")
    return _arn(stack, "states", f"{kind}:{name}")


def _roles(stack: Stack) -> list[str]:
    return [
        f"arn:{stack.partition}:iam::{stack.account}:role/{stack.physical_id(role)}"
        for role in ("StartWorkflowRole", "TicketPaymentStateMachineRole")
    ]


def function(logical_id: str) -> Place:
    """Give one of the template's functions."""
    return Place(logical_id, lambda stack: [_arn(stack, "lambda", f"function:{stack.physical_id(logical_id)}")])


def _queue(stack: Stack) -> list[str]:
    # A queue's physical id is its address.
    return [_arn(stack, "sqs", stack.physical_id("EventDeadLetterQueue").rpartition("/")[2])]


def _topic(stack: Stack) -> list[str]:
    # A topic's physical id is its ARN.
    return [_arn(stack, "sns", stack.physical_id("AlertTopic").rpartition(":")[2])]


def _log_group(stack: Stack) -> list[str]:
    # Both forms: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    group = _arn(stack, "logs", f"log-group:{stack.physical_id('FunctionLogGroup')}")
    return [group, f"{group}:*"]


def _source(stack: Stack) -> str:
    return f"arn:{stack.partition}:events:{stack.region}::event-source/"


ANYTHING: Final = Place("anything", lambda _: ["*"])
STACK: Final = Place("the stack", lambda stack: [_arn(stack, "cloudformation", f"stack/{stack.name}/*")])
WORKFLOW: Final = Place("the workflow", lambda stack: [_workflow(stack, "stateMachine")])
EXECUTIONS: Final = Place("its executions", lambda stack: [f"{_workflow(stack, 'execution')}:*"])
ANY_WORKFLOW: Final = Place("any workflow", lambda stack: [_arn(stack, "states", "stateMachine:*")])
ANY_FUNCTION: Final = Place("any function", lambda stack: [_arn(stack, "lambda", "function:*")])
LOG_GROUP: Final = Place("the functions' log group", _log_group)
DEAD_LETTERS: Final = Place("the dead-letter queue", _queue)
ALERTS: Final = Place("the alert topic", _topic)
STRIPE_SECRET: Final = Place("Stripe's secret", lambda stack: [stack.stripe_secret])
DEFAULT_BUS: Final = Place("the default bus", lambda stack: [_arn(stack, "events", "event-bus/default")])
PARTNER_BUS: Final = Place("the partner bus", lambda stack: [_arn(stack, "events", f"event-bus/{stack.event_source}")])
PARTNER_SOURCE: Final = Place("the partner source", lambda stack: [_source(stack) + stack.event_source])
ANY_SOURCE: Final = Place("any of Stripe's sources", lambda stack: [_source(stack) + _ANY_SOURCE_NAME])
ANY_RULE: Final = Place("any rule", lambda stack: [_arn(stack, "events", "rule/*")])
ROLES: Final = Place("the roles of rules and workflow", _roles)
ROLES_POLICIES: Final = Place(
    "managed policies",
    lambda stack: [f"arn:{stack.partition}:iam::{whose}:policy/*" for whose in (stack.account, "aws")],
)
