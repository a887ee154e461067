"""The partner event source: Stripe's event destination, the partner source in this account, its bus."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any, Final

from cachao.aws.environment import Environment
from cachao.aws.stripe_destinations import missing_types, source_of
from cachao.connect import destinations
from cachao.connect.destinations import Found
from cachao.connect.steps import Report
from cachao.problems import STILL_RUNNING, Problem, error_code
from ticketing.stripe.event_types import HANDLED_EVENTS

if TYPE_CHECKING:
    import stripe

_LOOK_EVERY_SECONDS: Final = 2.0


def plan(environment: Environment, found: Found) -> list[str]:
    """Say what has to be done at Stripe, as ends of the question "Shall I …?"."""
    chosen = found.chosen
    planned = []
    if chosen is None:
        planned.append(
            f"make an event destination for Amazon EventBridge, account {environment.account_id}, region"
            f" {environment.region}, with {len(HANDLED_EVENTS)} event types"
        )
    elif missing := missing_types(chosen):
        planned.append(f"add {', '.join(missing)} to the event destination {chosen.id}")
    if chosen is not None and chosen.status != "enabled":
        planned.append(f"enable the event destination {chosen.id}")
    planned += [f"remove the event destination {dead.id}, whose source is gone" for dead in found.dead]
    return planned


def connect(
    environment: Environment, client: stripe.StripeClient, found: Found, report: Report, *, wait_seconds: float
) -> str | None:
    """Do it; give the source by which events come now, or None where a deployment must come first.

    Raises:
        Problem: the source did not come in time, or has no bus although the stack is deployed with it.
    """
    chosen = found.chosen
    if chosen is None:
        chosen = destinations.make(environment, client, report)
    else:
        destinations.mend(environment, client, chosen, report)
    # After the new one is there: killed before, nothing that works is gone.
    for dead in found.dead:
        destinations.remove(client, dead, report)
    _report_others(found, report)
    source = source_of(chosen)
    state = _wait_for(environment, source, wait_seconds)
    report.add("done" if found.chosen is None else "was so", f"The partner event source {source} is {state.lower()}.")
    if source != environment.event_source_name:
        report.add("left to you", *_deployment(environment, source, state))
        return None
    if state != "ACTIVE":
        raise Problem(
            f"The stack is deployed with {source}, but the source is {state.lower()}: it has no event bus.",
            advice=f"Deploy it with its bus, within 7 days:\n{deploy_command(environment, source)}",
        )
    return source


def deploy_command(environment: Environment, source: str, *, with_bus: bool = True) -> str:
    """Give the command that deploys the source's bus and rule; the stack's other parameters stay as they are."""
    stack = ["--stack-name", environment.stack["StackName"], *shlex.split(environment.sam_options)]
    overrides = [f"StripeEventSourceName={source}", f"CreatePartnerEventBus={str(with_bus).lower()}"]
    rights = ["--resolve-s3", "--capabilities", "CAPABILITY_IAM"]
    return shlex.join(["sam", "deploy", *stack, *rights, "--parameter-overrides", *overrides])


def _deployment(environment: Environment, source: str, state: str) -> tuple[str, str]:
    if environment.is_local:
        return (
            "The local stack is deployed with a source of its own.",
            "Stop it, and start it with `make run FRESH=1`: then the stand-in sends to the deployed source.",
        )
    # An active source has its bus already.
    command = deploy_command(environment, source, with_bus=state == "PENDING")
    prove = f"cachao connect {environment.cachao_options}"
    return (
        "The stack is not deployed with this source yet. Until it is, its events are lost.",
        f"After `sam build`, within 7 days, deploy its bus and rule; then test the path:\n{command}\n{prove}",
    )


def _report_others(found: Found, report: Report) -> None:
    for spare in found.spare:
        report.add(
            "left to you",
            f"This command also made {spare.id}, which is not used: it does no harm.",
            f"Delete {spare.id} in Stripe: Workbench → Webhooks.",
        )
    for stranger in found.strangers:
        report.add(
            "left to you",
            f"{stranger.id} ({stranger.name}) also sends here. This command did not make it, and leaves it alone.",
        )


def _wait_for(environment: Environment, source: str, wait_seconds: float) -> str:
    """Wait until AWS shows the source; give its state."""
    deadline = time.monotonic() + wait_seconds
    while True:
        found = _describe(environment, source)
        if found is not None and found["State"] != "DELETED":
            return str(found["State"])
        if time.monotonic() >= deadline:
            raise Problem(
                f"AWS does not show the partner event source {source} after {wait_seconds:.0f} s.",
                advice="Run the same command again in a minute: it continues with this destination.",
                exit_code=STILL_RUNNING,
            )
        time.sleep(_LOOK_EVERY_SECONDS)


def _describe(environment: Environment, source: str) -> Any:  # noqa: ANN401 -- boto3's dictionary
    try:
        return environment.client("events").describe_event_source(Name=source)
    except Exception as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
