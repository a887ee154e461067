"""The event bus of the partner source's own name: no other one ever gets Stripe's events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cachao.aws.environment import Environment
from cachao.doctor.finding import NOT_REACHING, Finding, fine
from cachao.problems import error_code

LINK: Final = "Partner event bus"


def check(environment: Environment) -> Iterator[Finding]:
    """Whether there is a bus of exactly the source's name."""
    name = environment.event_source_name
    if not name:
        yield fine(LINK, "The stack has no partner event source; the webhook uses the default bus.")
        return
    try:
        environment.client("events").describe_event_bus(Name=name)
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        yield Finding(
            LINK,
            "broken",
            f"There is no event bus {name}.",
            "bus_missing",
            "Deploy with CreatePartnerEventBus=true. If somebody deleted the bus, the source has to be active again"
            " before events come: look at the link “Partner event source”.",
            NOT_REACHING,
        )
        return
    yield fine(LINK, f"The bus {name} is there.")
