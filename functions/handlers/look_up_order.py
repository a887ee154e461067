"""LookUpOrder: finds the order of the payment, and checks that the two belong together."""

from __future__ import annotations

from handlers.runtime import TaskInput, database, logger, task
from ticketing.order_lookup import FoundOrder, look_up_order
from ticketing.stripe_events import Payment


class LookUpOrderInput(TaskInput):
    """What ValidateEvent read."""

    payment: Payment


@task(LookUpOrderInput)
def handler(given: LookUpOrderInput) -> FoundOrder:
    """Raises OrderNotFound, OrderMismatch, AmountMismatch; DatabaseUnavailable is retried."""
    order = look_up_order(database, given.payment)
    logger.append_keys(order_id=order.order_id)
    return order
