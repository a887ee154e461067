"""CountTicketSale: moves the order's seats from held to sold."""

from __future__ import annotations

import msgspec

from handlers.runtime import TaskInput, database, task
from ticketing.payments.counts import TicketCount, count_ticket_sale


class CountTicketSaleInput(TaskInput):
    """The paid order."""

    order_id: int


class CountTicketSaleResult(msgspec.Struct):
    """Whether the seats were counted now, or before, or need not be."""

    result: TicketCount


@task(CountTicketSaleInput)
def handler(given: CountTicketSaleInput) -> CountTicketSaleResult:
    """Raises DataInconsistent, OrderNotFound; DatabaseUnavailable is retried."""
    return CountTicketSaleResult(count_ticket_sale(database, given.order_id))
