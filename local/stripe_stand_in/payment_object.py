"""PaymentIntents and Charges in the shape the API shows.

Source: docs.stripe.com/api/payment_intents/object and docs.stripe.com/api/charges/object.
"""

from typing import Literal

from local.stripe_stand_in import ids
from local.stripe_stand_in.instruments import Card, Decline, compact
from local.stripe_stand_in.json_object import JsonObject

_INTENT_NULL = (
    "allowed_payment_method_types", "application", "application_fee_amount", "automatic_payment_methods",
    "canceled_at", "cancellation_reason", "customer", "customer_account", "description",
    "excluded_payment_method_types", "last_payment_error", "latest_charge", "next_action", "on_behalf_of",
    "payment_method", "payment_method_configuration_details", "processing", "receipt_email", "review",
    "setup_future_usage", "shipping", "source", "statement_descriptor", "statement_descriptor_suffix",
    "transfer_data", "transfer_group",
)  # fmt: skip
_CHARGE_NULL = (
    "application", "application_fee", "application_fee_amount", "balance_transaction", "customer",
    "description", "failure_balance_transaction", "failure_code", "failure_message", "on_behalf_of",
    "receipt_email", "receipt_number", "receipt_url", "review", "shipping", "source", "source_transfer",
    "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group",
)  # fmt: skip
# What `payment_intent_data` sets on the PaymentIntent, and what the Charge takes over from there.
_PASSED_ON = (
    "description",
    "metadata",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)


def payment_intent(session: JsonObject, data: JsonObject, created: int) -> JsonObject:
    """Return the PaymentIntent that Checkout makes when the buyer first tries to pay.

    Its metadata is `payment_intent_data.metadata`; the session's own metadata does not get there.
    """
    intent_id = ids.object_id("pi")
    intent: JsonObject = {"id": intent_id, "object": "payment_intent"}
    intent |= dict.fromkeys(_INTENT_NULL)
    intent |= {
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "client_secret": ids.client_secret(intent_id),
        "confirmation_method": "automatic",
        "created": created,
        "currency": session["currency"],
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": session["payment_method_types"],
        "presentment_details": session.get("presentment_details"),
        "status": "requires_payment_method",
    }
    return intent | {name: data[name] for name in _PASSED_ON if name in data}


def charge(
    intent: JsonObject,
    *,
    created: int,
    status: Literal["succeeded", "pending", "failed"],
    details: JsonObject,
    payer: JsonObject,
    decline: Decline | None = None,
) -> JsonObject:
    """Return the Charge of one try to pay; it takes over the PaymentIntent's metadata as it now is."""
    paid = status != "failed"
    method = details["type"]
    outcome = {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network" if paid else "declined_by_network",
        "reason": decline.decline_code or decline.code if decline else None,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": "Payment complete." if paid else "The bank did not return any further details.",
        "type": "authorized" if paid else "issuer_declined",
    }
    body: JsonObject = {"id": ids.object_id("ch" if method == "card" else "py"), "object": "charge"}
    body |= dict.fromkeys(_CHARGE_NULL)
    body |= {
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if status == "succeeded" else 0,
        "amount_refunded": 0,
        "billing_details": {
            "address": payer["address"]
            or dict.fromkeys(
                ["city", "country", "line1", "line2", "postal_code", "state"],
            ),
            "email": payer["email"],
            "name": payer["name"],
            "phone": None,
            "tax_id": None,
        },
        "calculated_statement_descriptor": "CACHAO LOCAL" if method == "card" else None,
        "captured": paid,
        "created": created,
        "currency": intent["currency"],
        "disputed": False,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "fraud_details": {},
        "livemode": False,
        "outcome": outcome,
        "paid": status == "succeeded",
        "payment_intent": intent["id"],
        "payment_method": ids.object_id("pm"),
        "payment_method_details": details,
        "presentment_details": intent.get("presentment_details"),
        "radar_options": {},
        "refunded": False,
        "status": status,
    }
    body |= {name: intent[name] for name in _PASSED_ON}
    return body | {"metadata": dict(intent["metadata"])}


def card_details(number: str, card: Card, amount: int) -> JsonObject:
    """Return `payment_method_details` of a card that was charged with an amount."""
    return {
        "card": {
            "amount_authorized": None,
            "authorization_code": None,
            "brand": card.brand,
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "pass",
            },
            "country": "US",
            "exp_month": 12,
            "exp_year": 2034,
            "extended_authorization": {"status": "disabled"},
            "fingerprint": ids.fingerprint(),
            "funding": "credit",
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": compact(number)[-4:],
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": card.brand,
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
            "regulated_status": "unregulated",
            "three_d_secure": None,
            "transaction_link_id": None,
            "wallet": None,
        },
        "type": "card",
    }


def sepa_details(iban: str) -> JsonObject:
    """Return `payment_method_details` of a SEPA bank account."""
    account = compact(iban)
    return {
        "sepa_debit": {
            "bank_code": account[4:9],
            "branch_code": "",
            "country": account[:2],
            "fingerprint": ids.fingerprint(),
            "last4": account[-4:],
            "mandate": ids.object_id("mandate"),
        },
        "type": "sepa_debit",
    }


def payment_error(decline: Decline, body: JsonObject) -> JsonObject:
    """Return the `last_payment_error` of a PaymentIntent whose last try failed."""
    method = body["payment_method_details"]["type"]
    error: JsonObject = {
        "charge": body["id"],
        "code": decline.code,
        "doc_url": f"https://stripe.com/docs/error-codes/{decline.code.replace('_', '-')}",
        "message": decline.message,
        "payment_method": {
            "id": body["payment_method"],
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": body["billing_details"],
            method: _reusable(method, body["payment_method_details"][method]),
            "created": body["created"],
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": {},
            "radar_options": {},
            "type": method,
        },
        "type": "card_error" if method == "card" else "invalid_request_error",
    }
    return error | ({"decline_code": decline.decline_code} if decline.decline_code else {})


def _reusable(method: str, details: JsonObject) -> JsonObject:
    """Return what a PaymentMethod says of a card or a bank account, from what its charge says."""
    if method == "sepa_debit":
        copied = ("bank_code", "branch_code", "country", "fingerprint", "last4")
        return {name: details[name] for name in copied} | {"generated_from": {"charge": None, "setup_attempt": None}}
    of_card = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    return {name: details[name] for name in (*of_card, "regulated_status", "wallet")} | {
        "display_brand": details["brand"],
        "generated_from": None,
        "networks": {"available": [details["brand"]], "preferred": None},
        "three_d_secure_usage": {"supported": True},
    }
