"""What is to be done about each order of an event that was called off: a line for each payment, or for the order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from ticketing import money
from ticketing.database import Database, Row, Transaction
from ticketing.orders.status import OrderStatus
from ticketing.payments.standing import LedgerPayment, payments_in
from ticketing.stripe.states import OPEN_PHASES

What = Literal["refund", "take_back"]
# before: it had gone back, or ended, before. waits: its payment's result is not known yet. by_hand: money that did not
# come through Stripe.
State = Literal["due", "done", "before", "disputed", "waits", "by_hand", "failed"]

_PAGE: Final = 500
_ORDER: Final = (
    "id, status, total_amount, currency, stripe_payment_intent_id, stripe_checkout_session_id, paid_at, order_mark"
)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """All orders of an event's tickets, or of one ticket; one of the two is given."""

    event_id: int | None = None
    ticket_id: int | None = None

    @property
    def name(self) -> str:
        """What it is called: `event:12`, `ticket:34`."""
        return f"ticket:{self.ticket_id}" if self.ticket_id is not None else f"event:{self.event_id}"


class Line(msgspec.Struct, kw_only=True):
    """One payment of an order, or an order without one. Minor units of `currency`.

    `left_minor` is what is still with the shop. `is_unrecorded`: the shop before this one took the payment, and it is
    not among the payments yet.
    """

    order_id: int
    payment_key: str = ""
    what: What = "take_back"
    state: State = "before"
    paid_minor: int = 0
    before_minor: int = 0
    refunded_minor: int = 0
    currency: str = "eur"
    stripe_refund_id: str | None = None
    note: str = ""
    is_unrecorded: bool = False

    @property
    def left_minor(self) -> int:
        """What did not go back."""
        return self.paid_minor - self.before_minor - self.refunded_minor


def tickets_of(tx: Transaction, scope: Scope) -> list[int]:
    """Give the tickets of a scope, by id."""
    if scope.ticket_id is not None:
        rows = tx.all("SELECT id FROM tickets WHERE id = %s", scope.ticket_id)
        rows = rows or tx.all("SELECT ticket_id AS id FROM ticket_orders WHERE ticket_id = %s LIMIT 1", scope.ticket_id)
    else:
        rows = tx.all("SELECT id FROM tickets WHERE event_id = %s ORDER BY id", scope.event_id)
    return [int(row["id"]) for row in rows]


def pages(database: Database, tickets: Sequence[int]) -> Iterator[list[Line]]:
    """Give what is to be done about the orders of these tickets as they are now, page by page."""
    for ticket_id in tickets:
        after = 0
        while True:
            with database.transaction() as tx:
                orders = tx.all(
                    f"SELECT {_ORDER} FROM ticket_orders WHERE ticket_id = %s AND id > %s ORDER BY id LIMIT %s",  # noqa: S608 -- constants
                    ticket_id,
                    after,
                    _PAGE,
                )
                found = _lines(tx, orders) if orders else []
            if not orders:
                break
            yield found
            after = orders[-1]["id"]


def _lines(tx: Transaction, orders: list[Row]) -> list[Line]:
    ids = tuple(order["id"] for order in orders)
    payments: dict[int, list[LedgerPayment]] = defaultdict(list)
    for row in tx.all(
        "SELECT order_id, payment_key, stripe_payment_intent_id, role, amount_minor, currency, refunded_minor"
        " FROM order_payments WHERE order_id IN %s ORDER BY id",
        ids,
    ):
        payments[row["order_id"]] += payments_in([row])
    disputed = {
        (row["order_id"], row["payment_key"]): str(row["stripe_dispute_id"])
        for row in tx.all(
            "SELECT order_id, payment_key, stripe_dispute_id FROM order_disputes WHERE order_id IN %s AND phase IN %s",
            ids,
            tuple(OPEN_PHASES),
        )
    }
    return [line for order in orders for line in lines_of(order, payments[order["id"]], disputed)]


def lines_of(order: Row, payments: list[LedgerPayment], disputed: dict[tuple[int, str], str]) -> list[Line]:
    """Say what is to be done about one order; `disputed` names the open dispute of a payment."""
    order_id, status = order["id"], order["status"]
    found = [_of_payment(order_id, paid, disputed) for paid in payments if paid.amount_minor or paid.refunded_minor]
    if status == OrderStatus.PENDING and not any(line.state == "due" for line in found):
        found.append(_of_order(order, "due"))
    elif status == OrderStatus.PROCESSING and not any(line.state == "due" for line in found):
        found.append(_of_order(order, "waits", "a delayed payment is under way: say the command again when it ended"))
    elif status == OrderStatus.PAID and not found:
        found.append(_of_paid(order))
    return found or [_of_order(order, "before", str(status))]


def _of_payment(order_id: int, paid: LedgerPayment, disputed: dict[tuple[int, str], str]) -> Line:
    line = Line(
        order_id=order_id,
        payment_key=paid.payment_key,
        what="refund",
        paid_minor=max(paid.amount_minor, paid.refunded_minor),
        before_minor=paid.refunded_minor,
        currency=paid.currency.lower(),
    )
    dispute = disputed.get((order_id, paid.payment_key))
    if not line.left_minor:
        return line
    if dispute is not None:
        line.state, line.note = "disputed", f"{dispute} is open: answer or accept it; the bank may have the money"
    elif paid.role == "refunded_early":
        line.state, line.note = "waits", "the event of its payment has not come yet: cachao reconcile"
    elif paid.stripe_payment_intent_id is None:
        line.state, line.note = "failed", "it has no PaymentIntent: look it up in Stripe"
    else:
        line.state = "due"
    return line


def _of_paid(order: Row) -> Line:
    """A paid order without a payment among the payments: free, paid before this shop, or not through Stripe."""
    if not order["total_amount"]:
        return _of_order(order, "due", "free")
    currency = str(order["currency"]).lower()
    minor = money.to_minor_units(order["total_amount"], currency)
    line = Line(order_id=order["id"], paid_minor=minor, currency=currency)
    if order["stripe_payment_intent_id"] is not None:
        line.payment_key, line.what, line.state = str(order["stripe_payment_intent_id"]), "refund", "due"
        line.is_unrecorded = True
    elif order["paid_at"] is not None:
        line.state, line.note = "by_hand", "not paid through Stripe: give the money back, then cachao take-back"
    else:
        line.state, line.note = "failed", "the shop does not know its payment: look it up in Stripe"
    return line


def _of_order(order: Row, state: State, note: str = "") -> Line:
    return Line(order_id=order["id"], state=state, currency=str(order["currency"]).lower(), note=note)
