"""The states of an order, and which of them mean what (docs/rules.md, "Order states")."""

from __future__ import annotations

from typing import Final

PENDING: Final = "pending"
PROCESSING: Final = "processing"
PAID: Final = "paid"
REFUNDED: Final = "refunded"
EXPIRED: Final = "expired"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"

# Unpaid, and holding seats for its buyer.
LIVE: Final = frozenset({PENDING, PROCESSING})
# Ended without a payment; a late payment may bring it back while seats are free.
LAPSED: Final = frozenset({EXPIRED, FAILED})
# Ended for good: never revived.
CLOSED: Final = frozenset({REFUNDED, CANCELLED})
