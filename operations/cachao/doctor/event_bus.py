"""The event bus of the partner source's own name: no other one ever gets Stripe's events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cachao.aws.environment import Environment
from cachao.doctor import partner_source
from cachao.doctor.advice import RECONCILE, steps
from cachao.doctor.finding import NOT_REACHING, Finding, fine
from cachao.problems import error_code

LINK: Final = "Partner event bus"


def check(environment: Environment) -> Iterator[Finding]:
    """Whether there is a bus of exactly the source's name."""
    name = environment.event_source_name
    if not name:
        yield fine(LINK, "The stack has no partner event source; the webhook uses the default bus.")
        return
    if not exists(environment):
        if not partner_source.is_active(environment):
            return  # its link says so: a source is active as long as its bus is there
        yield Finding(
            LINK,
            "broken",
            f"There is no event bus {name}.",
            "bus_missing",
            steps(
                "Somebody deleted it, and its rule with it. Deploy them again:"
                "\ncachao redeploy --set CreatePartnerEventBus=true",
                RECONCILE,
            ),
            NOT_REACHING,
        )
        return
    yield fine(LINK, f"The bus {name} is there.")


def exists(environment: Environment) -> bool:
    """Tell whether the partner source's bus is there."""
    try:
        environment.client("events").describe_event_bus(Name=environment.event_source_name)
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return False
    return True
