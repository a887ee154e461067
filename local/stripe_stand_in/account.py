"""`GET /v1/account`: the account that the key belongs to."""

from local.stripe_stand_in.json_object import JsonObject


def account(account_id: str) -> JsonObject:
    """Return the account object, as far as it says something (docs.stripe.com/api/accounts/object)."""
    return {
        "id": account_id,
        "object": "account",
        "business_profile": {"name": "Cachao Tickets (local)", "url": None, "support_email": None},
        "business_type": "company",
        "capabilities": {"card_payments": "active", "sepa_debit_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "AT",
        "created": 1735689600,
        "default_currency": "eur",
        "details_submitted": True,
        "email": "account@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "settings": {
            "dashboard": {"display_name": "Cachao Tickets (local)", "timezone": "Europe/Vienna"},
            "payments": {"statement_descriptor": "CACHAO LOCAL"},
        },
        "type": "standard",
    }
