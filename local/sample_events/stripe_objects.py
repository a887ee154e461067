"""Stripe's objects as they stand in the sample events: whole, and always the same; every value is made up."""

from __future__ import annotations

import hashlib
import string
from typing import Any, Final

from local.stripe_stand_in import disputes, payment_object, session_object
from local.stripe_stand_in.instruments import CARDS

Body = dict[str, Any]

# The rows of events/orders.sql.
EVENT_ID, TICKET_ID, ORDER_ID, FREE_ORDER_ID = 4240, 4241, 4242, 4243
ORDER_MINOR: Final = 4000
SHOP: Final = "https://shop.example"
API_VERSION: Final = "2025-10-29.clover"
_NOON: Final = 1_795_262_400  # 2026-11-21T12:00:00Z
_CARD: Final = "4242424242424242"
_EMAIL, _NAME = "ada.sample@example.com", "Ada Sample"
_ALPHABET: Final = string.ascii_letters + string.digits


def stripe_id(prefix: str, label: str, length: int = 23) -> str:
    """Give an id that looks as Stripe's do and depends on its label only: `pi_3`, `first payment`."""
    digest = b"".join(hashlib.sha256(f"{prefix}{label}{part}".encode()).digest() for part in range(3))
    return prefix + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:length])


SESSION_ID: Final = stripe_id("cs_test_a1", "order 4242", 56)
FREE_SESSION_ID: Final = stripe_id("cs_test_b1", "order 4243", 56)
PAYMENT_ID: Final = stripe_id("pi_3", "order 4242")
CHARGE_ID: Final = stripe_id("ch_3", "order 4242")


def session(order_id: int = ORDER_ID, **fields: Any) -> Body:  # noqa: ANN401 -- any JSON value
    """A Checkout Session that was paid by card, of order 4242 (2 x 20.00 EUR) unless told otherwise."""
    body: Body = session_object.checkout_session(
        {
            "cancel_url": f"{SHOP}/events/{EVENT_ID}?payment=cancelled",
            "client_reference_id": str(order_id),
            "customer_email": _EMAIL,
            "metadata": _metadata(order_id),
            "success_url": f"{SHOP}/events/{EVENT_ID}?payment=success&session_id={{CHECKOUT_SESSION_ID}}",
        },
        created=_NOON - 300,
        expires_at=_NOON + 1500,
        currency="eur",
        total=ORDER_MINOR,
        session_id=SESSION_ID,
    )
    body |= {
        "customer_details": session_object.customer_details(_EMAIL, _NAME, "AT"),
        "payment_intent": PAYMENT_ID,
        "payment_method_configuration_details": {"id": stripe_id("pmc_1", "settings"), "parent": None},
        "payment_status": "paid",
        "status": "complete",
    }
    return body | fields


def charge(*, refunded: int) -> Body:
    """The charge of order 4242's payment, so much of which (minor units) went back."""
    details = payment_object.card_details(_CARD, CARDS[_CARD], ORDER_MINOR)
    details["card"]["fingerprint"] = stripe_id("", "card", 16)
    intent = dict.fromkeys(["description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix"])
    body: Body = payment_object.charge(
        {
            **intent,
            "id": PAYMENT_ID,
            "amount": ORDER_MINOR,
            "currency": "eur",
            "metadata": _metadata(ORDER_ID),
            "transfer_group": None,
        },
        created=_NOON,
        status="succeeded",
        details=details,
        payer=session_object.customer_details(_EMAIL, _NAME, "AT"),
    )
    return body | {
        "id": CHARGE_ID,
        "amount_refunded": refunded,
        "balance_transaction": stripe_id("txn_3", "order 4242"),
        "payment_method": stripe_id("pm_1", "order 4242"),
        "refunded": refunded >= ORDER_MINOR,
    }


def refund(**fields: Any) -> Body:  # noqa: ANN401 -- any JSON value
    """A refund of order 4242's whole payment."""
    return {
        "id": stripe_id("re_3", "order 4242"),
        "object": "refund",
        "amount": ORDER_MINOR,
        "balance_transaction": stripe_id("txn_3", "refund of order 4242"),
        "charge": CHARGE_ID,
        "created": _NOON + 86_400,
        "currency": "eur",
        "customer": None,
        "customer_account": None,
        "destination_details": {
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
            "type": "card",
        },
        "metadata": {},
        "payment_intent": PAYMENT_ID,
        "payment_method": stripe_id("pm_1", "order 4242"),
        "reason": "requested_by_customer",
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
        **fields,
    }


def dispute(status: str) -> Body:
    """A dispute of order 4242's payment."""
    return disputes.dispute_object(
        {
            "id": stripe_id("dp_1", "order 4242"),
            "amount": ORDER_MINOR,
            "charge": CHARGE_ID,
            "created": _NOON + 7 * 86_400,
            "currency": "eur",
            "is_charge_refundable": False,
            "payment_intent": PAYMENT_ID,
            "payment_method_details": disputes.card_method("visa"),
            "reason": "fraudulent",
            "status": status,
        },
        due_by=_NOON + 16 * 86_400,
    )


def stripe_event(label: str, event_type: str, body: object, **fields: Any) -> Body:  # noqa: ANN401
    """The Stripe Event around an object, its id made from a label."""
    return {
        "id": stripe_id("evt_1", label),
        "object": "event",
        "api_version": API_VERSION,
        "created": _NOON + 2,
        "data": {"object": body},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
        **fields,
    }


def _metadata(order_id: int) -> dict[str, str]:
    return {"order_id": str(order_id), "event_id": str(EVENT_ID), "ticket_id": str(TICKET_ID)}
