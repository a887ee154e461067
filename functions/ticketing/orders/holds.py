"""Holds: the seats, and the one use of a discount code, that an unpaid order keeps for its buyer.

The counters `tickets.held_quantity` and `discount_codes.held_count` are the sums of what orders hold
(`ticket_orders.held_quantity`, `.code_held`), so a checkout costs the same however many orders are pending. Which
ticket and which code that is stands beside them (`held_ticket_id`, `held_code_id`): an operator may move the order
meanwhile.
Every function here works inside a caller's transaction that has locked the order row first; then the ticket row,
then the code row. One lock order everywhere, so that no two transactions wait for each other in a circle. A new order's
row comes last: nobody else knows it yet (`ticketing.checkout.placement`).
See docs/rules.md, "Seats" and "Discount codes".
"""

from __future__ import annotations

from typing import Final

from ticketing.database import Row, Statement, Transaction
from ticketing.orders import counters, counts_off
from ticketing.orders.counters import CODES, TICKETS
from ticketing.orders.counts_off import CountOff

# The columns of an order that this module reads.
COLUMNS: Final = "id, ticket_id, held_quantity, held_ticket_id, discount_code_id, code_held, held_code_id"


def taking_seats(*, ticket_id: int, quantity: int) -> Statement:
    """Give the statement that holds `quantity` seats of a ticket if so many are free; else it changes no row.

    Guarded by itself: sold + held can never exceed `max_quantity`, whatever runs at the same time.
    """
    return Statement(
        "UPDATE tickets SET held_quantity = held_quantity + %s WHERE id = %s"
        " AND (max_quantity IS NULL OR COALESCE(sold_quantity, 0) + held_quantity + %s <= max_quantity)",
        quantity,
        ticket_id,
        quantity,
    )


def taking_code_use(*, code_id: int) -> Statement:
    """Give the statement that holds one use of a discount code if one is left; else it changes no row."""
    return Statement(
        "UPDATE discount_codes SET held_count = held_count + 1 WHERE id = %s"
        " AND (max_uses IS NULL OR COALESCE(used_count, 0) + held_count + 1 <= max_uses)",
        code_id,
    )


def take_seats(tx: Transaction, *, ticket_id: int, quantity: int) -> bool:
    """Hold `quantity` seats of a ticket if so many are free; False, and nothing changed, if not."""
    return tx.send(taking_seats(ticket_id=ticket_id, quantity=quantity)) == 1


def take_code_use(tx: Transaction, *, code_id: int) -> bool:
    """Hold one use of a discount code if one is left; False, and nothing changed, if not."""
    return tx.send(taking_code_use(code_id=code_id)) == 1


def give_back(tx: Transaction, order: Row) -> None:
    """Give back what an order holds: its seats and its code use, once.

    `order` is its locked row with `COLUMNS`. An order that holds nothing changes nothing. What a counter cannot give
    back is written down (`counts_off`), and the order holds nothing more all the same.
    """
    if order["held_quantity"]:
        _give_back_seats(tx, order)
    if order["code_held"]:
        give_back_code_use(tx, order)


def give_back_code_use(tx: Transaction, order: Row) -> None:
    """Give back the code use that an order holds, once; it holds one."""
    tx.change("UPDATE ticket_orders SET code_held = 0, held_code_id = NULL WHERE id = %s", order["id"])
    code_id = held_code(order)
    reason = "gone" if code_id is None else counters.move(tx, CODES, code_id, held=-1)
    if reason is not None:
        counts_off.record(tx, order["id"], CountOff(effect="release_use", counter_id=code_id, amount=1, reason=reason))


def _give_back_seats(tx: Transaction, order: Row) -> None:
    tx.change("UPDATE ticket_orders SET held_quantity = 0, held_ticket_id = NULL WHERE id = %s", order["id"])
    ticket_id, quantity = held_ticket(order), order["held_quantity"]
    reason = counters.move(tx, TICKETS, ticket_id, held=-quantity)
    if reason is not None:
        counts_off.record(
            tx, order["id"], CountOff(effect="release_seats", counter_id=ticket_id, amount=quantity, reason=reason)
        )


def held_ticket(order: Row) -> int:
    """Give the ticket whose seats an order holds: as it was written down, else today's."""
    return int(order["ticket_id"] if order["held_ticket_id"] is None else order["held_ticket_id"])


def held_code(order: Row) -> int | None:
    """Give the code whose use an order holds: as it was written down, else today's."""
    code_id = order["discount_code_id"] if order["held_code_id"] is None else order["held_code_id"]
    return None if code_id is None else int(code_id)
