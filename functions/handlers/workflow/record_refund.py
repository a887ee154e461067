"""RecordRefund: records what went back to the buyer, and ends an order whose whole payment did."""

from __future__ import annotations

from handlers.runtime import TaskInput, count_metric, database, task
from ticketing.payments.refunds import RefundRecorded, record_refund
from ticketing.stripe.events import ChargeEvent, RefundEvent


class RecordRefundInput(TaskInput):
    """The order that LookUpOrder found, and what Stripe said of a refund or a refunded charge."""

    order_id: int
    payment: ChargeEvent | RefundEvent


@task(RecordRefundInput)
def handler(given: RecordRefundInput) -> RefundRecorded:
    """Raises RefundFailed, OrderNotFound; DatabaseUnavailable is retried."""
    recorded = record_refund(database, given.order_id, given.payment)
    if recorded.changed:
        count_metric("OrdersRefunded")
    return recorded
