"""Ends a checkout before its time: at Stripe first, then here, so that nobody pays for seats that are gone."""

from __future__ import annotations

from ticketing.database import Database
from ticketing.payments.release import release_order
from ticketing.stripe.ending import EndsSessions, Outcome, end_session


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
