"""What Stripe reports: a Checkout Session, a charge, a refund, a dispute. One type for each, checked, in plain values.

The shapes are Stripe's, cut down to what the shop reads: https://docs.stripe.com/api/checkout/sessions/object,
https://docs.stripe.com/api/charges/object, https://docs.stripe.com/api/refunds/object,
https://docs.stripe.com/api/disputes/object. Amounts are minor units of the currency beside them; currencies are ISO
codes in small letters; times are Unix seconds. What metadata says is text of other people's: unchecked, and `?` where
it is no word.
"""

from __future__ import annotations

from typing import Any

import msgspec

# A Checkout Session as Stripe writes it, in plain dictionaries and lists.
SessionObject = dict[str, Any]


class SessionIdentity(msgspec.Struct, kw_only=True, omit_defaults=True):
    """By what a Checkout Session may be known as an order's: its id, and what its metadata names, unchecked.

    `ticketing.payments.identity` decides whether it is one.
    """

    session_id: str
    order_reference: str | None = None
    event_reference: str | None = None
    ticket_reference: str | None = None
    order_mark: str | None = None


def identity_of(session: SessionObject) -> SessionIdentity:
    """Give by what a session, as Stripe's API answers it, may be known."""
    return SessionIdentity(session_id=str(session["id"]), **names_in(session.get("metadata")))


def names_in(metadata: object) -> dict[str, str | None]:
    """Give what metadata says of order, event, ticket and mark, as the fields of `SessionIdentity`."""
    told = metadata if isinstance(metadata, dict) else {}
    return {
        "order_reference": _text(told.get("order_id")),
        "event_reference": _text(told.get("event_id")),
        "ticket_reference": _text(told.get("ticket_id")),
        "order_mark": _text(told.get("order_mark")),
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
