"""Walks all links, and never stops at one that cannot be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from botocore.exceptions import ClientError

from operations.doctor import (
    alerts,
    database,
    event_bus,
    partner_source,
    recent_executions,
    rules,
    state_machine,
    stripe_destination,
    targets,
)
from operations.doctor.finding import Check, Finding, unknown
from operations.environment import Environment
from operations.problems import error_code, explain

# In the order in which an event passes them.
LINKS: Final[dict[str, Check]] = {
    stripe_destination.LINK: stripe_destination.check,
    partner_source.LINK: partner_source.check,
    event_bus.LINK: event_bus.check,
    rules.LINK: rules.check,
    targets.LINK: targets.check,
    state_machine.LINK: state_machine.check,
    recent_executions.LINK: recent_executions.check,
    alerts.LINK: alerts.check,
    database.LINK: database.check,
}


def examine(environment: Environment, links: Iterable[str] = tuple(LINKS)) -> Iterator[Finding]:
    """Give the findings of all links, or of those named, link by link."""
    for link in links:
        try:
            yield from LINKS[link](environment)
        except Exception as error:
            problem = explain(error)
            if problem is None:
                raise
            yield unknown(link, _sentence(error, problem.sentence), problem.advice)


def _sentence(error: Exception, sentence: str) -> str:
    # Not every AWS (the local one, for one) has every operation, and then it answers with a web page.
    if isinstance(error, ClientError) and (error_code(error).isdigit() or "<html" in sentence):
        return f"AWS did not answer {error.operation_name}."
    return sentence
