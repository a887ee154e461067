"""Ends a checkout before its time: at Stripe first, then here, so that nobody pays for seats that are gone."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from ticketing.database import Database
from ticketing.payments.release import release_order

# ended: its hold is given back. paid: the buyer was faster, whatever came of it; its event follows. open: Stripe does
# not end it, or does not know it; reconciliation sees to that.
Outcome = Literal["ended", "paid", "open"]


class EndsSessions(Protocol):
    """Where Checkout Sessions are ended."""

    def expire(self, session_id: str) -> bool:
        """End an open session; False when it is not open any more."""

    def retrieve(self, session_id: str) -> dict[str, Any] | None:
        """Give a session; None where there is none."""


def end_checkout(database: Database, sessions: EndsSessions, *, order_id: int, session_id: str, cause: str) -> Outcome:
    """End an unpaid order's session and give its hold back, once. `cause` names who did in the order's history.

    Raises:
        StripeUnavailable: nobody knows whether the session is open; nothing was given back.
        ConfigurationError: the API key is wrong.
        DatabaseUnavailable: the session has ended, the hold has not: reconciliation gives it back.
    """
    outcome = end_session(sessions, session_id)
    if outcome == "ended":
        release_order(database, order_id, lost_as="expired", stripe_event_id=cause)
    return outcome


def end_session(sessions: EndsSessions, session_id: str) -> Outcome:
    """End a session at Stripe, and say what it is now.

    Raises:
        StripeUnavailable: nobody knows.
        ConfigurationError: the API key is wrong.
    """
    if sessions.expire(session_id):
        return "ended"
    session = sessions.retrieve(session_id)
    status = None if session is None else session["status"]
    if status == "expired":
        return "ended"
    return "paid" if status == "complete" else "open"
