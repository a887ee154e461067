"""Ends the holds whose time is over, so that their seats are on sale again although nobody asked for them.

Every minute; what is left over for longer (Stripe does not know the session, a payment whose event is lost) is the
quarter-hourly reconciliation's. A checkout that wants the seats does not wait for either (`checkout.ended_holds`).
See docs/rules.md, "Seats".
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from ticketing.database import Database
from ticketing.errors import StripeUnavailable
from ticketing.orders.status import OrderStatus
from ticketing.payments.release import release_order
from ticketing.reconciliation.session_search import RateLimitedSessions, Sessions
from ticketing.stripe.ending import Outcome, end_session
from ticketing.stripe.rate_limit import RateLimiter

# Of the 25 a second that Stripe takes for an endpoint: buyers who leave, and the reconciliation, ask there, too.
_REQUESTS_PER_SECOND: Final = 15.0
_THREADS: Final = 8
# What a run can ask in the time that it has; the oldest first, so the rest is the next one's.
_MOST: Final = 500
# Older ones are asked about by the reconciliation. Otherwise those that cannot be ended would be asked about every
# minute, and stand before the others.
_MINUTES: Final = 20
_CAUSE: Final = "hold_ended"


class EndedHolds(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did: so many holds were given back, so many were `paid` meanwhile, of the others nobody knows yet."""

    given_back: int
    paid: int
    left: int


def end_holds(database: Database, sessions: Sessions, *, deadline: float) -> EndedHolds:
    """End the sessions of unpaid orders whose hold is over, and give their seats back; until `time.monotonic` deadline.

    Safe beside itself and beside everything else: a session is ended once, and a hold given back once.

    Raises:
        ConfigurationError: the API key is wrong.
        DatabaseUnavailable: try again; what was done stays done.
    """
    with database.transaction() as tx:
        ended = tx.all(
            "SELECT id, stripe_checkout_session_id AS session_id FROM ticket_orders WHERE status = %s"
            " AND hold_expires_at <= UTC_TIMESTAMP(6) AND hold_expires_at > UTC_TIMESTAMP(6) - INTERVAL %s MINUTE"
            " AND stripe_checkout_session_id IS NOT NULL ORDER BY hold_expires_at LIMIT %s",
            OrderStatus.PENDING,
            _MINUTES,
            _MOST,
        )
    limited = RateLimitedSessions(sessions, RateLimiter(_REQUESTS_PER_SECOND, deadline=deadline))
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="stripe") as threads:
        # One after the other as they come: seats are free as soon as their session has ended.
        for order, outcome in zip(ended, threads.map(lambda one: _end(limited, one["session_id"]), ended), strict=True):
            outcomes.append(outcome)
            if outcome == "ended":
                release_order(database, order["id"], lost_as="expired", stripe_event_id=_CAUSE)
    return EndedHolds(given_back=outcomes.count("ended"), paid=outcomes.count("paid"), left=outcomes.count("open"))


def _end(sessions: RateLimitedSessions, session_id: str) -> Outcome:
    try:
        return end_session(sessions, session_id)
    except StripeUnavailable:  # also where the time is over
        return "open"
