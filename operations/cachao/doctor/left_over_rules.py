"""Rules on the default bus, beside ours, that wait for Stripe's partner events or take our own elsewhere.

Another stack of this shop in the same account has such a rule, too, and needs it: what starts a state machine that is
not this stack's is told, and left alone.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from botocore.exceptions import ClientError

from cachao.aws.environment import Environment
from cachao.doctor import rule_trials
from cachao.doctor.finding import NOT_REACHING, Finding, fine
from cachao.doctor.guarding import guarded
from cachao.problems import error_code
from ticketing.stripe.event_types import OWN_SOURCE, PARTNER_SOURCE_PREFIX

_BUS: Final = "default"
_ANY_PARTNER: Final = f"{PARTNER_SOURCE_PREFIX}ed_test_sample"
# A rule that takes these as well takes whatever comes: a log, or an archive.
_UNRELATED: Final = ("aws.ec2", "somebody.else")
# `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`; a version or an alias may follow.
_PARTS_OF_A_MACHINE: Final = 7

Whose = Literal["ours", "another's", "gone", "something else"]


@dataclass(frozen=True)
class _Target:
    id: str
    arn: str
    whose: Whose

    @property
    def description(self) -> str:
        name = self.arn.partition(":stateMachine:")[2] or self.arn
        return f"{name}, which does not exist (any more)" if self.whose == "gone" else name


def look(environment: Environment, link: str, our_rule: str) -> Iterator[Finding]:
    """Give what is to be told of such rules; nothing where there is none. `our_rule` is the stack's own."""
    pages = environment.client("events").get_paginator("list_rules")
    for page in pages.paginate(EventBusName=_BUS):
        for rule in page["Rules"]:
            if rule["Name"] != our_rule and rule.get("State") != "DISABLED" and rule.get("EventPattern"):
                yield from guarded(link, _look_at(environment, link, rule["Name"], rule["EventPattern"]))


def _look_at(environment: Environment, link: str, name: str, pattern: str) -> Iterator[Finding]:
    waits_for = _waits_for(environment, pattern)
    if waits_for is None:
        return
    listed = environment.client("events").list_targets_by_rule(Rule=name, EventBusName=_BUS)["Targets"]
    targets = [_Target(found["Id"], found["Arn"], _whose(environment, found["Arn"])) for found in listed]
    others = [found.description for found in targets if found.whose == "another's"]
    ours = [found for found in targets if found.whose == "ours"]
    starts = f"It starts {', '.join(found.description for found in targets) or 'nothing'}."
    if others and not ours:
        yield fine(
            link,
            f"{_describe(waits_for, name)} It starts {', '.join(others)}, which is not this stack's: leave it alone.",
        )
        return
    todo = _removal(name, ours) if others else _deletion(name, targets)
    if waits_for == "partner events":
        bus = environment.event_source_name or "of the name of their source"
        yield _broken(
            link,
            "rule_on_wrong_bus",
            f"{_describe(waits_for, name)} {starts}",
            f"Partner events come over the bus {bus} only. {todo}",
        )
    else:
        yield _broken(
            link,
            "left_over_rule",
            f"{_describe(waits_for, name)} {starts}",
            "From an older set-up? Stripe's own events never pass it, and those of the webhook endpoint are handled"
            f" twice. {todo}",
        )


def _describe(waits_for: str, name: str) -> str:
    if waits_for == "partner events":
        return f"The rule {name} waits on the default bus for partner events of Stripe, which never come there."
    return f"The rule {name} on the default bus also takes events of the source stripe.com."


def _waits_for(environment: Environment, pattern: str) -> Literal["partner events", "own events"] | None:
    read = json.loads(pattern)

    def passes(source: str) -> bool:
        return rule_trials.lets_any_through(environment, pattern, read, source)

    if any(passes(source) for source in _UNRELATED):
        return None
    if passes(OWN_SOURCE):
        return "own events"
    # A rule may wait for one destination by name, also for one that is gone.
    named = {text for text in _texts(read) if text.startswith(PARTNER_SOURCE_PREFIX)}
    sources = {environment.event_source_name or _ANY_PARTNER, _ANY_PARTNER, *named}
    return "partner events" if any(passes(source) for source in sorted(sources)) else None


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 -- any JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _whose(environment: Environment, arn: str) -> Whose:
    if ":stateMachine:" in arn:
        machine = ":".join(arn.split(":")[:_PARTS_OF_A_MACHINE])
        if machine == environment.state_machine_arn:
            return "ours"
        return "another's" if _machine_exists(environment, machine) else "gone"
    if ":function:" in arn and not _function_exists(environment, arn):
        return "gone"
    return "something else"


def _machine_exists(environment: Environment, arn: str) -> bool:
    # What may not be looked at, or is elsewhere, is taken for somebody's who needs it.
    if arn.split(":")[3:5] != [environment.region, environment.account_id]:
        return True
    try:
        environment.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
    except ClientError as error:
        return error_code(error) != "StateMachineDoesNotExist"
    return True


def _function_exists(environment: Environment, arn: str) -> bool:
    try:
        environment.client("lambda").get_function_configuration(FunctionName=arn)
    except ClientError as error:
        return error_code(error) != "ResourceNotFoundException"
    return True


def _removal(name: str, targets: list[_Target]) -> str:
    return f"Remove this stack's workflow from it:\n{_remove(name, targets)}"


def _deletion(name: str, targets: list[_Target]) -> str:
    needed = any(found.whose == "something else" for found in targets)
    first = f"{_remove(name, targets)} && " if targets else ""
    what = "Delete it, unless you know that you need it:" if needed else "Delete it:"
    return f"{what}\n{first}aws events delete-rule --name {shlex.quote(name)}"


def _remove(name: str, targets: list[_Target]) -> str:
    ids = " ".join(shlex.quote(found.id) for found in targets)
    return f"aws events remove-targets --rule {shlex.quote(name)} --ids {ids}"


def _broken(link: str, cause: str, says: str, todo: str) -> Finding:
    return Finding(link, "broken", says, cause, todo, NOT_REACHING)
