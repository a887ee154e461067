"""Stripe in memory, as the property test has it, with a gate before each question that may change something."""

from __future__ import annotations

import copy
from typing import Any

from tests.factories import envelope, stripe_event
from tests.property.stripe_model import Session, StripeModel
from tests.schedules.footprint import of_object
from tests.schedules.gates import Step, here
from ticketing.stripe.objects import Refund
from ticketing.stripe.open_session import OpenSession, SessionRequest

# When all that is told happened.
AT = 1795000000


def _gate(question: str, key: str) -> None:
    slot = here()
    if slot is not None:
        slot.stop(Step(f"Stripe: {question} {key}", of_object("at Stripe", key)))


class GatedStripe(StripeModel):
    """What the shop asks of Stripe, and what buyers do there."""

    def copy(self) -> GatedStripe:
        """Give another one of which all is as here."""
        other = GatedStripe()
        other.sessions, other.charges = copy.deepcopy(self.sessions), copy.deepcopy(self.charges)
        other.refunds, other.disputes = copy.deepcopy(self.refunds), copy.deepcopy(self.disputes)
        other._numbers = copy.copy(self._numbers)
        return other

    def open(self, request: SessionRequest, *, retries: int) -> OpenSession:
        # Nobody else knows the session yet.
        return super().open(request, retries=retries)

    def retrieve(self, session_id: str) -> Session | None:
        _gate("read", session_id)
        return super().retrieve(session_id)

    def expire(self, session_id: str) -> bool:
        _gate("end", session_id)
        return super().expire(session_id)

    def pays(self, session_id: str) -> bool:
        """The buyer pays; False: the page says that its time is over."""
        _gate("pay", session_id)
        session = self.sessions[session_id]
        if session["status"] == "open":
            self.pay(session)
        return bool(session["payment_status"] != "unpaid")

    # --- Refunds, as `ticketing.payments.issue_refund` asks for them -----------------------------------------------

    def refund_payment(self, payment_intent_id: str, key: str, amount: int | None) -> Refund | None:
        _gate("refund", payment_intent_id)
        refund_id = f"re_{key}"
        known = self.refunds.get(refund_id)
        charge = self.charges[payment_intent_id]
        left = charge["amount"] - charge["amount_refunded"]
        if known is None and not left:
            return None
        if known is None:
            charge["amount_refunded"] += amount or left
            known = self.refunds[refund_id] = {"amount": amount or left, "payment_intent": payment_intent_id}
        return _refund(refund_id, payment_intent_id, known["amount"], charge["id"])

    def made_before(self, payment_intent_id: str) -> list[Refund]:
        charge = self.charges[payment_intent_id]
        mine = [(key, r) for key, r in self.refunds.items() if r["payment_intent"] == payment_intent_id]
        return [_refund(key, payment_intent_id, r["amount"], charge["id"]) for key, r in reversed(mine)]


class MakesRefunds:
    """`ticketing.payments.issue_refund.Refunds`."""

    def __init__(self, stripe: GatedStripe) -> None:
        self._stripe = stripe

    def refund(
        self, payment_intent_id: str, *, order_id: int, idempotency_key: str, amount_minor: int | None = None
    ) -> Refund | None:
        del order_id
        return self._stripe.refund_payment(payment_intent_id, idempotency_key, amount_minor)

    def made_before(self, payment_intent_id: str) -> list[Refund]:
        return self._stripe.made_before(payment_intent_id)


def _refund(refund_id: str, payment: str, amount: int, charge: str) -> Refund:
    return Refund(
        refund_id=refund_id,
        payment_intent_id=payment,
        charge_id=charge,
        amount_minor=amount,
        currency="eur",
        status="succeeded",
    )


def told(event_type: str, body: dict[str, Any]) -> dict[str, Any]:
    """The envelope of an event about something at Stripe, as it is now."""
    body = copy.deepcopy(body)
    return envelope(event_type, body, detail=stripe_event(event_type, body, created=AT))
