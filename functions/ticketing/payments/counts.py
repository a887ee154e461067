"""Counts what a paid order bought: its seats, and its use of a discount code. Each once per order, ever.

The order itself says what has been counted: its mark is set where it is not set, and only if that changed a row
the counter moves, in the same transaction. The two counts know nothing of each other.

As a rule that is one guarded statement over both rows, which is its own transaction; it locks the order first. Where it
does not fit, because an operator has changed the order since it took its hold, or a ticket's or a code's row or
counter, all rows that matter are locked and it is worked out what can be counted (`count_plans`). What cannot is
written down and reported (`counts_off`); the order is paid all the same.
See docs/rules.md, "Words", "Money first" and "Seats".
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from ticketing.alerts import Alert
from ticketing.database import Database, Row, Transaction
from ticketing.errors import DataInconsistent
from ticketing.orders import counters, counts_off, holds, paid_before
from ticketing.orders.counters import CODES, TICKETS, Counter, Counts
from ticketing.orders.counts_off import OF_SEATS, OF_USES
from ticketing.orders.lock import lock_order
from ticketing.orders.status import OrderStatus
from ticketing.payments.count_plans import Claim, Plan, plan

# Longer than an execution tries by itself: what is paid and not counted by then nobody counts any more.
COUNTED_WITHIN_MINUTES: Final = 20

TicketResult = Literal["counted", "already_counted", "not_due", "cannot_count", "still_off"]
DiscountResult = Literal["counted", "already_counted", "not_due", "no_discount", "used_up", "cannot_count", "still_off"]

_COLUMNS: Final = f"{paid_before.COLUMNS}, held_ticket_id, held_code_id, {counts_off.IS_OFF}"


# What is assigned is computed from columns that the statement does not change: it may change the rows in any order.
_COUNT_HELD_SEATS: Final = f"""
    UPDATE ticket_orders AS o JOIN tickets AS t ON t.id = o.ticket_id
    SET t.sold_quantity = COALESCE(t.sold_quantity, 0) + o.quantity, t.held_quantity = t.held_quantity - o.quantity,
        o.ticket_counted_at = UTC_TIMESTAMP(6), o.counted_ticket_id = o.ticket_id, o.counted_quantity = o.quantity,
        o.held_quantity = 0, o.held_ticket_id = NULL
    WHERE o.id = %s AND o.status = %s AND o.ticket_counted_at IS NULL
        AND o.quantity > 0 AND o.held_quantity = o.quantity AND COALESCE(o.held_ticket_id, o.ticket_id) = o.ticket_id
        AND t.held_quantity >= o.quantity AND {counts_off.IS_NOT_OFF}
"""  # noqa: S608 -- a constant of this project
_COUNT_HELD_USE: Final = f"""
    UPDATE ticket_orders AS o JOIN discount_codes AS c ON c.id = o.discount_code_id
    SET c.used_count = COALESCE(c.used_count, 0) + 1, c.held_count = c.held_count - 1,
        o.discount_counted_at = UTC_TIMESTAMP(6), o.counted_code_id = o.discount_code_id,
        o.code_held = 0, o.held_code_id = NULL
    WHERE o.id = %s AND o.status = %s AND o.discount_counted_at IS NULL
        AND o.code_held = 1 AND COALESCE(o.held_code_id, o.discount_code_id) = o.discount_code_id
        AND c.held_count >= 1 AND {counts_off.IS_NOT_OFF}
"""  # noqa: S608 -- a constant of this project
_ROWS_OF_BOTH: Final = 2


class TicketCount(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of the order's seats, and the alert that is due about them.

    `counted` now, `already_counted` before, `not_due`: the order is not paid (it was refunded meanwhile),
    `cannot_count`: the ticket is gone or has no room, which the alert says, or `still_off`: the same, and told before.
    What cannot be counted is tried again whenever the payment's event is.
    """

    result: TicketResult
    alerts: list[Alert] = []


