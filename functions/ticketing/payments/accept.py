"""Marks an order paid, once, by one payment (docs/rules.md, "Order states")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from ticketing import dates, money
from ticketing.alerts import Alert
from ticketing.database import Database, Row, Statement, Transaction
from ticketing.errors import (
    DataInconsistent,
    DuplicatePayment,
    PaidButSoldOut,
    PaymentForClosedOrder,
    PermanentError,
)
from ticketing.orders import counts_off, history, holds
from ticketing.orders.lock import lock_order
from ticketing.orders.status import CLOSED, LAPSED, LIVE, OrderStatus
from ticketing.payments import ledger, refunds, situation
from ticketing.payments.situation import Situation
from ticketing.payments.standing import LedgerPayment
from ticketing.stripe.events import SessionEvent

_EVENT: Final = (
    "(SELECT e.{0} FROM events AS e WHERE e.id ="
    " COALESCE((SELECT t.event_id FROM tickets AS t WHERE t.id = ticket_orders.ticket_id), ticket_orders.event_id))"
    " AS event_{0}"
)
# What it locks is the order's row alone.
_COLUMNS: Final = f"{refunds.ORDER_COLUMNS}, {_EVENT.format('start_date')}, {_EVENT.format('end_date')}"
_PAID_LATE: Final = "paid_after_event"

Role = Literal["accepted", "duplicate", "sold_out", "closed_order"]


class PaidOrder(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of the order: `paid` (now or before, by this payment) or `refunded` (the money went back).

    `alerts`: what a person must know besides.
    """

    status: Literal["paid", "refunded"]
    changed: bool
    alerts: list[Alert] = []


class _Verdict(msgspec.Struct):
    """What the transaction found; an error is raised only after the finding is committed."""

    result: PaidOrder | None = None
    error: PermanentError | None = None


def mark_order_paid(database: Database, order_id: int, payment: SessionEvent) -> PaidOrder:
    """Mark the order paid by this payment, and remember the payment.

    An order that lapsed (its hold ended) gets its seats again while they are free. The counts are made later, by
    `counts`: this only sees to it that the order holds what is to be counted.

    Raises:
        DuplicatePayment: paid already, by another payment.
        PaidButSoldOut: lapsed, and too few seats are left.
        PaymentForClosedOrder: refunded or cancelled before.
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        order = lock_order(
            tx,
            order_id,
            _COLUMNS,
            gone=f"Order {order_id} is gone; it was there a moment ago. Payment: {payment.payment_key}.",
        )
        verdict = _settle(tx, order, payment)
        if verdict.result is not None and verdict.result.status == "refunded":
            # What its refund could not give back. Of a paid order the counts speak.
            verdict.result.alerts = counts_off.due_alerts(tx, order_id)
        elif verdict.result is not None and (verdict.result.changed or _alerted_late_before(tx, order_id)):
            verdict.result.alerts = _late_alerts(tx, order, payment)
    if verdict.error is not None:
        raise verdict.error
    if verdict.result is None:
        raise DataInconsistent(f"Order {order_id} has the unknown status {order['status']}.")
    return verdict.result


def _settle(tx: Transaction, order: Row, payment: SessionEvent) -> _Verdict:
    status = order["status"]
    if status in LIVE or status in LAPSED:
        return _accept(tx, order, payment)
    if status == OrderStatus.PAID:
        if _is_payment_of(order, payment):
            return _Verdict(PaidOrder(status="paid", changed=False))
        return _refuse(tx, order, payment, "duplicate", _duplicate)
    if status in CLOSED:
        return _refuse(tx, order, payment, "closed_order", _closed)
    return _Verdict()


def _accept(tx: Transaction, order: Row, payment: SessionEvent) -> _Verdict:
    known = ledger.payments_of(tx, order["id"])
    if _settle_what_went_back(tx, order, payment, known):
        return _Verdict(PaidOrder(status="refunded", changed=False))
    seats, ticket_id = order["held_quantity"], order["held_ticket_id"]
    if not seats:
        # A lapsed order gave its seats back; an order of the time before holds existed never had any.
        seats, ticket_id = order["quantity"], order["ticket_id"]
        if not holds.take_seats(tx, ticket_id=ticket_id, quantity=seats):
            tx.change(
                "UPDATE ticket_orders SET status = %s WHERE id = %s AND status IN %s",
                OrderStatus.FAILED,
                order["id"],
                LIVE,
            )
            return _refuse(tx, order, payment, "sold_out", _sold_out)
    code_held, code_id = order["code_held"], order["held_code_id"]
    if order["discount_code_id"] is not None and not code_held:
        # The buyer paid the reduced price in good faith: without a use left the order is paid all the same,
        # and the code's count stays within its bound.
        code_held = int(holds.take_code_use(tx, code_id=order["discount_code_id"]))
        code_id = order["discount_code_id"] if code_held else None
    # What it holds stays what was taken, also where an operator has changed the order since: the counts look at both.
    paid = Statement(
        "UPDATE ticket_orders SET status = %s, paid_at = UTC_TIMESTAMP(6), stripe_payment_intent_id = %s,"
        " held_quantity = %s, held_ticket_id = %s, code_held = %s, held_code_id = %s, hold_expires_at = NULL"
        " WHERE id = %s AND status IN %s",
        OrderStatus.PAID,
        payment.payment_intent_id,
        seats,
        ticket_id,
        code_held,
        code_id,
        order["id"],
        LIVE | LAPSED,
    )
    others = [_remembering(order, payment, "accepted"), _recording(order, payment, "paid")]
    if known or _is_late(order, payment):
        if tx.send(paid) != 1:
            raise _changed(order)
        for statement in others:
            tx.send(statement)
    elif not tx.finish([paid], others).committed:
        raise _changed(order)
    if known:
        # Until now another payment may have stood for the order, and have gone back.
        now = {**order, "stripe_payment_intent_id": payment.payment_intent_id}
        refunds.write_refunded_amount(tx, now, ledger.payments_of(tx, order["id"]))
    return _Verdict(PaidOrder(status="paid", changed=True))


def _changed(order: Row) -> DataInconsistent:
    return DataInconsistent(f"Order {order['id']} changed its status while it was locked.")


def _is_late(order: Row, payment: SessionEvent) -> bool:
    """Tell whether Stripe took the money when the event was over, by the payment's own time."""
    if payment.as_of is None or not payment.charged_minor:
        return False
    paid_at = dates.utc_naive(datetime.fromtimestamp(payment.as_of, UTC))
    return dates.is_event_over(start_date=order["event_start_date"], end_date=order["event_end_date"], now=paid_at)


