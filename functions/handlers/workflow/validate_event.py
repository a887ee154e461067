"""ValidateEvent: reads the Stripe event out of its envelope, and says what it means."""

from __future__ import annotations

from typing import Any, Final

from handlers import stripe_access
from handlers.runtime import TaskInput, count_metric, logger, task
from handlers.settings import stripe_account_id, stripe_livemode
from ticketing.errors import InvalidEvent
from ticketing.stripe.events import IgnoredEvent, StripeEvent, read_event
from ticketing.stripe.retrieve import StripeObjects

# What the state machine hands on in place of an input that is too large for a task.
TOO_LARGE: Final = "larger than 250,000 bytes"
# Shorter than the function's own time-out; the state machine tries again.
_STRIPE_SECONDS: Final = 6.0


class ValidateEventInput(TaskInput):
    """The execution's input: the event as EventBridge handed it on."""

    envelope: Any


@task(ValidateEventInput)
def handler(given: ValidateEventInput) -> StripeEvent:
    """Raises InvalidEvent, which nobody retries; for a thin event StripeUnavailable, which is retried."""
    if given.envelope == TOO_LARGE:
        raise InvalidEvent(f"The execution's input is {TOO_LARGE}. Stripe sends no such event; look at the input.")
    payment = read_event(given.envelope, livemode=stripe_livemode(), own_account=stripe_account_id(), fetch=_fetch)
    if isinstance(payment, IgnoredEvent) and payment.because == "account":
        count_metric("ForeignAccountEvents")
    logger.append_keys(stripe_event_id=payment.event_id)
    return payment


def _fetch(kind: str, object_id: str) -> dict[str, Any] | None:
    client = stripe_access.client(read_seconds=_STRIPE_SECONDS, network_retries=0)
    return StripeObjects(client).retrieve(kind, object_id)
