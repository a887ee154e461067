"""Does every task give up in time, try again what may pass, and hand on what does not?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.lint.error_names import (
    AWS_ERRORS,
    MATCHING_ANY_ERROR,
    TRANSIENT_LAMBDA_ERRORS,
    TRANSIENT_SERVICE_ERRORS,
)
from local.lint.expressions import object_keys_bound_to
from local.lint.findings import Finding
from local.lint.graph import Scope, all_states, scopes
from local.lint.subject import Subject
from local.lint.worst_path import retry_waits, worst_path

UPDATE_ITEM: Final = "arn:aws:states:::dynamodb:updateItem"
PUBLISH: Final = "arn:aws:states:::sns:publish"
LAMBDA_INVOKE: Final = "arn:aws:states:::lambda:invoke"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-function.html
_LAMBDA_DEFAULT_SECONDS: Final = 3
# A failover of an RDS database takes one to two minutes; with full jitter, retries wait half of their longest.
_FAILOVER_SECONDS: Final = 120
_ADVICE_STATE, _ADVICE_VARIABLE = "DescribeFailure", "advice"


def check_task_timeouts(subject: Subject) -> Iterator[Finding]:
    """Every task has TimeoutSeconds, longer than the time-out of its function."""
    for name, state in _tasks(subject):
        seconds = state.get("TimeoutSeconds")
        if not isinstance(seconds, int):
            yield subject.in_definition(
                name, "task-timeout", "it has no TimeoutSeconds, so it may hang for a year", "set TimeoutSeconds"
            )
        elif state.get("Resource") == LAMBDA_INVOKE:
            function = subject.substituted_resource(state.get("Arguments", {}).get("FunctionName"))
            limit = _function_timeout(subject, function)
            if limit is not None and seconds <= limit:
                yield subject.in_definition(
                    name,
                    "task-timeout",
                    f"it waits {seconds} s, its function {function} may take {limit} s",
                    "let the task wait longer than its function",
                )


def check_retries(subject: Subject) -> Iterator[Finding]:
    """Every task tries again what may pass, with growing, bounded, jittered waits, and nothing else."""
    for name, state in _tasks(subject):
        ours = state.get("Resource") == LAMBDA_INVOKE
        retriers = state.get("Retry", [])
        named = {error for retrier in retriers for error in retrier.get("ErrorEquals", [])}
        agreed = TRANSIENT_LAMBDA_ERRORS | subject.retryable_errors if ours else TRANSIENT_SERVICE_ERRORS
        if missing := agreed - named:
            yield subject.in_definition(
                name, "retry-errors", f"it does not retry {', '.join(sorted(missing))}", "add it to Retry"
            )
        if ours and (permanent := named & (subject.permanent_errors | MATCHING_ANY_ERROR)):
            yield subject.in_definition(
                name,
                "retry-permanent",
                f"it retries {', '.join(sorted(permanent))}",
                "a permanent error cannot pass; remove it",
            )
        for retrier in retriers:
            yield from _check_retrier(subject, name, retrier)
        longest = sum(sum(retry_waits(retrier)) for retrier in retriers)
        if state.get("Resource") == UPDATE_ITEM:
            continue  # an alert does not wait for its counting: `counting`
        if longest / 2 < _FAILOVER_SECONDS:
            yield subject.in_definition(
                name,
                "retry-length",
                f"its retries wait {longest / 2:.0f} s on average",
                f"wait {_FAILOVER_SECONDS} s or more, a database failover",
            )


def check_retry_copies(subject: Subject) -> Iterator[Finding]:
    """What is tried again, and how, is the same in every task of a kind: the format has no way to write it once."""
    first: dict[str, tuple[str, object]] = {}
    for name, state in _tasks(subject):
        retry = state.get("Retry")
        model, agreed = first.setdefault(str(state.get("Resource")), (name, retry))
        if retry != agreed:
            yield subject.in_definition(
                name, "retry-copy", f"its Retry is not that of {model}", f"copy it from {model}"
            )


def _check_retrier(subject: Subject, name: str, retrier: Mapping[str, Any]) -> Iterator[Finding]:
    for field in ("IntervalSeconds", "MaxAttempts", "MaxDelaySeconds"):
        if not isinstance(retrier.get(field), int) or retrier[field] < 1:
            yield subject.in_definition(name, "retry-shape", f"a retrier has no {field}", f"set {field}")
    if not retrier.get("BackoffRate", 0) > 1:
        yield subject.in_definition(name, "retry-shape", "a retrier's waits do not grow", "set a BackoffRate above 1")
    if retrier.get("JitterStrategy") != "FULL":
        yield subject.in_definition(
            name,
            "retry-shape",
            "a retrier has no full jitter, so that all retries come at once",
            "set JitterStrategy: FULL",
        )


def check_catches(subject: Subject) -> Iterator[Finding]:
    """Every task catches what is left: its last catcher is States.ALL, alone. For the tasks of a Map the Map does.

    Tasks in the branches of a Parallel too, so that no failure gets out of a branch and the Parallel needs no catcher.
    """
    for name, state in _catching(next(scopes(subject.definition))):
        catchers = [catcher.get("ErrorEquals", []) for catcher in state.get("Catch", [])]
        if not catchers or catchers[-1] != ["States.ALL"]:
            yield subject.in_definition(
                name, "catch-all", "its last catcher is not States.ALL", "add one, alone and last"
            )
        if any("States.ALL" in catcher for catcher in catchers[:-1]):
            yield subject.in_definition(name, "catch-all", "a catcher comes after States.ALL", "put States.ALL last")


def check_counting(subject: Subject) -> Iterator[Finding]:
    """The counting of alerts keeps none back: where it fails, the alert goes out, or has gone out already."""
    for scope in scopes(subject.definition):
        publishing = {name for name, state in scope.states.items() if state.get("Resource") == PUBLISH}
        for name, state in scope.states.items():
            if state.get("Resource") != UPDATE_ITEM:
                continue
            reported = name not in scope.reachable(without=publishing)
            for catcher in state.get("Catch", []):
                if not reported and catcher.get("Next") not in publishing:
                    yield subject.in_definition(
                        name, "counting", "where it fails no alert goes out", "lead its Catch to the publishing task"
                    )


def check_error_names(subject: Subject) -> Iterator[Finding]:
    """Every name in an ErrorEquals is a class of ticketing.errors, or one that AWS documents."""
    known = subject.permanent_errors | subject.retryable_errors | AWS_ERRORS
    for name, state in all_states(subject.definition):
        for handler in [*state.get("Retry", []), *state.get("Catch", [])]:
            for error in handler.get("ErrorEquals", []):
                if error not in known:
                    yield subject.in_definition(
                        name,
                        "error-name",
                        f"nobody raises {error!r}",
                        "name a class of ticketing/errors.py, or add AWS's name to error_names.py with its source",
                    )


def check_advice(subject: Subject) -> Iterator[Finding]:
    """Every error of the shop's has its own advice for the operator, and advice is given for no other."""
    state = dict(all_states(subject.definition)).get(_ADVICE_STATE, {})
    advised = object_keys_bound_to(_ADVICE_VARIABLE, state.get("Assign"))
    if advised is None:
        yield subject.in_definition(
            _ADVICE_STATE,
            "advice",
            f"it binds no object to ${_ADVICE_VARIABLE}",
            "map each error to what to do",
        )
        return
    ours = subject.permanent_errors | subject.retryable_errors
    for error in sorted(ours - advised):
        yield subject.in_definition(
            _ADVICE_STATE, "advice", f"{error} has no advice", "say what an operator does about it"
        )
    for error in sorted(advised - ours):
        yield subject.in_definition(
            _ADVICE_STATE, "advice", f"it advises on {error}, no error of ticketing/errors.py", "remove it"
        )