def _late_alerts(tx: Transaction, order: Row, payment: SessionEvent) -> list[Alert]:
    """Give the alert about a payment that Stripe took when the event was over."""
    if payment.as_of is None or not _is_late(order, payment):
        return []
    paid_at = datetime.fromtimestamp(payment.as_of, UTC)
    start_date, end_date = order["event_start_date"], order["event_end_date"]
    _record(tx, order, payment, _PAID_LATE)
    over = f"it ended {end_date}" if dates.is_date(end_date) else f"it began {start_date}, and has no end date"
    amount = _amount(payment)
    return [
        Alert(
            name="PaidAfterEvent",
            message=f"Order {order['id']} was paid by {payment.payment_key} ({amount}) at {paid_at:%Y-%m-%d %H:%M} UTC,"
            f" after its event was over ({over}). The order is paid and counted.",
            money_taken=f"yes, {amount}",
            what_to_do="ask the buyer. If the buyer was not at the event, refund the money:"
            f" cachao refund {order['id']} --end-order.",
        )
    ]


def _alerted_late_before(tx: Transaction, order_id: int) -> bool:
    """Tell whether this very execution has found the payment late: a step that is tried again answers the same."""
    return (
        tx.one(
            "SELECT 1 FROM order_history WHERE order_id = %s AND entry = %s AND execution_id = %s LIMIT 1",
            order_id,
            _PAID_LATE,
            history.writing_execution(),
        )
        is not None
    )


def _refuse(
    tx: Transaction,
    order: Row,
    payment: SessionEvent,
    role: Role,
    error: Callable[[Row, SessionEvent, Situation], PermanentError],
) -> _Verdict:
    known = ledger.payments_of(tx, order["id"])
    if _settle_what_went_back(tx, order, payment, known):
        return _Verdict(PaidOrder(status="refunded", changed=False))
    tx.send(_remembering(order, payment, role))
    if known:
        refunds.write_refunded_amount(tx, order, ledger.payments_of(tx, order["id"]))
    _record(tx, order, payment, role)
    return _Verdict(error=error(order, payment, situation.read(tx, order["id"], payment.payment_key)))


