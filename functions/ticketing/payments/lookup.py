"""Finds the order that a Stripe event is about, and checks that the two belong together.

docs/rules.md, "What an event must pass". Whether a Checkout Session is ours at all, `identity` says. What is not ours
changes nothing here, whatever it names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from ticketing import money
from ticketing.database import Database, Row, Transaction
from ticketing.errors import AmountMismatch, OrderMismatch, OrderNotFound, PermanentError
from ticketing.orders import history
from ticketing.orders.numbers import order_id_of
from ticketing.orders.status import LIVE, OrderStatus
from ticketing.payments import identity, ledger
from ticketing.stripe.events import DisputeEvent, LaterEvent, OrderEvent, SessionEvent
from ticketing.stripe.objects import OrderNames, SessionIdentity

_COLUMNS: Final = (
    f"{identity.COLUMNS}, status, quantity, total_amount, currency, asked_minor, asked_currency,"
    " stripe_payment_intent_id, discount_code_id"
)


class FoundOrder(msgspec.Struct, kw_only=True):
    """The order of a payment as the workflow needs it; `total_minor` in minor units of `currency`."""

    order_id: int
    status: str
    quantity: int
    total_minor: int
    currency: str
    has_discount: bool


class Foreign(msgspec.Struct, kw_only=True):
    """Not ours, and nothing to alert of: the account sells something else, too. `took_money`: it did."""

    order_id: None = None
    status: Literal["foreign"] = "foreign"
    took_money: bool = False


class OtherSession(msgspec.Struct, kw_only=True):
    """Another session of the order, which took no money: it is recorded, and the order goes on with its own."""

    order_id: int
    status: Literal["other"] = "other"


# Asks Stripe which Checkout Session a PaymentIntent belongs to; None: it was not paid in Checkout.
FindSession = Callable[[str], SessionIdentity | None]


def look_up_order(
    database: Database,
    event: OrderEvent,
    *,
    find_session: FindSession | None = None,
    account_is_shared: bool = False,
) -> FoundOrder | OtherSession | Foreign:
    """Find the order that an event is about, and check session and amount.

    A session id that the order does not know yet (its checkout stopped half-way) is stored.

    A refund or a dispute may be about a payment that the shop does not know: because it comes before its payment's
    event, or because another application made that payment. Then, and only then, Stripe is asked for the payment's
    session.

    Args:
        database: the shop's.
        event: what Stripe reports.
        find_session: how Stripe is asked; None: it is not.
        account_is_shared: the Stripe account sells other things, too. Then what is not ours is no alert.

    Raises:
        OrderNotFound: it took money, and is not known as this shop's.
        OrderMismatch: it took money, and names an order whose session it is not.
        AmountMismatch: Stripe's amount or currency is not what was asked.
        DatabaseUnavailable: try again.
    """
    if isinstance(event, SessionEvent):
        return _look_up_session(database, event, account_is_shared=account_is_shared)
    return _look_up_payment(database, event, find_session, account_is_shared=account_is_shared)


def _look_up_session(
    database: Database, session: SessionEvent, *, account_is_shared: bool
) -> FoundOrder | OtherSession | Foreign:
    with database.statement() as tx:
        named, whose = _named_by(tx, session)
    if named is not None and whose == "ours" and named["stripe_checkout_session_id"] == session.session_id:
        # As a rule. What it is otherwise takes more than that one statement.
        _check_amount(named, session)
        return _found(named)
    with database.transaction() as tx:
        if named is None or whose != "ours":
            stands_on = _claimants(tx, "stripe_checkout_session_id", session.session_id)
            return _not_ours(
                _refusal_of_session(session, named, whose, stands_on),
                took_money=session.takes_money,
                # What stands on one of our orders is nobody else's, whatever it names.
                account_is_shared=account_is_shared and not stands_on,
            )
        if _is_other_session(tx, named, session):
            _record_other_session(tx, named, session)
            return OtherSession(order_id=named["id"])
        _check_amount(named, session)
        if named["stripe_checkout_session_id"] is None:
            _store_session(tx, named, session)
    return _found(named)


def _look_up_payment(
    database: Database, event: LaterEvent, find_session: FindSession | None, *, account_is_shared: bool
) -> FoundOrder | Foreign:
    """Find the order of a refund, a refunded charge or a dispute.

    | the payment                                                       | its order                   |
    |-------------------------------------------------------------------|-----------------------------|
    | stands on an order, or among the payments that are recorded of it | that one                    |
    | is unknown, and the event names an order and its mark             | that one                    |
    | is unknown, and Stripe says that its session is an order's        | that one; if the session is |
    |                                                                   | not the order's own and the |
    |                                                                   | order waits, it waits on    |
    | anything else                                                     | nobody's: not ours          |
    """
    with database.transaction() as tx:
        known = _by_payment(tx, event)
    if known is not None:
        return _found(known)
    session = None
    if event.payment_intent_id is not None and find_session is not None:
        session = find_session(event.payment_intent_id)
    names: OrderNames = session or event
    with database.transaction() as tx:
        order, whose = _named_by(tx, names)
        if order is not None and whose == "ours":
            own = order["stripe_checkout_session_id"]
            if session is not None and own not in {None, session.session_id} and order["status"] in LIVE:
                _remember_session(tx, order["id"], event, session)
            return _found(order)
    # A refund takes nothing: what another application gives back is nobody's business here. A dispute has a deadline.
    return _not_ours(
        _refusal_of_payment(event, session, order, whose),
        took_money=isinstance(event, DisputeEvent),
        account_is_shared=account_is_shared,
    )


def _named_by(tx: Transaction, names: OrderNames) -> tuple[Row | None, identity.Ownership]:
    """Give the order that a session's metadata names, else the one that its id stands on; and whether it is its."""
    session_id = names.session_id if isinstance(names, SessionIdentity) else None
    if names.order_reference is not None:
        order = _by_id(tx, order_id_of(names.order_reference))
    else:
        order = None if session_id is None else _only(tx, "stripe_checkout_session_id", session_id)
    return order, "not_ours" if order is None else identity.ownership(order, names)


