"""ValidateEvent: reads the Stripe event out of its envelope, and says what it means."""

from __future__ import annotations

from typing import Any

from handlers.runtime import TaskInput, logger, task
from handlers.settings import stripe_livemode
from ticketing.stripe_events import Payment, read_event


class ValidateEventInput(TaskInput):
    """The execution's input: the event as EventBridge handed it on."""

    envelope: Any


@task(ValidateEventInput)
def handler(given: ValidateEventInput) -> Payment:
    """Raises InvalidEvent, which nobody retries."""
    payment = read_event(given.envelope, livemode=stripe_livemode())
    logger.append_keys(stripe_event_id=payment.event_id)
    return payment
