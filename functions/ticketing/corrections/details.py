"""Corrects what stands on an order: its Checkout Session, amount, address, or a hold that it has too much."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import ClassVar, Final

import msgspec

from ticketing import money
from ticketing.checkout.errors import InvalidForm
from ticketing.checkout.form import read_checkout_form
from ticketing.corrections.frame import Outcome
from ticketing.corrections.refusal import CorrectionRefused
from ticketing.database import Row, Transaction
from ticketing.orders import holds
from ticketing.orders.status import CLOSED, LAPSED, LIVE, OrderStatus
from ticketing.payments import identity
from ticketing.stripe.objects import SessionIdentity

_CURRENCY: Final = re.compile(r"[a-z]{3}\Z")
# DECIMAL(10,2), and what Stripe charges at once.
_MOST: Final = Decimal("999999.99")


class FoundSession(SessionIdentity, kw_only=True, omit_defaults=True):
    """A Checkout Session as Stripe has it: its status, and whether it took money."""

    status: str
    payment_status: str


class Details(msgspec.Struct, frozen=True, kw_only=True, tag="correct", tag_field="kind"):
    """Correct one or more of these.

    Attributes:
        session: the order's Checkout Session (cs_…). `found` and `stored` are that one and the one until now, as Stripe
            has them; whoever asks for the correction does not say them.
        amount, currency: what the order costs in all, e.g. `42.00`; and `eur`, by default the order's.
        email: the buyer's address.
        drop_hold: give back what the order holds and does not need.
    """

    kind: ClassVar[str] = "correct"

    session: str | None = None
    amount: str | None = None
    currency: str | None = None
    email: str | None = None
    drop_hold: bool = False
    found: FoundSession | None = None
    stored: FoundSession | None = None

    def tickets(self) -> Iterable[int]:
        """Give none."""
        return []

    def codes(self, tx: Transaction, order: Row) -> Iterable[int]:  # noqa: ARG002 -- it needs none
        """Give none."""
        return []

    def apply(self, tx: Transaction, order: Row) -> Outcome:
        """Correct what was named, all of it or nothing."""
        outcome = Outcome(request=f"correct {order['id']}", undo="", entry="corrected_details")
        undo: list[str] = []
        changed = [
            self.session is not None and self._correct_session(tx, order, self.session, undo),
            self.amount is not None and self._correct_amount(tx, order, self.amount, outcome, undo),
            self.email is not None and _correct_email(tx, order, self.email, outcome),
            self.drop_hold and _drop_hold(tx, order, outcome),
        ]
        if not any(changed):
            outcome.already = f"Order {order['id']} is so already."
        outcome.undo = f"cachao correct {order['id']} {' '.join(undo)}" if undo else "It cannot be undone."
        return outcome

    def _correct_session(self, tx: Transaction, order: Row, session: str, undo: list[str]) -> bool:
        before = order["stripe_checkout_session_id"]
        if before == session:
            return False
        _require_unpaid(order, "Its session")
        if self.found is None:
            raise CorrectionRefused(f"Stripe knows no Checkout Session {session} in this account and mode.")
        if not identity.is_ours(order, self.found):
            raise CorrectionRefused(
                f"Session {session} does not say at Stripe that it is of order {order['id']}.",
                advice="A payment that was made otherwise: cachao mark-paid ORDER --payment pi_…",
            )
        if self.stored is not None and (self.stored.status == "open" or self.stored.payment_status == "paid"):
            raise CorrectionRefused(
                f"Session {before}, which stands on the order, is {self.stored.status}"
                f" ({self.stored.payment_status}): the buyer could pay, or has paid, both.",
                advice="Wait until it is at its end (cachao take-back ends one), or refund one payment.",
            )
        taken = tx.one(
            "SELECT id FROM ticket_orders WHERE stripe_checkout_session_id = %s AND id <> %s LIMIT 1",
            session,
            order["id"],
        )
        if taken is not None:
            raise CorrectionRefused(f"Session {session} stands on order {taken['id']}.")
        tx.change(
            "UPDATE ticket_orders SET stripe_checkout_session_id = %s, checkout_url = NULL WHERE id = %s",
            session,
            order["id"],
        )
        undo += [f"--session {before}"] if before else []
        return True

    def _correct_amount(self, tx: Transaction, order: Row, amount: str, outcome: Outcome, undo: list[str]) -> bool:
        currency = (self.currency or str(order["currency"])).strip().lower()
        total = _amount(amount, currency)
        same = total == order["total_amount"] and currency == str(order["currency"]).lower()
        minor = money.to_minor_units(total, currency)
        if same and (order["asked_minor"], order["asked_currency"]) in {(minor, currency), (None, None)}:
            return False
        _require_unpaid(order, "What it costs")
        seats = max(int(order["quantity"]), 1)
        unit = money.round_to_chargeable(total / seats, currency)
        if unit * seats != total:
            outcome.notes.append(f"{total} is no whole price of a seat: {unit} is written down as that of each.")
        tx.change(
            "UPDATE ticket_orders SET unit_price = %s, total_amount = %s, currency = %s, asked_minor = %s,"
            " asked_currency = %s WHERE id = %s",
            unit,
            total,
            currency,
            minor,
            currency,
            order["id"],
        )
        undo.append(f"--amount {order['total_amount']} --currency {order['currency']}")
        outcome.notes.append("Its Checkout Session at Stripe still asks for what it was opened for.")
        return True


def _correct_email(tx: Transaction, order: Row, email: str, outcome: Outcome) -> bool:
    try:
        known = read_checkout_form({"email": email}, most=1).email
    except InvalidForm:
        raise CorrectionRefused("That is no e-mail address.") from None
    if order["email"] == known:
        return False
    tx.change("UPDATE ticket_orders SET email = %s WHERE id = %s", known, order["id"])
    outcome.notes.append(
        "The old address is not kept, so this cannot be undone. Stripe keeps it with the payment; a receipt that was"
        " sent went there."
    )
    return True


def _drop_hold(tx: Transaction, order: Row, outcome: Outcome) -> bool:
    if not order["held_quantity"] and not order["code_held"]:
        return False
    status = order["status"]
    counted = status == OrderStatus.PAID and order["ticket_counted_at"] is not None
    if status in LIVE or (status == OrderStatus.PAID and not counted):
        raise CorrectionRefused(
            f"Order {order['id']} is {status}: it needs what it holds.",
            advice=f"To end it: cachao take-back {order['id']}.",
        )
    if counted and order["code_held"] and order["discount_counted_at"] is None:
        raise CorrectionRefused("The use of its code is not counted yet.", advice="cachao reconcile counts it.")
    holds.give_back(tx, order)
    outcome.notes.append("It cannot be undone: what goes back may be bought by others at once.")
    return True


def _require_unpaid(order: Row, what: str) -> None:
    if order["status"] not in LIVE | LAPSED:
        ended = "it has ended" if order["status"] in CLOSED else "the money is in the books"
        raise CorrectionRefused(
            f"{what} is corrected only before the payment: order {order['id']} is {order['status']}, {ended}."
        )


def _amount(text: str, currency: str) -> Decimal:
    if not _CURRENCY.match(currency):
        raise CorrectionRefused(f"{currency!r} is no currency.", advice="Write it as eur.")
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text.strip(), re.ASCII):
        raise CorrectionRefused(f"{text!r} is no amount.", advice="Write it as 42 or 42.00.")
    total = Decimal(text.strip())
    try:
        money.to_minor_units(total, currency)
    except ValueError as error:
        raise CorrectionRefused(f"{error}.") from None
    if total != money.round_to_chargeable(total, currency) or total > _MOST:
        raise CorrectionRefused(f"{text} {currency.upper()} cannot be charged.")
    return total
