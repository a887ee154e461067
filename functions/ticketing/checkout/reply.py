"""What a checkout answers."""

from __future__ import annotations

import msgspec


class CheckoutReply(msgspec.Struct, frozen=True, kw_only=True):
    """Where the buyer pays, and what for."""

    checkout_url: str
    session_id: str
    order_id: str
