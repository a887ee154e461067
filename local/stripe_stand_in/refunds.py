"""Refunds: made, read, listed; those that fail or succeed later."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, get_args

from local.stripe_stand_in import balance, currencies, disputes, events, ids
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.errors import invalid_parameter, refused, resource_missing
from local.stripe_stand_in.expand import expand
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.listing import LIST_FIELDS, list_objects
from local.stripe_stand_in.parameters import ArrayOf, HashOf, OneOf, integer, metadata, string
from local.stripe_stand_in.store import Record

# What becomes of a refund; `…_late` by the clock (settle_delay), `requires_action` when a test says so.
Outcome = Literal["succeeds", "succeeds_late", "fails_late", "fails_at_once", "requires_action"]
Ending = Literal["succeeded", "failed", "canceled"]

_FIRST_STATUS = {"succeeds_late": "pending", "fails_at_once": "failed", "requires_action": "requires_action"}
_BECOMES: dict[str, Ending] = {"succeeds_late": "succeeded", "fails_late": "failed"}
CREATE = HashOf(
    {
        "amount": integer(1),
        "charge": string(),
        "payment_intent": string(),
        "reason": OneOf("duplicate", "fraudulent", "requested_by_customer"),
        "metadata": metadata(),
        "expand": ArrayOf(string()),
    },
    known_to_stripe=lambda: (
        "currency",
        "customer",
        "instructions_email",
        "origin",
        "refund_application_fee",
        "reverse_transfer",
    ),
)
LIST = HashOf(LIST_FIELDS | {"payment_intent": string(), "charge": string()})


def create(context: Context, parameters: JsonObject, request: RequestInfo) -> JsonObject:
    """Refund a payment, all that is left of it or a part.

    Raises:
        ApiError: As Stripe: `charge_already_refunded`, `charge_disputed`, more than is left, no payment.
    """
    if "charge" not in parameters and "payment_intent" not in parameters:
        raise invalid_parameter(
            "One of the following params should be provided for this request: payment_intent or charge.",
            None,
            "parameter_missing",
        )
    with context.store.transaction():
        charge = _find_charge(context, parameters)
        amount = _check_amount(context, charge, parameters.get("amount"))
        _draw_on_balance(context, amount)
        outcome = charge.private.get("refund", "succeeds")
        refund = _refund(charge.body, amount, parameters, context.now(), _FIRST_STATUS.get(outcome, "succeeded"))
        record = Record("refund", refund, status=refund["status"], payment_intent=charge.payment_intent)
        if outcome in _BECOMES:
            record.due = context.clock() + context.settle_delay
            record.private["becomes"] = _BECOMES[outcome]
        context.store.insert(balance.of_refund(refund, context.now()))
        if refund["status"] == "failed":
            context.store.insert(balance.of_failed_refund(refund, context.now()))
        context.store.insert(record)
        if refund["status"] == "failed":
            events.emit(context, "refund.created", refund, request)
            events.emit(context, "refund.failed", refund, request)
        else:
            _move_refunded_amount(charge, amount)
            context.store.update(charge)
            events.emit(context, "charge.refunded", charge.body, request)
            events.emit(context, "refund.created", refund, request)
    return expand(context, refund, parameters.get("expand", []))


def _draw_on_balance(context: Context, amount: int) -> None:
    if context.refundable is None:
        return
    if amount > context.refundable:
        raise refused("Insufficient funds in your Stripe balance to refund this amount.", "balance_insufficient")
    context.refundable -= amount


def set_outcome(context: Context, payment_intent_id: str, outcome: Outcome) -> None:
    """Say how refunds of a payment made from now on end.

    Raises:
        ApiError: 404 for a payment that took no money.
        ValueError: There is no such outcome.
    """
    if outcome not in get_args(Outcome):
        raise ValueError(f"a refund's outcome is one of {', '.join(get_args(Outcome))}")
    with context.store.transaction():
        charge = _find_charge(context, {"payment_intent": payment_intent_id})
        charge.private["refund"] = outcome
        context.store.update(charge)


def _find_charge(context: Context, parameters: JsonObject) -> Record:
    charge_id = parameters.get("charge")
    if "payment_intent" in parameters:
        intent_id = parameters["payment_intent"]
        intent = context.store.get("payment_intent", intent_id)
        if intent is None:
            raise resource_missing("payment_intent", intent_id, "payment_intent")
        if intent.status != "succeeded":
            raise refused(
                f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
                "payment_intent_unexpected_state",
                "payment_intent",
            )
        if charge_id not in {None, intent.body["latest_charge"]}:
            raise refused(f"The charge {charge_id} does not belong to {intent_id}.", param="charge")
        charge_id = intent.body["latest_charge"]
    charge = context.store.get("charge", str(charge_id))
    if charge is None:
        raise resource_missing("charge", str(charge_id), "charge")
    if charge.status != "succeeded":
        raise refused(f"Charge {charge_id} was not successful and cannot be refunded.", param="charge")
    return charge


def _check_amount(context: Context, record: Record, asked: int | None) -> int:
    charge = record.body
    if charge["refunded"]:
        raise refused(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    if disputes.stands_against_refund(context, charge["payment_intent"]):
        raise refused(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            "charge_disputed",
        )
    left = int(charge["amount_captured"] - charge["amount_refunded"])
    amount = left if asked is None else asked
    if amount > left:
        of_what = "unrefunded amount on charge" if charge["amount_refunded"] else "charge amount"
        raise refused(
            f"Refund amount ({currencies.format_amount(amount, charge['currency'])}) is greater than {of_what}"
            f" ({currencies.format_amount(left, charge['currency'])})",
            param="amount",
        )
    return amount


def _refund(charge: JsonObject, amount: int, parameters: JsonObject, created: int, status: str) -> JsonObject:
    method = charge["payment_method_details"]["type"]
    details: JsonObject = {"type": method}
    if method == "card":
        details["card"] = {
            "reference_status": "pending",
            "reference_type": "acquirer_reference_number",
            "type": "refund",
        }
    refund = {
        "id": ids.object_id("re" if method == "card" else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "customer": None,
        "customer_account": None,
        "destination_details": details,
        "metadata": parameters.get("metadata", {}),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "presentment_details": _presentment(charge, amount),
        "reason": parameters.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }
    refund |= {"pending_reason": "processing"} if status == "pending" else {}
    return refund | (_failure() if status == "failed" else {})


def _presentment(charge: JsonObject, amount: int) -> JsonObject | None:
    """Return what goes back in the currency that the buyer saw."""
    seen: JsonObject | None = charge.get("presentment_details")
    if not seen:
        return None
    share = Decimal(seen["presentment_amount"]) * amount / charge["amount"]
    return seen | {"presentment_amount": int(share.quantize(Decimal(1), ROUND_HALF_UP))}


def _failure() -> JsonObject:
    return {"failure_reason": "expired_or_canceled_card"}


def _move_refunded_amount(charge: Record, amount: int) -> None:
    refunded = charge.body["amount_refunded"] + amount
    charge.body |= {"amount_refunded": refunded, "refunded": refunded >= charge.body["amount_captured"]}


def finish(context: Context, refund_id: str, status: Ending) -> JsonObject:
    """Let a refund end: a pending one succeeds or is cancelled, or the bank sends the money back.

    A failed or cancelled refund returns the money to the shop: the charge counts as less refunded again.

    Raises:
        ApiError: 404 for an unknown refund; 400 when it has ended already.
    """
    with context.store.transaction():
        record = find(context, refund_id)
        if record.status in {status, "failed", "canceled"} or (record.status, status) == ("succeeded", "canceled"):
            raise refused(f"This refund's status is {record.status} already.")
        previous = {"status": record.status}
        record.body["status"] = record.status = status
        record.due = None
        record.body.pop("pending_reason", None)
        if status == "failed":
            record.body |= _failure()
        if status != "succeeded":
            context.store.insert(balance.of_failed_refund(record.body, context.now()))
        charge = context.store.get("charge", record.body["charge"])
        if status != "succeeded" and charge is not None:
            _move_refunded_amount(charge, -record.body["amount"])
            context.store.update(charge)
        context.store.update(record)
        events.emit(context, "refund.updated", record.body, RequestInfo(), previous=previous)
        if status == "failed":
            events.emit(context, "refund.failed", record.body, RequestInfo())
    return record.body


def find(context: Context, refund_id: str) -> Record:
    """Return a refund's record.

    Raises:
        ApiError: 404 `resource_missing`.
    """
    record = context.store.get("refund", refund_id)
    if record is None:
        raise resource_missing("refund", refund_id)
    return record


def retrieve(context: Context, refund_id: str, parameters: JsonObject) -> JsonObject:
    """Return a refund; `expand[]` takes charge and payment_intent."""
    return expand(context, find(context, refund_id).body, parameters.get("expand", []))


def list_refunds(context: Context, parameters: JsonObject) -> JsonObject:
    """Return refunds, newest first, of one payment or charge or of all."""
    if "charge" in parameters:
        charge = context.store.get("charge", parameters["charge"])
        if charge is None:
            raise resource_missing("charge", parameters["charge"], "charge")
        # One PaymentIntent of Checkout has one successful charge, and only that one has refunds.
        parameters["payment_intent"] = charge.payment_intent
    page = list_objects(context, "refund", parameters, "/v1/refunds")
    return expand(context, page, parameters.get("expand", []))
