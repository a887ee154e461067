"""Tries out on a rule's pattern what Stripe, or this account itself, really sends."""

from __future__ import annotations

import functools
from typing import Any

from cachao.aws.environment import Environment
from cachao.doctor import event_pattern, sample_events
from ticketing.stripe.event_types import RECEIVED_EVENTS


def missed(environment: Environment, pattern: str, source: str) -> list[str]:
    """Give the types whose events from this source do not pass, asked of EventBridge itself where it answers."""
    return [
        event_type
        for event_type in sorted(RECEIVED_EVENTS)
        if not event_pattern.matches(environment, pattern, _sample(environment, source, event_type))
    ]


def lets_any_through(environment: Environment, pattern: str, read: dict[str, Any], source: str) -> bool:
    """Tell whether events of any type pass; `read` is the pattern as an object.

    There may be hundreds of rules on a bus: they are sifted here, and EventBridge is asked about what is left.
    """
    for event_type in sorted(RECEIVED_EVENTS):
        sample = _sample(environment, source, event_type)
        if event_pattern.matches_locally(read, sample) and event_pattern.matches(environment, pattern, sample):
            return True
    return False


def _sample(environment: Environment, source: str, event_type: str) -> dict[str, Any]:
    return _made(source, event_type, environment.account_id, environment.region)


@functools.lru_cache(maxsize=256)
def _made(source: str, event_type: str, account: str, region: str) -> dict[str, Any]:
    # Whatever the source: what this account puts by itself has the same shape. Hundreds of rules are tried on it.
    return sample_events.partner_event(source, event_type, account=account, region=region)
