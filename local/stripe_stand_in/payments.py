"""Paying: what happens when the buyer presses the button, and later when a debit settles."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from local.stripe_stand_in import balance, currencies, disputes, events, payment_object, sessions
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.errors import refused, resource_missing
from local.stripe_stand_in.expand import expand
from local.stripe_stand_in.instruments import (
    SLOW_SECONDS,
    BankAccount,
    Card,
    Decline,
    find_bank_account,
    find_card,
)
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.parameters import ArrayOf, HashOf, string
from local.stripe_stand_in.session_object import customer_details
from local.stripe_stand_in.store import Record

Outcome = Literal["paid", "processing", "declined", "already_complete", "expired"]
DEFAULT_CARD = "4242424242424242"
DEFAULT_EMAIL = "buyer@example.com"
DEFAULT_NAME = "Test Buyer"
BUYER = RequestInfo()
RETRIEVE_INTENT = HashOf({"expand": ArrayOf(string()), "client_secret": string()})


@dataclass(frozen=True)
class PayResult:
    """What came of a try to pay.

    Attributes:
        outcome: `paid` (also a session over 0); `processing`: a debit whose result comes later;
            `declined`: the session stays open; `already_complete` and `expired`: nothing was tried.
        payment_status: The session's, afterwards.
        payment_intent: The payment, or None where none was needed or tried.
        message: A sentence for the buyer.
        redirect_url: Where the buyer goes now, or None when they stay on the page.
    """

    outcome: Outcome
    session_id: str
    payment_status: str
    payment_intent: str | None
    message: str
    redirect_url: str | None


@dataclass(frozen=True)
class Payer:
    """What the buyer put into the hosted page. A card, or an IBAN; neither means the default test card.

    Attributes:
        country: Two letters; without it that of the test cards, or of the IBAN.
        convert_to: The currency that adaptive pricing lets the buyer pay in, with `fx_rate` the number
            of units of it for one unit of the session's own.
        converts_session: As for sessions made before 2025-03-31: the session itself is in that currency, and
            `currency_conversion` keeps its own. Since then `presentment_details` say what the buyer saw.
    """

    card: str | None = None
    iban: str | None = None
    email: str | None = None
    name: str | None = None
    convert_to: str | None = None
    fx_rate: str = "1.1"
    converts_session: bool = False
    country: str | None = None
    postal_code: str | None = None


def pay(context: Context, session_id: str, payer: Payer) -> PayResult:
    """Try to pay a session, as its buyer. Of any number of calls at once, one pays.

    Raises:
        ApiError: 404 for an unknown session; 400 for an IBAN or a method that cannot be used here.
    """
    with context.store.transaction():
        record = sessions.find(context, session_id)
        if record.status == "open" and record.body["expires_at"] <= context.clock():
            sessions.expire_now(context, record, BUYER)
        if record.status == "expired":
            return _result(record, "expired", "This checkout session has expired.")
        if record.status != "open":
            return _result(record, "already_complete", "This checkout session has been completed already.")
        if record.body["amount_total"] == 0:
            _complete(context, record, payer, "no_payment_required", country=None)
            return _result(record, "paid", "The order is complete; no payment was needed.")
        if payer.iban is not None:
            return _pay_by_debit(context, record, payer, payer.iban)
        return _pay_by_card(context, record, payer, payer.card or DEFAULT_CARD)


def _result(record: Record, outcome: Outcome, message: str) -> PayResult:
    success_url = record.body["success_url"]
    goes_on = outcome in {"paid", "processing", "already_complete"} and success_url is not None
    return PayResult(
        outcome=outcome,
        session_id=record.id,
        payment_status=record.body["payment_status"],
        payment_intent=record.body["payment_intent"],
        message=message,
        redirect_url=success_url.replace("{CHECKOUT_SESSION_ID}", record.id) if goes_on else None,
    )


def _pay_by_card(context: Context, record: Record, payer: Payer, number: str) -> PayResult:
    card = find_card(number)
    if "card" not in record.body["payment_method_types"]:
        raise refused("This checkout session does not accept cards.", param="payment_method_types")
    if payer.convert_to is not None and card.decline is None:
        _convert(record, payer.convert_to, Decimal(payer.fx_rate), session_itself=payer.converts_session)
    intent = _payment_intent(context, record)
    details = payment_object.card_details(number, card, record.body["amount_total"])
    buyer = _customer(record, payer, "US")
    charge = payment_object.charge(
        intent.body,
        created=context.now(),
        status="failed" if card.decline else "succeeded",
        details=details,
        payer=buyer,
        decline=card.decline,
    )
    if card.decline is None:
        context.store.insert(balance.of_charge(charge, context.now()))
    context.store.insert(_charge_record(charge, card))
    if card.decline is not None:
        _fail_intent(context, intent, charge, card.decline)
        context.store.update(record)
        return _result(record, "declined", card.decline.message)
    _succeed_intent(context, intent, charge)
    _complete(context, record, payer, "paid", country="US")
    if card.disputed:
        disputes.open_dispute(context, intent.id)
    return _result(record, "paid", "The payment succeeded.")


def _pay_by_debit(context: Context, record: Record, payer: Payer, iban: str) -> PayResult:
    if "sepa_debit" not in record.body["payment_method_types"]:
        raise refused("This checkout session does not accept SEPA Direct Debit.", param="payment_method_types")
    account = find_bank_account(iban)
    if account is None:
        raise refused("The IBAN you provided is invalid; use a test IBAN.", "invalid_bank_account_iban", "iban")
    intent = _payment_intent(context, record)
    charge = payment_object.charge(
        intent.body,
        created=context.now(),
        status="pending",
        details=payment_object.sepa_details(iban),
        payer=_customer(record, payer, iban[:2].upper()),
    )
    context.store.insert(_charge_record(charge, Card("", refund="succeeds_late")))
    intent.body |= {
        "status": "processing",
        "latest_charge": charge["id"],
        "payment_method": charge["payment_method"],
        "last_payment_error": None,
    }
    intent.private |= {"succeeds": account.succeeds, "disputed": account.disputed}
    intent.status = "processing"
    intent.due = context.clock() + _settling_time(context, account)
    context.store.update(intent)
    _complete(context, record, payer, "unpaid", country=iban[:2].upper())
    return _result(record, "processing", "The debit is on its way; its result is known later.")


def _settling_time(context: Context, account: BankAccount) -> float:
    return SLOW_SECONDS if account.slow else context.settle_delay


def _charge_record(charge: JsonObject, card: Card) -> Record:
    return Record(
        "charge",
        charge,
        private={"refund": card.refund},
        status=charge["status"],
        payment_intent=charge["payment_intent"],
    )


def _customer(record: Record, payer: Payer, country: str | None) -> JsonObject:
    email = record.body["customer_email"] or payer.email or DEFAULT_EMAIL
    return customer_details(
        email, payer.name or DEFAULT_NAME, country and (payer.country or country), payer.postal_code
    )


def _convert(record: Record, currency: str, rate: Decimal, *, session_itself: bool) -> None:
    """Let the buyer pay in another currency; the session keeps its own, or has it on the source side."""
    session, source = record.body, record.body["currency"]
    scale = Decimal(10) ** (currencies.decimals(currency) - currencies.decimals(source))
    amount = int((session["amount_total"] * rate * scale).quantize(Decimal(1), ROUND_HALF_UP))
    if not session_itself:
        session["presentment_details"] = {"presentment_amount": amount, "presentment_currency": currency}
        return
    session["currency_conversion"] = {
        "amount_subtotal": session["amount_subtotal"],
        "amount_total": session["amount_total"],
        "fx_rate": str(rate),
        "source_currency": source,
    }
    session |= {"amount_subtotal": amount, "amount_total": amount, "currency": currency}


def _payment_intent(context: Context, record: Record) -> Record:
    """Return the session's PaymentIntent; it is made when the buyer first tries to pay."""
    known = record.body["payment_intent"]
    found = context.store.get("payment_intent", known) if known else None
    if found is not None:
        copied = {"amount": "amount_total", "currency": "currency", "presentment_details": "presentment_details"}
        found.body |= {name: record.body[of_session] for name, of_session in copied.items()}
        return found
    body = payment_object.payment_intent(record.body, record.private["payment_intent_data"], context.now())
    intent = Record("payment_intent", body, private={"session": record.id}, status=body["status"])
    intent.payment_intent = intent.id
    context.store.insert(intent)
    record.body["payment_intent"] = record.payment_intent = intent.id
    return intent


