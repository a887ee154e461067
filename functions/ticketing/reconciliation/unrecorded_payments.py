"""The other way round: payments that Stripe took and the shop has not recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from ticketing import money
from ticketing.database import Database, Transaction
from ticketing.database import Row as OrderRow
from ticketing.orders.numbers import order_id_of
from ticketing.orders.status import LIVE, OrderStatus
from ticketing.reconciliation import owners
from ticketing.reconciliation.findings import PAID_STATUSES, payment_key
from ticketing.reconciliation.repair import ReconciledItem
from ticketing.stripe.objects import SessionObject, identity_of

# How far back a run looks that was not given a date. A Checkout Session lives for 24 hours at most, and a run may be
# late by some.
LOOK_BACK: Final = timedelta(hours=25)


class UnrecordedPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A paid session whose payment is not in `order_payments`. `order_id` None: it belongs to no order."""

    session_id: str
    payment_key: str
    order_id: int | None
    amount: str
    reference: str | None


def not_recorded(database: Database, sessions: Iterable[SessionObject]) -> list[UnrecordedPayment]:
    """Give those of the completed sessions that took money, or needed none, without the shop knowing it.

    Not the sessions of orders that still wait for their payment: those are asked about in their own time. Nor what is
    not ours and took no money.

    Raises:
        DatabaseUnavailable: try again.
    """
    paid = [session for session in sessions if session["payment_status"] in PAID_STATUSES]
    if not paid:
        return []
    with database.transaction() as tx:
        known = _known_keys(tx, [payment_key(session) for session in paid])
        orders = _orders_of(tx, paid)
    return [
        _unrecorded(session, order)
        for session in paid
        if payment_key(session) not in known
        and (
            bool(session.get("amount_total"))
            if (order := orders.get(session["id"])) is None
            else not _is_settled(order, session)
        )
    ]


def already_reported(database: Database, payments: Iterable[UnrecordedPayment]) -> set[str]:
    """Give the sessions among those that an operator was told of before.

    Raises:
        DatabaseUnavailable: try again.
    """
    ids = [payment.session_id for payment in payments]
    if not ids:
        return set()
    with database.transaction() as tx:
        rows = tx.all(
            "SELECT stripe_checkout_session_id AS id FROM reported_sessions"  # noqa: S608 -- %s only
            f" WHERE stripe_checkout_session_id IN ({_marks(ids)})",
            *ids,
        )
    return {row["id"] for row in rows}


def remember_reported(database: Database, session_ids: Sequence[str]) -> None:
    """Remember which sessions were reported to the operators, so that each is reported once.

    Raises:
        DatabaseUnavailable: try again.
    """
    if session_ids:
        with database.transaction() as tx:
            tx.change(
                "INSERT IGNORE INTO reported_sessions (stripe_checkout_session_id)"  # noqa: S608 -- %s only
                f" VALUES {', '.join(['(%s)'] * len(session_ids))}",
                *session_ids,
            )


def report(payment: UnrecordedPayment, trouble: str = "") -> ReconciledItem:
    """Report a payment that belongs to no order or, with `trouble`, cannot be read."""
    if trouble:
        return ReconciledItem(
            order_id=payment.order_id,
            session_id=payment.session_id,
            finding="refused",
            action="reported",
            note=f"payment {payment.payment_key} of {payment.amount} is not recorded, and its session cannot be read:"
            f" {trouble}",
        )
    claim = (
        f"its metadata names order {payment.reference}, but nothing else proves that it belongs to this order"
        if payment.reference
        else "its metadata names no order: it belongs to another shop of this account, or to an order that is gone"
    )
    return ReconciledItem(
        order_id=None,
        session_id=payment.session_id,
        finding="unknown_session",
        action="reported",
        note=f"payment {payment.payment_key} of {payment.amount}: {claim}",
    )


def _known_keys(tx: Transaction, keys: Sequence[str]) -> set[str]:
    rows = tx.all(
        f"SELECT payment_key FROM order_payments WHERE payment_key IN ({_marks(keys)})",  # noqa: S608 -- %s only
        *keys,
    )
    return {row["payment_key"] for row in rows}


def _orders_of(tx: Transaction, sessions: Sequence[SessionObject]) -> dict[str, OrderRow]:
    """Give the orders of those sessions that are ours, by session id."""
    owned = owners.orders_of(tx, [identity_of(session) for session in sessions])
    if not owned:
        return {}
    rows = tx.all(
        "SELECT id, status, stripe_checkout_session_id, stripe_payment_intent_id FROM ticket_orders WHERE id IN %s",
        tuple(set(owned.values())),
    )
    by_id = {row["id"]: row for row in rows}
    return {session: by_id[order] for session, order in owned.items() if order in by_id}


def _is_settled(order: OrderRow, session: SessionObject) -> bool:
    own = order["stripe_checkout_session_id"] in {None, session["id"]}
    if order["status"] in LIVE:
        return own
    if order["status"] == OrderStatus.PAID:
        # An operator marked it paid: the payment has no record, but the order has it.
        return order["stripe_payment_intent_id"] == payment_key(session) or (
            own and order["stripe_payment_intent_id"] is None
        )
    return False


def _unrecorded(session: SessionObject, order: OrderRow | None) -> UnrecordedPayment:
    reference = identity_of(session).order_reference
    return UnrecordedPayment(
        session_id=session["id"],
        payment_key=payment_key(session),
        order_id=order["id"] if order is not None else None,
        amount=money.format_amount(session.get("amount_total") or 0, session.get("currency") or "eur"),
        reference=reference if order_id_of(reference) is not None else None,
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))
