"""The partner event source: Stripe makes it in the account, and a bus of its name makes it active."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cachao.aws.environment import Environment
from cachao.doctor.finding import NOT_REACHING, Finding, fine
from cachao.problems import error_code
from cachao.view.output import moment

LINK: Final = "Partner event source"
_NEW_ONE: Final = (
    "cachao connect makes a new event destination, and says how to deploy with its source's name, within 7 days."
)


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the source is active: not pending, not deleted."""
    name = environment.event_source_name
    if not name:
        yield fine(LINK, "The stack has no partner event source.")
        return
    try:
        source = environment.client("events").describe_event_source(Name=name)
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        yield _broken("source_deleted", f"{name} does not exist in {environment.region} (any more).", _NEW_ONE)
        return
    state, expires = source.get("State"), source.get("ExpirationTime")
    if state == "PENDING":
        until = f", and goes away at {moment(expires)} UTC" if expires else ", and goes away after 7 days"
        yield _broken(
            "source_pending",
            f"{name} is not associated with an event bus{until}. Events for it are lost.",
            "Deploy with CreatePartnerEventBus=true: a bus of exactly this name activates it. A rule on default"
            " does not.",
        )
    elif state == "DELETED":
        yield _broken("source_deleted", f"{name} was deleted by Stripe.", _NEW_ONE)
    else:
        yield fine(LINK, f"{name} is {str(state).lower()}.")


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_REACHING)
