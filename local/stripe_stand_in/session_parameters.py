"""The parameters of `POST /v1/checkout/sessions` that the stand-in takes.

Source: docs.stripe.com/api/checkout/sessions/create.
"""

from collections.abc import Iterable

from local.stripe_stand_in.choices import EXCLUDABLE_METHODS, LOCALES, METHODS
from local.stripe_stand_in.parameters import (
    ArrayOf,
    Check,
    HashOf,
    OneOf,
    boolean,
    email,
    integer,
    metadata,
    string,
    url,
)

PAYMENT_METHODS = ("card", "sepa_debit")

_product_data = HashOf(
    {
        "name": string(),
        "description": string(),
        "images": ArrayOf(url(), maximum=8),
        "metadata": metadata(),
        "tax_code": string(),
    },
    required=["name"],
    known_to_stripe=lambda: ("tax_details", "unit_label"),
)
_price_data = HashOf(
    {
        "currency": string(),
        "unit_amount": integer(0),
        "product_data": _product_data,
        "tax_behavior": OneOf("exclusive", "inclusive", "unspecified"),
    },
    required=["currency", "unit_amount", "product_data"],
    known_to_stripe=lambda: ("product", "recurring", "unit_amount_decimal"),
)
_line_item = HashOf(
    {"price_data": _price_data, "quantity": integer(1), "metadata": metadata()},
    required=["price_data", "quantity"],
    known_to_stripe=lambda: ("price", "adjustable_quantity", "tax_rates"),
)
_payment_intent_data = HashOf(
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
_invoice_creation = HashOf({"enabled": boolean()}, required=["enabled"], known_to_stripe=lambda: ("invoice_data",))

SESSION_FIELDS: dict[str, Check] = {
    "adaptive_pricing": HashOf({"enabled": boolean()}),
    "allowed_payment_method_types": ArrayOf(OneOf(*METHODS)),
    "automatic_tax": HashOf({"enabled": boolean()}, required=["enabled"], known_to_stripe=lambda: ("liability",)),
    "billing_address_collection": OneOf("auto", "required"),
    "cancel_url": url(),
    "client_reference_id": string(200),
    "currency": string(),
    "customer_creation": OneOf("always", "if_required"),
    "customer_email": email(),
    "excluded_payment_method_types": ArrayOf(OneOf(*EXCLUDABLE_METHODS)),
    "expand": ArrayOf(string()),
    "expires_at": integer(0),
    "invoice_creation": _invoice_creation,
    "line_items": ArrayOf(_line_item),
    "locale": OneOf(*LOCALES),
    "metadata": metadata(),
    "mode": OneOf("payment", "setup", "subscription"),
    "payment_intent_data": _payment_intent_data,
    "phone_number_collection": HashOf({"enabled": boolean()}, required=["enabled"]),
    "submit_type": OneOf("auto", "book", "donate", "pay", "subscribe"),
    "success_url": url(),
    "ui_mode": OneOf("elements", "embedded_page", "form", "hosted_page"),
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


CREATE = HashOf(SESSION_FIELDS, known_to_stripe=known_to_stripe)
