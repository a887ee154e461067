"""Ends an order whose payment failed or whose Checkout Session expired, and keeps one whose payment is awaited."""

from __future__ import annotations

from typing import Literal

import msgspec

from ticketing.alerts import Alert
from ticketing.database import Database
from ticketing.errors import OrderNotFound
from ticketing.orders import checkouts, counts_off, history, holds
from ticketing.orders.lock import lock_order
from ticketing.orders.status import OrderStatus

# How long a delayed payment is left alone before reconciliation asks Stripe about it, in seconds. A bank transfer
# or SEPA debit takes days (https://docs.stripe.com/payments/sepa-debit); asking once a day is cheap.
_AWAIT_SECONDS = 24 * 3600


class OrderMove(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The order's status after the task, whether the task changed it, and the alert that is due."""

    status: str
    changed: bool
    alerts: list[Alert] = []


def release_order(
    database: Database, order_id: int, *, lost_as: Literal["failed", "expired"], stripe_event_id: str
) -> OrderMove:
    """End an unpaid order and give its hold back, once; an order that is paid or ended stays as it is.

    What an operator cancelled keeps its status, and gives back what it still holds.

    `failed` ends a pending or processing order, `expired` only a pending one: a Checkout Session that was
    completed cannot expire (docs/rules.md, "Order states").

    Raises:
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    ends = ("pending", "processing") if lost_as == "failed" else ("pending",)
    with database.transaction() as tx:
        order = lock_order(
            tx,
            order_id,
            f"{holds.COLUMNS}, status",
            gone=f"Order {order_id} is gone, nothing can be given back.",
        )
        changed = order["status"] in ends
        if changed:
            tx.change(
                "UPDATE ticket_orders SET status = %s, hold_expires_at = NULL WHERE id = %s AND status = %s",
                lost_as,
                order_id,
                order["status"],
            )
            checkouts.forget(tx, order_id)
        # Cancelled by an operator, in the table itself: what the order held was not given back by that.
        if changed or order["status"] == OrderStatus.CANCELLED:
            holds.give_back(tx, order)
        # A repeat of the event that ended the order has nothing new to tell.
        if changed or not history.has(tx, order_id=order_id, entry=lost_as, stripe_event_id=stripe_event_id):
            history.record(
                tx,
                order_id=order_id,
                entry=lost_as if changed else f"{lost_as}_ignored",
                stripe_event_id=stripe_event_id,
            )
        alerts = counts_off.due_alerts(tx, order_id)
    return OrderMove(status=lost_as if changed else order["status"], changed=changed, alerts=alerts)


def mark_order_processing(database: Database, order_id: int, *, stripe_event_id: str) -> OrderMove:
    """Mark a pending order `processing`: its payment is under way, its hold stays until the result is known.

    Raises:
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        changed = tx.change(
            # The hold has no end until the result is known.
            "UPDATE ticket_orders SET status = %s, hold_expires_at = NULL,"
            " next_check_at = UTC_TIMESTAMP(6) + INTERVAL %s SECOND WHERE id = %s AND status = %s",
            OrderStatus.PROCESSING,
            _AWAIT_SECONDS,
            order_id,
            OrderStatus.PENDING,
        )
        order = tx.one("SELECT status FROM ticket_orders WHERE id = %s", order_id)
        if order is None:
            raise OrderNotFound(f"Order {order_id} is gone, its payment cannot be awaited.")
        if changed:
            history.record(tx, order_id=order_id, entry="processing", stripe_event_id=stripe_event_id)
    return OrderMove(status=order["status"], changed=changed == 1)
