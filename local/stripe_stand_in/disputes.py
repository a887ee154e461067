"""Disputes: opened and closed by tests (at Stripe, by the buyer's bank), read by the API."""

from typing import Literal

from local.stripe_stand_in import balance, events, ids
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.errors import refused, resource_missing
from local.stripe_stand_in.expand import expand
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.listing import LIST_FIELDS, list_objects
from local.stripe_stand_in.parameters import HashOf, string
from local.stripe_stand_in.store import Record

LIST = HashOf(LIST_FIELDS | {"payment_intent": string(), "charge": string()})
Decision = Literal["won", "lost", "warning_closed"]

_EVIDENCE_SECONDS = 9 * 24 * 3600
_FEE = 2000  # in minor units
_INQUIRIES = frozenset({"warning_needs_response", "warning_under_review"})
_OPEN = frozenset({"needs_response", "under_review"})


def open_dispute(
    context: Context,
    payment_intent_id: str,
    *,
    amount: int | None = None,
    reason: str = "fraudulent",
    inquiry: bool = False,
) -> JsonObject:
    """Open a dispute on a payment, as the buyer's bank does.

    Args:
        context: The stand-in.
        payment_intent_id: The payment.
        amount: In minor units; None: all of it.
        reason: Stripe's `reason`.
        inquiry: The bank asks first (`warning_needs_response`); the money stays until `escalate`.

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
        disputed = charge.body["amount"] if amount is None else amount
        if not 0 < disputed <= charge.body["amount"]:
            raise refused(f"A dispute is over 1 to {charge.body['amount']}, not {disputed}.", param="amount")
        body = _dispute(charge.body, disputed, reason, context.now(), inquiry=inquiry)
        charge.body["disputed"] = True
        context.store.update(charge)
        if not inquiry:
            _move_funds(context, body, -disputed)
        context.store.insert(Record("dispute", body, status=body["status"], payment_intent=payment_intent_id))
        events.emit(context, "charge.dispute.created", body, RequestInfo())
        if not inquiry:
            events.emit(context, "charge.dispute.funds_withdrawn", body, RequestInfo())
    return body


_EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation",
    "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt", "refund_policy",
    "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation",
    "shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation",
    "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def _dispute(charge: JsonObject, amount: int, reason: str, created: int, *, inquiry: bool) -> JsonObject:
    return dispute_object(
        {
            "id": ids.object_id("dp"),
            "amount": amount,
            "charge": charge["id"],
            "created": created,
            "currency": charge["currency"],
            "is_charge_refundable": inquiry,
            "payment_intent": charge["payment_intent"],
            "payment_method_details": _method(charge["payment_method_details"], inquiry=inquiry),
            "reason": reason,
            "status": "warning_needs_response" if inquiry else "needs_response",
        },
        due_by=created + _EVIDENCE_SECONDS,
    )


def dispute_object(fields: JsonObject, *, due_by: int) -> JsonObject:
    """Return a dispute in the shape the API shows (docs.stripe.com/api/disputes/object).

    Args:
        fields: What is not the same for all: id, amount, charge, status, …
        due_by: Until when it is to be answered, in Unix time.
    """
    return {
        "object": "dispute",
        "balance_transactions": [],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(_EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due_by,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "livemode": False,
        "metadata": {},
        **fields,
    }


def _method(details: JsonObject, *, inquiry: bool) -> JsonObject | None:
    if details["type"] != "card":
        return None  # Stripe says something of cards and some wallets only
    return card_method(details["card"]["brand"], inquiry=inquiry)


def card_method(brand: str, *, inquiry: bool = False) -> JsonObject:
    """Return a dispute's `payment_method_details` of a card."""
    return {
        "type": "card",
        "card": {
            "brand": brand,
            "case_type": "inquiry" if inquiry else "chargeback",
            "network": brand,
            "network_reason_code": "10.4",
        },
    }


