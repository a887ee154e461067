"""Gives back what an order took: seats and a code use, held or counted, each once.

Works inside a caller's transaction that has locked the order row. Whatever the order holds and whatever was counted
for it, the ticket row is changed before the code row: the lock order of every transaction here.
"""

from __future__ import annotations

from typing import Final

from ticketing.database import Row, Transaction
from ticketing.errors import DataInconsistent
from ticketing.orders import holds

# The columns of an order that this module reads.
COLUMNS: Final = (
    "id, ticket_id, quantity, held_quantity, ticket_counted_at, ticket_returned_at,"
    " discount_code_id, code_held, discount_counted_at, discount_returned_at"
)


def give_back_everything(tx: Transaction, order: Row) -> None:
    """Give back the order's hold and its counts. `order` is its locked row with `COLUMNS`.

    A count that was not made yet is not taken back: its seats or its use are still held, and go back as a hold.

    Raises:
        DataInconsistent: a counter says that less is held or counted than this order took.
    """
    if order["ticket_counted_at"] is not None and order["ticket_returned_at"] is None:
        _return_seats(tx, order)
    holds.give_back(tx, order)
    if order["discount_counted_at"] is not None and order["discount_returned_at"] is None:
        _return_code_use(tx, order)


def _return_seats(tx: Transaction, order: Row) -> None:
    marked = tx.change(
        "UPDATE ticket_orders SET ticket_returned_at = UTC_TIMESTAMP(6)"
        " WHERE id = %s AND ticket_counted_at IS NOT NULL AND ticket_returned_at IS NULL",
        order["id"],
    )
    changed = marked and tx.change(
        "UPDATE tickets SET sold_quantity = sold_quantity - %s WHERE id = %s AND sold_quantity >= %s",
        order["quantity"],
        order["ticket_id"],
        order["quantity"],
    )
    if changed != 1:
        raise DataInconsistent(
            f"The {order['quantity']} counted seats of order {order['id']} could not be given back: ticket"
            f" {order['ticket_id']} is gone or has fewer sold. Nothing was changed."
        )


def _return_code_use(tx: Transaction, order: Row) -> None:
    marked = tx.change(
        "UPDATE ticket_orders SET discount_returned_at = UTC_TIMESTAMP(6)"
        " WHERE id = %s AND discount_counted_at IS NOT NULL AND discount_returned_at IS NULL",
        order["id"],
    )
    changed = marked and tx.change(
        "UPDATE discount_codes SET used_count = used_count - 1 WHERE id = %s AND used_count >= 1",
        order["discount_code_id"],
    )
    if changed != 1:
        raise DataInconsistent(
            f"The counted discount use of order {order['id']} could not be given back: code"
            f" {order['discount_code_id']} is gone or has no use counted. Nothing was changed."
        )