def _is_payment_of(order: Row, payment: SessionEvent) -> bool:
    stored = order["stripe_payment_intent_id"]
    if stored is None or payment.payment_intent_id is None:
        # Nothing had to be paid, or an operator marked the order: the session tells.
        return bool(order["stripe_checkout_session_id"] == payment.session_id)
    return bool(stored == payment.payment_intent_id)


def _settle_what_went_back(
    tx: Transaction, order: Row, payment: SessionEvent, payments: Sequence[LedgerPayment]
) -> bool:
    """Settle what is known of this payment's refunds, which may end the order; True: no money of it stands.

    A refund alone does not say how much was paid. This event does: so an order that still waits may end here, and
    there is nothing to be done about its payment.
    """
    known = next((known for known in payments if known.payment_key == payment.payment_key), None)
    if known is None or not known.refunded_minor:
        return False
    if payment.charged_minor is not None and payment.charged_currency is not None:
        ledger.learn_amount(
            tx,
            order_id=order["id"],
            payment_key=payment.payment_key,
            amount_minor=payment.charged_minor,
            currency=payment.charged_currency,
        )
    refunds.settle_order(tx, order, payment.payment_key, cause=payment.event_id)
    settled = ledger.payment_of(tx, order["id"], payment.payment_key)
    return settled is not None and settled.went_back


def _remembering(order: Row, payment: SessionEvent, role: Role) -> Statement:
    return Statement(
        "INSERT INTO order_payments (order_id, payment_key, stripe_checkout_session_id, stripe_payment_intent_id,"
        " role, amount_minor, currency, presented_minor, presented_currency)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE role = VALUES(role), amount_minor = VALUES(amount_minor),"
        " currency = VALUES(currency), stripe_checkout_session_id = VALUES(stripe_checkout_session_id),"
        " presented_minor = VALUES(presented_minor), presented_currency = VALUES(presented_currency)",
        order["id"],
        payment.payment_key,
        payment.session_id,
        payment.payment_intent_id,
        role,
        payment.charged_minor,
        payment.charged_currency,
        payment.presented_minor,
        payment.presented_currency,
    )


def _record(tx: Transaction, order: Row, payment: SessionEvent, entry: str) -> None:
    tx.send(_recording(order, payment, entry))


def _recording(order: Row, payment: SessionEvent, entry: str) -> Statement:
    return history.recording(
        order_id=order["id"],
        entry=entry,
        stripe_event_id=payment.event_id,
        stripe_object_id=payment.payment_key,
        amount_minor=payment.charged_minor,
    )


def _amount(payment: SessionEvent) -> str:
    return payment.charged or money.format_amount(payment.charged_minor or 0, payment.charged_currency or "eur")


def _refund_it(now: Situation) -> str:
    if now.refunds or now.disputes:
        return situation.went_back(now)
    return f" Refund {situation.left(now)}." if now.left_minor else ""


def _if_more_is_known(now: Situation) -> str | None:
    """Say what to do where refunds or disputes of the payment are known; otherwise the alert's own advice is right."""
    return situation.what_to_do(now) if now.refunds or now.disputes else None


def _duplicate(order: Row, payment: SessionEvent, now: Situation) -> PermanentError:
    return DuplicatePayment(
        f"Order {order['id']} is paid by {order['stripe_payment_intent_id'] or order['stripe_checkout_session_id']}"
        f" and was paid again by {payment.payment_key} ({_amount(payment)}). The second payment was not counted."
        f"{_refund_it(now)}",
        what_to_do=_if_more_is_known(now),
    )


def _sold_out(order: Row, payment: SessionEvent, now: Situation) -> PermanentError:
    return PaidButSoldOut(
        f"Order {order['id']} ({order['quantity']} seats of ticket {order['ticket_id']}) was paid by"
        f" {payment.payment_key} after its hold had ended. Too few seats are left."
        f"{_refund_it(now)}",
        what_to_do=_if_more_is_known(now),
    )


def _closed(order: Row, payment: SessionEvent, now: Situation) -> PermanentError:
    return PaymentForClosedOrder(
        f"Order {order['id']} is {order['status']}, and {payment.payment_key} paid {_amount(payment)} for it."
        f" The order stays {order['status']}.{_refund_it(now)}",
        what_to_do=_if_more_is_known(now),
    )
