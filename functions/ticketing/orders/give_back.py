"""Gives back what an order took: seats and a code use, held or counted, each once.

What is given back is what was written down when it was taken, never what the order's columns say today: an operator may
have changed quantity, ticket or code since. Works inside a caller's transaction that has locked the order row. Whatever
the order holds and whatever was counted for it, the ticket row is changed before the code row: the lock order of every
transaction here.
"""

from __future__ import annotations

from typing import Final

from ticketing.database import Row, Transaction
from ticketing.orders import counters, counts_off, holds, paid_before
from ticketing.orders.counters import CODES, TICKETS
from ticketing.orders.counts_off import CountOff

# The columns of an order that this module reads.
COLUMNS: Final = (
    f"{paid_before.COLUMNS}, held_ticket_id, held_code_id, ticket_returned_at, counted_ticket_id, counted_quantity,"
    " discount_returned_at, counted_code_id"
)


def give_back_everything(tx: Transaction, order: Row) -> None:
    """Give back the order's hold and its counts. `order` is its locked row with `COLUMNS`, as it was until now.

    A count that was not made yet is not taken back: its seats or its use are still held, and go back as a hold. What a
    counter cannot give back is written down (`counts_off`); the order has given it back all the same.
    """
    order = paid_before.take_over_seats(tx, order, effect="return_seats")
    if order["ticket_counted_at"] is not None and order["ticket_returned_at"] is None:
        _return_seats(tx, order)
    holds.give_back(tx, order)
    order = paid_before.take_over_code_use(tx, order, effect="return_use")
    if order["discount_counted_at"] is not None and order["discount_returned_at"] is None:
        _return_code_use(tx, order)


def _return_seats(tx: Transaction, order: Row) -> None:
    marked = tx.change(
        "UPDATE ticket_orders SET ticket_returned_at = UTC_TIMESTAMP(6)"
        " WHERE id = %s AND ticket_counted_at IS NOT NULL AND ticket_returned_at IS NULL",
        order["id"],
    )
    if marked != 1:
        return
    ticket_id, quantity = counted_seats(order)
    reason = counters.move(tx, TICKETS, ticket_id, counted=-quantity)
    if reason is not None:
        counts_off.record(
            tx, order["id"], CountOff(effect="return_seats", counter_id=ticket_id, amount=quantity, reason=reason)
        )


def _return_code_use(tx: Transaction, order: Row) -> None:
    marked = tx.change(
        "UPDATE ticket_orders SET discount_returned_at = UTC_TIMESTAMP(6)"
        " WHERE id = %s AND discount_counted_at IS NOT NULL AND discount_returned_at IS NULL",
        order["id"],
    )
    if marked != 1:
        return
    code_id = counted_code(order)
    reason = "gone" if code_id is None else counters.move(tx, CODES, code_id, counted=-1)
    if reason is not None:
        counts_off.record(tx, order["id"], CountOff(effect="return_use", counter_id=code_id, amount=1, reason=reason))


def counted_seats(order: Row) -> tuple[int, int]:
    """Give the ticket on which an order's seats were counted, and how many: as written down, else today's."""
    ticket_id = order["ticket_id"] if order["counted_ticket_id"] is None else order["counted_ticket_id"]
    quantity = order["quantity"] if order["counted_quantity"] is None else order["counted_quantity"]
    return int(ticket_id), int(quantity)


def counted_code(order: Row) -> int | None:
    """Give the code on which an order's use was counted: as written down, else today's."""
    code_id = order["discount_code_id"] if order["counted_code_id"] is None else order["counted_code_id"]
    return None if code_id is None else int(code_id)
