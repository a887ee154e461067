"""CountDiscountUse: moves the order's use of its discount code from held to used."""

from __future__ import annotations

from handlers.runtime import TaskInput, database, task
from ticketing.payments.counts import DiscountCount, count_discount_use


class CountDiscountUseInput(TaskInput):
    """The paid order."""

    order_id: int


@task(CountDiscountUseInput)
def handler(given: CountDiscountUseInput) -> DiscountCount:
    """Raises OrderNotFound; DatabaseUnavailable is retried."""
    return count_discount_use(database, given.order_id)
