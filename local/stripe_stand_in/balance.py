"""Balance transactions: what moved on the account's balance (docs.stripe.com/api/balance_transactions/object).

The account settles in euros: what was taken in another currency is converted.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from local.stripe_stand_in import currencies, ids
from local.stripe_stand_in.context import Context
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.store import Record

SETTLEMENT_CURRENCY = "eur"
# The types that this account can have; Stripe has many more (docs.stripe.com/reports/balance-transaction-types).
Type = Literal[
    "adjustment",
    "charge",
    "payment",
    "payment_refund",
    "payout",
    "payout_failure",
    "refund",
    "refund_failure",
    "stripe_fee",
]
_SETTLING_SECONDS = 7 * 24 * 3600
# https://docs.stripe.com/reports/reporting-categories
_CATEGORIES: dict[Type, str] = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "adjustment": "other_adjustment",
    "payout": "payout",
    "payout_failure": "payout_reversal",
    "stripe_fee": "fee",
}
# As for a European card, and for a direct debit. In cents.
_CARD_SHARE, _CARD_FIXED, _DEBIT_FIXED = Decimal("0.015"), 25, 35


def transaction(  # noqa: PLR0913 - an object's fields, all but two by name
    kind: Type,
    amount: int,
    *,
    created: int,
    source: str | None,
    fee: int = 0,
    currency: str = SETTLEMENT_CURRENCY,
    category: str | None = None,
    description: str | None = None,
    fee_description: str = "Stripe processing fees",
) -> JsonObject:
    """Return a balance transaction of some object.

    Args:
        kind: Stripe's `type`.
        amount: In minor units of `currency`, negative where money left.
        created: Unix time.
        source: What moved the money, by its id.
        fee: In minor units, in cents of the account's own currency.
        currency: What the amount is in, as it was taken.
        category: Stripe's `reporting_category`, where that is not the type's usual one.
        description: What the dashboard shows of it.
        fee_description: What it shows of the fee.
    """
    settled, rate = _settled(amount, currency)
    details = [
        {
            "amount": fee,
            "application": None,
            "currency": SETTLEMENT_CURRENCY,
            "description": fee_description,
            "type": "stripe_fee",
        }
    ]
    return {
        "id": ids.object_id("txn"),
        "object": "balance_transaction",
        "amount": settled,
        "available_on": created if kind.startswith("payout") else created + _SETTLING_SECONDS,
        "balance_type": "payments",
        "created": created,
        "currency": SETTLEMENT_CURRENCY,
        "description": description,
        "exchange_rate": rate,
        "fee": fee,
        "fee_details": details if fee else [],
        "net": settled - fee,
        "reporting_category": category or _CATEGORIES[kind],
        "source": source,
        "status": "pending",
        "type": kind,
    }


def _settled(amount: int, currency: str) -> tuple[int, float | None]:
    if currency == SETTLEMENT_CURRENCY:
        return amount, None
    rate = currencies.euros_for(currency)
    return int((amount * rate).quantize(Decimal(1), ROUND_HALF_UP)), float(rate)


def record(body: JsonObject, payout: str | None = None) -> Record:
    """Return a balance transaction as it is stored: lists filter it by its type, and by the payout that paid it out."""
    return Record("balance_transaction", body, status=body["type"], payment_intent=payout)


def of_charge(charge: JsonObject, created: int) -> Record:
    """Return the balance transaction of a charge that took money, and write its id onto the charge."""
    by_card = charge["payment_method_details"]["type"] == "card"
    settled, _ = _settled(charge["amount"], charge["currency"])
    share = int((settled * _CARD_SHARE).quantize(Decimal(1), ROUND_HALF_UP))
    made = transaction(
        "charge" if by_card else "payment",
        charge["amount"],
        created=created,
        source=charge["id"],
        fee=share + _CARD_FIXED if by_card else _DEBIT_FIXED,
        currency=charge["currency"],
        description=charge["description"],
    )
    charge["balance_transaction"] = made["id"]
    return record(made)


def of_refund(refund: JsonObject, created: int) -> Record:
    """Return the balance transaction of a refund, and write its id onto the refund. Stripe keeps the charge's fee."""
    made = transaction(
        "refund" if refund["id"].startswith("re_") else "payment_refund",
        -refund["amount"],
        created=created,
        source=refund["id"],
        currency=refund["currency"],
        description=f"REFUND FOR CHARGE {refund['charge']}",
    )
    refund["balance_transaction"] = made["id"]
    return record(made)


def of_failed_refund(refund: JsonObject, created: int) -> Record:
    """Return the balance transaction by which a refund's money comes back, and write its id onto the refund."""
    made = transaction(
        "refund_failure",
        refund["amount"],
        created=created,
        source=refund["id"],
        currency=refund["currency"],
        description=f"REFUND FAILURE FOR CHARGE {refund['charge']}",
    )
    refund["failure_balance_transaction"] = made["id"]
    return record(made)


def of_dispute(dispute: JsonObject, amount: int, created: int, *, fee: int) -> Record:
    """Return the balance transaction of money that a bank takes or gives back, and write it onto the dispute."""
    made = transaction(
        "adjustment",
        amount,
        created=created,
        source=dispute["id"],
        fee=fee,
        currency=dispute["currency"],
        category="dispute" if amount < 0 else "dispute_reversal",
        description=f"Chargeback {'withdrawal' if amount < 0 else 'reversal'} for {dispute['charge']}",
        fee_description="Dispute fee",
    )
    dispute["balance_transactions"] = [*dispute["balance_transactions"], made]
    return record(made)


def show(context: Context, stored: Record) -> JsonObject:
    """Return a balance transaction as the API shows it now: its money is pending until it is available."""
    is_available = stored.body["available_on"] <= context.now()
    return stored.body | {"status": "available" if is_available else "pending"}


def net(records: Iterable[Record]) -> int:
    """Return what some transactions come to, in cents."""
    return sum(item.body["net"] for item in records)
