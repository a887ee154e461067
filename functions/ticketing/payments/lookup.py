"""Finds the order of a payment, and checks that the two belong together (docs/rules.md, "What an event must pass")."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Literal

import msgspec

from ticketing import money
from ticketing.database import Database, Row, Transaction
from ticketing.errors import AmountMismatch, OrderMismatch, OrderNotFound
from ticketing.orders.numbers import order_id_of
from ticketing.orders.status import LIVE, OrderStatus
from ticketing.payments import ledger
from ticketing.stripe.events import DisputeEvent, LaterEvent, OrderEvent, SessionEvent
from ticketing.stripe.objects import SessionIdentity

_COLUMNS = (
    "id, status, quantity, total_amount, currency, stripe_checkout_session_id, stripe_payment_intent_id,"
    " discount_code_id"
)


class FoundOrder(msgspec.Struct, kw_only=True):
    """The order of a payment as the workflow needs it; `total_minor` in minor units of `currency`."""

    order_id: int
    status: str
    quantity: int
    total_minor: int
    currency: str
    has_discount: bool


class ForeignRefund(msgspec.Struct, kw_only=True):
    """A refund of a payment that paid no ticket, e.g. of something else that the Stripe account sells."""

    order_id: None = None
    status: Literal["foreign"] = "foreign"


# Asks Stripe which Checkout Session a PaymentIntent belongs to; None: it was not paid in Checkout.
FindSession = Callable[[str], SessionIdentity | None]


def look_up_order(
    database: Database, payment: OrderEvent, *, find_session: FindSession | None = None
) -> FoundOrder | ForeignRefund:
    """Find the order that a payment is for, and check session and amount.

    By `metadata.order_id`; without it by the Checkout Session or PaymentIntent that the order knows. A session id
    that the order does not know yet (its checkout stopped half-way) is stored.

    A refund or a dispute may be about a payment that the shop does not know, because it comes before its payment's
    event, or because another application made that payment, with a number that happens to be an order's: then, and
    only then, Stripe is asked for the payment's session. A refund of a payment that belongs to no order, or not to the
    order that it names, is `ForeignRefund`, no alert: no ticket was paid by it. A dispute is an alert all the same: it
    has a deadline.

    Raises:
        OrderNotFound: no order has this id, session or payment.
        OrderMismatch: the order belongs to another Checkout Session.
        AmountMismatch: Stripe's amount or currency is not the order's.
        DatabaseUnavailable: try again.
    """
    if isinstance(payment, SessionEvent):
        found = _find_by_session(database, payment)
    else:
        found = _find_by_payment(database, payment)
        if payment.payment_intent_id is not None and find_session is not None:
            return _look_up_with_stripe(
                database, payment, found, functools.partial(find_session, payment.payment_intent_id)
            )
    if found is None:
        raise OrderNotFound(_not_found_sentence(payment))
    return found


def _look_up_with_stripe(
    database: Database,
    payment: LaterEvent,
    found: FoundOrder | None,
    find_session: Callable[[], SessionIdentity | None],
) -> FoundOrder | ForeignRefund:
    """Decide whose refund or dispute it is. `foreign` is no alert for a refund; for a dispute it is one, named here.

    | the shop finds                            | Stripe says its session is | then                                |
    |-------------------------------------------|----------------------------|-------------------------------------|
    | no order, and the event names none        | an order's                 | that order                          |
    | no order, and the event names none        | nobody's, or none          | foreign (OrderNotFound)             |
    | no order, and the event names one         | (not asked)                | OrderNotFound                       |
    | an order that knows the payment           | (not asked)                | that order                          |
    | an order that does not                    | its own                    | that order                          |
    | an order that does not                    | another one of this order  | that order; if it waits, it waits on |
    | an order that does not                    | another's, or none         | foreign (OrderMismatch)             |
    """
    session: SessionIdentity | None = None
    if found is None and payment.order_reference is None:
        session = find_session()
        found = _find_as_session_says(database, session) if session is not None else None
        if found is None and not isinstance(payment, DisputeEvent):
            return ForeignRefund()
    if found is None:
        raise OrderNotFound(_not_found_sentence(payment))
    order = _order_without(database, found.order_id, payment)
    if order is None:
        return found
    own, session = order["stripe_checkout_session_id"], session or find_session()
    if session is not None and session.session_id == own:
        return found
    if session is None or session.order_reference != str(found.order_id):
        return _of_another_payment(found.order_id, own, payment, session)
    if own is not None and order["status"] in LIVE:
        _remember_session(database, found.order_id, payment, session)
    return found


def _order_without(database: Database, order_id: int, payment: LaterEvent) -> Row | None:
    """Give the order if it does not know this payment."""
    with database.transaction() as tx:
        return tx.one(
            "SELECT status, stripe_checkout_session_id FROM ticket_orders AS o WHERE id = %s"
            " AND (stripe_payment_intent_id IS NULL OR stripe_payment_intent_id <> %s) AND NOT EXISTS"
            " (SELECT 1 FROM order_payments AS p WHERE p.order_id = o.id AND p.payment_key = %s)",
            order_id,
            payment.payment_intent_id,
            payment.payment_key,
        )


def _remember_session(database: Database, order_id: int, payment: LaterEvent, session: SessionIdentity) -> None:
    """Note that the payment belongs to another session of the order, so that what is recorded does not end the wait."""
    with database.transaction() as tx:
        ledger.remember_refunded_early(
            tx,
            order_id=order_id,
            payment_key=payment.payment_key,
            stripe_payment_intent_id=payment.payment_intent_id,
            amount_minor=0,
            currency=payment.currency,
            session_id=session.session_id,
        )


def _of_another_payment(
    order_id: int, own: str | None, payment: LaterEvent, session: SessionIdentity | None
) -> ForeignRefund:
    # Of another application, outside Checkout or for something of its own. The order has nothing to do with it.
    if not isinstance(payment, DisputeEvent):
        return ForeignRefund()
    of = f"of session {session.session_id}" if session is not None else "that was not made in Checkout"
    raise OrderMismatch(
        f"Dispute {payment.dispute_id} ({payment.status}) is about payment {payment.payment_intent_id} {of},"
        f" but order {order_id} belongs to {own or 'no session yet'}. Answer it in Stripe's dashboard. Nothing was"
        " changed."
    )


def _find_by_session(database: Database, payment: SessionEvent) -> FoundOrder | None:
    with database.transaction() as tx:
        order = (
            _by_reference(tx, payment.order_reference)
            if payment.order_reference is not None
            else _only(tx, "stripe_checkout_session_id", payment.session_id)
        )
        if order is None:
            return None
        _check_session(tx, order, payment)
        _check_amount(order, payment)
        if order["stripe_checkout_session_id"] is None:
            _store_session(tx, order, payment)
    return _found(order)


def _find_by_payment(database: Database, payment: LaterEvent) -> FoundOrder | None:
    with database.transaction() as tx:
        if payment.order_reference is not None:
            order = _by_reference(tx, payment.order_reference)
        elif payment.payment_intent_id is not None:
            order = _by_payment(tx, payment.payment_intent_id)
        else:
            order = None
    return None if order is None else _found(order)


def _find_as_session_says(database: Database, session: SessionIdentity) -> FoundOrder | None:
    # The session is not checked against the order's: a refund may well be that of a second payment.
    with database.transaction() as tx:
        order = (
            _by_reference(tx, session.order_reference)
            if session.order_reference is not None
            else _only(tx, "stripe_checkout_session_id", session.session_id)
        )
    return None if order is None else _found(order)


def _found(order: Row) -> FoundOrder:
    return FoundOrder(
        order_id=order["id"],
        status=order["status"],
        quantity=order["quantity"],
        total_minor=_total_minor(order),
        currency=order["currency"],
        has_discount=order["discount_code_id"] is not None,
    )


def _by_reference(tx: Transaction, reference: str) -> Row | None:
    order_id = order_id_of(reference)
    if order_id is None:
        return None
    return tx.one(
        f"SELECT {_COLUMNS} FROM ticket_orders WHERE id = %s",  # noqa: S608 -- a constant of this module
        order_id,
    )


def _only(tx: Transaction, column: str, value: str) -> Row | None:
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM ticket_orders WHERE {column} = %s ORDER BY id LIMIT 2",  # noqa: S608 -- constants
        value,
    )
    if len(rows) > 1:
        raise OrderMismatch(f"More than one order claims {value}: orders {rows[0]['id']} and {rows[1]['id']}.")
    # MariaDB compares text regardless of case; Stripe's ids differ by it.
    return rows[0] if rows and rows[0][column] == value else None


def _by_payment(tx: Transaction, payment_intent_id: str) -> Row | None:
    known = tx.one("SELECT order_id FROM order_payments WHERE payment_key = %s LIMIT 1", payment_intent_id)
    if known is None:
        return _only(tx, "stripe_payment_intent_id", payment_intent_id)
    return tx.one(
        f"SELECT {_COLUMNS} FROM ticket_orders WHERE id = %s",  # noqa: S608 -- a constant of this module
        known["order_id"],
    )


def _check_session(tx: Transaction, order: Row, payment: SessionEvent) -> None:
    stored = order["stripe_checkout_session_id"]
    if stored is None or stored == payment.session_id:
        return
    if payment.outcome == "paid" and order["status"] == OrderStatus.PAID:
        return  # a second payment of a paid order: MarkOrderPaid says so, with the order locked
    if (
        payment.outcome == "paid"
        and order["status"] == OrderStatus.REFUNDED
        and ledger.payment_of(tx, order["id"], payment.payment_key) is not None
    ):
        return  # one of its payments, from when it was paid: MarkOrderPaid says whether money of it stands
    raise OrderMismatch(
        f"Order {order['id']} belongs to Checkout Session {stored}, but Stripe reports {payment.session_id}"
        f"{_of_payment(payment)}. Nothing was changed."
    )


def _check_amount(order: Row, payment: SessionEvent) -> None:
    if payment.amount_minor is None or payment.currency is None:
        return  # only events that report no payment may leave it out
    expected = _total_minor(order)
    if payment.amount_minor == expected and payment.currency == order["currency"].lower():
        return
    raise AmountMismatch(
        f"Order {order['id']} costs {money.format_amount(expected, order['currency'])} ({expected} in minor units), but"
        f" Stripe reports {money.format_amount(payment.amount_minor, payment.currency)} ({payment.amount_minor}) for"
        f" session {payment.session_id}{_of_payment(payment)}. Nothing was changed."
    )


def _store_session(tx: Transaction, order: Row, payment: SessionEvent) -> None:
    changed = tx.change(
        "UPDATE ticket_orders SET stripe_checkout_session_id = %s WHERE id = %s AND stripe_checkout_session_id IS NULL",
        payment.session_id,
        order["id"],
    )
    if changed == 1:
        return
    now = tx.one("SELECT stripe_checkout_session_id FROM ticket_orders WHERE id = %s", order["id"])
    if now is None or now["stripe_checkout_session_id"] != payment.session_id:
        raise OrderMismatch(
            f"Order {order['id']} got another Checkout Session than {payment.session_id} while it was looked up."
        )


def _total_minor(order: Row) -> int:
    return money.to_minor_units(order["total_amount"], order["currency"])


def _of_payment(payment: SessionEvent) -> str:
    return f", payment {payment.payment_intent_id}" if payment.payment_intent_id else ""


def _not_found_sentence(payment: OrderEvent) -> str:
    if payment.order_reference is not None:
        looked_for = f"There is no order {payment.order_reference}"
    else:
        looked_for = "The event has no metadata.order_id, and no order knows its session or payment"
    ids = (getattr(payment, f"{name}_id", None) for name in ("session", "payment_intent", "charge", "dispute"))
    return f"{looked_for}. Stripe's ids: {', '.join(i for i in ids if i)}."
