"""The stack's functions, also those of the API and of schedules: there, active, and not switched off."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from cachao.aws.environment import Environment
from cachao.doctor.advice import REDEPLOY, steps
from cachao.doctor.finding import NOT_PROCESSED, Finding, fine
from cachao.problems import error_code

LINK: Final = "Functions"
_FAILED_MEANWHILE: Final = "Then see what failed meanwhile:\ncachao executions --failed --since 2d"
_AT_ONCE: Final = 8
# Only asleep: the next call wakes it.
_WELL: Final = frozenset({"Active", "Inactive"})


def check(environment: Environment) -> Iterator[Finding]:
    """Whether each function could run now. Of the workflow's own versions the link of the workflow tells."""
    names = _names(environment)
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        problems = [
            finding for found in pool.map(lambda one: list(_look(environment, *one)), names) for finding in found
        ]
    finally:
        pool.shutdown(cancel_futures=True)
    yield from problems or [fine(LINK, f"All {len(names)} are there, and none is switched off.")]


def _names(environment: Environment) -> list[tuple[str, str]]:
    """Give each function's name in the template, and its own."""
    pages = environment.client("cloudformation").get_paginator("list_stack_resources")
    return [
        (found["LogicalResourceId"], found["PhysicalResourceId"])
        for page in pages.paginate(StackName=environment.stack["StackName"])
        for found in page["StackResourceSummaries"]
        if found["ResourceType"] == "AWS::Lambda::Function"
    ]


def _look(environment: Environment, part: str, name: str) -> Iterator[Finding]:
    client = environment.client("lambda")
    try:
        settings = client.get_function_configuration(FunctionName=name)
        reserved = client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        yield Finding(
            LINK, "broken", f"The function {name} does not exist.", "function_missing", REDEPLOY, NOT_PROCESSED
        )
        return
    if not is_well(settings):
        yield not_active(LINK, name, settings)
    if reserved == 0:
        yield Finding(
            LINK,
            "broken",
            f"The function {name} is switched off: somebody reserved a concurrency of 0 for it, so Lambda runs none.",
            "function_switched_off",
            steps(f"Let it run again:\n{_let_run(environment, part, name)}", _FAILED_MEANWHILE),
            NOT_PROCESSED,
        )


def is_well(settings: dict[str, Any]) -> bool:
    """Tell whether a function, or a version, can run; one that sleeps can."""
    return settings.get("State", "Active") in _WELL


def not_active(link: str, name: str, settings: dict[str, Any]) -> Finding:
    """Say that a function cannot run."""
    return Finding(
        link,
        "broken",
        f"The function {name} is {settings['State']}: {settings.get('StateReason', 'no reason given')}",
        "function_not_active",
        f"If a deployment is under way, wait for it. Otherwise mend the reason that it gives. {REDEPLOY}",
        NOT_PROCESSED,
    )


def _let_run(environment: Environment, part: str, name: str) -> str:
    reserved = environment.parameters.get("CheckoutConcurrency", "0")
    if part == "CreateCheckoutFunction" and reserved != "0":
        return f"aws lambda put-function-concurrency --function-name {name} --reserved-concurrent-executions {reserved}"
    return f"aws lambda delete-function-concurrency --function-name {name}"
