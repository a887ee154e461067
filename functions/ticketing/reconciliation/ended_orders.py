"""Takes back what orders hold, or were counted for, that an operator has ended in the table itself.

A status that is set by hand gives nothing back by that: `cancelled`, or any other that ends an
order. See docs/rules.md, "Order states".
"""

from __future__ import annotations

import functools
from typing import Final

import msgspec

from ticketing.alerts import Alert
from ticketing.database import Database
from ticketing.errors import PermanentError, StripeUnavailable
from ticketing.orders import counts_off, give_back, history
from ticketing.orders.lock import lock_order
from ticketing.orders.status import CLOSED, LAPSED, OrderStatus
from ticketing.reconciliation.repair import ReconciledItem, retried
from ticketing.reconciliation.session_search import RateLimitedSessions

# A run's share. It is done by hand, so there are few.
_MOST: Final = 500
_ENDED: Final = LAPSED | CLOSED

# Of the many that ended by themselves only those are looked at that hold something: none, as a rule.
_DUE: Final = (
    "SELECT id, status, stripe_checkout_session_id, held_quantity, code_held FROM ticket_orders"
    " WHERE status = %s AND (held_quantity > 0 OR code_held > 0"
    " OR (ticket_counted_at IS NOT NULL AND ticket_returned_at IS NULL)"
    " OR (discount_counted_at IS NOT NULL AND discount_returned_at IS NULL))"
    " UNION SELECT id, status, stripe_checkout_session_id, held_quantity, code_held FROM ticket_orders"
    " WHERE held_quantity > 0 AND status IN %s"
    " UNION SELECT id, status, stripe_checkout_session_id, held_quantity, code_held FROM ticket_orders"
    " WHERE code_held > 0 AND status IN %s ORDER BY id LIMIT %s"
)


def settle_ended(database: Database, sessions: RateLimitedSessions, *, dry_run: bool) -> list[ReconciledItem]:
    """End the open Checkout Sessions of orders that were ended by hand, and give back what they took; a row for each.

    A payment that was faster is told by its event, as `PaymentForClosedOrder`, or takes its seats again. With `dry_run`
    nothing is changed.

    Raises:
        ConfigurationError: Stripe's API key is wrong.
        DatabaseUnavailable: try again; what was done stays done.
    """
    ended = tuple(sorted(_ENDED))
    with database.transaction() as tx:
        orders = tx.all(_DUE, OrderStatus.CANCELLED, ended, ended, _MOST)
    rows = []
    for order in orders:
        order_id, session_id = order["id"], order["stripe_checkout_session_id"]
        finding = "cancelled" if order["status"] == OrderStatus.CANCELLED else "ended"
        row = ReconciledItem(order_id=order_id, session_id=session_id, finding=finding, action="released")
        try:
            if not dry_run:
                # Only who has not paid can still have an open one.
                if session_id is not None and (order["held_quantity"] or order["code_held"]):
                    sessions.expire(session_id)
                off = retried(functools.partial(_give_back, database, order_id, session_id))
                if off:
                    row = msgspec.structs.replace(row, action="reported", note=" ".join(alert.message for alert in off))
        except StripeUnavailable as error:
            row = ReconciledItem(
                order_id=order_id, session_id=session_id, finding="unanswered", action="left", note=str(error)
            )
        except PermanentError as error:
            row = ReconciledItem(
                order_id=order_id, session_id=session_id, finding=finding, action="failed", note=str(error)
            )
        rows.append(row)
    return rows


def _give_back(database: Database, order_id: int, session_id: str | None) -> list[Alert]:
    with database.transaction() as tx:
        order = lock_order(tx, order_id, give_back.COLUMNS, gone=f"Order {order_id} is gone.")
        if order["status"] not in _ENDED:
            return []
        give_back.give_back_everything(tx, order)
        tx.change("UPDATE ticket_orders SET hold_expires_at = NULL WHERE id = %s", order_id)
        entry = "cancelled" if order["status"] == OrderStatus.CANCELLED else "ended_by_hand"
        history.record(tx, order_id=order_id, entry=entry, stripe_event_id=f"reconcile_{session_id or order_id}")
        return counts_off.open_alerts(tx, order_id)
