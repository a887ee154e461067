"""ReleaseOrder: ends an order that will not be paid, and gives its hold back."""

from __future__ import annotations

from typing import Literal

from handlers.runtime import TaskInput, database, task
from ticketing.payments.release import OrderMove, release_order


class ReleaseOrderInput(TaskInput):
    """The order, and why it is lost."""

    order_id: int
    stripe_event_id: str
    lost_as: Literal["failed", "expired"]


@task(ReleaseOrderInput)
def handler(given: ReleaseOrderInput) -> OrderMove:
    """Raises OrderNotFound; DatabaseUnavailable is retried."""
    return release_order(database, given.order_id, lost_as=given.lost_as, stripe_event_id=given.stripe_event_id)
