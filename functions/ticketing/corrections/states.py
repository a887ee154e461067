"""Which orders can be corrected how: what else is said instead."""

from __future__ import annotations

from ticketing.corrections import claims
from ticketing.corrections.refusal import CorrectionRefused
from ticketing.database import Row
from ticketing.orders.status import LIVE, OrderStatus


def require_movable(order: Row) -> None:
    """See to it that an order has its seats, so that they can be exchanged.

    Raises:
        CorrectionRefused: it has ended, or its payment is being counted.
    """
    status, order_id = order["status"], order["id"]
    if status not in LIVE and status != OrderStatus.PAID:
        raise CorrectionRefused(
            f"Order {order_id} is {status}: it has no seats any more.", advice=f"cachao show {order_id} says why."
        )
    has = claims.seats_of(order)
    if status == OrderStatus.PAID and (has is None or has.how == "held"):
        raise CorrectionRefused(
            f"Order {order_id} is paid, and its seats are not counted yet.",
            advice="cachao reconcile counts them; then say this again.",
        )
