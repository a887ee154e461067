"""The rules on both buses: there, enabled, and let Stripe's events through; and no rule waits on the wrong bus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from cachao.aws.environment import Environment
from cachao.doctor import event_bus, left_over_rules, rule_trials
from cachao.doctor.advice import RECONCILE, REDEPLOY, steps
from cachao.doctor.finding import NOT_REACHING, Finding, fine
from cachao.doctor.guarding import guarded
from cachao.problems import error_code
from ticketing.stripe.event_types import OWN_SOURCE, RECEIVED_EVENTS

LINK: Final = "Rules"
_DEFAULT: Final = "default"


def check(environment: Environment) -> Iterator[Finding]:
    """Whether events of every type pass the rule of their bus, tried out on EventBridge itself where it answers."""
    # First the one by which reconciliation sends what the other one missed.
    yield from guarded(LINK, _check_rule(environment, "DefaultBusPaymentRule", _DEFAULT, OWN_SOURCE))
    source = environment.event_source_name
    if source:
        yield from guarded(LINK, _check_rule(environment, "PartnerPaymentRule", source, source))
    yield from guarded(LINK, _check_others(environment))


def _check_others(environment: Environment) -> Iterator[Finding]:
    reported = list(left_over_rules.look(environment, LINK, rule_name(environment, "DefaultBusPaymentRule")))
    yield from reported
    if not reported:
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
        if bus != _DEFAULT and not event_bus.exists(environment):
            return  # its link says so
        yield _broken(
            "rule_missing",
            f"The rule {name} is not on the bus {bus}.",
            steps(REDEPLOY, RECONCILE),
        )
        return
    if rule.get("State") == "DISABLED":
        yield _broken(
            "rule_disabled",
            f"The rule {name} on {bus} is disabled.",
            f"Enable it:\naws events enable-rule --event-bus-name '{bus}' --name {name}\n{RECONCILE}",
        )
    missed = rule_trials.missed(environment, str(rule.get("EventPattern") or "{}"), source)
    if missed:
        yield _pattern_problem(name, bus, source, str(rule.get("EventPattern")), missed)
    elif rule.get("State") != "DISABLED":
        yield fine(LINK, f"{name} on {bus} lets all {len(RECEIVED_EVENTS)} event types through.")


def _pattern_problem(name: str, bus: str, source: str, pattern: str, missed: list[str]) -> Finding:
    if bus != _DEFAULT and OWN_SOURCE in _sources(pattern):
        return _broken(
            "pattern_source_is_stripe_com",
            f"The rule {name} waits for the source stripe.com, but Stripe's own events come from {source}.",
            steps(REDEPLOY, RECONCILE),
        )
    return _broken(
        "pattern_does_not_match",
        f"The rule {name} on {bus} does not let {_join(missed)} through.",
        steps(REDEPLOY, RECONCILE),
    )


def _sources(pattern: str) -> list[Any]:
    read = json.loads(pattern)
    return list(read.get("source") or []) if isinstance(read, dict) else []


def _join(missed: list[str]) -> str:
    return "any event" if len(missed) == len(RECEIVED_EVENTS) else ", ".join(missed)


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_REACHING)