def _move_funds(context: Context, dispute: JsonObject, amount: int) -> None:
    fee = _FEE if amount < 0 else 0
    context.store.insert(balance.of_dispute(dispute, amount, context.now(), fee=fee))


def escalate(context: Context, dispute_or_payment_id: str) -> JsonObject:
    """Let an inquiry become a dispute: the bank takes the money, and there is a new deadline.

    Raises:
        ApiError: 404 for an unknown dispute or payment; 400 when it is no open inquiry.
    """
    with context.store.transaction():
        record = _find(context, dispute_or_payment_id)
        if record.status not in _INQUIRIES:
            raise refused(f"This dispute's status is {record.status}; only an open inquiry can become a dispute.")
        body, now = record.body, context.now()
        previous = {"status": body["status"], "is_charge_refundable": True, "balance_transactions": []}
        body |= {"status": "needs_response", "is_charge_refundable": False}
        body["evidence_details"] |= {"due_by": now + _EVIDENCE_SECONDS}
        if body["payment_method_details"] is not None:
            body["payment_method_details"]["card"]["case_type"] = "chargeback"
        _move_funds(context, body, -body["amount"])
        record.status = "needs_response"
        context.store.update(record)
        events.emit(context, "charge.dispute.updated", body, RequestInfo(), previous=previous)
        events.emit(context, "charge.dispute.funds_withdrawn", body, RequestInfo())
    return body


def close_dispute(context: Context, dispute_or_payment_id: str, status: Decision) -> JsonObject:
    """Let the bank decide a dispute; a lost one keeps the money from the shop, and can be won after all.

    Raises:
        ApiError: 404 for an unknown dispute or payment; 400 when it cannot end so: it has been closed
            already, or it is an inquiry (which ends as `warning_closed`).
    """
    with context.store.transaction():
        record = _find(context, dispute_or_payment_id)
        from_where = {"warning_closed": _INQUIRIES, "lost": _OPEN, "won": _OPEN | {"lost"}}[status]
        if record.status not in from_where:
            raise refused(f"This dispute's status is {record.status}; it cannot become {status}.")
        record.body["status"] = record.status = status
        if status == "won":
            _move_funds(context, record.body, record.body["amount"])
        context.store.update(record)
        if status == "won":
            events.emit(context, "charge.dispute.funds_reinstated", record.body, RequestInfo())
        events.emit(context, "charge.dispute.closed", record.body, RequestInfo())
    return record.body


def stands_against_refund(context: Context, payment_intent_id: str) -> bool:
    """Return whether a payment cannot be refunded because its money is, or stays, with the bank."""
    return any(
        not record.body["is_charge_refundable"] and record.status != "won"
        for record in context.store.of_payment("dispute", payment_intent_id)
    )


def _find(context: Context, dispute_or_payment_id: str) -> Record:
    record = context.store.get("dispute", dispute_or_payment_id)
    if record is None:
        of_payment = context.store.of_payment("dispute", dispute_or_payment_id)
        record = of_payment[-1] if of_payment else None
    if record is None:
        raise resource_missing("dispute", dispute_or_payment_id, "dispute")
    return record


def retrieve(context: Context, dispute_id: str, parameters: JsonObject) -> JsonObject:
    """Return a dispute."""
    record = context.store.get("dispute", dispute_id)
    if record is None:
        raise resource_missing("dispute", dispute_id, "dispute")
    return expand(context, record.body, parameters.get("expand", []))


def list_disputes(context: Context, parameters: JsonObject) -> JsonObject:
    """Return disputes, newest first, of one payment or charge or of all."""
    if "charge" in parameters:
        charge = context.store.get("charge", parameters["charge"])
        if charge is None:
            raise resource_missing("charge", parameters["charge"], "charge")
        parameters["payment_intent"] = charge.payment_intent
    page = list_objects(context, "dispute", parameters, "/v1/disputes")
    return expand(context, page, parameters.get("expand", []))
