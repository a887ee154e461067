"""Stripe's event destination for the partner event source: finds the stack's, mends it, or makes one.

https://docs.stripe.com/api/v2/core/event-destinations
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachao.aws.environment import Environment
from cachao.aws.stripe_destinations import (
    OWN_ACCOUNT,
    SOURCE_GONE,
    aws_field,
    listed,
    missing_types,
    region_of,
    source_of,
)
from cachao.connect import ownership
from cachao.connect.steps import Report
from ticketing.stripe.client import stripe_errors
from ticketing.stripe.event_types import HANDLED_EVENTS

if TYPE_CHECKING:
    import stripe
    from stripe.v2.core import EventDestination


@dataclass(frozen=True)
class Found:
    """What there is at Stripe: the destination to use, or none; and our own that are of no use any more."""

    chosen: EventDestination | None
    dead: list[EventDestination]
    spare: list[EventDestination]
    strangers: list[EventDestination]


def look(environment: Environment, client: stripe.StripeClient) -> Found:
    """Choose the destination that the stack is deployed with; else the one that this command made before.

    Raises:
        StripeUnavailable, ConfigurationError, StripeRefused: as of every request.
    """
    here = [one for one in listed(client) if _is_here(environment, one)]
    usable = [one for one in here if _is_usable(one)]
    ours = [one for one in usable if ownership.is_ours(environment, one.metadata)]
    deployed = [one for one in usable if source_of(one) == environment.event_source_name]
    # Of two that were made at the same moment every run chooses the same.
    oldest = sorted(ours, key=lambda one: (str(one.created), one.id))
    chosen = next(iter(deployed or oldest), None)
    dead = [one for one in here if ownership.is_ours(environment, one.metadata) and _source_is_gone(one)]
    strangers = [one for one in usable if one not in ours and one is not chosen]
    return Found(chosen, dead, [one for one in ours if one is not chosen], strangers)


def make(environment: Environment, client: stripe.StripeClient, report: Report) -> EventDestination:
    """Make a destination for this account and region. Killed after it, the next run finds it by its mark."""
    with stripe_errors("create an event destination"):
        made = client.v2.core.event_destinations.create(
            params={
                "name": f"cachao {environment.stack['StackName']}",
                "description": f"Payments of the stack {environment.name}; made by `cachao connect`.",
                "type": "amazon_eventbridge",
                "amazon_eventbridge": {"aws_account_id": environment.account_id, "aws_region": environment.region},
                "event_payload": "snapshot",
                "events_from": [OWN_ACCOUNT],
                "enabled_events": sorted(HANDLED_EVENTS),
                "metadata": {ownership.KEY: ownership.mark(environment)},
            }
        )
    report.add("done", f"Made the event destination {made.id}: {len(HANDLED_EVENTS)} event types, as snapshots, here.")
    return made


def mend(environment: Environment, client: stripe.StripeClient, found: EventDestination, report: Report) -> None:
    """Add the types that a destination lacks, and enable it."""
    missing = missing_types(found)
    if missing:
        with stripe_errors(f"update the event destination {found.id}"):
            client.v2.core.event_destinations.update(
                found.id, params={"enabled_events": sorted({*found.enabled_events, *missing})}
            )
        report.add("done", f"Added to {found.id}: {', '.join(missing)}.")
    if found.status != "enabled":
        with stripe_errors(f"enable the event destination {found.id}"):
            client.v2.core.event_destinations.enable(found.id)
        report.add(
            "done",
            f"Enabled {found.id}, which was disabled.",
            "Stripe does not send what happened meanwhile, so run:"
            f"\ncachao reconcile {environment.cachao_options} --since 3d",
        )
    if not missing and found.status == "enabled":
        report.add("was so", f"Stripe has the event destination {found.id}, enabled, with all event types.")


def remove(client: stripe.StripeClient, dead: EventDestination, report: Report) -> None:
    """Remove one of ours whose source is gone: it can never send anything again."""
    with stripe_errors(f"delete the event destination {dead.id}"):
        client.v2.core.event_destinations.delete(dead.id)
    report.add("done", f"Removed {dead.id}, which this command made before: its partner source is gone.")


def _is_here(environment: Environment, destination: EventDestination) -> bool:
    if destination.type != "amazon_eventbridge" or aws_field(destination, "aws_account_id") != environment.account_id:
        return False
    live = environment.parameters.get("StripeLivemode") == "true"
    return region_of(destination) in {"", environment.region} and bool(destination.livemode) == live


def _is_usable(destination: EventDestination) -> bool:
    return OWN_ACCOUNT in (destination.events_from or [OWN_ACCOUNT]) and not _source_is_gone(destination)


def _source_is_gone(destination: EventDestination) -> bool:
    disabled = destination.status_details.disabled if destination.status_details else None
    return (disabled is not None and disabled.reason == SOURCE_GONE) or (
        aws_field(destination, "aws_event_source_status") == "deleted"
    )
