"""Balance transactions: what moved on the account's balance (docs.stripe.com/api/balance_transactions/object)."""

from typing import Literal

from local.stripe_stand_in import ids
from local.stripe_stand_in.json_object import JsonObject

_SETTLING_SECONDS = 7 * 24 * 3600


def transaction(
    source: str,
    amount: int,
    currency: str,
    created: int,
    *,
    kind: Literal["adjustment"] = "adjustment",
    fee: int = 0,
) -> JsonObject:
    """Return a balance transaction of some object; amounts in minor units, negative where money left."""
    fees = [{"amount": fee, "application": None, "currency": currency, "description": "Dispute fee"}] if fee else []
    return {
        "id": ids.object_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created + _SETTLING_SECONDS,
        "balance_type": "payments",
        "created": created,
        "currency": currency,
        "description": f"Chargeback withdrawal for {source}" if amount < 0 else f"Chargeback reversal for {source}",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [item | {"type": "stripe_fee"} for item in fees],
        "net": amount - fee,
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": source,
        "status": "pending",
        "type": kind,
    }
