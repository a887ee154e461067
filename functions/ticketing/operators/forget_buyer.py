"""Forgets a buyer: the orders stay, so that counts and sums stay, and nothing in them says any more whose they were.

An order that still waits for its payment is ended first, at Stripe and here: nobody may pay for what is nobody's. One
whose payment is under way, or was just made, keeps waiting for its result, without the address. Order by order, each in
short transactions; safe to repeat, and to stop.
"""

from __future__ import annotations

import time
from typing import Final, Literal

import msgspec

from ticketing.alerts import Alert
from ticketing.database import Database, Row, Transaction
from ticketing.operators.buyer_data import find_orders, is_theirs, pattern_of
from ticketing.orders import history
from ticketing.orders.lock import lock_order
from ticketing.orders.status import OrderStatus
from ticketing.payments.release import release_order
from ticketing.stripe.ending import EndsSessions, end_session

# `.invalid` never exists (https://www.rfc-editor.org/rfc/rfc2606), so nobody's account has it as verified.
FORGOTTEN: Final = "forgotten@buyer.invalid"
ENTRY: Final = "buyer_forgotten"
# Stands where the history wants a Stripe event.
_CAUSE: Final = "cachao_buyer_forget"
_ORDER: Final = "id, email, status, stripe_checkout_session_id"

Checkout = Literal["none", "ended", "payment_under_way"]


class ForgottenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order without its buyer.

    Attributes:
        order_id, status: which, and what it is now.
        checkout: whether it waited for a payment, and what became of that.
        keys: how many Idempotency-Keys were ended.
        left_in: columns that still have the address, which this version does not know; empty is right.
        alerts: what counters could not follow, in sentences.
    """

    order_id: int
    status: str
    checkout: Checkout
    keys: int
    left_in: list[str]
    alerts: list[str]


class ForgottenPage(msgspec.Struct, kw_only=True):
    """What was done in one call. `after_id` goes on; None: it is done."""

    orders: list[ForgottenOrder]
    after_id: int | None


def forget_buyer(
    database: Database, sessions: EndsSessions, address: str, *, after_id: int, deadline: float
) -> ForgottenPage:
    """Anonymise the first orders after an id, until the deadline (`time.monotonic`).

    Raises:
        StripeUnavailable: an open session could not be ended; what was done before stays done.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        orders, next_id = find_orders(tx, address, after_id=after_id)
    done: list[ForgottenOrder] = []
    for order in orders:
        if done and time.monotonic() > deadline:
            return ForgottenPage(orders=done, after_id=done[-1].order_id)
        done.append(_forget(database, sessions, order, address))
    if next_id is None:
        with database.transaction() as tx:
            _clean_reasons(tx, "counter_corrections", None, address)
    return ForgottenPage(orders=done, after_id=next_id)


def _forget(database: Database, sessions: EndsSessions, order: Row, address: str) -> ForgottenOrder:
    checkout, alerts = _end_checkout(database, sessions, order)
    order_id = order["id"]
    with database.transaction() as tx:
        now = lock_order(tx, order_id, _ORDER, gone=f"Order {order_id} is gone.")
        # An operator may have given it another buyer meanwhile.
        if is_theirs(now["email"], address):
            tx.change(
                "UPDATE ticket_orders SET email = %s, cognito_sub = NULL, user_id = NULL, checkout_url = NULL"
                " WHERE id = %s",
                FORGOTTEN,
                order_id,
            )
            history.record(tx, order_id=order_id, entry=ENTRY, stripe_event_id=_CAUSE)
        _clean_reasons(tx, "order_corrections", order_id, address)
    with database.transaction() as tx:
        # Their replies name the page on which the order is paid. By themselves they would end with the session.
        keys = tx.change("DELETE FROM idempotency_keys WHERE order_id = %s", order_id)
        # Digests, one of them of the address: whoever guesses it would find the order.
        tx.change("DELETE FROM order_checkouts WHERE order_id = %s", order_id)
        row = tx.one("SELECT * FROM ticket_orders WHERE id = %s", order_id)
    return ForgottenOrder(
        order_id=order_id,
        status=now["status"],
        checkout=checkout,
        keys=keys,
        left_in=_left_in(row or {}, address),
        alerts=[alert.message for alert in alerts],
    )


def _end_checkout(database: Database, sessions: EndsSessions, order: Row) -> tuple[Checkout, list[Alert]]:
    if order["status"] == OrderStatus.PROCESSING:
        return "payment_under_way", []
    if order["status"] != OrderStatus.PENDING:
        return "none", []
    session_id = order["stripe_checkout_session_id"]
    if session_id is not None and end_session(sessions, session_id) == "paid":
        return "payment_under_way", []
    moved = release_order(database, order["id"], lost_as="expired", stripe_event_id=_CAUSE)
    return ("ended" if moved.status == OrderStatus.EXPIRED else "payment_under_way"), moved.alerts


def _clean_reasons(tx: Transaction, table: str, order_id: int | None, address: str) -> None:
    """Take the address out of what operators wrote as the reason of a correction, and out of who they were."""
    found = tx.all(
        f"SELECT id, reason, corrected_by FROM {table}"  # noqa: S608 -- a constant of this module
        + (" WHERE reason LIKE '%%@%%' OR corrected_by LIKE '%%@%%'" if order_id is None else " WHERE order_id = %s"),
        *([] if order_id is None else [order_id]),
    )
    pattern = pattern_of(address)
    for row in found:
        reason, by = (text and pattern.sub("…", text) for text in (row["reason"], row["corrected_by"]))
        if (reason, by) != (row["reason"], row["corrected_by"]):
            tx.change(
                f"UPDATE {table} SET reason = %s, corrected_by = %s WHERE id = %s",  # noqa: S608 -- a constant
                reason,
                by,
                row["id"],
            )


def _left_in(row: Row, address: str) -> list[str]:
    pattern = pattern_of(address)
    return [name for name, value in row.items() if isinstance(value, str) and pattern.search(value)]