def _succeed_intent(context: Context, intent: Record, charge: JsonObject) -> None:
    intent.body |= {
        "status": "succeeded",
        "amount_received": intent.body["amount"],
        "latest_charge": charge["id"],
        "payment_method": charge["payment_method"],
        "last_payment_error": None,
    }
    intent.status, intent.due = "succeeded", None
    context.store.update(intent)
    events.emit(context, "charge.succeeded", charge, BUYER)
    events.emit(context, "payment_intent.succeeded", intent.body, BUYER)


def _fail_intent(context: Context, intent: Record, charge: JsonObject, decline: Decline) -> None:
    intent.body |= {
        "status": "requires_payment_method",
        "latest_charge": charge["id"],
        "payment_method": None,
        "last_payment_error": payment_object.payment_error(decline, charge),
    }
    intent.status, intent.due = "requires_payment_method", None
    context.store.update(intent)
    events.emit(context, "charge.failed", charge, BUYER)
    events.emit(context, "payment_intent.payment_failed", intent.body, BUYER)


def _complete(
    context: Context,
    record: Record,
    payer: Payer,
    payment_status: str,
    *,
    country: str | None,
) -> None:
    record.body |= {
        "status": "complete",
        "payment_status": payment_status,
        "customer_details": _customer(record, payer, country),
    }
    record.status, record.due = "complete", None
    context.store.update(record)
    events.emit(context, "checkout.session.completed", sessions.show(context, record), BUYER)


