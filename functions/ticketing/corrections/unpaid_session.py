"""Ends the open Checkout Session of an order that is to be ended, or paid in another way, before that is done."""

from __future__ import annotations

from ticketing.corrections.frame import COLUMNS, Correction, CorrectionReport, correct, fingerprint
from ticketing.database import Database
from ticketing.orders.lock import lock_order
from ticketing.orders.status import OrderStatus
from ticketing.stripe.ending import EndsSessions


def end_session(
    database: Database, sessions: EndsSessions, order_id: int, correction: Correction, *, seen: str
) -> CorrectionReport:
    """End the session of a pending order, where the correction is possible; give its preview, with the new `seen`.

    The event of the session's end may come meanwhile, and end the order as `expired`: that is no other order than the
    one that was seen. An order that was paid meanwhile is refused.

    Raises:
        OrderNotFound: there is no such order.
        StripeUnavailable: try again.
        DatabaseUnavailable: try again.
    """
    report = correct(database, order_id, correction)
    if report.refused or report.already:
        return report
    if report.seen != seen:
        report.moved_on = True
        return report
    with database.transaction() as tx:
        order = lock_order(tx, order_id, COLUMNS, gone=f"There is no order {order_id}.")
    session_id = order["stripe_checkout_session_id"]
    if order["status"] != OrderStatus.PENDING or session_id is None:
        return report
    if not sessions.expire(session_id):
        session = sessions.retrieve(session_id)
        if session is not None and session["status"] == "complete":
            return CorrectionReport(
                order_id=order_id,
                refused=f"The buyer was faster: Stripe says that session {session_id} is complete"
                f" ({session['payment_status']}). Nothing was changed.",
                advice=f"cachao reconcile brings its payment through; then look: cachao show {order_id}.",
            )
    report = correct(database, order_id, correction)
    if not report.refused and report.seen != seen:
        with database.transaction() as tx:
            now = lock_order(tx, order_id, COLUMNS, gone=f"There is no order {order_id}.")
        if now["status"] not in {OrderStatus.PENDING, OrderStatus.EXPIRED}:
            report.moved_on = True
        report.seen = fingerprint(now)
    return report
