"""The first link: Stripe's event destination, which sends events into the account's partner event source.

https://docs.stripe.com/api/v2/core/event-destinations
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cachao.aws import stripe_access
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
from cachao.doctor import partner_source
from cachao.doctor.advice import CONNECT, RECONCILE, steps
from cachao.doctor.finding import NOT_REACHING, Finding, fine
from cachao.doctor.stripe_secret import STORE as KEY
from ticketing.errors import ConfigurationError
from ticketing.stripe.event_types import HANDLED_EVENTS

if TYPE_CHECKING:
    from stripe.v2.core import EventDestination

LINK: Final = "Stripe event destination"


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the destination is there, enabled, and sends all types, snapshot or thin, to this account and region."""
    wanted = environment.event_source_name
    if not wanted:
        yield fine(
            LINK, "The stack has no partner event source (StripeEventSourceName is empty): events come by webhook."
        )
        return
    try:
        destinations = listed(stripe_access.client(environment))
    except ConfigurationError as error:
        yield _broken("stripe_key_refused", str(error), KEY)
        return
    found = next((known for known in destinations if source_of(known) == wanted), None)
    if found is None:
        yield _missing(environment, wanted, destinations)
        return
    problems = list(_problems(environment, found))
    yield from problems
    if not problems:
        form = "thin" if found.event_payload == "thin" else "snapshot"
        yield fine(LINK, f"{found.id} is enabled and sends {form} events of all {len(HANDLED_EVENTS)} types here.")


def _missing(environment: Environment, wanted: str, destinations: list[EventDestination]) -> Finding:
    others = [known for known in destinations if known.type == "amazon_eventbridge"]
    said = "".join(
        f" {known.id} sends to account {aws_field(known, 'aws_account_id')}, {region_of(known) or 'an unknown region'}."
        for known in others
    )
    return _broken(
        "destination_missing",
        f"Stripe has no destination for the source {wanted}.{said or ' It has none for EventBridge at all.'}",
        "If there is one that you know of, the key is of another account or mode. If not, make one, for account"
        f" {environment.account_id}, region {environment.region}. {CONNECT}",
    )


def _problems(environment: Environment, found: EventDestination) -> Iterator[Finding]:
    if found.status != "enabled":
        disabled = found.status_details.disabled if found.status_details else None
        reason = disabled.reason if disabled else "unknown"
        if reason == SOURCE_GONE:
            says = f"Stripe disabled {found.id}, because its partner event source is gone."
            yield _broken("source_deleted", says, partner_source.MAKE_ANOTHER)
        else:
            yield _broken(
                "destination_disabled",
                f"{found.id} is disabled (reason: {reason}).",
                steps("Enable it:\ncachao connect", RECONCILE),
            )
    lacking = missing_types(found)
    if lacking:
        yield _broken(
            "event_types_missing",
            f"{found.id} does not send {', '.join(lacking)}.",
            steps("Add them:\ncachao connect", RECONCILE),
        )
    if OWN_ACCOUNT not in (found.events_from or [OWN_ACCOUNT]):
        yield _broken(
            "own_events_missing",
            f"{found.id} sends events of {', '.join(found.events_from or [])} only, not of the account itself.",
            f"Make one for the account's own events (events_from: @self). {CONNECT}",
        )
    yield from _problems_of_place(environment, found)


def _problems_of_place(environment: Environment, found: EventDestination) -> Iterator[Finding]:
    account = aws_field(found, "aws_account_id")
    if account and account != environment.account_id:
        yield _broken(
            "wrong_account",
            f"{found.id} sends to the AWS account {account}; this stack is in {environment.account_id}.",
            f"Unless the stack is to be in the other one, make one for this account. {CONNECT}",
        )
    region = region_of(found)
    if region and region != environment.region:
        yield _broken(
            "wrong_region",
            f"{found.id} sends to {region}; this stack is in {environment.region}.",
            f"Unless the stack is to be in {region}, make one for this region. {CONNECT}",
        )
    live = environment.parameters.get("StripeLivemode") == "true"
    if bool(found.livemode) != live:
        yield _broken(
            "wrong_mode",
            f"{found.id} sends events of {_mode(live=bool(found.livemode))} mode; this stack handles"
            f" {_mode(live=live)} payments and refuses the others.",
            f"Make one in {_mode(live=live)} mode, which the key has to be of, too. {CONNECT}",
        )


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_REACHING)


def _mode(*, live: bool) -> str:
    return "live" if live else "test"
