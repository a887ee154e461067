"""Walks all links, and never stops at one that cannot be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from operations.doctor import (
    alerts,
    database,
    event_bus,
    partner_source,
    recent_executions,
    reconciliation,
    rules,
    state_machine,
    stripe_destination,
    stripe_secret,
    targets,
    webhook_endpoint,
)
from operations.doctor.addressing import addressed
from operations.doctor.finding import Check, Finding
from operations.doctor.guarding import guarded
from operations.environment import Environment

# In the order in which an event passes them.
LINKS: Final[dict[str, Check]] = {
    stripe_secret.LINK: stripe_secret.check,
    stripe_destination.LINK: stripe_destination.check,
    webhook_endpoint.LINK: webhook_endpoint.check,
    partner_source.LINK: partner_source.check,
    event_bus.LINK: event_bus.check,
    rules.LINK: rules.check,
    targets.LINK: targets.check,
    state_machine.LINK: state_machine.check,
    recent_executions.LINK: recent_executions.check,
    alerts.LINK: alerts.check,
    reconciliation.LINK: reconciliation.check,
    database.LINK: database.check,
}


def examine(environment: Environment, links: Iterable[str] = tuple(LINKS)) -> Iterator[Finding]:
    """Give the findings of all links, or of those named, link by link."""
    for link in links:
        for finding in guarded(link, LINKS[link](environment)):
            yield addressed(environment, finding)
