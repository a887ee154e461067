"""MarkOrderPaid: moves the order to `paid`, and remembers the payment."""

from __future__ import annotations

from handlers.runtime import TaskInput, count_metric, database, task
from ticketing.payments.accept import PaidOrder, mark_order_paid
from ticketing.stripe.events import SessionEvent


class MarkOrderPaidInput(TaskInput):
    """The order that LookUpOrder found, and its payment."""

    order_id: int
    payment: SessionEvent


@task(MarkOrderPaidInput)
def handler(given: MarkOrderPaidInput) -> PaidOrder:
    """Raises DuplicatePayment, PaidButSoldOut, PaymentForClosedOrder; DatabaseUnavailable is retried."""
    order = mark_order_paid(database, given.order_id, given.payment)
    if order.changed:
        # Whoever told of it: that reconciliation had to is another figure, PaymentEventsMissing.
        count_metric("OrdersPaid")
    return order
