"""Locks an order's row: the first lock of every transaction that moves an order (docs/decisions.md, "Lock order")."""

from __future__ import annotations

from ticketing.database import Row, Transaction
from ticketing.errors import OrderNotFound


def lock_order(tx: Transaction, order_id: int, columns: str, *, gone: str) -> Row:
    """Lock an order until the transaction ends, and give these columns of it.

    `columns` is a constant of the calling module, never text from outside; `gone` is the sentence for an order that is
    not there.

    Raises:
        OrderNotFound: the order is gone.
    """
    order = tx.one(
        f"SELECT {columns} FROM ticket_orders WHERE id = %s FOR UPDATE",  # noqa: S608 -- constants, see above
        order_id,
    )
    if order is None:
        raise OrderNotFound(gone)
    return order
