"""`GET /v1/account`: the account that the key belongs to."""

from local.stripe_stand_in.json_object import JsonObject

_NOTHING_DUE: JsonObject = {
    "alternatives": [],
    "current_deadline": None,
    "currently_due": [],
    "disabled_reason": None,
    "errors": [],
    "eventually_due": [],
    "past_due": [],
    "pending_verification": [],
}
_DESCRIPTORS = dict.fromkeys(
    [
        "statement_descriptor_kana",
        "statement_descriptor_kanji",
        "statement_descriptor_prefix_kana",
        "statement_descriptor_prefix_kanji",
    ]
)


def account(account_id: str) -> JsonObject:
    """Return the account object (docs.stripe.com/api/accounts/object)."""
    return {
        "id": account_id,
        "object": "account",
        "business_profile": {
            "annual_revenue": None,
            "estimated_worker_count": None,
            "mcc": None,
            "minority_owned_business_designation": None,
            "name": "Cachao Tickets (local)",
            "product_description": None,
            "support_address": None,
            "support_email": None,
            "support_phone": None,
            "support_url": None,
            "url": None,
        },
        "business_type": "company",
        "capabilities": {"card_payments": "active", "sepa_debit_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": "AT",
        "created": 1735689600,
        "default_currency": "eur",
        "details_submitted": True,
        "email": "account@example.com",
        "external_accounts": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/accounts/{account_id}/external_accounts",
        },
        "future_requirements": _NOTHING_DUE,
        "metadata": {},
        "payouts_enabled": True,
        "requirements": _NOTHING_DUE,
        "settings": {
            "bacs_debit_payments": {"display_name": None, "service_user_number": None},
            "branding": dict.fromkeys(["icon", "logo", "primary_color", "secondary_color"]),
            "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
            "card_payments": {
                "decline_on": {"avs_failure": False, "cvc_failure": False},
                "statement_descriptor_prefix": None,
                "statement_descriptor_prefix_kana": None,
                "statement_descriptor_prefix_kanji": None,
            },
            "dashboard": {"display_name": "Cachao Tickets (local)", "timezone": "Europe/Vienna"},
            "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
            "payments": {"statement_descriptor": "CACHAO LOCAL", **_DESCRIPTORS},
            "payouts": {
                "debit_negative_balances": True,
                "schedule": {"delay_days": 2, "interval": "daily"},
                "statement_descriptor": None,
            },
            "sepa_debit_payments": {},
        },
        "tos_acceptance": dict.fromkeys(["date", "ip", "user_agent"]),
        "type": "standard",
    }
