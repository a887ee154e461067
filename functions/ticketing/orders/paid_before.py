"""Orders that were paid before this shop: somebody else marked them `paid`, and counted them, or did not.

Such an order has no time of its payment (`paid_at`), no mark of this shop's (`order_mark`), and holds nothing. When
this shop comes upon one, by a late event or by a refund, it takes the order over, once: what the shop before has
counted becomes this order's count, so that it is never counted again, and goes back when the order is refunded.

Whether it was counted is known where the ticket's counter is at least as high as all that its paid orders took. Where
it is lower nobody knows which of them are in it: then nothing is given back later, and that is told (`counts_off`).
See docs/decisions.md, "Orders that were paid before this shop".

Works inside a caller's transaction that has locked the order row.
"""

from __future__ import annotations

from typing import Final

from ticketing.database import Row, Transaction
from ticketing.orders import counters, counts_off
from ticketing.orders.counters import CODES, TICKETS, Reason
from ticketing.orders.counts_off import CountOff, Effect
from ticketing.orders.status import OrderStatus

# The columns of an order that this module reads.
COLUMNS: Final = (
    "id, status, paid_at, order_mark, ticket_id, quantity, held_quantity, ticket_counted_at, discount_code_id,"
    " code_held, discount_counted_at"
)

# No trace of this shop on a paid order.
UNTOUCHED: Final = "paid_at IS NULL AND order_mark IS NULL"
# How much of a ticket's or code's counter an order stands for. One that waits to be counted holds its seats.
_SEATS: Final = (
    "CASE WHEN ticket_counted_at IS NOT NULL THEN COALESCE(counted_quantity, quantity)"
    f" WHEN {UNTOUCHED} AND held_quantity = 0 THEN quantity ELSE 0 END"
)
_USES: Final = f"discount_counted_at IS NOT NULL OR ({UNTOUCHED} AND code_held = 0)"


def take_over_seats(tx: Transaction, order: Row, *, effect: Effect) -> Row:
    """Take over the seats of an order that was paid before this shop; give the order as it then is.

    Any other order is given as it is. `effect` is what the caller wants to do with the seats.
    """
    if not _is_paid_before(order) or order["ticket_counted_at"] is not None or order["held_quantity"]:
        return order
    ticket_id, quantity = int(order["ticket_id"]), max(int(order["quantity"] or 0), 0)
    ticket = counters.lock(tx, TICKETS, ticket_id)
    reason: Reason | None = "gone"
    if ticket is not None:
        others = tx.one(
            f"SELECT COALESCE(SUM({_SEATS}), 0) AS taken FROM ticket_orders"  # noqa: S608 -- constants of this module
            " WHERE ticket_id = %s AND status = %s AND id <> %s",
            ticket_id,
            OrderStatus.PAID,
            order["id"],
        )
        reason = None if ticket.counted >= quantity + int(others["taken"] if others else 0) else "unknown"
    counted = 0 if reason else quantity
    tx.change(
        "UPDATE ticket_orders SET ticket_counted_at = UTC_TIMESTAMP(6), counted_ticket_id = %s, counted_quantity = %s"
        " WHERE id = %s AND ticket_counted_at IS NULL",
        ticket_id,
        counted,
        order["id"],
    )
    if reason is not None:
        counts_off.record(
            tx, order["id"], CountOff(effect=effect, counter_id=ticket_id, amount=quantity, reason=reason)
        )
    return _as_it_is(tx, order, is_off=reason is not None)


def take_over_code_use(tx: Transaction, order: Row, *, effect: Effect) -> Row:
    """Take over the code use of an order that was paid before this shop, as `take_over_seats` does its seats.

    A use that nobody knows of is taken for given back, so that it does not go back a second time.
    """
    code_id = order["discount_code_id"]
    if not _is_paid_before(order) or order["discount_counted_at"] is not None or order["code_held"] or code_id is None:
        return order
    code = counters.lock(tx, CODES, int(code_id))
    reason: Reason | None = "gone"
    if code is not None:
        others = tx.one(
            f"SELECT COUNT(*) AS taken FROM ticket_orders WHERE discount_code_id = %s AND status = %s AND ({_USES})"  # noqa: S608 -- constants of this module
            " AND id <> %s",
            code_id,
            OrderStatus.PAID,
            order["id"],
        )
        reason = None if code.counted > int(others["taken"] if others else 0) else "unknown"
    tx.change(
        "UPDATE ticket_orders SET discount_counted_at = UTC_TIMESTAMP(6), counted_code_id = %s,"
        " discount_returned_at = IF(%s, UTC_TIMESTAMP(6), discount_returned_at)"
        " WHERE id = %s AND discount_counted_at IS NULL",
        code_id,
        int(reason is not None),
        order["id"],
    )
    if reason is not None:
        counts_off.record(tx, order["id"], CountOff(effect=effect, counter_id=int(code_id), amount=1, reason=reason))
    return _as_it_is(tx, order, is_off=reason is not None)


def _is_paid_before(order: Row) -> bool:
    return order["status"] == OrderStatus.PAID and order["paid_at"] is None and order["order_mark"] is None


def _as_it_is(tx: Transaction, order: Row, *, is_off: bool) -> Row:
    now = tx.one(
        "SELECT ticket_counted_at, counted_ticket_id, counted_quantity, discount_counted_at, discount_returned_at,"
        " counted_code_id FROM ticket_orders WHERE id = %s",
        order["id"],
    )
    return {**order, **(now or {}), "is_off": int(is_off or order.get("is_off", 0))}
