"""What the shop's books know of the payments that some lines of Stripe are about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from ticketing.database import Database, Row, Transaction
from ticketing.orders.numbers import order_id_of
from ticketing.payments import identity
from ticketing.payments.identity import Ownership
from ticketing.payments.standing import (
    LedgerDispute,
    LedgerPayment,
    LedgerRefund,
    disputes_in,
    payments_in,
    refunds_in,
)
from ticketing.stripe.balance import BalanceLine

_COLUMNS: Final = f"{identity.COLUMNS}, status, quantity, total_amount, currency, stripe_payment_intent_id"
# A lost dispute was kept as a refund with this status before `order_disputes` was (migration 0013).
_LOST: Final = "lost"


class Known:
    """Orders with their payments, refunds and disputes, by what Stripe calls them."""

    def __init__(self, orders: Iterable[Row] = ()) -> None:
        """Take orders, rows with `_COLUMNS`; the rest is filled in by `read`."""
        self.orders: dict[int, Row] = {order["id"]: order for order in orders}
        self.payments: dict[int, list[LedgerPayment]] = defaultdict(list)
        self.refunds: dict[int, list[LedgerRefund]] = defaultdict(list)
        self.disputes: dict[int, list[LedgerDispute]] = defaultdict(list)
        self._order_of: dict[str, int] = {}
        # Of the time before, or marked paid by hand.
        self._paid_by: dict[str, Row] = {
            order["stripe_payment_intent_id"]: order
            for order in self.orders.values()
            if order["stripe_payment_intent_id"] is not None
        }

    def add_payment(self, order_id: int, payment: LedgerPayment, charge_id: str | None) -> None:
        """Take a payment of an order, known by its key and by its charge."""
        self.payments[order_id].append(payment)
        for key in (payment.payment_key, charge_id):
            if key is not None:
                self._order_of.setdefault(key, order_id)

    def order_of(self, line: BalanceLine) -> Row | None:
        """Give the order whose books have the payment of a line."""
        for key in (line.payment_intent_id, line.charge_id):
            if key is not None and key in self._order_of:
                return self.orders.get(self._order_of[key])
        return None if line.payment_intent_id is None else self._paid_by.get(line.payment_intent_id)

    def named_order(self, line: BalanceLine) -> tuple[Row | None, Ownership]:
        """Give the order that the metadata of a line's charge names, and whose the payment is, seen from that order."""
        order = self.orders.get(order_id_of(line.order_reference) or 0)
        return order, "not_ours" if order is None else identity.ownership(order, line)

    def payment_of(self, order: Row, line: BalanceLine) -> LedgerPayment | None:
        """Give the payment of an order that a line is about."""
        keys = {line.payment_intent_id, line.charge_id}
        return next((known for known in self.payments[order["id"]] if known.payment_key in keys), None)


def read(database: Database, lines: Sequence[BalanceLine]) -> Known:
    """Read what the books know of the payments of some lines, at most some hundred.

    Raises:
        DatabaseUnavailable: try again.
    """
    keys = tuple({key for line in lines for key in (line.payment_intent_id, line.charge_id) if key is not None})
    named = {order_id for line in lines if (order_id := order_id_of(line.order_reference)) is not None}
    if not keys and not named:
        return Known()
    with database.transaction() as tx:
        order_ids = named | (_orders_with(tx, keys) if keys else set())
        return _known(tx, tuple(order_ids)) if order_ids else Known()


def _orders_with(tx: Transaction, keys: tuple[str, ...]) -> set[int]:
    found = tx.all("SELECT order_id AS id FROM order_payments WHERE payment_key IN %s", keys)
    found += tx.all("SELECT order_id AS id FROM order_payments WHERE stripe_charge_id IN %s", keys)
    # An order of the time before, or one that was marked paid by hand.
    found += tx.all("SELECT id FROM ticket_orders WHERE stripe_payment_intent_id IN %s", keys)
    return {row["id"] for row in found}


def _known(tx: Transaction, order_ids: tuple[int, ...]) -> Known:
    known = Known(tx.all(f"SELECT {_COLUMNS} FROM ticket_orders WHERE id IN %s", order_ids))  # noqa: S608 -- constants
    payments = tx.all(
        "SELECT order_id, payment_key, stripe_payment_intent_id, role, amount_minor, currency, refunded_minor,"
        " stripe_checkout_session_id, stripe_charge_id FROM order_payments WHERE order_id IN %s ORDER BY id",
        order_ids,
    )
    for row, payment in zip(payments, payments_in(payments), strict=True):
        known.add_payment(row["order_id"], payment, row["stripe_charge_id"])
    refunds = tx.all(
        "SELECT order_id, stripe_refund_id, payment_key, amount_minor, status FROM order_refunds"
        " WHERE order_id IN %s AND status <> %s",
        order_ids,
        _LOST,
    )
    for row, refund in zip(refunds, refunds_in(refunds), strict=True):
        known.refunds[row["order_id"]].append(refund)
    disputes = tx.all(
        "SELECT order_id, stripe_dispute_id, payment_key, amount_minor, currency, status, phase, reason, due_by"
        " FROM order_disputes WHERE order_id IN %s",
        order_ids,
    )
    for row, dispute in zip(disputes, disputes_in(disputes), strict=True):
        known.disputes[row["order_id"]].append(dispute)
    return known
