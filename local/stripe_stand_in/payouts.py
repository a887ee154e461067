"""Payouts: the balance goes to the shop's bank (docs.stripe.com/api/payouts/object)."""

from typing import Literal

from local.stripe_stand_in import balance, ids
from local.stripe_stand_in.context import Context
from local.stripe_stand_in.errors import refused, resource_missing
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.store import Record

_ARRIVES_AFTER_SECONDS = 24 * 3600
_FAILURES = {"account_closed": "The bank account has been closed"}
_NULL = (
    "application_fee", "application_fee_amount", "failure_balance_transaction", "failure_code", "failure_message",
    "original_payout", "payout_method", "reversed_by", "statement_descriptor",
)  # fmt: skip


def pay_out(context: Context, *, amount: int | None = None, everything: bool = False) -> JsonObject | None:
    """Pay out, as the account's schedule does: all that is available by now, and was not paid out before.

    Args:
        context: The stand-in.
        amount: In cents: pay out so much by hand. Stripe cannot say of such a payout what it paid out.
        everything: Also what is not available yet.

    Returns:
        The payout; None where nothing is to be paid out.
    """
    with context.store.transaction():
        now = context.now()
        paid_out = [] if amount is not None else context.store.unpaid_transactions(None if everything else now)
        total = balance.net(paid_out) if amount is None else amount
        if total <= 0:
            return None
        body = _payout(total, now, automatic=amount is None)
        leaving = balance.transaction("payout", -total, created=now, source=body["id"], description="STRIPE PAYOUT")
        body["balance_transaction"] = leaving["id"]
        context.store.insert(Record("payout", body, status=body["status"]))
        context.store.insert(balance.record(leaving, body["id"]))
        context.store.mark_paid_out([item.id for item in paid_out], body["id"])
    return body


def fail(context: Context, payout_id: str, code: Literal["account_closed"] = "account_closed") -> JsonObject:
    """Let the bank send a payout back; its money is on the balance again.

    Raises:
        ApiError: 404 for an unknown payout; 400 when it has failed already.
    """
    with context.store.transaction():
        record = context.store.get("payout", payout_id)
        if record is None:
            raise resource_missing("payout", payout_id)
        if record.status == "failed":
            raise refused("This payout has failed already.")
        back = balance.transaction(
            "payout_failure",
            record.body["amount"],
            created=context.now(),
            source=payout_id,
            description="STRIPE PAYOUT FAILURE",
        )
        record.body |= {
            "status": "failed",
            "failure_balance_transaction": back["id"],
            "failure_code": code,
            "failure_message": _FAILURES[code],
        }
        record.status = "failed"
        context.store.update(record)
        context.store.insert(balance.record(back))
    return record.body


def _payout(amount: int, created: int, *, automatic: bool) -> JsonObject:
    return dict.fromkeys(_NULL) | {
        "id": ids.object_id("po"),
        "object": "payout",
        "amount": amount,
        "arrival_date": created + _ARRIVES_AFTER_SECONDS,
        "automatic": automatic,
        "balance_transaction": None,
        "created": created,
        "currency": balance.SETTLEMENT_CURRENCY,
        "description": "STRIPE PAYOUT",
        "destination": ids.object_id("ba"),
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "completed" if automatic else "not_applicable",
        "source_type": "card",
        "status": "paid",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
