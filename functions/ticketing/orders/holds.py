"""Holds: the seats, and the one use of a discount code, that an unpaid order keeps for its buyer.

The counters `tickets.held_quantity` and `discount_codes.held_count` are the sums of what orders hold
(`ticket_orders.held_quantity`, `.code_held`), so a checkout costs the same however many orders are pending.
Every function here works inside a caller's transaction that has locked the order row first; then the ticket row,
then the code row. One lock order everywhere, so that no two transactions wait for each other in a circle. A new order's
row comes last: nobody else knows it yet (`order_placement`).
See docs/rules.md, "Seats" and "Discount codes".
"""

from __future__ import annotations

from ticketing.database import Row, Transaction
from ticketing.errors import DataInconsistent


def take_seats(tx: Transaction, *, ticket_id: int, quantity: int) -> bool:
    """Hold `quantity` seats of a ticket if so many are free; False, and nothing changed, if not.

    One guarded statement: sold + held can never exceed `max_quantity`, whatever runs at the same time.
    """
    return (
        tx.change(
            "UPDATE tickets SET held_quantity = held_quantity + %s WHERE id = %s"
            " AND (max_quantity IS NULL OR COALESCE(sold_quantity, 0) + held_quantity + %s <= max_quantity)",
            quantity,
            ticket_id,
            quantity,
        )
        == 1
    )


def take_code_use(tx: Transaction, *, code_id: int) -> bool:
    """Hold one use of a discount code if one is left; False, and nothing changed, if not."""
    return (
        tx.change(
            "UPDATE discount_codes SET held_count = held_count + 1 WHERE id = %s"
            " AND (max_uses IS NULL OR COALESCE(used_count, 0) + held_count + 1 <= max_uses)",
            code_id,
        )
        == 1
    )


def give_back(tx: Transaction, order: Row) -> None:
    """Give back what an order holds: its seats and its code use, once.

    `order` is its locked row with `id`, `ticket_id`, `held_quantity`, `discount_code_id` and `code_held`. An order
    that holds nothing changes nothing.

    Raises:
        DataInconsistent: a counter says that less is held than this order holds.
    """
    if not order["held_quantity"] and not order["code_held"]:
        return
    tx.change("UPDATE ticket_orders SET held_quantity = 0, code_held = 0 WHERE id = %s", order["id"])
    if order["held_quantity"]:
        changed = tx.change(
            "UPDATE tickets SET held_quantity = held_quantity - %s WHERE id = %s AND held_quantity >= %s",
            order["held_quantity"],
            order["ticket_id"],
            order["held_quantity"],
        )
        if changed != 1:
            raise DataInconsistent(
                f"Order {order['id']} holds {order['held_quantity']} seats of ticket {order['ticket_id']},"
                " but the ticket has fewer held seats or is gone."
            )
    if order["code_held"]:
        changed = tx.change(
            "UPDATE discount_codes SET held_count = held_count - 1 WHERE id = %s AND held_count >= 1",
            order["discount_code_id"],
        )
        if changed != 1:
            raise DataInconsistent(
                f"Order {order['id']} holds a use of discount code {order['discount_code_id']},"
                " but the code has none held or is gone."
            )
