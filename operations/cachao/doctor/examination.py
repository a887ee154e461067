"""Walks all links, and never stops at one that cannot be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from cachao.aws.environment import Environment
from cachao.doctor import (
    alerts,
    counts,
    database,
    event_bus,
    functions,
    partner_source,
    recent_executions,
    rules,
    schedules,
    state_machine,
    stripe_account,
    stripe_destination,
    stripe_secret,
    targets_and_dead_letters,
    webhook_endpoint,
)
from cachao.doctor.addressing import addressed
from cachao.doctor.finding import Check, Finding
from cachao.doctor.guarding import guarded

# In the order in which an event passes them; then what shows how events fared.
LINKS: Final[dict[str, Check]] = {
    stripe_secret.LINK: stripe_secret.check,
    stripe_destination.LINK: stripe_destination.check,
    webhook_endpoint.LINK: webhook_endpoint.check,
    partner_source.LINK: partner_source.check,
    event_bus.LINK: event_bus.check,
    rules.LINK: rules.check,
    targets_and_dead_letters.LINK: targets_and_dead_letters.check,
    functions.LINK: functions.check,
    state_machine.LINK: state_machine.check,
    database.LINK: database.check,
    counts.LINK: counts.check,
    stripe_account.LINK: stripe_account.check,
    schedules.LINK: schedules.check,
    alerts.LINK: alerts.check,
    recent_executions.LINK: recent_executions.check,
}
# Looked at together with the database, but what is wrong with them follows from anything before.
_PLACES: Final = {link: place for place, link in enumerate((*LINKS, database.ORDERS))}
# Events that wait for a replay, whatever the reason was: it stands before them.
_LEFT_OVER: Final = "dead_letters"
# One break that several links show: the first of them tells it.
_TOLD_ONCE: Final = frozenset({"stripe_key_refused", "source_deleted"})


def examine(environment: Environment, links: Iterable[str] = tuple(LINKS)) -> Iterator[Finding]:
    """Give the findings of all links, or of those named, link by link."""
    reported: set[Finding | str] = set()
    for link in links:
        for finding in guarded(link, LINKS[link](environment)):
            # Both rules have one role and one workflow: what is wrong with these is told once.
            known = finding.cause if finding.cause in _TOLD_ONCE else finding
            if known not in reported:
                reported.add(known)
                yield addressed(environment, finding)


def causes_first(findings: Iterable[Finding]) -> list[Finding]:
    """Order findings so that nothing stands before what may have caused it."""
    return sorted(findings, key=_place)


def _place(finding: Finding) -> tuple[int, int]:
    if finding.cause == _LEFT_OVER:
        return 2, 0
    return (1, 0) if finding.waits else (0, _PLACES[finding.link])
