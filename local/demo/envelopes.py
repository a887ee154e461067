"""Stripe's events as the demo sends them itself, and a file's event fitted to an order of the demo's shop."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.demo.stage import DemoError


def session_event(order: Mapping[str, Any], event_type: str, source: str, **session: object) -> dict[str, Any]:
    """An EventBridge envelope with a Checkout Session event of an order; amounts in minor units."""
    body = {
        "id": order["stripe_checkout_session_id"],
        "object": "checkout.session",
        "amount_total": int(order["total_amount"] * 100),
        "currency": order["currency"],
        "livemode": False,
        "metadata": _names(order),
        "mode": "payment",
        "payment_intent": f"pi_demo{order['id']}",
        "payment_status": "paid",
        "status": "complete",
        **session,
    }
    return {
        "source": source,
        "detail-type": event_type,
        "detail": {
            "id": f"evt_demo{uuid.uuid4().hex[:16]}",
            "object": "event",
            "livemode": False,
            "type": event_type,
            "data": {"object": body},
        },
    }


def _names(order: Mapping[str, Any]) -> dict[str, str]:
    """Give what the shop writes into the metadata of an order's session and PaymentIntent."""
    return {
        "order_id": str(order["id"]),
        "event_id": str(order["event_id"]),
        "ticket_id": str(order["ticket_id"]),
        "order_mark": order["order_mark"],
    }


def read_envelope(file: Path) -> dict[str, Any]:
    """Read an EventBridge envelope from a JSON file.

    Raises:
        DemoError: the file cannot be read, or is no envelope.
    """
    try:
        envelope = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DemoError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise DemoError(f"{file} is not JSON: {error}.") from error
    if not isinstance(envelope, dict) or not {"source", "detail-type", "detail"} <= envelope.keys():
        raise DemoError(f"{file} is no EventBridge envelope: it needs source, detail-type and detail (see events/).")
    return envelope


def fitted(envelope: Mapping[str, Any], order: Mapping[str, Any]) -> dict[str, Any]:
    """Give the envelope with order id, session or payment id, and amounts of an order in it; all else as it was."""
    result: dict[str, Any] = copy.deepcopy(dict(envelope))
    try:
        body = result["detail"]["data"]["object"]
        kind = body["object"]
    except (KeyError, TypeError):
        return result  # nothing to fit: it is sent as it is
    minor = int(order["total_amount"] * 100)
    body["metadata"] = {**(body.get("metadata") or {}), **_names(order)}
    if kind == "checkout.session":
        body.update(
            id=order["stripe_checkout_session_id"],
            amount_total=minor,
            amount_subtotal=minor,
            currency=order["currency"],
            currency_conversion=None,
        )
    else:
        body["payment_intent"] = order["stripe_payment_intent_id"]
        body["currency"] = order["currency"]
        full = body.get("amount") or 1
        refunded = body.get("amount_refunded")
        body["amount"] = minor
        if refunded is not None:
            body["amount_refunded"] = minor * refunded // full
    return result


def needs_a_paid_order(envelope: Mapping[str, Any]) -> bool:
    """Tell whether the event is about a payment that was made: a refund or a dispute."""
    return not str(envelope["detail-type"]).startswith("checkout.session.")
