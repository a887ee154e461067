"""What an event may change, said once more and independently of the code under test (docs/rules.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.faults.rows import Rows

_STRIPE_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_KINDS = {
    "checkout.session.completed": "checkout.session",
    "checkout.session.async_payment_succeeded": "checkout.session",
    "checkout.session.async_payment_failed": "checkout.session",
    "checkout.session.expired": "checkout.session",
    "charge.refunded": "charge",
    "refund.created": "refund",
    "refund.updated": "refund",
    "refund.failed": "refund",
    "charge.dispute.created": "dispute",
    "charge.dispute.updated": "dispute",
    "charge.dispute.funds_withdrawn": "dispute",
    "charge.dispute.funds_reinstated": "dispute",
    "charge.dispute.closed": "dispute",
}
# Where an order may go from each state in one execution.
_MOVES: Mapping[str, frozenset[str]] = {
    "pending": frozenset({"processing", "paid", "expired", "failed", "refunded"}),
    "processing": frozenset({"paid", "failed", "refunded"}),
    "paid": frozenset({"refunded"}),
    "expired": frozenset({"paid"}),
    "failed": frozenset({"paid"}),
    "refunded": frozenset(),
    "cancelled": frozenset(),
}


def order_of(envelope: Any, rows: Rows) -> str | None:
    """Give the id of the only order that this event may change; None: it may change nothing."""
    body = _body_of_valid_event(envelope)
    if body is None:
        return None
    if body["object"] == "checkout.session":
        order_id = _order_of_session(body, rows)
        fits = order_id is not None and _session_fits(envelope["detail-type"], body, order_id, rows)
        return order_id if fits else None
    return _order_of_payment(body, rows)


def check_change(before: Rows, after: Rows, allowed_order: str | None) -> None:
    """Hold what changed against what may change, and every sum against its parts."""
    assert before.keys() <= after.keys(), "rows are gone"
    changed = {place for place, value in after.items() if place not in before or before[place] != value}
    for table, key, column in sorted(changed):
        assert allowed_order is not None, f"{table} {key} {column} changed by an event that may change nothing"
        if table == "ticket_orders":
            assert key == allowed_order, f"order {key} changed by an event of order {allowed_order}"
        elif table == "tickets":
            assert key == str(after["ticket_orders", allowed_order, "ticket_id"]), f"ticket {key} changed"
        elif table == "discount_codes":
            assert key == str(after["ticket_orders", allowed_order, "discount_code_id"]), f"code {key} changed"
        else:
            assert str(after[table, key, "order_id"]) == allowed_order, f"{table} {key} belongs to another order"
    for table, key, column in changed:
        if (table, column) == ("ticket_orders", "status"):
            old, new = before[table, key, column], after[table, key, column]
            assert new in _MOVES[old], f"order {key} went from {old} to {new}"
    check_sums(after)


def check_sums(rows: Rows) -> None:
    """Held and sold are the sums of what orders hold and have counted, and within their bounds."""
    orders = _table(rows, "ticket_orders")
    for key, ticket in _table(rows, "tickets").items():
        own = [order for order in orders.values() if str(order["ticket_id"]) == key]
        sold = sum(o["quantity"] for o in own if o["ticket_counted_at"] and not o["ticket_returned_at"])
        assert ticket["held_quantity"] == sum(order["held_quantity"] for order in own), f"held seats of ticket {key}"
        assert ticket["sold_quantity"] == sold, f"sold seats of ticket {key}"
        assert ticket["max_quantity"] is None or sold + ticket["held_quantity"] <= ticket["max_quantity"]
    for key, code in _table(rows, "discount_codes").items():
        own = [order for order in orders.values() if str(order["discount_code_id"]) == key]
        used = sum(bool(o["discount_counted_at"]) and not o["discount_returned_at"] for o in own)
        assert code["held_count"] == sum(order["code_held"] for order in own), f"held uses of code {key}"
        assert code["used_count"] == used, f"uses of code {key}"
        assert code["max_uses"] is None or used + code["held_count"] <= code["max_uses"]


def _body_of_valid_event(envelope: Any) -> dict[str, Any] | None:
    if not isinstance(envelope, dict) or not isinstance(envelope.get("detail"), dict):
        return None
    source, event = envelope.get("source"), envelope["detail"]
    event_type = event.get("type")
    if not isinstance(source, str) or not (source == "stripe.com" or source.startswith("aws.partner/stripe.com/")):
        return None
    if not isinstance(event_type, str) or event_type not in _KINDS or envelope.get("detail-type") != event_type:
        return None
    data = event.get("data")
    body = data.get("object") if isinstance(data, dict) else None
    fits = (
        event.get("object") == "event"
        and event.get("livemode") is False
        and _is_id(event.get("id"))
        and isinstance(body, dict)
        and body.get("object") == _KINDS[event_type]
        and _is_id(body.get("id"))
    )
    return body if fits else None


def _order_of_session(session: dict[str, Any], rows: Rows) -> str | None:
    """The order that it names, else the one that it stands on; and only if it is its own."""
    orders, named = _table(rows, "ticket_orders"), _named(session)
    on = next((key for key, o in orders.items() if o["stripe_checkout_session_id"] == session["id"]), None)
    if named is None:
        return on
    return named if named in orders and (named == on or _proves(session, orders[named])) else None


def _order_of_payment(body: dict[str, Any], rows: Rows) -> str | None:
    """The order that knows the payment; else the one that is named with its mark."""
    orders, named = _table(rows, "ticket_orders"), _named(body)
    own = body["id"] if body["object"] == "charge" else _id_in(body.get("charge"))
    intent = _id_in(body.get("payment_intent"))
    key = intent or own or body["id"]
    recorded = [str(row["order_id"]) for row in _table(rows, "order_payments").values() if row["payment_key"] == key]
    if recorded:
        return named if named in recorded else min(recorded, key=int)
    on = [order_id for order_id, o in orders.items() if intent and o["stripe_payment_intent_id"] == intent]
    if on:
        return on[0] if len(on) == 1 else None
    return named if named in orders and _proves(body, orders[named]) else None


def _named(body: dict[str, Any]) -> str | None:
    metadata = body.get("metadata")
    reference = metadata.get("order_id") if isinstance(metadata, dict) else None
    return reference if isinstance(reference, str) and reference else None


def _proves(body: dict[str, Any], order: dict[str, Any]) -> bool:
    """Whether the metadata names the order's mark; for one without, its event and its ticket."""
    metadata = body["metadata"]
    if order["order_mark"] is not None:
        return bool(metadata.get("order_mark") == order["order_mark"])
    names = metadata.get("order_mark"), metadata.get("event_id"), metadata.get("ticket_id")
    return names == (None, str(order["event_id"]), str(order["ticket_id"]))


