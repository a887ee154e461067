"""The partner event source: Stripe makes it in the account, and a bus of its name makes it active."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cachao.aws.environment import Environment
from cachao.doctor.advice import CONNECT, RECONCILE, steps
from cachao.doctor.finding import NOT_REACHING, Finding, fine
from cachao.problems import error_code, explain
from cachao.view.output import moment

LINK: Final = "Partner event source"
MAKE_ANOTHER: Final = f"Make another destination, with a source of its own. {CONNECT}"


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
        yield _broken("source_deleted", f"{name} does not exist in {environment.region} (any more).", MAKE_ANOTHER)
        return
    state, expires = source.get("State"), source.get("ExpirationTime")
    if state == "PENDING":
        until = f", and goes away at {moment(expires)} UTC" if expires else ", and goes away after 7 days"
        yield _broken(
            "source_pending",
            f"{name} is not associated with an event bus{until}. Events for it are lost.",
            steps(
                "A bus of exactly its name activates it; a rule on default does not. Deploy one:"
                "\ncachao redeploy --set CreatePartnerEventBus=true",
                RECONCILE,
            ),
        )
    elif state == "DELETED":
        yield _broken("source_deleted", f"{name} was deleted by Stripe.", MAKE_ANOTHER)
    else:
        yield fine(LINK, f"{name} is {str(state).lower()}.")


def is_active(environment: Environment) -> bool:
    """Tell whether the source is active, as far as one may see."""
    try:
        found = environment.client("events").describe_event_source(Name=environment.event_source_name)
    except Exception as error:
        if explain(error) is None:
            raise
        return error_code(error) != "ResourceNotFoundException"
    return str(found.get("State")) == "ACTIVE"


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_REACHING)
