"""What stands in the way of an order and can be moved: an earlier checkout of its buyer, and holds that have ended.

The same wish gets the earlier checkout's page; another one ends it first. A request that comes while the earlier one
is at Stripe waits for it: a double click makes one order. See docs/rules.md, "Seats".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ticketing.checkout import ended_holds
from ticketing.checkout.ending import end_checkout
from ticketing.checkout.errors import CheckoutBusy, EarlierFound, NotEnoughSeats
from ticketing.checkout.placement import PlacedOrder
from ticketing.checkout.reply import CheckoutReply
from ticketing.database import Database
from ticketing.orders.checkouts import EarlierCheckout, Opener
from ticketing.payments.release import release_order
from ticketing.stripe.client import ENDING_SECONDS
from ticketing.stripe.ending import EndsSessions

_LOOK_EVERY_SECONDS: Final = 0.2
_CAUSE: Final = "checkout"


def place_past_obstacles(  # noqa: PLR0913 -- what it works on, then how, by name
    database: Database,
    sessions: EndsSessions,
    place: Callable[[int], PlacedOrder],
    *,
    opener: Opener,
    ticket_id: int,
    quantity: int,
    lock_seconds: int,
    wait_until: float,
    begin_by: float,
) -> PlacedOrder | CheckoutReply:
    """Place an order, or give the reply of the checkout that its buyer has open for the same wish.

    `place` places it beside an order that does not count as an earlier one (0: none). A checkout under way is waited
    for until `wait_until`, and taken for dead after `lock_seconds`; what Stripe is asked to end is answered before
    `begin_by`. Both are moments of `time.monotonic`.

    Raises:
        CheckoutRefused: and why; nothing is held.
        StripeUnavailable: an earlier checkout could not be ended.
        ConfigurationError: the API key is wrong.
        DatabaseUnavailable: try again.
    """
    beside, has_made_room = 0, False
    while True:
        try:
            return place(beside)
        except EarlierFound as found:
            earlier = found.earlier
        except NotEnoughSeats as refused:
            missing = quantity - refused.available
            if has_made_room or not _in_time(begin_by):
                raise
            if not ended_holds.end_some(database, sessions, ticket_id=ticket_id, seats=missing):
                raise
            has_made_room = True
            continue
        reply = _reply_of(earlier, opener)
        if reply is not None:
            return reply
        if earlier.session_id is None and earlier.age_seconds < lock_seconds:
            _wait(wait_until)
        elif _end(database, sessions, earlier, begin_by):
            beside = earlier.order_id


def _reply_of(earlier: EarlierCheckout, opener: Opener) -> CheckoutReply | None:
    if earlier.session_id is None or earlier.checkout_url is None:
        return None
    if earlier.is_over or earlier.wish_hash != opener.wish_hash:
        return None
    return CheckoutReply(
        checkout_url=earlier.checkout_url, session_id=earlier.session_id, order_id=str(earlier.order_id)
    )


def _wait(until: float) -> None:
    if time.monotonic() >= until:
        raise CheckoutBusy("The same buyer's request is still running.")
    time.sleep(_LOOK_EVERY_SECONDS)


def _end(database: Database, sessions: EndsSessions, earlier: EarlierCheckout, begin_by: float) -> bool:
    """End an earlier checkout; tell whether it stays all the same: it was paid, or Stripe does not end it."""
    if earlier.session_id is None:
        # Whoever opened it died before anybody saw its page.
        release_order(database, earlier.order_id, lost_as="failed", stripe_event_id=_CAUSE)
        return False
    if not _in_time(begin_by):
        raise CheckoutBusy("There is no time left to end the earlier checkout.")
    outcome = end_checkout(database, sessions, order_id=earlier.order_id, session_id=earlier.session_id, cause=_CAUSE)
    return outcome != "ended"


def _in_time(begin_by: float) -> bool:
    return time.monotonic() + ENDING_SECONDS <= begin_by
