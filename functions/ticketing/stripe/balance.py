"""Reads what moved on the balance at Stripe, and payouts.

See https://docs.stripe.com/api/balance_transactions/list, https://docs.stripe.com/api/payouts and
https://docs.stripe.com/payouts/reconciliation. A page is one request, whatever is in it: each line comes with what
moved the money, and that with its charge.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ticketing.stripe.client import StripeRefused, stripe_errors
from ticketing.stripe.objects import OrderNames, order_names

if TYPE_CHECKING:
    import stripe
    from stripe.params import BalanceTransactionListParams

Json = dict[str, Any]
# Stripe's largest page.
PAGE_SIZE: Final = 100
# A path into a source that only some kinds of sources have is no error.
_EXPANDED: Final = ["data.source", "data.source.charge"]


class BalanceLine(OrderNames, kw_only=True, omit_defaults=True):
    """A balance transaction, and what moved the money: a charge, a refund, a dispute, a payout, or Stripe itself.

    Amounts are minor units, negative where money left the balance; times are Unix seconds. `kind` is Stripe's `type`,
    `category` its `reporting_category`, `status` that of the source, all Stripe's words. What metadata says of an
    order is that of the charge.

    Attributes:
        fee_minor, net_minor: the fee, and what is left of the amount without it. In `currency`, the balance's.
        fees_minor: what the parts of the fee come to.
        exchange_rate: what one unit of the source's currency is in `currency`; None where they are the same.
        source: what kind of object moved the money; empty where none did.
        source_minor, source_currency: its amount as the buyer's bank had it, and with the sign of the line.
        charge_minor, charge_refunded_minor: what its charge took, and how much of that went back by now.
        is_own: the source names this transaction as its own.
        by_shop: a refund that this shop made; its metadata names the order.
        method: how was paid, as far as fees depend on it: `card visa AT`.
        description: Stripe's own words, of what no buyer moved.
    """

    transaction_id: str
    kind: str
    category: str
    created: int
    amount_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    fees_minor: int = 0
    exchange_rate: str | None = None
    source: str = ""
    source_id: str | None = None
    source_minor: int = 0
    source_currency: str = ""
    status: str = ""
    payment_intent_id: str | None = None
    charge_id: str | None = None
    charge_minor: int = 0
    charge_refunded_minor: int = 0
    is_own: bool = True
    by_shop: bool = False
    method: str = ""
    description: str = ""

    @property
    def payment_key(self) -> str | None:
        """The payment's identity, of a line that is about one."""
        return self.payment_intent_id or self.charge_id


