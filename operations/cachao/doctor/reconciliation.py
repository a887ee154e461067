"""The schedule of the reconciliation, which brings orders right whose events were lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cachao.aws.environment import Environment
from cachao.doctor.finding import Finding, fine
from cachao.doctor.rules import rule_name
from cachao.problems import error_code

LINK: Final = "Reconciliation"
# SAM's name of the function's schedule.
_RULE: Final = "ReconcileOrdersFunctionEveryQuarterOfAnHour"
_FUNCTION: Final = "ReconcileOrdersFunction"
_DEPLOY: Final = "Deploy again (docs/deploy.md). Until then:\ncachao reconcile"


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the schedule's rule is there, enabled, and calls the function."""
    name, function = rule_name(environment, _RULE), environment.resource(_FUNCTION)
    events = environment.client("events")
    try:
        rule = events.describe_rule(Name=name)
        targets = events.list_targets_by_rule(Rule=name)["Targets"]
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        yield _broken("schedule_missing", f"The schedule rule {name} does not exist.", _DEPLOY)
        return
    problems = []
    if rule.get("State") == "DISABLED":
        problems.append(
            _broken(
                "schedule_disabled",
                f"The schedule rule {name} is disabled: orders whose events are lost stay unpaid.",
                f"Enable it:\naws events enable-rule --name {name}\nThen, for the time meanwhile:\ncachao reconcile",
            )
        )
    if not any(target["Arn"].rpartition(":function:")[2] == function for target in targets):
        others = ", ".join(target["Arn"] for target in targets) or "nothing"
        problems.append(
            _broken("schedule_target_missing", f"The schedule rule {name} calls {others}, not {function}.", _DEPLOY)
        )
    yield from problems or [fine(LINK, f"It runs on schedule: {rule.get('ScheduleExpression')}.")]


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo)
