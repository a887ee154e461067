"""Ends a Checkout Session before its time, and says what it is where the buyer was faster."""

from __future__ import annotations

from typing import Any, Literal, Protocol

# ended: nobody can pay any more. paid: the buyer was faster, whatever came of it; its event follows. open: Stripe does
# not end it, or does not know it; reconciliation sees to that.
Outcome = Literal["ended", "paid", "open"]


class EndsSessions(Protocol):
    """Where Checkout Sessions are ended: `ticketing.stripe.sessions.StripeSessions`."""

    def expire(self, session_id: str) -> bool:
        """End an open session; False when it is not open any more."""

    def retrieve(self, session_id: str) -> dict[str, Any] | None:
        """Give a session; None where Stripe has none."""


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