def _not_ours(refusal: PermanentError, *, took_money: bool, account_is_shared: bool) -> Foreign:
    if not took_money:
        return Foreign()
    if isinstance(refusal, OrderNotFound) and account_is_shared:
        return Foreign(took_money=True)
    raise refusal


def _refusal_of_session(
    session: SessionEvent, named: Row | None, whose: identity.Ownership, stands_on: list[Row]
) -> PermanentError:
    about = f"Stripe reports {session.session_id}{_of_payment(session)}"
    if stands_on:
        about += f", which stands on order {stands_on[0]['id']}"
        if named is not None:
            return OrderMismatch(
                f"The session names order {named['id']}, but is not its session. {about}. Nothing was changed."
            )
    if named is not None and whose == "contradicts":
        return OrderMismatch(
            f"Order {named['id']} has another {identity.contradiction(session)} than the session that names it."
            f" {about}. It belongs to another shop of the account, or to this shop before its database was restored."
            " Nothing was changed."
        )
    return OrderNotFound(f"{_claim(session, named)} {about}. Nothing was changed.")


def _refusal_of_payment(
    event: LaterEvent, session: SessionIdentity | None, order: Row | None, whose: identity.Ownership
) -> PermanentError:
    what = f"Dispute {event.dispute_id} ({event.status})" if isinstance(event, DisputeEvent) else "The event"
    of = f"of session {session.session_id}" if session is not None else "that was not made in Checkout"
    about = f"{what} is about payment {event.payment_key} {of}"
    if order is not None and whose == "contradicts":
        return OrderMismatch(
            f"Order {order['id']} has another {identity.contradiction(session or event)} than the metadata that names"
            f" it. {about}. Nothing was changed."
        )
    return OrderNotFound(f"{_claim(session or event, order)} {about}. Nothing was changed.")


def _claim(names: OrderNames, order: Row | None) -> str:
    if names.order_reference is None:
        return "The metadata names no order, and no order has this session or payment."
    if order is None:
        return f"There is no order {names.order_reference}."
    # A bare number is no proof: another application may number its orders, too.
    return f"The metadata names order {order['id']} by its number alone, without its mark: that proves nothing."


def _is_other_session(tx: Transaction, order: Row, session: SessionEvent) -> bool:
    """Tell whether it is another session of the order, that took no money.

    Raises:
        OrderMismatch: it took money, and the order is not paid.
    """
    stored = order["stripe_checkout_session_id"]
    if stored in {None, session.session_id}:
        return False
    if session.outcome != "paid":
        return True
    if order["status"] == OrderStatus.PAID:
        return False  # a second payment of a paid order: MarkOrderPaid says so, with the order locked
    if order["status"] == OrderStatus.REFUNDED and ledger.payment_of(tx, order["id"], session.payment_key) is not None:
        return False  # one of its payments, from when it was paid: MarkOrderPaid says whether money of it stands
    raise OrderMismatch(
        f"Order {order['id']} belongs to Checkout Session {stored}, but Stripe reports {session.session_id}"
        f"{_of_payment(session)}. This shop opened both sessions. The order is {order['status']}."
        " Nothing was changed."
    )


