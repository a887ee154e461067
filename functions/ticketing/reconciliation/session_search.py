"""Asks Stripe for Checkout Sessions in an orderly way: in pace, and also for orders that do not know theirs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, timedelta
from typing import Any, Final, Literal, Protocol

from ticketing.database import Database
from ticketing.reconciliation import owners
from ticketing.reconciliation.due_orders import DueOrder
from ticketing.reconciliation.findings import PAID_STATUSES, is_disputed, payment_key
from ticketing.stripe.objects import SessionIdentity, SessionObject, identity_of
from ticketing.stripe.rate_limit import RateLimiter

# A checkout makes the order and then, within seconds, its session. But the live shop's database may have written
# local times, and those are at most 14 hours away from UTC.
_AROUND: Final = timedelta(hours=14)


class Sessions(Protocol):
    """Stripe's Checkout Sessions: `ticketing.stripe.sessions.StripeSessions`. Used by several threads at once."""

    def retrieve(self, session_id: str) -> SessionObject | None:
        """Give a session with its PaymentIntent and latest charge; None where Stripe has none."""

    def disputes_of(self, payment_intent_id: str) -> list[dict[str, Any]]:
        """Give the disputes of a payment."""

    def expire(self, session_id: str) -> bool:
        """End an open session; False when it is not open any more."""

    def page(
        self,
        *,
        created_from: int,
        created_until: int,
        status: Literal["complete"] | None = None,
        after: str | None = None,
    ) -> tuple[list[SessionObject], bool]:
        """Give a page of the sessions of a span of time (Unix seconds), newest first, and whether more follow."""

    def of_payment(self, payment_intent_id: str) -> SessionIdentity | None:
        """Give the session that a PaymentIntent belongs to; None: it was not paid in Checkout."""


class RateLimitedSessions:
    """The same, in pace, and as long as there is time.

    Everything here may raise StripeUnavailable, its kind DeadlineExceeded, and ConfigurationError for a wrong key.
    """

    def __init__(self, sessions: Sessions, limiter: RateLimiter) -> None:
        """Take the sessions and the pace at which they may be asked for."""
        self._sessions = sessions
        self._limiter = limiter

    def retrieve(self, session_id: str) -> SessionObject | None:
        """As `Sessions.retrieve`; a session whose charge was disputed also has its `disputes`."""
        session = self._limiter.ask(lambda: self._sessions.retrieve(session_id))
        if session is not None and is_disputed(session):
            session["disputes"] = self._limiter.ask(lambda: self._sessions.disputes_of(payment_key(session)))
        return session

    def expire(self, session_id: str) -> bool:
        """As `Sessions.expire`."""
        return self._limiter.ask(lambda: self._sessions.expire(session_id))

    def page(
        self,
        *,
        created_from: int,
        created_until: int,
        status: Literal["complete"] | None = None,
        after: str | None = None,
    ) -> tuple[list[SessionObject], bool]:
        """As `Sessions.page`."""
        return self._limiter.ask(
            lambda: self._sessions.page(
                created_from=created_from, created_until=created_until, status=status, after=after
            )
        )

    def of_payment(self, payment_intent_id: str) -> SessionIdentity | None:
        """As `Sessions.of_payment`."""
        return self._limiter.ask(lambda: self._sessions.of_payment(payment_intent_id))


def find_missing(database: Database, sessions: RateLimitedSessions, orders: Iterable[DueOrder]) -> dict[int, str]:
    """Find the sessions of those orders that do not know theirs, because their checkout stopped half-way.

    Returns:
        Session ids by order id. Of several sessions of one order the one that took money, else the open one.
    """
    # Stripe is asked for the time around an order: of one without a date nobody knows which.
    wanted = {order.order_id: order for order in orders if order.session_id is None and order.created_at is not None}
    if not wanted:
        return {}
    times = [order.created_at.replace(tzinfo=UTC) for order in wanted.values() if order.created_at is not None]
    found: dict[int, SessionObject] = {}
    after: str | None = None
    while True:
        page, more = sessions.page(
            created_from=max(0, int((min(times) - _AROUND).timestamp())),
            created_until=max(0, int((max(times) + _AROUND).timestamp())),
            after=after,
        )
        with database.transaction() as tx:
            owned = owners.orders_of(tx, [identity_of(session) for session in page])
        for session in page:
            order_id = owned.get(session["id"])
            if order_id in wanted and (order_id not in found or _rank(session) > _rank(found[order_id])):
                found[order_id] = session
        if not more:
            return {order_id: str(session["id"]) for order_id, session in found.items()}
        after = str(page[-1]["id"])


def _rank(session: SessionObject) -> int:
    if session["status"] == "complete":
        return 3 if session["payment_status"] in PAID_STATUSES else 2
    return 1 if session["status"] == "open" else 0
