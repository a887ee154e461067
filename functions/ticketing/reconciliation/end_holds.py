"""Ends the holds whose time is over, so that their seats are on sale again although nobody asked for them.

Every minute; what is left over for longer (Stripe does not know the session, a payment whose event is lost) is the
quarter-hourly reconciliation's. A checkout that wants the seats does not wait for either (`checkout.ended_holds`).
See docs/rules.md, "Seats".
"""

from __future__ import annotations

from typing import Final

import msgspec

from ticketing.checkout.ended_holds import end_each
from ticketing.database import Database
from ticketing.orders.status import OrderStatus
from ticketing.reconciliation.session_search import RateLimitedSessions, Sessions
from ticketing.stripe.rate_limit import RateLimiter

# Of the 25 a second that Stripe takes for an endpoint: buyers who leave, and the reconciliation, ask there, too.
_REQUESTS_PER_SECOND: Final = 15.0
_THREADS: Final = 8
# What a run can ask in the time that it has; the oldest first, so the rest is the next one's.
_MOST: Final = 500
# Older ones are asked about by the reconciliation. Otherwise those that cannot be ended would be asked about every
# minute, and stand before the others.
_MINUTES: Final = 20


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
            "SELECT id, stripe_checkout_session_id FROM ticket_orders WHERE status = %s"
            " AND hold_expires_at <= UTC_TIMESTAMP(6) AND hold_expires_at > UTC_TIMESTAMP(6) - INTERVAL %s MINUTE"
            " AND stripe_checkout_session_id IS NOT NULL ORDER BY hold_expires_at LIMIT %s",
            OrderStatus.PENDING,
            _MINUTES,
            _MOST,
        )
    limited = RateLimitedSessions(sessions, RateLimiter(_REQUESTS_PER_SECOND, deadline=deadline))
    outcomes = end_each(database, limited, ended, at_once=_THREADS)
    return EndedHolds(given_back=outcomes.count("ended"), paid=outcomes.count("paid"), left=outcomes.count("open"))