def _record_other_session(tx: Transaction, order: Row, session: SessionEvent) -> None:
    history.record(
        tx,
        order_id=order["id"],
        entry=f"other_session_{session.lost_as or session.outcome}",
        stripe_event_id=session.event_id,
        stripe_object_id=session.session_id,
        amount_minor=session.charged_minor,
    )


def _remember_session(tx: Transaction, order_id: int, event: LaterEvent, session: SessionIdentity) -> None:
    """Note that the payment belongs to another session of the order, so that what is recorded does not end the wait."""
    ledger.remember_refunded_early(
        tx,
        order_id=order_id,
        payment_key=event.payment_key,
        stripe_payment_intent_id=event.payment_intent_id,
        amount_minor=0,
        currency=event.currency,
        session_id=session.session_id,
    )


def _by_id(tx: Transaction, order_id: int | None) -> Row | None:
    if order_id is None:
        return None
    return tx.one(
        f"SELECT {_COLUMNS} FROM ticket_orders WHERE id = %s",  # noqa: S608 -- a constant of this module
        order_id,
    )


def _only(tx: Transaction, column: str, value: str) -> Row | None:
    rows = _claimants(tx, column, value)
    if len(rows) > 1:
        raise OrderMismatch(f"More than one order claims {value}: orders {rows[0]['id']} and {rows[1]['id']}.")
    return rows[0] if rows else None


def _claimants(tx: Transaction, column: str, value: str) -> list[Row]:
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM ticket_orders WHERE {column} = %s ORDER BY id LIMIT 2",  # noqa: S608 -- constants
        value,
    )
    # MariaDB compares text regardless of case; Stripe's ids differ by it.
    return [row for row in rows if row[column] == value]


def _by_payment(tx: Transaction, event: LaterEvent) -> Row | None:
    """Give the order that knows the payment. Where several do, the one that the event names, else the first."""
    recorded = tx.all(
        "SELECT order_id FROM order_payments WHERE payment_key = %s ORDER BY order_id LIMIT 100", event.payment_key
    )
    if recorded:
        ids = [row["order_id"] for row in recorded]
        named = order_id_of(event.order_reference)
        return _by_id(tx, named if named in ids else ids[0])
    if event.payment_intent_id is None:
        return None
    return _only(tx, "stripe_payment_intent_id", event.payment_intent_id)


def _check_amount(order: Row, session: SessionEvent) -> None:
    if session.amount_minor is None or session.currency is None:
        return  # only events that report no payment may leave it out
    asked, currency = _asked(order)
    if session.amount_minor == asked and session.currency == currency:
        return
    raise AmountMismatch(
        f"Order {order['id']} costs {money.format_amount(asked, currency)} ({asked} in minor units), but"
        f" Stripe reports {money.format_amount(session.amount_minor, session.currency)} ({session.amount_minor}) for"
        f" session {session.session_id}{_of_payment(session)}. Nothing was changed."
    )


def _asked(order: Row) -> tuple[int, str]:
    """Give what the order's session was opened for, in minor units: the order may have been changed since."""
    if order["asked_minor"] is not None and order["asked_currency"] is not None:
        return order["asked_minor"], order["asked_currency"].lower()
    return _total_minor(order), order["currency"].lower()


def _store_session(tx: Transaction, order: Row, session: SessionEvent) -> None:
    changed = tx.change(
        "UPDATE ticket_orders SET stripe_checkout_session_id = %s WHERE id = %s AND stripe_checkout_session_id IS NULL",
        session.session_id,
        order["id"],
    )
    if changed == 1:
        return
    now = tx.one("SELECT stripe_checkout_session_id FROM ticket_orders WHERE id = %s", order["id"])
    if now is None or now["stripe_checkout_session_id"] != session.session_id:
        raise OrderMismatch(
            f"Order {order['id']} got another Checkout Session than {session.session_id} during the look-up."
        )


def _found(order: Row) -> FoundOrder:
    return FoundOrder(
        order_id=order["id"],
        status=order["status"],
        quantity=order["quantity"],
        total_minor=_total_minor(order),
        currency=order["currency"],
        has_discount=order["discount_code_id"] is not None,
    )


def _total_minor(order: Row) -> int:
    return money.to_minor_units(order["total_amount"], order["currency"])


def _of_payment(session: SessionEvent) -> str:
    return f", payment {session.payment_intent_id}" if session.payment_intent_id else ""