def settle(context: Context, payment_or_session_id: str, *, succeeded: bool) -> PayResult:
    """Decide a payment that is processing, now.

    Args:
        context: The stand-in.
        payment_or_session_id: A `pi_…` or the session's `cs_…`.
        succeeded: Whether the money came.

    Raises:
        ApiError: 404 for an unknown id; 400 when the payment is not processing.
    """
    with context.store.transaction():
        intent = _find_intent(context, payment_or_session_id)
        if intent.status != "processing":
            raise refused(
                f"This PaymentIntent's status is {intent.status}; only a processing one can settle.",
                "payment_intent_unexpected_state",
            )
        record = sessions.find(context, intent.private["session"])
        charge = context.store.get("charge", intent.body["latest_charge"])
        if charge is None:
            raise resource_missing("charge", intent.body["latest_charge"])
        if succeeded:
            _settle_well(context, intent, charge, record)
            return _result(record, "paid", "The payment succeeded.")
        _settle_badly(context, intent, charge, record)
        return _result(record, "declined", "The payment failed.")


def _settle_well(context: Context, intent: Record, charge: Record, record: Record) -> None:
    charge.body |= {"status": "succeeded", "paid": True, "amount_captured": charge.body["amount"]}
    charge.status = "succeeded"
    context.store.insert(balance.of_charge(charge.body, context.now()))
    context.store.update(charge)
    _succeed_intent(context, intent, charge.body)
    record.body["payment_status"] = "paid"
    context.store.update(record)
    events.emit(
        context,
        "checkout.session.async_payment_succeeded",
        sessions.show(context, record),
        BUYER,
    )
    if intent.private.get("disputed"):
        disputes.open_dispute(context, intent.id)


def _settle_badly(context: Context, intent: Record, charge: Record, record: Record) -> None:
    decline = Decline(
        "The customer's bank account could not be debited.",
        "payment_intent_payment_attempt_failed",
    )
    charge.body |= {
        "status": "failed",
        "paid": False,
        "captured": False,
        "failure_code": decline.code,
        "failure_message": decline.message,
    }
    charge.status = "failed"
    context.store.update(charge)
    _fail_intent(context, intent, charge.body, decline)
    events.emit(context, "checkout.session.async_payment_failed", sessions.show(context, record), BUYER)


def _find_intent(context: Context, payment_or_session_id: str) -> Record:
    intent_id = payment_or_session_id
    if intent_id.startswith("cs_"):
        intent_id = sessions.find(context, intent_id).body["payment_intent"] or intent_id
    intent = context.store.get("payment_intent", intent_id)
    if intent is None:
        raise resource_missing("payment_intent", intent_id, "intent")
    return intent


def retrieve_intent(context: Context, intent_id: str, parameters: JsonObject) -> JsonObject:
    """Return a PaymentIntent; `expand[]` takes latest_charge."""
    return expand(context, _find_intent(context, intent_id).body, parameters.get("expand", []))


def retrieve_charge(context: Context, charge_id: str, parameters: JsonObject) -> JsonObject:
    """Return a Charge; `expand[]` takes payment_intent."""
    record = context.store.get("charge", charge_id)
    if record is None:
        raise resource_missing("charge", charge_id)
    return expand(context, record.body, parameters.get("expand", []))
