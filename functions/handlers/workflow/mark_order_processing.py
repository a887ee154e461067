"""MarkOrderProcessing: keeps an order whose delayed payment is under way."""

from __future__ import annotations

from handlers.runtime import TaskInput, database, task
from ticketing.payments.release import OrderMove, mark_order_processing


class MarkOrderProcessingInput(TaskInput):
    """The order whose Checkout Session was completed without a payment yet."""

    order_id: int
    stripe_event_id: str


@task(MarkOrderProcessingInput)
def handler(given: MarkOrderProcessingInput) -> OrderMove:
    """Raises OrderNotFound; DatabaseUnavailable is retried."""
    return mark_order_processing(database, given.order_id, stripe_event_id=given.stripe_event_id)