def check_machine_timeout(subject: Subject) -> Iterator[Finding]:
    """The machine's TimeoutSeconds allows for its worst path, and the file's comment tells the right figure."""
    worst = worst_path(subject.definition)
    if worst is None:
        yield subject.in_definition(
            "", "machine-timeout", "its states form a loop, so that no time is enough", "break the loop"
        )
        return
    limit = subject.definition.get("TimeoutSeconds")
    if not isinstance(limit, int) or limit < worst.seconds:
        yield subject.in_definition(
            "",
            "machine-timeout",
            f"TimeoutSeconds is {limit}, its worst path takes {worst.seconds:.0f} s ({' → '.join(worst.states)})",
            "allow for the worst path",
        )
    if f"{worst.seconds:.0f} s" not in subject.definition_text:
        yield subject.in_definition(
            "",
            "machine-timeout",
            f"its comment does not tell the worst path's {worst.seconds:.0f} s",
            "write the arithmetic of the worst path anew",
        )


def _catching(scope: Scope) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give each task that must catch by itself, and each Map, which catches for what is within it."""
    for name, state in scope.states.items():
        if state.get("Type") in {"Task", "Map"}:
            yield name, state
        else:
            for branch in scope.inner(name):
                yield from _catching(branch)


def _tasks(subject: Subject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, state) for name, state in all_states(subject.definition) if state.get("Type") == "Task")


def _function_timeout(subject: Subject, function: str | None) -> int | None:
    functions = dict(subject.resources("AWS::Serverless::Function"))
    if function not in functions:
        return None  # `permission` tells that the function is not of this template
    by_default = subject.template.get("Globals", {}).get("Function", {}).get("Timeout", _LAMBDA_DEFAULT_SECONDS)
    return int(functions[function].get("Timeout", by_default))
