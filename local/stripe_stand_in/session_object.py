"""Checkout Sessions and their line items in the shape the API shows.

Source: docs.stripe.com/api/checkout/sessions/object.
"""

from local.stripe_stand_in import ids
from local.stripe_stand_in.json_object import JsonObject

# Stripe chooses the payment methods from the Dashboard's settings; this account has these two.
_DEFAULT_METHODS = {"eur": ["card", "sepa_debit"]}

_ALWAYS_NULL = (
    "after_expiration", "allow_promotion_codes", "allowed_payment_method_types", "billing_address_collection",
    "cancel_url", "client_reference_id", "client_secret", "collected_information", "consent",
    "consent_collection", "currency_conversion", "customer", "customer_account", "customer_details",
    "customer_email", "excluded_payment_method_types", "integration_identifier", "invoice", "locale",
    "origin_context", "payment_intent", "payment_link", "payment_method_configuration_details", "permissions",
    "presentment_details", "recovered_from", "saved_payment_method_options", "setup_intent",
    "shipping_address_collection", "shipping_cost", "submit_type", "subscription", "url", "wallet_options",
)  # fmt: skip


_COPIED = (
    "allowed_payment_method_types",
    "billing_address_collection",
    "cancel_url",
    "client_reference_id",
    "customer_email",
    "excluded_payment_method_types",
    "locale",
    "submit_type",
)


def line_item(raw: JsonObject, created: int) -> JsonObject:
    """Return a line item made from `price_data`, with its ad hoc price and product."""
    price_data, quantity = raw["price_data"], raw["quantity"]
    amount = price_data["unit_amount"] * quantity
    return {
        "id": ids.object_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price_data["currency"],
        "description": price_data["product_data"]["name"],
        "metadata": raw.get("metadata", {}),
        "price": {
            "id": ids.object_id("price"),
            "object": "price",
            "active": False,
            "billing_scheme": "per_unit",
            "created": created,
            "currency": price_data["currency"],
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": ids.product_id(),
            "recurring": None,
            "tax_behavior": price_data.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "one_time",
            "unit_amount": price_data["unit_amount"],
            "unit_amount_decimal": str(price_data["unit_amount"]),
        },
        "quantity": quantity,
    }


def checkout_session(
    parameters: JsonObject,
    *,
    created: int,
    expires_at: int,
    currency: str,
    total: int,
    session_id: str | None = None,
) -> JsonObject:
    """Return a new, open Checkout Session in payment mode.

    A session over 0 says `no_payment_required` from the start: whoever fulfils orders by
    `payment_status` alone, without looking at `status`, is to find out here.
    """
    session: JsonObject = {"id": session_id or ids.checkout_session_id(), "object": "checkout.session"}
    session |= dict.fromkeys(_ALWAYS_NULL)
    session |= {
        "adaptive_pricing": parameters.get("adaptive_pricing", {"enabled": True}),
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "created": created,
        "currency": currency,
        "custom_fields": [],
        "custom_text": dict.fromkeys(
            ["after_submit", "shipping_address", "submit", "terms_of_service_acceptance"],
        ),
        "customer_creation": parameters.get("customer_creation", "if_required"),
        "discounts": [],
        "expires_at": expires_at,
        "invoice_creation": {
            "enabled": parameters.get("invoice_creation", {}).get("enabled", False),
            "invoice_data": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": None,
                "metadata": {},
                "rendering_options": None,
            },
        },
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": parameters.get("metadata", {}),
        "mode": "payment",
        "payment_method_collection": "if_required",
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": _methods(parameters, currency),
        "payment_status": "unpaid" if total else "no_payment_required",
        "phone_number_collection": parameters.get("phone_number_collection", {"enabled": False}),
        "shipping_options": [],
        "status": "open",
        "success_url": parameters.get("success_url"),
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
    }
    session |= {name: parameters[name] for name in _COPIED if name in parameters}
    if session["customer_email"]:
        session["customer_details"] = customer_details(session["customer_email"])
    return session


def customer_details(
    email: str | None, name: str | None = None, country: str | None = None, postal_code: str | None = None
) -> JsonObject:
    """Return what Checkout learned of the buyer."""
    address = None
    if country is not None:
        address = dict.fromkeys(["city", "line1", "line2", "state"]) | {"country": country, "postal_code": postal_code}
    return {
        "address": address,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def _methods(parameters: JsonObject, currency: str) -> list[str]:
    allowed: list[str] = parameters.get("allowed_payment_method_types", _DEFAULT_METHODS.get(currency, ["card"]))
    excluded = parameters.get("excluded_payment_method_types", [])
    return [method for method in allowed if method not in excluded]
