"""What Stripe reports: a Checkout Session, a charge, a refund, a dispute. One type for each, checked, in plain values.

The shapes are Stripe's, cut down to what the shop reads: https://docs.stripe.com/api/checkout/sessions/object,
https://docs.stripe.com/api/charges/object, https://docs.stripe.com/api/refunds/object,
https://docs.stripe.com/api/disputes/object. Amounts are minor units of the currency beside them; currencies are ISO
codes in small letters; times are Unix seconds. What metadata says is text of other people's: unchecked, and `?` where
it is no word.

Each has a `payment_key`: the payment's identity. That is its PaymentIntent; without one, where nothing had to be paid,
its Checkout Session.
"""

from __future__ import annotations

from typing import Any

import msgspec

# A Checkout Session as Stripe writes it, in plain dictionaries and lists.
SessionObject = dict[str, Any]


class OrderNames(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What metadata says of an order, unchecked. `ticketing.payments.identity` decides whether it is that order's."""

    order_reference: str | None = None
    event_reference: str | None = None
    ticket_reference: str | None = None
    order_mark: str | None = None


class SessionIdentity(OrderNames, kw_only=True, omit_defaults=True):
    """By what a Checkout Session may be known as an order's: its id, and what its metadata names."""

    session_id: str


class Session(SessionIdentity, kw_only=True, omit_defaults=True):
    """A Checkout Session. Amounts may be missing where no money was taken.

    `amount_minor` and `currency` are the order's side; `charged_minor` and `charged_currency` are what the buyer was
    charged, which differs with adaptive pricing (https://docs.stripe.com/payments/checkout/adaptive-pricing);
    `charged` is the same as a person writes it, for alerts: `40.00 EUR`. Since 2025-03-31.basil the two sides are the
    same, and what the buyer saw in another currency is `presented_minor` and `presented_currency`; `charged` names it:
    `40.00 EUR, seen by the buyer as 46.80 USD`.
    """

    payment_intent_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    charged_minor: int | None = None
    charged_currency: str | None = None
    charged: str | None = None
    presented_minor: int | None = None
    presented_currency: str | None = None

    @property
    def payment_key(self) -> str:
        """The payment's identity."""
        return self.payment_intent_id or self.session_id


class Charge(OrderNames, kw_only=True, omit_defaults=True):
    """A charge, and how much of it went back so far."""

    charge_id: str
    amount_minor: int
    refunded_minor: int
    currency: str
    payment_intent_id: str | None = None

    @property
    def payment_key(self) -> str:
        """The payment's identity; outside Checkout there are charges without a PaymentIntent."""
        return self.payment_intent_id or self.charge_id


class Refund(OrderNames, kw_only=True, omit_defaults=True):
    """One refund; `status`, `failure_reason` and `pending_reason` are Stripe's words."""

    refund_id: str
    status: str
    amount_minor: int
    currency: str
    payment_intent_id: str | None = None
    charge_id: str | None = None
    failure_reason: str | None = None
    pending_reason: str | None = None

    @property
    def payment_key(self) -> str:
        """The payment's identity."""
        return self.payment_intent_id or self.charge_id or self.refund_id


class Dispute(OrderNames, kw_only=True, omit_defaults=True):
    """A dispute or an inquiry, as Stripe saw it at `as_of`, which is when its event happened.

    `fetched_at`, of a thin event: when Stripe was asked for it, so that its state is at least as new. `reason` is the
    bank's word, `due_by` until when it is to be answered.
    """

    dispute_id: str
    status: str
    amount_minor: int
    currency: str
    payment_intent_id: str | None = None
    charge_id: str | None = None
    as_of: int | None = None
    fetched_at: int | None = None
    reason: str | None = None
    due_by: int | None = None

    @property
    def payment_key(self) -> str:
        """The payment's identity."""
        return self.payment_intent_id or self.charge_id or self.dispute_id


def identity_of(session: SessionObject) -> SessionIdentity:
    """Give by what a session, as Stripe's API answers it, may be known."""
    return SessionIdentity(session_id=str(session["id"]), **order_names(session))


def order_names(found: dict[str, Any]) -> dict[str, str | None]:
    """Give the fields of `OrderNames` from the metadata of an object, as Stripe's API answers it."""
    metadata = found.get("metadata")
    reported = metadata if isinstance(metadata, dict) else {}
    return {
        "order_reference": _text(reported.get("order_id")),
        "event_reference": _text(reported.get("event_id")),
        "ticket_reference": _text(reported.get("ticket_id")),
        "order_mark": _text(reported.get("order_mark")),
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
