"""CountTicketSale: moves the order's seats from held to sold."""

from __future__ import annotations

from handlers.runtime import TaskInput, database, task
from ticketing.payments.counts import TicketCount, count_ticket_sale


class CountTicketSaleInput(TaskInput):
    """The paid order."""

    order_id: int


@task(CountTicketSaleInput)
def handler(given: CountTicketSaleInput) -> TicketCount:
    """Raises OrderNotFound; DatabaseUnavailable is retried."""
    return count_ticket_sale(database, given.order_id)
