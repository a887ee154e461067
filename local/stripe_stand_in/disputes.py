"""Disputes: opened and closed by tests (at Stripe, by the buyer's bank), read by the API."""

from typing import Literal

from local.stripe_stand_in import events, ids
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.errors import refused, resource_missing
from local.stripe_stand_in.expand import expand
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.listing import LIST_FIELDS, list_objects
from local.stripe_stand_in.parameters import Raw, array_of, parse, string
from local.stripe_stand_in.store import Record

_EVIDENCE_DAYS = 9


def open_dispute(
    context: Context,
    payment_intent_id: str,
    *,
    amount: int | None = None,
    reason: str = "fraudulent",
) -> JsonObject:
    """Open a dispute on a payment, as the buyer's bank does.

    Args:
        context: The stand-in.
        payment_intent_id: The payment.
        amount: In minor units; None: all of it.
        reason: Stripe's `reason`.

    Raises:
        ApiError: 404 for an unknown payment; 400 for one that took no money or is disputed already.
    """
    with context.store.transaction():
        intent = context.store.get("payment_intent", payment_intent_id)
        charge = context.store.get("charge", str(intent.body["latest_charge"])) if intent else None
        if charge is None:
            raise resource_missing("payment_intent", payment_intent_id, "payment_intent")
        if charge.status != "succeeded" or charge.body["disputed"]:
            raise refused("Only a successful charge without a dispute can be disputed.", "charge_disputed")
        body = _dispute(charge.body, amount or charge.body["amount"], reason, context.now())
        charge.body["disputed"] = True
        context.store.update(charge)
        context.store.insert(Record("dispute", body, status=body["status"], payment_intent=payment_intent_id))
        events.emit(context, "charge.dispute.created", body, RequestInfo())
    return body


def _dispute(charge: JsonObject, amount: int, reason: str, created: int) -> JsonObject:
    method = charge["payment_method_details"]["type"]
    details: JsonObject = {"type": method, method: {}}
    if method == "card":
        card = charge["payment_method_details"]["card"]
        details["card"] = {"brand": card["brand"], "case_type": "chargeback", "network_reason_code": "10.4"}
    return {
        "id": ids.object_id("dp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": created + _EVIDENCE_DAYS * 24 * 3600,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": details,
        "reason": reason,
        "status": "needs_response",
    }


def close_dispute(context: Context, dispute_or_payment_id: str, status: Literal["won", "lost"]) -> JsonObject:
    """Let the bank decide a dispute; a lost one keeps the money from the shop.

    Raises:
        ApiError: 404 for an unknown dispute or payment; 400 when it has been closed already.
    """
    with context.store.transaction():
        record = context.store.get("dispute", dispute_or_payment_id)
        if record is None:
            of_payment = context.store.of_payment("dispute", dispute_or_payment_id)
            record = of_payment[-1] if of_payment else None
        if record is None:
            raise resource_missing("dispute", dispute_or_payment_id, "dispute")
        if record.status in {"won", "lost"}:
            raise refused("This dispute is already closed.", "dispute_already_closed")
        record.body["status"] = record.status = status
        context.store.update(record)
        charge = context.store.get("charge", record.body["charge"])
        if status == "won" and charge is not None:
            charge.private["dispute_won"] = True
            context.store.update(charge)
        events.emit(context, "charge.dispute.closed", record.body, RequestInfo())
    return record.body


def retrieve(context: Context, dispute_id: str, raw: Raw) -> JsonObject:
    """Return a dispute."""
    parameters = parse({"expand": array_of(string())}, raw)
    record = context.store.get("dispute", dispute_id)
    if record is None:
        raise resource_missing("dispute", dispute_id, "dispute")
    return expand(context, record.body, parameters.get("expand", []))


def list_disputes(context: Context, raw: Raw) -> JsonObject:
    """Return disputes, newest first, of one payment or of all."""
    parameters = parse(LIST_FIELDS | {"payment_intent": string()}, raw)
    page = list_objects(context, "dispute", parameters, "/v1/disputes")
    return expand(context, page, parameters.get("expand", []))
