"""CountDiscountUse: moves the order's use of its discount code from held to used."""

from __future__ import annotations

import msgspec

from handlers.runtime import TaskInput, database, task
from ticketing.payments.counts import DiscountCount, count_discount_use


class CountDiscountUseInput(TaskInput):
    """The paid order."""

    order_id: int


class CountDiscountUseResult(msgspec.Struct):
    """Whether the use was counted now, or before, or need not be."""

    result: DiscountCount


@task(CountDiscountUseInput)
def handler(given: CountDiscountUseInput) -> CountDiscountUseResult:
    """Raises DataInconsistent, OrderNotFound; DatabaseUnavailable is retried."""
    return CountDiscountUseResult(count_discount_use(database, given.order_id))
