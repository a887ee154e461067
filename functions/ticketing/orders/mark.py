"""The order's mark: a random text that is kept with the order and written on its Checkout Session and PaymentIntent.

Numbers collide, between two shops on one Stripe account and after a database was restored; a mark does not
(`ticketing.payments.identity`, docs/rules.md, "Words").
"""

from __future__ import annotations

import secrets
from typing import Final

# 128 bits: 22 letters, digits, - and _. They fit the column and may stand in messages.
_BYTES: Final = 16


def new_mark() -> str:
    """Make the mark of a new order."""
    return secrets.token_urlsafe(_BYTES)
