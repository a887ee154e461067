"""What Stripe has of a payment and of all that belongs to it, for an operator: read only, and nothing of the buyer's.

Any of Stripe's ids leads to its payment: an event, a line of the balance, a session, a charge, a refund, a dispute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ticketing.stripe.client import StripeRefused, stripe_errors

if TYPE_CHECKING:
    import stripe

    from ticketing.stripe.objects import SessionObject

_MARK: Final = "order_mark"
_LIST: Final = 100


class SeenObject(msgspec.Struct, kw_only=True):
    """An object of Stripe's.

    Attributes:
        kind: Stripe's word of what it is; `id`: its id.
        facts: what to know of it. What ends in `_minor` is an amount in minor units of `currency`, in `_at` Unix time.
        metadata: what whoever made it wrote on it, but a mark.
        mark: the order's mark on it, to be compared and not shown.
    """

    kind: str
    id: str
    facts: dict[str, str | int | bool | None]
    currency: str | None = None
    metadata: dict[str, str] = {}
    mark: str | None = None


class StripeInspector:
    """Looks at objects with the stripe package. `of` raises what `stripe_errors` does."""

    def __init__(self, client: stripe.StripeClient) -> None:
        """Take the client of `client.client`."""
        self._api = client.v1
        self._by_prefix: dict[str, Callable[[str], Iterator[SeenObject]]] = {
            "pi": self._payment,
            "cs": self._session,
            "ch": self._charge,
            "py": self._charge,
            "re": self._refund,
            "pyr": self._refund,
            "du": self._dispute,
            "dp": self._dispute,
            "evt": self._event,
            "txn": self._transaction,
        }

    def of(self, wanted: str) -> list[SeenObject]:
        """Give an object and what belongs to its payment; empty where this account and mode have none of that id."""
        look = self._by_prefix.get(wanted.split("_", 1)[0])
        if look is None:
            return []
        try:
            with stripe_errors(f"read {wanted}"):
                return list(look(wanted))
        except StripeRefused as refusal:
            if refusal.is_missing:
                return []
            raise

    def _event(self, wanted: str) -> Iterator[SeenObject]:
        event = _plain(self._api.events.retrieve(wanted))
        about = str(event["data"]["object"].get("id"))
        yield _seen("event", event, {"type": event["type"], "is about": about})
        yield from self.of(about)

    def _transaction(self, wanted: str) -> Iterator[SeenObject]:
        line = _plain(self._api.balance_transactions.retrieve(wanted))
        facts = {
            "type": line["type"],
            "amount_minor": line["amount"],
            "fee_minor": line["fee"],
            "is of": line["source"],
        }
        yield _seen("balance_transaction", line, facts | {"available_at": line["available_on"]})
        yield from self.of(str(line["source"]))

    def _session(self, wanted: str) -> Iterator[SeenObject]:
        session = _plain(self._api.checkout.sessions.retrieve(wanted))
        if session.get("payment_intent"):
            yield from self.of(str(session["payment_intent"]))
        else:
            yield _of_session(session)

    def _charge(self, wanted: str) -> Iterator[SeenObject]:
        charge = _plain(self._api.charges.retrieve(wanted))
        if charge.get("payment_intent"):
            yield from self.of(str(charge["payment_intent"]))
        else:
            facts = {"status": charge["status"], "amount_minor": charge["amount"]}
            yield _seen("charge", charge, facts | {"refunded_minor": charge["amount_refunded"]})

    def _refund(self, wanted: str) -> Iterator[SeenObject]:
        yield from self._through_payment(_plain(self._api.refunds.retrieve(wanted)), _of_refund)

    def _dispute(self, wanted: str) -> Iterator[SeenObject]:
        yield from self._through_payment(_plain(self._api.disputes.retrieve(wanted)), _of_dispute)

    def _through_payment(
        self, found: dict[str, Any], alone: Callable[[dict[str, Any]], SeenObject]
    ) -> Iterator[SeenObject]:
        if found.get("payment_intent"):
            yield from self.of(str(found["payment_intent"]))
        else:
            yield alone(found)

    def _payment(self, wanted: str) -> Iterator[SeenObject]:
        intent = _plain(self._api.payment_intents.retrieve(wanted, {"expand": ["latest_charge"]}))
        charge = intent.get("latest_charge") or {}
        failure = intent.get("last_payment_error") or {}
        facts = {
            "status": intent["status"],
            "amount_minor": intent["amount"],
            "received_minor": intent["amount_received"],
            "refunded_minor": charge.get("amount_refunded"),
            "disputed": charge.get("disputed"),
            "charge": charge.get("id"),
            "paid by": (charge.get("payment_method_details") or {}).get("type"),
            "failed because": failure.get("code") or failure.get("message"),
            "description": intent.get("description"),
            "application": intent.get("application"),
        }
        yield _seen("payment_intent", intent, facts)
        for session in self._api.checkout.sessions.list({"payment_intent": wanted, "limit": _LIST}).data:
            yield _of_session(_plain(session))
        for refund in self._api.refunds.list({"payment_intent": wanted, "limit": _LIST}).data:
            yield _of_refund(_plain(refund))
        for dispute in self._api.disputes.list({"payment_intent": wanted, "limit": _LIST}).data:
            yield _of_dispute(_plain(dispute))


def _of_session(session: SessionObject) -> SeenObject:
    facts = {
        "status": session["status"],
        "payment": session["payment_status"],
        "amount_minor": session.get("amount_total"),
        "ends_at": session.get("expires_at"),
        "leads back to": session.get("success_url"),
        "mode": session["mode"],
    }
    return _seen("checkout.session", session, facts)


def _of_refund(refund: dict[str, Any]) -> SeenObject:
    facts = {
        "status": refund["status"],
        "amount_minor": refund["amount"],
        "failed because": refund.get("failure_reason"),
        "waits because": refund.get("pending_reason"),
        "reason": refund.get("reason"),
    }
    return _seen("refund", refund, facts)


def _of_dispute(dispute: dict[str, Any]) -> SeenObject:
    moved = sum(int(line["amount"]) for line in dispute["balance_transactions"])
    facts = {
        "status": dispute["status"],
        "amount_minor": dispute["amount"],
        "reason": dispute["reason"],
        # 0: the shop has the money; below 0: the bank, or the buyer.
        "money_moved_minor": moved,
        "answer_by_at": (dispute.get("evidence_details") or {}).get("due_by") or None,
    }
    return _seen("dispute", dispute, facts)


def _seen(kind: str, found: dict[str, Any], facts: dict[str, Any]) -> SeenObject:
    written = found.get("metadata") or {}
    return SeenObject(
        kind=kind,
        id=str(found["id"]),
        facts={"made_at": found.get("created"), **facts},
        currency=found.get("currency"),
        metadata={name: str(text) for name, text in written.items() if name != _MARK},
        mark=written.get(_MARK),
    )


def _plain(found: stripe.StripeObject) -> dict[str, Any]:
    return found.to_dict(for_json=True)
