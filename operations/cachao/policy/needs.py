"""What each command may have to do at AWS: the one place where that is written.

`cachao policy` prints it; tests/operations/policy holds it against the calls that the commands make, both ways.
`sts:GetCallerIdentity` is not here: everybody may do that, whatever a policy allows
(https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cachao.policy import places
from cachao.policy.places import Place, function


class Need(NamedTuple):
    """Actions on one place."""

    place: Place
    actions: tuple[str, ...]


# What a part of the stack is called, of which no output tells.
_NAMES: Final = Need(places.STACK, ("cloudformation:DescribeStackResource",))


def _call(*functions: str) -> tuple[Need, ...]:
    return (_NAMES, *(Need(function(name), ("lambda:InvokeFunction",)) for name in functions))


_LISTED: Final = (
    Need(places.WORKFLOW, ("states:ListExecutions",)),
    Need(places.EXECUTIONS, ("states:DescribeExecution",)),
)
_READ: Final = (
    Need(places.WORKFLOW, ("states:ListExecutions",)),
    Need(places.EXECUTIONS, ("states:DescribeExecution", "states:GetExecutionHistory")),
)
_LOGS: Final = Need(places.LOG_GROUP, ("logs:StartQuery", "logs:GetQueryResults"))
_STARTED: Final = (*_LISTED, Need(places.WORKFLOW, ("states:StartExecution",)))
_CORRECTED: Final = _call("CorrectOrderFunction")
_CONNECTED: Final = (
    *_LISTED,
    Need(places.STRIPE_SECRET, ("secretsmanager:GetSecretValue",)),
)
_LETTERS: Final = ("sqs:ReceiveMessage", "sqs:ChangeMessageVisibility")

# What every command does first.
ALWAYS: Final = (Need(places.STACK, ("cloudformation:DescribeStacks",)),)

_DOCTOR: Final = (
    *_READ,
    *_call("InspectOrderFunction"),
    Need(places.STACK, ("cloudformation:ListStackResources",)),
    Need(places.STRIPE_SECRET, ("secretsmanager:GetSecretValue",)),
    Need(places.PARTNER_SOURCE, ("events:DescribeEventSource",)),
    Need(places.PARTNER_BUS, ("events:DescribeEventBus",)),
    # A rule that somebody left over may be any, and may start any other workflow or function.
    Need(places.ANY_RULE, ("events:DescribeRule", "events:ListTargetsByRule")),
    Need(places.ANYTHING, ("events:ListRules", "events:TestEventPattern", "cloudwatch:GetMetricStatistics")),
    Need(places.ANY_WORKFLOW, ("states:DescribeStateMachine", "states:DescribeStateMachineAlias")),
    Need(places.ANY_FUNCTION, ("lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency", "lambda:GetPolicy")),
    Need(
        places.ROLES,
        (
            "iam:GetRole",
            "iam:SimulatePrincipalPolicy",
            # Where the simulator is refused.
            "iam:ListRolePolicies",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
        ),
    ),
    Need(places.ROLES_POLICIES, ("iam:GetPolicy", "iam:GetPolicyVersion")),
    Need(places.DEAD_LETTERS, ("sqs:GetQueueAttributes", "sqs:ReceiveMessage")),
    Need(places.ALERTS, ("sns:ListSubscriptionsByTopic",)),
)

# By the command line's beginning; where what it needs depends on how it is said, one entry for each way.
NEEDS: Final[dict[str, tuple[Need, ...]]] = {
    "doctor": _DOCTOR,
    "connect": (*_CONNECTED, Need(places.ANY_SOURCE, ("events:DescribeEventSource",))),
    "connect --webhook": (*_CONNECTED, Need(places.STRIPE_SECRET, ("secretsmanager:PutSecretValue",))),
    "executions": _LISTED,
    "executions --order": (*_LISTED, *_call("InspectOrderFunction"), _LOGS),
    "orders": _call("InspectOrderFunction"),
    "disputes": _call("InspectOrderFunction"),
    "dispute": _call("AnswerDisputeFunction"),
    "stripe": _call("InspectStripeFunction"),
    "books": _call("CompareBooksFunction"),
    "show": (*_READ, *_call("InspectOrderFunction"), _LOGS),
    "show --picture": (
        *_READ,
        *_call("InspectOrderFunction"),
        _LOGS,
        Need(places.EXECUTIONS, ("states:DescribeStateMachineForExecution",)),
    ),
    "watch": _READ,
    "page": (
        *_READ,
        *_call("InspectOrderFunction"),
        _LOGS,
        Need(places.EXECUTIONS, ("states:DescribeStateMachineForExecution",)),
        Need(places.DEAD_LETTERS, ("sqs:ReceiveMessage", "sqs:GetQueueAttributes")),
    ),
    "replay": _STARTED,
    "replay --order": (*_STARTED, *_call("InspectOrderFunction")),
    "replay --dead-letters": (
        *_STARTED,
        Need(places.DEAD_LETTERS, (*_LETTERS, "sqs:DeleteMessage", "sqs:GetQueueAttributes")),
    ),
    "event": (*_READ, Need(places.DEFAULT_BUS, ("events:PutEvents",))),
    "refund": _call("InspectOrderFunction", "RefundPaymentFunction"),
    "refund --seats": _CORRECTED,
    "refund --event": _call("RefundEventFunction"),
    "move": _CORRECTED,
    "change": _CORRECTED,
    "take-back": _CORRECTED,
    "mark-paid": _CORRECTED,
    "correct": _CORRECTED,
    "limit": _CORRECTED,
    "sale": _CORRECTED,
    "reconcile": _call("ReconcileOrdersFunction"),
    "counts": _call("CorrectCountsFunction"),
    "counts --history": _call("InspectOrderFunction"),
    "restore": _call("CorrectCountsFunction"),
    "stripe-key": (Need(places.STRIPE_SECRET, ("secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue")),),
    # To compare and to deploy, CloudFormation needs on the stack's parts what it needs to deploy them: as `sam deploy`.
    "redeploy": (
        Need(
            places.STACK,
            (
                "cloudformation:CreateChangeSet",
                "cloudformation:DescribeChangeSet",
                "cloudformation:ExecuteChangeSet",
                "cloudformation:DeleteChangeSet",
                "cloudformation:DescribeStackEvents",
            ),
        ),
    ),
    "prepare-database": _call("PrepareDatabaseFunction"),
    "migrate": _call("MigrateDatabaseFunction"),
    "migrate --code": (
        *_call("MigrateDatabaseFunction"),
        Need(function("MigrateDatabaseFunction"), ("lambda:UpdateFunctionCode", "lambda:GetFunctionConfiguration")),
    ),
    "migrate --dry-run": _call("InspectOrderFunction"),
    "sample-shop": _call("SampleShopFunction"),
    "buyer export": (
        *_call("BuyerDataFunction"),
        Need(places.EXECUTIONS, ("states:DescribeExecution",)),
        _LOGS,
        Need(places.DEAD_LETTERS, _LETTERS),
    ),
    "buyer forget": (
        *_call("BuyerDataFunction"),
        Need(places.EXECUTIONS, ("states:DescribeExecution",)),
        _LOGS,
        Need(places.DEAD_LETTERS, (*_LETTERS, "sqs:SendMessage", "sqs:DeleteMessage")),
    ),
    # Of a stack that is named.
    "policy": (_NAMES,),
}


def needs_of(said: str) -> tuple[Need, ...] | None:
    """Give what a command needs: `refund` in all its ways, `refund --seats` in that one; None: there is none such.

    A way that has no entry of its own, as `refund --dry-run`, needs what the plain command does.
    """
    first = said.split(maxsplit=1)[:1]
    ways = [key for key in NEEDS if key.split(maxsplit=1)[:1] == first]
    if not ways:
        return None
    if said in NEEDS and said.strip() != first[0]:
        ways = [said]
    return tuple(need for key in ways for need in NEEDS[key])
