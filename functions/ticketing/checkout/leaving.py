"""Leaving gives back: whoever holds the token of Stripe's back link ends the checkout that it was made for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from ticketing.checkout.ending import end_checkout
from ticketing.checkout.openers import hash_of_token
from ticketing.database import Database
from ticketing.orders import checkouts
from ticketing.orders.status import OrderStatus
from ticketing.stripe.ending import EndsSessions

_CAUSE: Final = "cancel_link"
_PAID: Final = frozenset({OrderStatus.PROCESSING, OrderStatus.PAID})


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the checkout that somebody left. `is_paid`: paid, or its payment is under way."""

    order_id: int
    event_id: int
    session_id: str | None
    is_paid: bool


def leave_checkout(database: Database, sessions: Callable[[], EndsSessions], token: str) -> Left | None:
    """End the checkout whose token this is, and give its hold back, once; None: no open or paid one has it.

    Its time is over first of all: if Stripe is away, the schedule ends it, or the next checkout that wants its seats.

    Raises:
        StripeUnavailable: the session will be ended later.
        ConfigurationError: the API key is wrong.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        order = checkouts.order_of_token(tx, hash_of_token(token))
        if order is None:
            return None
        waits = order["status"] == OrderStatus.PENDING and order["stripe_checkout_session_id"] is not None
        if waits:
            tx.change(
                # Not a condition on the time: by that the order could be sought, and others' rows be met.
                "UPDATE ticket_orders SET hold_expires_at = LEAST(hold_expires_at, UTC_TIMESTAMP(6))"
                " WHERE id = %s AND status = %s",
                order["id"],
                OrderStatus.PENDING,
            )
    is_paid = order["status"] in _PAID
    if waits:
        is_paid = (
            end_checkout(
                database,
                sessions(),
                order_id=order["id"],
                session_id=order["stripe_checkout_session_id"],
                cause=_CAUSE,
            )
            == "paid"
        )
    return Left(
        order_id=order["id"],
        event_id=order["event_id"],
        session_id=order["stripe_checkout_session_id"],
        is_paid=is_paid,
    )
