"""Which orders Checkout Sessions belong to: those that are ours (docs/rules.md, "Words"), and no other."""

from __future__ import annotations

from collections.abc import Sequence

from ticketing.database import Row, Transaction
from ticketing.orders.numbers import order_id_of
from ticketing.payments import identity
from ticketing.stripe.objects import SessionIdentity


def orders_of(tx: Transaction, sessions: Sequence[SessionIdentity]) -> dict[str, int]:
    """Give the orders of some sessions, by the sessions' ids; a session that is not ours is left out."""
    if not sessions:
        return {}
    ids = tuple({session.session_id for session in sessions})
    rows: dict[int, Row] = {
        row["id"]: row
        for row in tx.all(
            f"SELECT {identity.COLUMNS} FROM ticket_orders WHERE stripe_checkout_session_id IN %s",  # noqa: S608 -- constants
            ids,
        )
    }
    own = {row["stripe_checkout_session_id"]: row["id"] for row in rows.values()}
    named = {order_id for session in sessions if (order_id := order_id_of(session.order_reference)) is not None}
    missing = tuple(named - rows.keys())
    if missing:
        for row in tx.all(f"SELECT {identity.COLUMNS} FROM ticket_orders WHERE id IN %s", missing):  # noqa: S608 -- constants
            rows[row["id"]] = row
    found: dict[str, int] = {}
    for session in sessions:
        order_id = own.get(session.session_id) or order_id_of(session.order_reference)
        order = rows.get(order_id) if order_id is not None else None
        if order is not None and identity.is_ours(order, session):
            found[session.session_id] = order["id"]
    return found
