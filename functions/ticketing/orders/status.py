"""The states of an order, and which of them mean what (docs/rules.md, "Order states")."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class OrderStatus(StrEnum):
    """What `ticket_orders.status` holds."""

    PENDING = "pending"
    PROCESSING = "processing"
    PAID = "paid"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    FAILED = "failed"
    CANCELLED = "cancelled"


# Unpaid, and holding seats for its buyer.
LIVE: Final = frozenset({OrderStatus.PENDING, OrderStatus.PROCESSING})
# Ended without a payment; a late payment may bring it back while seats are free.
LAPSED: Final = frozenset({OrderStatus.EXPIRED, OrderStatus.FAILED})
# Final: never revived.
CLOSED: Final = frozenset({OrderStatus.REFUNDED, OrderStatus.CANCELLED})
