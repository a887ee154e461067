"""Do both entry points onto the workflow let in the same events, and lose none?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.lint.deployment import as_list, permitted_by
from local.lint.findings import Finding
from local.lint.subject import Subject, referred
from ticketing.stripe.event_types import OWN_SOURCE, PARTNER_SOURCE_PREFIX

_START: Final = "states:StartExecution"
_PARTNER_PATTERN: Final = [{"prefix": PARTNER_SOURCE_PREFIX}]
_OWN_PATTERN: Final = [OWN_SOURCE]

Rule = Mapping[str, Any]


def check_entry_points(subject: Subject) -> Iterator[Finding]:
    """There is a rule on the partner bus for what Stripe sends, and one on `default` for what we put there."""
    rules = _rules(subject)
    for bus, source, is_own in (("the partner bus", _PARTNER_PATTERN, False), ("default", _OWN_PATTERN, True)):
        there = [name for name, rule in rules.items() if (rule.get("EventBusName", "default") == "default") == is_own]
        if not there:
            yield subject.in_template(
                subject.machine_id, "entry point", f"no rule on {bus} starts it", f"add one with source {source}"
            )
        for name in there:
            if _pattern(rules[name]).get("source") != source:
                yield subject.in_template(
                    name,
                    "entry point",
                    f"its source on {bus} is {_pattern(rules[name]).get('source')}",
                    f"match {source}",
                )
    for name, rule in rules.items():
        if rule.get("State", "ENABLED") != "ENABLED":
            yield subject.in_template(name, "entry point", "it is not enabled", "set State: ENABLED")


def check_event_types(subject: Subject) -> Iterator[Finding]:
    """The rules let in exactly the event types that the code handles, all in the same order."""
    lists = {name: _pattern(rule).get("detail-type", []) for name, rule in _rules(subject).items()}
    for name, types in lists.items():
        for event_type in sorted(subject.handled_events - set(types)):
            yield subject.in_template(name, "event-types", f"it does not let {event_type} in", "add it to detail-type")
        for event_type in sorted(set(types) - subject.handled_events):
            yield subject.in_template(
                name,
                "event-types",
                f"it lets {event_type} in, which ticketing/stripe/event_types.py does not name",
                "remove it",
            )
        if len(types) != len(set(types)):
            yield subject.in_template(name, "event-types", "it names an event type twice", "remove one")
    if len({tuple(types) for types in lists.values()}) > 1:
        yield subject.in_template(
            subject.machine_id,
            "event-types",
            f"the entry points {', '.join(lists)} differ in detail-type",
            "make the lists equal",
        )


def check_delivery(subject: Subject) -> Iterator[Finding]:
    """Each rule tries again, keeps what it could not deliver, and may start the machine."""
    queues = dict(subject.resources("AWS::SQS::Queue"))
    for name, rule in _rules(subject).items():
        for target in _targets(subject, rule):
            policy = target.get("RetryPolicy", {})
            if not {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"} <= policy.keys():
                yield subject.in_template(
                    name, "delivery", "its target has no whole RetryPolicy", "set age and attempts"
                )
            if referred(target.get("DeadLetterConfig", {}).get("Arn")) not in queues:
                yield subject.in_template(
                    name,
                    "delivery",
                    "its target has no dead-letter queue, so that events are lost",
                    "set DeadLetterConfig",
                )
            if not _may_start(subject, referred(target.get("RoleArn"))):
                yield subject.in_template(
                    name, "delivery", f"its role may not do {_START} on the machine", "allow it in the role's Policies"
                )


def targets_of_rules(subject: Subject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give each target that starts the machine or its alias, with its rule's logical id."""
    for name, rule in _rules(subject).items():
        for target in _targets(subject, rule):
            yield name, target


def _rules(subject: Subject) -> dict[str, Rule]:
    return {name: rule for name, rule in subject.resources("AWS::Events::Rule") if _targets(subject, rule)}


def _targets(subject: Subject, rule: Rule) -> list[Mapping[str, Any]]:
    doors = {subject.machine_id, subject.alias_id}
    return [target for target in rule.get("Targets", []) if referred(target.get("Arn")) in doors]


def _pattern(rule: Rule) -> Mapping[str, Any]:
    pattern: Mapping[str, Any] = rule.get("EventPattern", {})
    return pattern


def _may_start(subject: Subject, role: str | None) -> bool:
    roles = dict(subject.resources("AWS::IAM::Role"))
    policies = roles.get(role or "", {}).get("Policies", [])
    statements = [item for policy in policies for item in as_list(policy["PolicyDocument"].get("Statement"))]
    return any((_START, subject.machine_id) in permitted_by(item, frozenset({_START})) for item in statements)
