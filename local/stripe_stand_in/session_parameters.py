"""The parameters of `POST /v1/checkout/sessions` that the stand-in takes.

Source: docs.stripe.com/api/checkout/sessions/create.
"""

from collections.abc import Iterable

from local.stripe_stand_in.parameters import (
    Check,
    array_of,
    boolean,
    email,
    hash_of,
    integer,
    metadata,
    one_of,
    string,
    url,
)

PAYMENT_METHODS = ("card", "sepa_debit")

_product_data = hash_of(
    {
        "name": string(),
        "description": string(),
        "images": array_of(url(), maximum=8),
        "metadata": metadata(),
        "tax_code": string(),
    },
    required=["name"],
)
_price_data = hash_of(
    {
        "currency": string(),
        "unit_amount": integer(0),
        "product_data": _product_data,
        "tax_behavior": one_of("exclusive", "inclusive", "unspecified"),
    },
    required=["currency", "unit_amount", "product_data"],
    known_to_stripe=lambda: ("product", "recurring", "unit_amount_decimal"),
)
_line_item = hash_of(
    {"price_data": _price_data, "quantity": integer(1), "metadata": metadata()},
    required=["price_data", "quantity"],
    known_to_stripe=lambda: ("price", "adjustable_quantity", "dynamic_tax_rates", "tax_rates"),
)
_payment_intent_data = hash_of(
    {
        "metadata": metadata(),
        "description": string(),
        "receipt_email": email(),
        "statement_descriptor": string(22),
        "statement_descriptor_suffix": string(22),
        "transfer_group": string(),
    },
    known_to_stripe=lambda: (
        "application_fee_amount",
        "capture_method",
        "on_behalf_of",
        "setup_future_usage",
        "shipping",
        "transfer_data",
    ),
)
_invoice_creation = hash_of({"enabled": boolean()}, known_to_stripe=lambda: ("invoice_data",))

SESSION_FIELDS: dict[str, Check] = {
    "adaptive_pricing": hash_of({"enabled": boolean()}),
    "allowed_payment_method_types": array_of(string()),
    "automatic_tax": hash_of({"enabled": boolean()}, required=["enabled"], known_to_stripe=lambda: ("liability",)),
    "billing_address_collection": one_of("auto", "required"),
    "cancel_url": url(),
    "client_reference_id": string(200),
    "currency": string(),
    "customer_creation": one_of("always", "if_required"),
    "customer_email": email(),
    "expand": array_of(string()),
    "expires_at": integer(0),
    "invoice_creation": _invoice_creation,
    "line_items": array_of(_line_item),
    "locale": string(),
    "metadata": metadata(),
    "mode": one_of("payment", "setup", "subscription"),
    "payment_intent_data": _payment_intent_data,
    "phone_number_collection": hash_of({"enabled": boolean()}),
    "submit_type": one_of("auto", "book", "donate", "pay", "subscribe"),
    "success_url": url(),
    "ui_mode": one_of("elements", "embedded_page", "form", "hosted_page"),
}

_REQUEST_OPTIONS = {
    "api_key", "content_type", "headers", "idempotency_key", "max_network_retries", "stripe_account",
    "stripe_context", "stripe_version",
}  # fmt: skip


def known_to_stripe() -> Iterable[str]:
    """Return every parameter that Stripe takes, as the installed `stripe` package lists them."""
    # Imported here: this module of the package is large, and is needed for an error's wording only.
    from stripe.params.checkout import SessionCreateParams  # noqa: PLC0415

    return set(SessionCreateParams.__annotations__) - _REQUEST_OPTIONS


SESSION_PARAMETERS: Check = hash_of(SESSION_FIELDS, known_to_stripe=known_to_stripe)
