"""Counts what a paid order could not get when it was paid: when there is room, and a person orders it.

A payment's event counts once: two of three seats where the third was not free, or the seats where they were held
instead of where the order was moved to (`count_plans`). What was left over is counted here.
"""

from __future__ import annotations

from typing import Final

from ticketing.database import Database, Row, Transaction
from ticketing.errors import DataInconsistent
from ticketing.orders import counters, counts_off, give_back
from ticketing.orders.counters import CODES, TICKETS, Counter
from ticketing.orders.lock import lock_order
from ticketing.orders.status import OrderStatus
from ticketing.payments.count_plans import Claim
from ticketing.payments.counts import count_discount_use, count_ticket_sale

_COLUMNS: Final = give_back.COLUMNS


def count_rest_of_seats(database: Database, order_id: int) -> bool:
    """Count the seats that an order wants and has not; tell whether nothing is left to be counted.

    Raises:
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    if count_ticket_sale(database, order_id).result in {"cannot_count", "still_off"}:
        return False
    with database.transaction() as tx:
        order = lock_order(tx, order_id, _COLUMNS, gone=f"Order {order_id} is gone, its seats cannot be counted.")
        if order["status"] == OrderStatus.PAID and order["ticket_returned_at"] is None:
            wanted, has = Claim(order["ticket_id"], order["quantity"]), Claim(*give_back.counted_seats(order))
            if not _exchange(tx, TICKETS, wanted, has):
                return False
            tx.change(
                "UPDATE ticket_orders SET counted_ticket_id = %s, counted_quantity = %s WHERE id = %s",
                wanted.row_id,
                max(wanted.amount, has.amount) if wanted.row_id == has.row_id else wanted.amount,
                order_id,
            )
        counts_off.settle(tx, order_id, "count_seats")
    return True


def count_rest_of_use(database: Database, order_id: int) -> bool:
    """Count an order's use on the code that it has now; tell whether nothing is left to be counted.

    Raises:
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    if count_discount_use(database, order_id).result in {"cannot_count", "still_off"}:
        return False
    with database.transaction() as tx:
        order = lock_order(tx, order_id, _COLUMNS, gone=f"Order {order_id} is gone, its use cannot be counted.")
        if _use_may_move(order):
            wanted = Claim(order["discount_code_id"], 1)
            if not _exchange(tx, CODES, wanted, Claim(int(give_back.counted_code(order) or 0), 1)):
                return False
            tx.change("UPDATE ticket_orders SET counted_code_id = %s WHERE id = %s", wanted.row_id, order_id)
        counts_off.settle(tx, order_id, "count_use")
    return True


def _use_may_move(order: Row) -> bool:
    return (
        order["status"] == OrderStatus.PAID
        and order["discount_code_id"] is not None
        and order["discount_counted_at"] is not None
        and order["discount_returned_at"] is None
    )


def _exchange(tx: Transaction, counter: Counter, wanted: Claim, has: Claim) -> bool:
    """Count what is wanted instead of what there is; False, and nothing changed, where there is no room for it."""
    ids = sorted({wanted.row_id, has.row_id})
    rows = {row_id: counters.lock(tx, counter, row_id) for row_id in ids}
    more = wanted.amount - (has.amount if has.row_id == wanted.row_id else 0)
    if more <= 0:
        # An operator made the order smaller since, or nothing was left over: what is too much is not given back here.
        return True
    to = rows[wanted.row_id]
    if to is None or to.free(more) < more:
        return False
    changes = {wanted.row_id: more}
    if has.row_id != wanted.row_id and rows[has.row_id] is not None:
        changes[has.row_id] = -has.amount
    for row_id in ids:
        reason = counters.move(tx, counter, row_id, counted=changes.get(row_id, 0))
        if reason is not None:
            raise DataInconsistent(
                f"{counter.table} {row_id}: {reason}. Put its counter right first: cachao counts --all."
            )
    return True
