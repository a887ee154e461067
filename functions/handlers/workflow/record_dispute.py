"""RecordDispute: records a dispute, says which alert is due, and ends an order whose payment was lost to it."""

from __future__ import annotations

from handlers.runtime import TaskInput, count_metric, database, task
from ticketing.payments.disputes import DisputeRecorded, record_dispute
from ticketing.stripe.events import DisputeEvent


class RecordDisputeInput(TaskInput):
    """The order that LookUpOrder found, and what Stripe said of the dispute."""

    order_id: int
    payment: DisputeEvent


@task(RecordDisputeInput)
def handler(given: RecordDisputeInput) -> DisputeRecorded:
    """Raises OrderNotFound, OrderMismatch; DatabaseUnavailable is retried."""
    recorded = record_dispute(database, given.order_id, given.payment)
    if recorded.told is not None:
        count_metric(recorded.told)
    return recorded