class Payout(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A payout. `amount_minor` in minor units of `currency`; times in Unix seconds; `status` is Stripe's word.

    Attributes:
        lists_lines: Stripe says which lines it paid out: of an automatic payout only, and not at once.
        is_automatic: made by the account's schedule.
    """

    payout_id: str
    amount_minor: int
    currency: str
    status: str
    created: int
    arrival_date: int
    is_automatic: bool
    lists_lines: bool
    failure_code: str | None = None


class PaidOut(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A transaction that a payout paid out, with what it came to; or the payout's own."""

    transaction_id: str
    net_minor: int
    is_payout: bool = False


class Movement(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What Stripe says of one payment, refund or dispute: its status, and when its lines were made, if any were."""

    object_id: str
    status: str
    moved_at: list[int]


class StripeBalance:
    """Reads the balance with the stripe package. One request a call; each can raise what `stripe_errors` does."""

    def __init__(self, client: stripe.StripeClient) -> None:
        """Take the client of `client.client`."""
        self._client = client

    def made_between(self, since: int, until: int, *, after: str | None = None) -> tuple[list[BalanceLine], bool]:
        """Give a page of the lines made from `since` on and before `until`, newest first, and whether more follow.

        `after` is the last page's last transaction.
        """
        return self._page({"created": {"gte": since, "lt": until}}, after)

    def paid_out_by(self, payout_id: str, *, after: str | None = None) -> tuple[list[BalanceLine], bool]:
        """Give a page of the lines that a payout paid out, itself among them, and whether more follow."""
        return self._page({"payout": payout_id}, after)

    def ids_paid_out_by(self, payout_id: str, *, after: str | None = None) -> tuple[list[PaidOut], bool]:
        """Give a page of the transactions that a payout paid out, itself among them, without what moved the money."""
        page, more = self._listed({"payout": payout_id}, after)
        return [
            PaidOut(transaction_id=str(found["id"]), net_minor=int(found["net"]), is_payout=found["type"] == "payout")
            for found in page
        ], more

    def _page(self, params: BalanceTransactionListParams, after: str | None) -> tuple[list[BalanceLine], bool]:
        page, more = self._listed({**params, "expand": _EXPANDED}, after)
        return [read_line(found) for found in page], more

    def _listed(self, params: BalanceTransactionListParams, after: str | None) -> tuple[list[Json], bool]:
        asked: BalanceTransactionListParams = {**params, "limit": PAGE_SIZE}
        if after is not None:
            asked["starting_after"] = after
        with stripe_errors("list balance transactions"):
            # The package would make an object of every part of the answer: sixteen times the work of all the rest.
            answer: Any = self._client.raw_request("get", "/v1/balance_transactions", **asked)
        return answer.data["data"], bool(answer.data["has_more"])

    def payout(self, payout_id: str) -> Payout | None:
        """Give a payout; None where this account and mode have none."""
        try:
            with stripe_errors(f"read {payout_id}"):
                found = self._client.v1.payouts.retrieve(payout_id)
        except StripeRefused as refusal:
            if refusal.is_missing:
                return None
            raise
        return _read_payout(found.to_dict(for_json=True))

    def payouts(self, since: int, until: int, *, after: str | None = None) -> tuple[list[Payout], bool]:
        """Give a page of the payouts made from `since` on and before `until`, newest first, and whether more follow."""
        with stripe_errors("list payouts"):
            page = self._client.v1.payouts.list(
                params={
                    "created": {"gte": since, "lt": until},
                    "limit": PAGE_SIZE,
                    **({} if after is None else {"starting_after": after}),
                }
            )
        return [_read_payout(found.to_dict(for_json=True)) for found in page.data], page.has_more

    def movement(self, kind: str, object_id: str) -> Movement | None:
        """Give what Stripe says of a payment (pi_…), a refund or a dispute; None where it has none of this id.

        `kind` is `payment`, `refund` or `dispute`.
        """
        try:
            with stripe_errors(f"read {object_id}"):
                return self._movement(kind, object_id)
        except StripeRefused as refusal:
            if refusal.is_missing:
                return None
            raise

    def _movement(self, kind: str, object_id: str) -> Movement:
        if kind == "payment":
            intent = self._client.v1.payment_intents.retrieve(
                object_id, params={"expand": ["latest_charge.balance_transaction"]}
            ).to_dict(for_json=True)
            charge = intent.get("latest_charge")
            lines = [charge.get("balance_transaction")] if isinstance(charge, dict) else []
            return _moved(intent, lines)
        if kind == "refund":
            refund = self._client.v1.refunds.retrieve(object_id, params={"expand": ["balance_transaction"]})
            found = refund.to_dict(for_json=True)
            return _moved(found, [found.get("balance_transaction")])
        dispute = self._client.v1.disputes.retrieve(object_id).to_dict(for_json=True)
        return _moved(dispute, dispute.get("balance_transactions") or [])


def read_line(found: Json) -> BalanceLine:
    """Read a balance transaction, as Stripe's API answers it with its source in it."""
    source = _object(found.get("source"))
    charge = source if source.get("object") == "charge" else _object(source.get("charge"))
    amount = int(found["amount"])
    rate = found.get("exchange_rate")
    source_id = found["source"] if isinstance(found.get("source"), str) else source.get("id")
    return BalanceLine(
        transaction_id=str(found["id"]),
        kind=str(found["type"]),
        category=str(found["reporting_category"]),
        created=int(found["created"]),
        amount_minor=amount,
        fee_minor=int(found["fee"]),
        net_minor=int(found["net"]),
        currency=str(found["currency"]).lower(),
        fees_minor=sum(int(part["amount"]) for part in found.get("fee_details") or []),
        exchange_rate=None if rate is None else str(rate),
        source=str(source.get("object") or ""),
        source_id=source_id,
        source_minor=int(source.get("amount") or 0) * (-1 if amount < 0 else 1),
        source_currency=str(source.get("currency") or "").lower(),
        status=str(source.get("status") or ""),
        payment_intent_id=_id(source.get("payment_intent") or charge.get("payment_intent")),
        charge_id=charge.get("id") or _id(source.get("charge")),
        charge_minor=int(charge.get("amount") or 0),
        charge_refunded_minor=int(charge.get("amount_refunded") or 0),
        is_own=not source or _is_own(str(found["id"]), source),
        by_shop=source.get("object") == "refund" and "order_id" in _object(source.get("metadata")),
        method=_method(_object(charge.get("payment_method_details"))),
        description="" if charge else str(found.get("description") or ""),
        **order_names(charge),
    )


def converted(minor: int, rate: str) -> Decimal:
    """Give what an amount of a source is in the balance's currency, in minor units, unrounded."""
    return Decimal(minor) * Decimal(rate)


def _is_own(transaction_id: str, source: Json) -> bool:
    named = [source.get("balance_transaction"), source.get("failure_balance_transaction")]
    named += source.get("balance_transactions") or []
    return transaction_id in {_id(name) for name in named}


def _method(details: Json) -> str:
    kind = str(details.get("type") or "")
    told = _object(details.get(kind))
    return " ".join(str(word) for word in (kind, told.get("brand"), told.get("country")) if word)


def _read_payout(found: Json) -> Payout:
    return Payout(
        payout_id=str(found["id"]),
        amount_minor=int(found["amount"]),
        currency=str(found["currency"]).lower(),
        status=str(found["status"]),
        created=int(found["created"]),
        arrival_date=int(found["arrival_date"]),
        is_automatic=bool(found["automatic"]),
        lists_lines=found.get("reconciliation_status") == "completed",
        failure_code=found.get("failure_code"),
    )


def _moved(found: Json, lines: list[Any]) -> Movement:
    return Movement(
        object_id=str(found["id"]),
        status=str(found["status"]),
        moved_at=[int(line["created"]) for line in lines if isinstance(line, dict)],
    )


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _id(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and value else None
