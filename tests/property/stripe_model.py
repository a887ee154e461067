"""As much of Stripe as can happen to a payment, in memory: for a test that needs thousands of steps a second.

Sessions, payments, refunds and disputes as Stripe writes them, with the fields that the shop reads, and an event for
everything that happens. Nothing is delivered by itself: the test decides what arrives, when and how often.
"""

from __future__ import annotations

import copy
import itertools
import time
from typing import Any, Literal

from tests.factories import envelope, stripe_event
from ticketing.errors import StripeUnavailable
from ticketing.stripe.objects import SessionIdentity, identity_of
from ticketing.stripe.open_session import OpenSession, SessionRequest

Session = dict[str, Any]


class StripeModel:
    """Implements what the shop asks of Stripe: opening, reading, listing and ending sessions."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.sessions: dict[str, Session] = {}
        self.charges: dict[str, dict[str, Any]] = {}  # by PaymentIntent
        self.refunds: dict[str, dict[str, Any]] = {}
        self.disputes: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.refuses_to_open = False

    # --- What the shop asks ------------------------------------------------------------------------------------------

    def open(self, request: SessionRequest, *, retries: int) -> OpenSession:
        del retries
        if self.refuses_to_open:
            raise StripeUnavailable("no answer")
        session = self.new_session(request.metadata, request.unit_minor * request.quantity, request.expires_at)
        return OpenSession(session_id=session["id"], url="https://checkout.example")

    def retrieve(self, session_id: str) -> Session | None:
        session = self.sessions.get(session_id)
        if session is None:
            return None
        shown = copy.deepcopy(session)
        if shown["payment_intent"] is not None:
            charge = copy.deepcopy(self.charges.get(shown["payment_intent"]))
            states = {"paid": "succeeded", "unpaid": "requires_payment_method" if session["failed"] else "processing"}
            status = states[shown["payment_status"]]
            shown["payment_intent"] = {"id": shown["payment_intent"], "status": status, "latest_charge": charge}
        return shown

    def disputes_of(self, payment_intent_id: str) -> list[dict[str, Any]]:
        found = [dispute for dispute in self.disputes.values() if dispute["payment_intent"] == payment_intent_id]
        return copy.deepcopy(found[::-1])

    def expire(self, session_id: str) -> bool:
        session = self.sessions[session_id]
        if session["status"] != "open":
            return False
        session["status"] = "expired"
        self._emit("checkout.session.expired", session)
        return True

    def page(
        self,
        *,
        created_from: int,
        created_until: int,
        status: Literal["complete"] | None = None,
        after: str | None = None,
    ) -> tuple[list[Session], bool]:
        del created_from, created_until, after
        found = [s for s in self.sessions.values() if status is None or s["status"] == status]
        return copy.deepcopy(found[::-1]), False

    def of_payment(self, payment_intent_id: str) -> SessionIdentity | None:
        for session in self.sessions.values():
            if session["payment_intent"] == payment_intent_id:
                return identity_of(session)
        return None

    # --- What buyers, banks and operators do -------------------------------------------------------------------------

    def new_session(self, metadata: dict[str, str], amount: int, expires_at: int | None = None) -> Session:
        number = next(self._numbers)
        session: Session = {
            "id": f"cs_test_{number}",
            "object": "checkout.session",
            "created": int(time.time()),
            "expires_at": expires_at or int(time.time()) + 1800,
            "livemode": False,
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "amount_total": amount,
            "currency": "eur",
            "metadata": dict(metadata),
            "failed": False,  # not Stripe's: that a delayed payment did not succeed
        }
        self.sessions[session["id"]] = session
        return session

    def pay(self, session: Session) -> None:
        session["status"] = "complete"
        if session["amount_total"] == 0:
            session["payment_status"] = "no_payment_required"
        else:
            session["payment_status"] = "paid"
            self._charge(session)
        self._emit("checkout.session.completed", session)

    def pay_later(self, session: Session) -> None:
        session |= {"status": "complete", "payment_intent": f"pi_{next(self._numbers)}"}
        self._emit("checkout.session.completed", session)

    def settle(self, session: Session, *, succeeded: bool) -> None:
        if succeeded:
            session["payment_status"] = "paid"
            self._charge(session)
            self._emit("checkout.session.async_payment_succeeded", session)
        else:
            session["failed"] = True
            self._emit("checkout.session.async_payment_failed", session)

    def refund(self, session: Session, amount: int) -> None:
        charge = self.charges[session["payment_intent"]]
        charge["amount_refunded"] += amount
        refund = {
            "id": f"re_{next(self._numbers)}",
            "object": "refund",
            "amount": amount,
            "currency": "eur",
            "charge": charge["id"],
            "payment_intent": charge["payment_intent"],
            "metadata": {},
            "status": "pending",
        }
        self.refunds[refund["id"]] = refund
        self._emit("charge.refunded", charge)
        self._emit("refund.created", refund)

    def end_refund(self, refund: dict[str, Any], *, succeeded: bool) -> None:
        refund["status"] = "succeeded" if succeeded else "failed"
        if not succeeded:
            self.charges[refund["payment_intent"]]["amount_refunded"] -= refund["amount"]
            self._emit("refund.failed", refund)
        self._emit("refund.updated", refund)

    def dispute(self, session: Session, *, amount: int | None = None, inquiry: bool = False) -> None:
        charge = self.charges[session["payment_intent"]]
        dispute = {
            "id": f"dp_{next(self._numbers)}",
            "object": "dispute",
            "created": int(time.time()),
            "amount": charge["amount"] if amount is None else amount,
            "currency": "eur",
            "charge": charge["id"],
            "payment_intent": charge["payment_intent"],
            "metadata": {},
            "status": "warning_needs_response" if inquiry else "needs_response",
        }
        charge["disputed"] = True
        self.disputes[dispute["id"]] = dispute
        self._emit("charge.dispute.created", dispute)
        if not inquiry:
            self._emit("charge.dispute.funds_withdrawn", dispute)

    def escalate(self, dispute: dict[str, Any]) -> None:
        """The bank asked, and now takes the money."""
        dispute["status"] = "needs_response"
        self._emit("charge.dispute.updated", dispute)
        self._emit("charge.dispute.funds_withdrawn", dispute)

    def drop(self, dispute: dict[str, Any]) -> None:
        """The bank asked, and leaves it at that."""
        dispute["status"] = "warning_closed"
        self.charges[dispute["payment_intent"]]["disputed"] = False
        self._emit("charge.dispute.closed", dispute)

    def close_dispute(self, dispute: dict[str, Any], *, won: bool) -> None:
        """The bank decides; a lost dispute can be won after all."""
        dispute["status"] = "won" if won else "lost"
        if won:
            self._emit("charge.dispute.funds_reinstated", dispute)
        self._emit("charge.dispute.closed", dispute)

    # --- What is true of a payment -----------------------------------------------------------------------------------

    def stands(self, session: Session) -> bool:
        """The shop has money of this session, or it needed none."""
        if session["payment_status"] == "unpaid":
            return False
        charge = self.charges.get(session["payment_intent"] or "")
        if charge is None:
            return True
        return self.gone(charge) < int(charge["amount"])

    def gone(self, charge: dict[str, Any]) -> int:
        """How much of a charge is with the buyer, by refunds and by lost disputes."""
        lost = sum(
            dispute["amount"]
            for dispute in self.disputes.values()
            if dispute["payment_intent"] == charge["payment_intent"] and dispute["status"] == "lost"
        )
        return min(int(charge["amount_refunded"] + lost), int(charge["amount"]))

    def _charge(self, session: Session) -> None:
        session["payment_intent"] = session["payment_intent"] or f"pi_{next(self._numbers)}"
        self.charges[session["payment_intent"]] = {
            "id": f"ch_{next(self._numbers)}",
            "object": "charge",
            "created": int(time.time()),
            "amount": session["amount_total"],
            "amount_refunded": 0,
            "currency": "eur",
            "disputed": False,
            "livemode": False,
            "metadata": dict(session["metadata"]),
            "payment_intent": session["payment_intent"],
        }

    def _emit(self, event_type: str, body: dict[str, Any]) -> None:
        told = copy.deepcopy(body)
        detail = stripe_event(event_type, told, created=int(time.time()))
        self.events.append(envelope(event_type, told, detail=detail))
