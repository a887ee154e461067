"""How an order's number is recognised where it comes as text: in Stripe's metadata, or typed by a person."""

from __future__ import annotations

import re
from typing import Final

# A BIGINT's digits. Nothing else can be an order: MariaDB would read "12; DROP" as 12.
_ORDER_ID: Final = re.compile(r"[1-9][0-9]{0,17}\Z", re.ASCII)


def order_id_of(reference: str | None) -> int | None:
    """Give the order's number; None where the text is missing or is no such number."""
    return int(reference) if reference is not None and _ORDER_ID.match(reference) else None
