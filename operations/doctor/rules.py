"""The rules on both buses: there, enabled, and let Stripe's events through; and no rule waits on the wrong bus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from operations.doctor import event_pattern, sample_events
from operations.doctor.finding import NOT_REACHING, Finding, fine
from operations.environment import Environment
from operations.problems import error_code
from ticketing.stripe_events import HANDLED_EVENTS, OWN_SOURCE

LINK: Final = "Rules"
_DEFAULT: Final = "default"


def check(environment: Environment) -> Iterator[Finding]:
    """Whether events of every type pass the rule of their bus, tried out on EventBridge itself where it answers."""
    source = environment.event_source_name
    if source:
        yield from _check_rule(environment, "PartnerPaymentRule", source, source)
    yield from _check_rule(environment, "DefaultBusPaymentRule", _DEFAULT, OWN_SOURCE)
    leftover = list(_left_over(environment, source))
    yield from leftover
    if not leftover:
        yield fine(LINK, "No rule for Stripe's events waits on the wrong bus.")


def rule_name(environment: Environment, logical_id: str) -> str:
    """Give a rule's name; CloudFormation's id of a rule on a bus of one's own is `bus|name`."""
    return environment.resource(logical_id).rpartition("|")[2]


def bus_of(environment: Environment, logical_id: str) -> str:
    """Give the bus that a rule of the template is on."""
    return environment.event_source_name if logical_id == "PartnerPaymentRule" else _DEFAULT


def _check_rule(environment: Environment, logical_id: str, bus: str, source: str) -> Iterator[Finding]:
    name = rule_name(environment, logical_id)
    try:
        rule = environment.client("events").describe_rule(Name=name, EventBusName=bus)
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        yield _broken(
            "rule_missing",
            f"The rule {name} is not on the bus {bus}.",
            "Somebody deleted or moved it: deploy again (docs/deploy.md, 3).",
        )
        return
    if rule.get("State") == "DISABLED":
        yield _broken(
            "rule_disabled",
            f"The rule {name} on {bus} is disabled.",
            f"aws events enable-rule --event-bus-name '{bus}' --name {name}"
            "\nThen cachao reconcile --since 3d, for what was missed.",
        )
    missed = _missed(environment, str(rule.get("EventPattern") or "{}"), source)
    if missed:
        yield _pattern_problem(name, bus, source, str(rule.get("EventPattern")), missed)
    elif rule.get("State") != "DISABLED":
        yield fine(LINK, f"{name} on {bus} lets all {len(HANDLED_EVENTS)} event types through.")


def _missed(environment: Environment, pattern: str, source: str) -> list[str]:
    return [
        event_type
        for event_type in sorted(HANDLED_EVENTS)
        if not event_pattern.matches(environment, pattern, _sample(environment, source, event_type))
    ]


def _sample(environment: Environment, source: str, event_type: str) -> dict[str, Any]:
    place = {"account": environment.account_id, "region": environment.region}
    if source == OWN_SOURCE:
        return sample_events.own_event(event_type, **place)
    return sample_events.partner_event(source, event_type, **place)


def _pattern_problem(name: str, bus: str, source: str, pattern: str, missed: list[str]) -> Finding:
    if bus != _DEFAULT and OWN_SOURCE in _sources(pattern):
        return _broken(
            "pattern_source_is_stripe_com",
            f"The rule {name} waits for the source stripe.com, but Stripe's own events come from {source}.",
            'Its pattern needs "source": [{"prefix": "aws.partner/stripe.com/"}]. Deploy again (docs/deploy.md, 3).',
        )
    return _broken(
        "pattern_does_not_match",
        f"The rule {name} on {bus} does not let {_spoken(missed)} through.",
        "Somebody changed its pattern: deploy again (docs/deploy.md, 3).",
    )


def _left_over(environment: Environment, source: str) -> Iterator[Finding]:
    """Find rules on the default bus that wait for partner events, or take our own events elsewhere."""
    ours = rule_name(environment, "DefaultBusPaymentRule")
    sample_source = source or "aws.partner/stripe.com/ed_test_sample"
    for rule in _all_rules(environment):
        pattern, name = rule.get("EventPattern"), rule["Name"]
        if not pattern or name == ours:
            continue
        if "partner/stripe.com" in pattern and _lets_through(environment, pattern, sample_source):
            yield _broken(
                "rule_on_wrong_bus",
                f"The rule {name} waits on the default bus for Stripe's partner events, which never come there.",
                f"Partner events come over the bus {source or 'of the name of their source'} only. Delete this rule:"
                f"\n{_deletion(environment, name)}",
            )
        elif OWN_SOURCE in _sources(pattern) and _lets_through(environment, pattern, OWN_SOURCE):
            yield _broken(
                "left_over_rule",
                f"The rule {name} on the default bus also takes events of the source stripe.com.",
                "From an older set-up? Stripe's own events never pass it, and those of the webhook door are handled"
                f" twice. Delete it:\n{_deletion(environment, name)}",
            )


def _deletion(environment: Environment, name: str) -> str:
    targets = environment.client("events").list_targets_by_rule(Rule=name)["Targets"]
    ids = " ".join(target["Id"] for target in targets)
    first = f"aws events remove-targets --rule {name} --ids {ids} && " if ids else ""
    return f"{first}aws events delete-rule --name {name}"


def _lets_through(environment: Environment, pattern: str, source: str) -> bool:
    return len(_missed(environment, pattern, source)) < len(HANDLED_EVENTS)


def _all_rules(environment: Environment) -> Iterator[dict[str, Any]]:
    pages = environment.client("events").get_paginator("list_rules")
    for page in pages.paginate(EventBusName=_DEFAULT):
        yield from page["Rules"]


def _sources(pattern: str) -> list[Any]:
    read = json.loads(pattern)
    return list(read.get("source") or []) if isinstance(read, dict) else []


def _spoken(missed: list[str]) -> str:
    return "any event" if len(missed) == len(HANDLED_EVENTS) else ", ".join(missed)


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_REACHING)