def _id_in(reference: Any) -> str | None:
    return reference.get("id") if isinstance(reference, dict) else reference


def _may_have_another_session(order_id: str, session: dict[str, Any], rows: Rows) -> bool:
    """Whether the payment of another session is told with the order: it is paid, or it was, and knows the payment."""
    status = _table(rows, "ticket_orders")[order_id]["status"]
    payment = session.get("payment_intent")
    key = (payment.get("id") if isinstance(payment, dict) else payment) or session["id"]
    payments = _table(rows, "order_payments").values()
    known = {row["payment_key"] for row in payments if str(row["order_id"]) == order_id}
    return status == "paid" or (status == "refunded" and key in known)


def _session_fits(event_type: str, session: dict[str, Any], order_id: str, rows: Rows) -> bool:
    order = _table(rows, "ticket_orders")[order_id]
    is_payment = session.get("payment_status") in {"paid", "no_payment_required"} and event_type in {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
    }
    stored = order["stripe_checkout_session_id"]
    if stored not in {None, session["id"]}:
        if not is_payment:
            return True  # it took no money: that is noted with the order
        if not _may_have_another_session(order_id, session, rows):
            return False
    conversion = session.get("currency_conversion")
    amount, currency = session.get("amount_total"), session.get("currency")
    if isinstance(conversion, dict):
        amount, currency = conversion.get("amount_total"), conversion.get("source_currency")
    if not is_payment and (amount is None or currency is None):
        return True
    if order["asked_minor"] is not None:
        return bool(amount == order["asked_minor"]) and str(currency).lower() == order["asked_currency"]
    return amount == int(order["total_amount"] * 100) and str(currency).lower() == order["currency"]


def _table(rows: Rows, name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for (table, key, column), value in rows.items():
        if table == name:
            found.setdefault(key, {})[column] = value
    return found


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _STRIPE_ID.fullmatch(value) is not None
