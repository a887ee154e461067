"""What the rules do with an event: their target, the role for it, and the queue for what could not be delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from cachao.aws.environment import Environment
from cachao.doctor import permissions, resource_policy
from cachao.doctor.advice import RECONCILE, REDEPLOY, REPLAY_DEAD_LETTERS, steps
from cachao.doctor.finding import NOT_PROCESSED, Finding, fine, unknown
from cachao.doctor.guarding import guarded
from cachao.doctor.rules import bus_of, rule_name
from cachao.problems import error_code
from cachao.replay import dead_letters
from cachao.view.output import pluralize

LINK: Final = "Targets and dead letters"
_AS_IT_WAS: Final = steps(REDEPLOY, REPLAY_DEAD_LETTERS)
_ACTION: Final = "states:StartExecution"
_SEND: Final = "sqs:SendMessage"


def check(environment: Environment) -> Iterator[Finding]:
    """Whether both rules start the workflow, may do so, and keep what they cannot deliver, and what is kept."""
    logical_ids = ["DefaultBusPaymentRule"]
    if environment.event_source_name:
        logical_ids.insert(0, "PartnerPaymentRule")
    for logical_id in logical_ids:
        yield from guarded(LINK, _check_target(environment, logical_id))
    yield from guarded(LINK, _check_queue_policy(environment, logical_ids))
    yield from guarded(LINK, _check_queue(environment))


def _check_target(environment: Environment, logical_id: str) -> Iterator[Finding]:
    name, bus = rule_name(environment, logical_id), bus_of(environment, logical_id)
    try:
        targets = environment.client("events").list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return  # the link before this one says that the rule is missing
    machine = environment.workflow_arn
    target = next((found for found in targets if found["Arn"] == machine), None)
    if target is None:
        others = ", ".join(found["Arn"] for found in targets) or "nothing"
        yield _broken("target_missing", f"The rule {name} starts {others}, not {machine}.", steps(REDEPLOY, RECONCILE))
        return
    problems = [
        *_check_role(environment, name, target.get("RoleArn")),
        *_check_dead_letter_config(name, target),
    ]
    yield from problems
    if not problems:
        yield fine(LINK, f"{name} starts the workflow, and keeps what it cannot deliver.")


def _check_role(environment: Environment, rule: str, role: str | None) -> Iterator[Finding]:
    if not role:
        says = f"The target of {rule} has no role: EventBridge may not start anything."
        yield _broken("role_missing", says, _AS_IT_WAS)
        return
    # Whoever may not see the trust policy may perhaps ask what the role may do, and the other way round.
    for part in (_check_trust(environment, role), _check_permission(environment, role)):
        findings = list(guarded(LINK, part))
        yield from findings
        if any(found.cause == "role_missing" for found in findings):
            return


def _check_trust(environment: Environment, role: str) -> Iterator[Finding]:
    try:
        trusted = permissions.trusts(environment, role, "events.amazonaws.com")
    except Exception as error:
        if error_code(error) != "NoSuchEntity":
            raise
        yield _no_such_role(role)
        return
    if not trusted:
        yield _broken("role_not_trusted", f"EventBridge may not assume the role {role}.", _AS_IT_WAS)


def _check_permission(environment: Environment, role: str) -> Iterator[Finding]:
    machine = environment.state_machine_arn
    try:
        denied = permissions.denied(environment, role, _ACTION, [machine])
    except Exception as error:
        if error_code(error) != "NoSuchEntity":
            raise
        yield _no_such_role(role)
        return
    if denied is None:
        yield unknown(
            LINK, f"The permission of {role} for {_ACTION} could not be read.", "You need iam:SimulatePrincipalPolicy."
        )
    elif denied:
        yield _broken(
            "permission_missing",
            f"The role {role} may not do {_ACTION} on {machine}: events go to the dead-letter queue at once.",
            _AS_IT_WAS,
        )


def _no_such_role(role: str) -> Finding:
    return _broken("role_missing", f"The role {role}, by which rules start the workflow, does not exist.", _AS_IT_WAS)


def _check_dead_letter_config(rule: str, target: dict[str, Any]) -> Iterator[Finding]:
    if not target.get("DeadLetterConfig", {}).get("Arn"):
        yield _broken(
            "no_dead_letter_queue",
            f"The target of {rule} has no dead-letter queue: an event that cannot be delivered for 24 hours is lost.",
            REDEPLOY,
        )


def _check_queue_policy(environment: Environment, logical_ids: list[str]) -> Iterator[Finding]:
    if environment.is_local:
        return  # the local AWS does not deploy a queue's policy, and does not ask for one
    url = dead_letters.queue_url(environment)
    answer = environment.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    policy = answer.get("Attributes", {}).get("Policy", "")
    rules = [arn for logical_id in logical_ids for arn in _rule_arn(environment, logical_id)]
    closed = [
        arn for arn in rules if not resource_policy.accepts(policy, "events.amazonaws.com", _SEND, source_arn=arn)
    ]
    if closed:
        yield _broken(
            "queue_closed",
            f"EventBridge may not put undelivered events of {' and '.join(closed)} into the dead-letter queue.",
            REDEPLOY,
        )


def _rule_arn(environment: Environment, logical_id: str) -> Iterator[str]:
    name, bus = rule_name(environment, logical_id), bus_of(environment, logical_id)
    try:
        yield environment.client("events").describe_rule(Name=name, EventBusName=bus)["Arn"]
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        # the link before this one says that the rule is missing


def _check_queue(environment: Environment) -> Iterator[Finding]:
    waiting = dead_letters.count(environment)
    if not waiting:
        yield fine(LINK, "The dead-letter queue is empty.")
        return
    reasons = Counter(letter.error_code or "unknown" for letter in dead_letters.peek(environment))
    spoken = ", ".join(f"{code} ({number})" for code, number in reasons.most_common())
    yield _broken(
        "dead_letters",
        f"About {pluralize(waiting, 'event')} could not start the workflow. Reasons of the first ones:"
        f" {spoken or 'being read'}.",
        "Mend the reason first (NO_PERMISSIONS: the role of the rule's target), then send them:"
        "\ncachao replay --dead-letters",
    )


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_PROCESSED)
