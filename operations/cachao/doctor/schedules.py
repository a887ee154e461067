"""The rules that call functions by themselves: of time, and of executions that ended without anybody telling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from cachao.aws.environment import Environment
from cachao.doctor import resource_policy
from cachao.doctor.advice import REDEPLOY, steps
from cachao.doctor.finding import Finding, fine
from cachao.doctor.guarding import guarded
from cachao.doctor.rules import rule_name
from cachao.problems import error_code

LINK: Final = "Schedules"
_ACTION: Final = "lambda:InvokeFunction"
_SERVICE: Final = "events.amazonaws.com"


class _Schedule(NamedTuple):
    """A rule by SAM's name of it, the function that it calls, and what is missing without it."""

    rule: str
    function: str
    else_: str
    then: str = ""


_ALL: Final = (
    _Schedule(
        "ReconcileOrdersFunctionEveryQuarterOfAnHour",
        "ReconcileOrdersFunction",
        "orders whose events are lost stay unpaid",
        "Then, for the time meanwhile:\ncachao reconcile",
    ),
    _Schedule("EndHoldsFunctionEveryMinute", "EndHoldsFunction", "seats whose hold is over stay unsold"),
    _Schedule(
        "SummarizeAlertsFunctionEveryTenMinutes",
        "SummarizeAlertsFunction",
        "alerts that were put together never go out",
    ),
    _Schedule(
        "TellEndedExecutionFunctionExecutionEnded",
        "TellEndedExecutionFunction",
        "nobody is told of executions that were stopped, or ran for too long",
        "Then see what ended meanwhile:\ncachao executions --failed --since 2d",
    ),
)


def check(environment: Environment) -> Iterator[Finding]:
    """Whether each rule is there, enabled, calls its function, and may."""
    problems = [problem for one in _ALL for problem in guarded(LINK, _check(environment, one))]
    yield from problems or [fine(LINK, f"All {len(_ALL)} are enabled, and call their functions.")]


def _check(environment: Environment, schedule: _Schedule) -> Iterator[Finding]:
    name, function = rule_name(environment, schedule.rule), environment.resource(schedule.function)
    events = environment.client("events")
    as_it_was = steps(REDEPLOY, *filter(None, [schedule.then]))
    try:
        rule = events.describe_rule(Name=name)
        targets = events.list_targets_by_rule(Rule=name)["Targets"]
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        yield _broken("schedule_missing", f"The rule {name} does not exist: {schedule.else_}.", as_it_was)
        return
    if rule.get("State") == "DISABLED":
        yield _broken(
            "schedule_disabled",
            f"The rule {name} is disabled: {schedule.else_}.",
            steps(f"Enable it:\naws events enable-rule --name {name}", *filter(None, [schedule.then])),
        )
    if not any(target["Arn"].rpartition(":function:")[2] == function for target in targets):
        others = ", ".join(target["Arn"] for target in targets) or "nothing"
        says = f"The rule {name} calls {others}, not {function}: {schedule.else_}."
        yield _broken("schedule_target_missing", says, as_it_was)
    elif not _may_call(environment, function, rule["Arn"]):
        says = f"The rule {name} may not call {function}: {schedule.else_}."
        yield _broken("schedule_not_allowed", says, as_it_was)


def _may_call(environment: Environment, function: str, rule_arn: str) -> bool:
    if environment.is_local:
        return True  # the local AWS does not deploy a function's policy, and does not ask for one
    try:
        policy = environment.client("lambda").get_policy(FunctionName=function)["Policy"]
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return False
    return resource_policy.accepts(policy, _SERVICE, _ACTION, source_arn=rule_arn)


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo)