class DiscountCount(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of the order's use of a discount code, and the alert that is due about it.

    Besides those of `TicketCount`: `no_discount` without a code, or `used_up`: the order lapsed and was paid late, when
    others had taken the last use.
    """

    result: DiscountResult
    alerts: list[Alert] = []


def count_ticket_sale(database: Database, order_id: int) -> TicketCount:
    """Move the order's seats from held to sold, in one transaction.

    Seats that the order does not hold (its quantity was raised since) are taken where they are free. Seats that it
    holds on another ticket (it was moved since) are exchanged for the new ticket's, or else counted where they are
    held.

    Raises:
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    if _count_held(database, _COUNT_HELD_SEATS, order_id):
        return TicketCount(result="counted")
    with database.transaction() as tx:
        order = lock_order(tx, order_id, _COLUMNS, gone=f"Order {order_id} is gone, its seats cannot be counted.")
        order = paid_before.take_over_seats(tx, order, effect="count_seats")
        result: TicketResult
        if order["ticket_counted_at"] is not None:
            result = "already_counted"
        elif order["status"] != OrderStatus.PAID:
            result = "not_due"
        else:
            found = _count_seats(tx, order)
            alerts = counts_off.due_alerts(tx, order_id, of=OF_SEATS)
            return TicketCount(result=found or ("cannot_count" if alerts else "still_off"), alerts=alerts)
        alerts = counts_off.due_alerts(tx, order_id, of=OF_SEATS) if order["is_off"] else []
    return TicketCount(result=result, alerts=alerts)


def count_discount_use(database: Database, order_id: int) -> DiscountCount:
    """Move the order's use of its discount code from held to used, in one transaction.

    Raises:
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    if _count_held(database, _COUNT_HELD_USE, order_id):
        return DiscountCount(result="counted")
    with database.transaction() as tx:
        order = lock_order(
            tx, order_id, _COLUMNS, gone=f"Order {order_id} is gone, its discount use cannot be counted."
        )
        order = paid_before.take_over_code_use(tx, order, effect="count_use")
        result: DiscountResult
        if order["discount_counted_at"] is not None:
            result = "already_counted"
        elif order["discount_code_id"] is None and not order["code_held"]:
            result = "no_discount"
        elif order["status"] != OrderStatus.PAID:
            result = "not_due"
        else:
            found = _count_use(tx, order)
            alerts = counts_off.due_alerts(tx, order_id, of=OF_USES)
            return DiscountCount(result=found or ("cannot_count" if alerts else "still_off"), alerts=alerts)
        alerts = counts_off.due_alerts(tx, order_id, of=OF_USES) if order["is_off"] else []
    return DiscountCount(result=result, alerts=alerts)


def _count_held(database: Database, sql: str, order_id: int) -> bool:
    """Count what a paid order holds, where all of it fits together; False, and nothing changed, where it does not."""
    with database.statement() as tx:
        changed = tx.change(sql, order_id, OrderStatus.PAID)
    if changed not in {0, _ROWS_OF_BOTH}:
        raise DataInconsistent(f"Order {order_id} and its counter: {changed} rows changed where both should.")
    return changed == _ROWS_OF_BOTH


def _count_seats(tx: Transaction, order: Row) -> Literal["counted"] | None:
    """Count what can be; None: nothing can."""
    wanted = Claim(order["ticket_id"], max(order["quantity"], 0))
    held = Claim(holds.held_ticket(order), order["held_quantity"]) if order["held_quantity"] else None
    found = plan("seats", wanted, held, _lock(tx, TICKETS, wanted, held))
    _carry_out(tx, order, TICKETS, found)
    if found.counted is None:
        return None
    _mark_seats(tx, order, found.counted)
    return "counted"


def _count_use(tx: Transaction, order: Row) -> Literal["counted", "no_discount", "used_up"] | None:
    """Count the use where it can be; None: it cannot."""
    held_code = holds.held_code(order) if order["code_held"] else None
    if order["discount_code_id"] is None:
        # The code was taken off the order since: what it holds goes back, nothing is counted.
        holds.give_back_code_use(tx, order)
        return "no_discount"
    wanted, held = Claim(order["discount_code_id"], 1), None if held_code is None else Claim(held_code, 1)
    found = plan("use", wanted, held, _lock(tx, CODES, wanted, held))
    _carry_out(tx, order, CODES, found)
    if found.counted is None:
        return None if found.offs else "used_up"
    _mark_use(tx, order, found.counted)
    return "counted"


def _lock(tx: Transaction, counter: Counter, wanted: Claim, held: Claim | None) -> dict[int, Counts | None]:
    ids = {wanted.row_id} if held is None else {wanted.row_id, held.row_id}
    # The lower id first: no two orders that were moved to and fro wait for each other in a circle.
    return {row_id: counters.lock(tx, counter, row_id) for row_id in sorted(ids)}


def _carry_out(tx: Transaction, order: Row, counter: Counter, found: Plan) -> None:
    for move in found.moves:
        reason = counters.move(tx, counter, move.row_id, counted=move.counted, held=move.held)
        if reason is not None:
            raise DataInconsistent(f"{counter.table} {move.row_id} changed while it was locked: {reason}.")
    for off in found.offs:
        counts_off.record(tx, order["id"], off)


def _mark_seats(tx: Transaction, order: Row, counted: Claim) -> None:
    tx.change(
        "UPDATE ticket_orders SET ticket_counted_at = UTC_TIMESTAMP(6), counted_ticket_id = %s, counted_quantity = %s,"
        " held_quantity = 0, held_ticket_id = NULL WHERE id = %s AND ticket_counted_at IS NULL",
        counted.row_id,
        counted.amount,
        order["id"],
    )
    if order["is_off"] and counted == Claim(order["ticket_id"], order["quantity"]):
        counts_off.settle(tx, order["id"], "count_seats")


def _mark_use(tx: Transaction, order: Row, counted: Claim) -> None:
    tx.change(
        "UPDATE ticket_orders SET discount_counted_at = UTC_TIMESTAMP(6), counted_code_id = %s,"
        " code_held = 0, held_code_id = NULL WHERE id = %s AND discount_counted_at IS NULL",
        counted.row_id,
        order["id"],
    )
    if order["is_off"] and counted.row_id == order["discount_code_id"]:
        counts_off.settle(tx, order["id"], "count_use")
