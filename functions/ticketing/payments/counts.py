"""Counts what a paid order bought: its seats, and its use of a discount code. Each once per order, ever.

The order itself says what has been counted: its mark is set where it is not set, and only if that changed a row
the counter moves, in the same transaction. The two counts know nothing of each other.
See docs/rules.md, "Words" and "Seats".
"""

from __future__ import annotations

from typing import Literal

from ticketing.database import Database
from ticketing.errors import DataInconsistent
from ticketing.orders.lock import lock_order
from ticketing.orders.status import OrderStatus

TicketCount = Literal["counted", "already_counted", "not_due"]
DiscountCount = Literal["counted", "already_counted", "not_due", "no_discount", "used_up"]


def count_ticket_sale(database: Database, order_id: int) -> TicketCount:
    """Move the order's seats from held to sold, in one transaction.

    Returns:
        `counted` now, `already_counted` before, or `not_due`: the order is not paid (it was refunded meanwhile).

    Raises:
        DataInconsistent: the ticket is gone, or has no room for seats that the order does not hold.
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        order = lock_order(
            tx,
            order_id,
            "id, status, ticket_id, quantity, held_quantity, ticket_counted_at",
            gone=f"Order {order_id} is gone, its seats cannot be counted.",
        )
        if order["ticket_counted_at"] is not None:
            return "already_counted"
        if order["status"] != OrderStatus.PAID:
            return "not_due"
        tx.change(
            "UPDATE ticket_orders SET ticket_counted_at = UTC_TIMESTAMP(6), held_quantity = 0"
            " WHERE id = %s AND ticket_counted_at IS NULL",
            order_id,
        )
        held = order["held_quantity"]
        changed = tx.change(
            "UPDATE tickets SET sold_quantity = COALESCE(sold_quantity, 0) + %s, held_quantity = held_quantity - %s"
            # Seats that are held already take no more room, even where the limit was lowered meanwhile.
            " WHERE id = %s AND held_quantity >= %s AND (%s <= 0 OR max_quantity IS NULL"
            " OR COALESCE(sold_quantity, 0) + held_quantity + %s <= max_quantity)",
            order["quantity"],
            held,
            order["ticket_id"],
            held,
            order["quantity"] - held,
            order["quantity"] - held,
        )
        if changed != 1:
            raise DataInconsistent(
                f"The {order['quantity']} seats of order {order_id} could not be counted: ticket {order['ticket_id']}"
                " is gone, has fewer held seats than the order holds, or no room. Nothing was changed."
            )
    return "counted"


def count_discount_use(database: Database, order_id: int) -> DiscountCount:
    """Move the order's use of its discount code from held to used, in one transaction.

    Returns:
        `counted` now, `already_counted` before, `no_discount` without a code, `not_due` for an order that is not
        paid, or `used_up`: the order lapsed and was paid late, when others had taken the last use.

    Raises:
        DataInconsistent: the code is gone, or has no held use though the order holds one.
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        order = lock_order(
            tx,
            order_id,
            "id, status, discount_code_id, code_held, discount_counted_at",
            gone=f"Order {order_id} is gone, its discount use cannot be counted.",
        )
        if order["discount_code_id"] is None:
            return "no_discount"
        if order["discount_counted_at"] is not None:
            return "already_counted"
        if order["status"] != OrderStatus.PAID:
            return "not_due"
        held = order["code_held"]
        changed = tx.change(
            "UPDATE discount_codes SET used_count = COALESCE(used_count, 0) + 1, held_count = held_count - %s"
            " WHERE id = %s AND held_count >= %s AND (%s <= 0 OR max_uses IS NULL"
            " OR COALESCE(used_count, 0) + held_count + %s <= max_uses)",
            held,
            order["discount_code_id"],
            held,
            1 - held,
            1 - held,
        )
        if changed != 1:
            return _explain_uncounted(order_id, order["discount_code_id"], held=held)
        tx.change(
            "UPDATE ticket_orders SET discount_counted_at = UTC_TIMESTAMP(6), code_held = 0"
            " WHERE id = %s AND discount_counted_at IS NULL",
            order_id,
        )
    return "counted"


def _explain_uncounted(order_id: int, code_id: int, *, held: int) -> DiscountCount:
    if not held:
        return "used_up"
    raise DataInconsistent(
        f"The discount use of order {order_id} could not be counted: code {code_id} is gone or has no held use."
        " Nothing was changed."
    )
