"""What the API takes of whoever answers a dispute: evidence, staged or submitted, and that it is accepted."""

import copy

from local.stripe_stand_in import disputes, events
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.errors import invalid_parameter, not_imitated, refused, resource_missing
from local.stripe_stand_in.expand import expand
from local.stripe_stand_in.files import EVIDENCE
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.parameters import ArrayOf, HashOf, boolean, join, metadata, string
from local.stripe_stand_in.store import Record

_FILES = (
    "cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation", "receipt",
    "refund_policy", "service_documentation", "shipping_documentation", "uncategorized_file",
)  # fmt: skip
_LONG_TEXTS = (
    "access_activity_log", "cancellation_policy_disclosure", "cancellation_rebuttal", "duplicate_charge_explanation",
    "product_description", "refund_policy_disclosure", "refund_refusal_explanation", "uncategorized_text",
)  # fmt: skip
_TEXTS = (
    "billing_address", "customer_email_address", "customer_name", "customer_purchase_ip", "duplicate_charge_id",
    "service_date", "shipping_address", "shipping_carrier", "shipping_date", "shipping_tracking_number",
)  # fmt: skip
_LONGEST = 20_000
_LONGEST_TOGETHER = 150_000
UPDATE = HashOf(
    {
        "evidence": HashOf(
            dict.fromkeys((*_FILES, *_TEXTS), string()) | dict.fromkeys(_LONG_TEXTS, string(_LONGEST)),
            known_to_stripe=lambda: ("appeal", "enhanced_evidence"),
        ),
        "submit": boolean(),
        "metadata": metadata(),
        "expand": ArrayOf(string()),
    },
    known_to_stripe=lambda: ("intended_submission_method",),
)
_UNDER_REVIEW = {"needs_response": "under_review", "warning_needs_response": "warning_under_review"}


def update(context: Context, dispute_id: str, parameters: JsonObject, request: RequestInfo) -> JsonObject:
    """Stage evidence, or submit it, which is what Stripe does unless `submit` is false.

    In test mode the text `winning_evidence` wins and `losing_evidence` loses (docs.stripe.com/testing#disputes).

    Raises:
        ApiError: It was answered, or is decided; too much text; no such file.
    """
    record = _find(context, dispute_id)
    body = record.body
    if record.status not in _UNDER_REVIEW:
        raise refused(f"This dispute's status is {record.status}: it takes no evidence.")
    previous = {name: copy.deepcopy(body[name]) for name in ("evidence", "evidence_details", "status")}
    evidence = parameters.get("evidence", {})
    for name in evidence.keys() & set(_FILES):
        _check_file(context, evidence[name], join("evidence", name))
    body["evidence"] |= evidence
    texts = [body["evidence"][name] or "" for name in (*_TEXTS, *_LONG_TEXTS)]
    if sum(map(len, texts)) > _LONGEST_TOGETHER:
        raise invalid_parameter(f"All evidence together has at most {_LONGEST_TOGETHER} characters.", "evidence")
    body["metadata"] |= parameters.get("metadata", {})
    details = body["evidence_details"]
    details["has_evidence"] = any(body["evidence"][name] for name in (*_FILES, *_TEXTS, *_LONG_TEXTS))
    submits = parameters.get("submit", True)
    if submits:
        past_due = bool(details["due_by"]) and context.now() > details["due_by"]
        details |= {"submission_count": 1, "submission_method": "manual", "past_due": past_due}
        body["status"] = record.status = _UNDER_REVIEW[record.status]
    context.store.update(record)
    events.emit(context, "charge.dispute.updated", body, request, previous=previous)
    if submits:
        _decide(context, record)
    return expand(context, record.body, parameters.get("expand", []))


def _decide(context: Context, record: Record) -> None:
    said, is_inquiry = record.body["evidence"]["uncategorized_text"], record.status == "warning_under_review"
    if said == "winning_evidence" or (said == "losing_evidence" and is_inquiry):
        disputes.close_dispute(context, record.body["id"], "warning_closed" if is_inquiry else "won")
    elif said == "losing_evidence":
        disputes.close_dispute(context, record.body["id"], "lost")


def close(context: Context, dispute_id: str, parameters: JsonObject) -> JsonObject:
    """Accept a dispute: it is lost.

    Raises:
        ApiError: It was answered, or is decided, or is an inquiry.
    """
    record = _find(context, dispute_id)
    if record.status == "warning_needs_response":
        raise not_imitated("closing an inquiry", None)
    if record.status != "needs_response":
        raise refused(f"This dispute's status is {record.status}: it cannot be closed.")
    return expand(context, disputes.close_dispute(context, dispute_id, "lost"), parameters.get("expand", []))


def _check_file(context: Context, file_id: str, name: str) -> None:
    file = context.store.get("file", file_id)
    if file is None or file.body["purpose"] != EVIDENCE:
        raise resource_missing("file upload", file_id, name)


def _find(context: Context, dispute_id: str) -> Record:
    record = context.store.get("dispute", dispute_id)
    if record is None:
        raise resource_missing("dispute", dispute_id, "dispute")
    return record
