"""The frame of every correction: preview, guard, do, record. A correction is what stands inside (`Correction.apply`).

The preview is the correction itself, done and rolled back: so it shows what will happen, and not what somebody thinks
will. What was seen is handed back when it is to be done; where the order is another one by then nothing is changed.
All of it is one transaction: the order's row is locked first, then its tickets, then its codes, the lower id first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, Protocol

import msgspec

from ticketing.alerts import Alert
from ticketing.corrections.refusal import CorrectionRefused
from ticketing.database import Database, Row, Transaction
from ticketing.orders import corrections, counters, counts_off, paid_before
from ticketing.orders.corrections import Change, Ordered
from ticketing.orders.counters import CODES, TICKETS, Counter
from ticketing.orders.lock import lock_order
from ticketing.orders.status import OrderStatus
from ticketing.payments import ledger, refunds

# Columns that a correction may change, by the words in which they are shown; an e-mail address is never shown.
_SHOWN: Final = {
    "status": "status",
    "event_id": "event",
    "ticket_id": "ticket",
    "quantity": "seats",
    "unit_price": "price of a seat",
    "discount_amount": "saved by discount",
    "total_amount": "total",
    "currency": "currency",
    "asked_minor": "asked at Stripe, minor units",
    "refunded_amount": "refunded",
    "discount_code_id": "code",
    "stripe_checkout_session_id": "session",
    "stripe_payment_intent_id": "payment",
    "held_quantity": "seats held",
    "held_ticket_id": "held of ticket",
    "code_held": "code uses held",
    "held_code_id": "held of code",
    "counted_quantity": "seats counted",
    "counted_ticket_id": "counted on ticket",
    "counted_code_id": "counted on code",
    "ticket_counted_at": "seats are counted",
    "ticket_returned_at": "seats were given back",
    "discount_counted_at": "use is counted",
    "discount_returned_at": "use was given back",
    "paid_at": "is paid",
}
COLUMNS: Final = (
    f"id, {', '.join(_SHOWN)}, asked_currency, order_mark, email, validated_at, bought_ticket, bought_event,"
    f" hold_expires_at, {counts_off.IS_OFF}"
)
# Instead of what was seen: it must be written down, whatever the order is by now.
ANY_STATE: Final = "any"
_COUNTERS: Final = (("ticket", TICKETS, "sold"), ("code", CODES, "used"))


class Outcome(msgspec.Struct, kw_only=True):
    """What a correction says about itself.

    Attributes:
        request: what was asked for, in the words of the command: by it a repeat is known.
        undo: the command that undoes it; or a sentence why none does.
        notes: what the operator must know besides, e.g. a price difference.
        already: a sentence where there is nothing to do.
        entry: of the order's history.
        payment_key, amount_minor: of the payment that it is about.
        correction_id: under which it is kept already, since it began before.
    """

    request: str
    undo: str
    entry: str
    notes: list[str] = []
    already: str = ""
    payment_key: str | None = None
    amount_minor: int | None = None
    correction_id: int | None = None


class Correction(Protocol):
    """What every kind of correction can do."""

    kind: ClassVar[str]

    def tickets(self) -> Iterable[int]:
        """Give the tickets that it needs besides the order's own."""

    def codes(self, tx: Transaction, order: Row) -> Iterable[int]:
        """Give the codes that it needs besides the order's own."""

    def apply(self, tx: Transaction, order: Row) -> Outcome:
        """Do it. `order` is its locked row with `COLUMNS`. Raises CorrectionRefused."""


class CorrectionReport(msgspec.Struct, kw_only=True):
    """What is, or was, corrected.

    Attributes:
        order_id: the order.
        done: it was done; otherwise this is what would be.
        refused, advice: why it cannot be done, and what to do instead.
        already: a sentence where there is nothing to do: it is so already.
        moved_on: the order is another one than was seen; nothing was changed.
        changes: rows and counts before and after.
        notes: what to know besides, e.g. a price difference.
        undo: how it is undone, or why it cannot be.
        seen: names the order as it was before.
        correction_id: under which it is kept.
        alerts: counters that could not follow.
    """

    order_id: int
    done: bool = False
    refused: str = ""
    advice: str = ""
    already: str = ""
    moved_on: bool = False
    changes: list[Change] = []
    notes: list[str] = []
    undo: str = ""
    seen: str = ""
    correction_id: int | None = None
    alerts: list[Alert] = []


class _Preview(Exception):
    """Rolls the transaction back."""


def correct(
    database: Database,
    order_id: int,
    correction: Correction,
    *,
    by: str = "",
    reason: str | None = None,
    seen: str | None = None,
) -> CorrectionReport:
    """Show what a correction does; with `seen` do it, where the order is still as it was seen then.

    Args:
        database: the shop's.
        order_id: the order.
        correction: what is to be done.
        by: who orders it.
        reason: why, in his words.
        seen: `CorrectionReport.seen` of the preview; None: only a preview.

    Raises:
        OrderNotFound: there is no such order.
        DatabaseUnavailable: try again; the same request is known as a repeat.
    """
    report = CorrectionReport(order_id=order_id)
    try:
        with database.transaction() as tx:
            _work(tx, report, correction, by=by, reason=reason, seen=seen)
            _keep(done=report.done)
    except _Preview:
        pass
    except CorrectionRefused as refusal:
        return CorrectionReport(order_id=order_id, refused=refusal.sentence, advice=refusal.advice)
    return report


def _keep(*, done: bool) -> None:
    if not done:
        raise _Preview


def _work(
    tx: Transaction, report: CorrectionReport, correction: Correction, *, by: str, reason: str | None, seen: str | None
) -> None:
    order_id = report.order_id
    order = lock_order(tx, order_id, COLUMNS, gone=f"There is no order {order_id}.")
    report.seen = fingerprint(order)
    watched = _lock_counters(tx, order, correction)
    before = _snapshot(tx, order, watched)
    if order["status"] == OrderStatus.PAID:
        # What the shop before counted becomes this order's own count first, so that it can go back.
        order = paid_before.take_over_seats(tx, order, effect="count_seats")
        order = paid_before.take_over_code_use(tx, order, effect="count_use")
    outcome = correction.apply(tx, order)
    report.already, report.notes, report.undo = outcome.already, outcome.notes, outcome.undo
    if outcome.already:
        return
    if seen is not None and seen not in {ANY_STATE, report.seen}:
        report.moved_on = True
        return
    # What the order leans on, and what it costs, may be others now.
    now = lock_order(tx, order_id, COLUMNS, gone=f"Order {order_id} is gone.")
    refunds.write_refunded_amount(tx, now, ledger.payments_of(tx, order_id))
    after = _snapshot(tx, lock_order(tx, order_id, COLUMNS, gone=f"Order {order_id} is gone."), watched)
    report.changes = [
        Change(of=of, what=what, before=_text(before[of, what]), after=_text(value))
        for (of, what), value in after.items()
        if before[of, what] != value
    ]
    if seen is None:
        return
    report.alerts = counts_off.open_alerts(tx, order_id)
    ordered = Ordered(
        kind=correction.kind,
        request=outcome.request,
        entry=outcome.entry,
        by=by,
        reason=reason,
        payment_key=outcome.payment_key,
        amount_minor=outcome.amount_minor,
    )
    if outcome.correction_id is None:
        report.correction_id = corrections.keep(tx, order_id, ordered, report.changes)
    else:
        report.correction_id = outcome.correction_id
        corrections.finish(tx, order_id, outcome.correction_id, ordered, report.changes)
    report.done = True


def fingerprint(order: Row) -> str:
    """Name the state of an order, so that another one is known. `order` has `COLUMNS`."""
    parts = [*(str(order[name]) for name in _SHOWN), str(order["email"]), str(order["asked_currency"])]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _lock_counters(tx: Transaction, order: Row, correction: Correction) -> dict[str, list[int]]:
    wanted: dict[str, Iterable[Any]] = {
        "ticket": [order["ticket_id"], order["held_ticket_id"], order["counted_ticket_id"], *correction.tickets()],
        "code": [
            order["discount_code_id"],
            order["held_code_id"],
            order["counted_code_id"],
            *correction.codes(tx, order),
        ],
    }
    watched = {}
    for noun, counter, _ in _COUNTERS:
        ids = sorted({int(row_id) for row_id in wanted[noun] if row_id is not None})
        watched[noun] = [row_id for row_id in ids if counters.lock(tx, counter, row_id) is not None]
    return watched


def _snapshot(tx: Transaction, order: Row, watched: dict[str, list[int]]) -> dict[tuple[str, str], object]:
    of_order = f"order {order['id']}"
    found: dict[tuple[str, str], object] = {(of_order, words): order[name] for name, words in _SHOWN.items()}
    # Whether it changed, not what it is.
    found[of_order, "e-mail address"] = _Hidden(order["email"])
    for noun, counter, counted in _COUNTERS:
        for row_id in watched[noun]:
            for words, value in _counts(tx, counter, row_id, counted).items():
                found[f"{noun} {row_id}", words] = value
    return found


def _counts(tx: Transaction, counter: Counter, row_id: int, counted: str) -> dict[str, object]:
    now = counters.lock(tx, counter, row_id)
    return {} if now is None else {counted: now.counted, "held": now.held}


class _Hidden(msgspec.Struct, frozen=True):
    """A value that is compared and never shown."""

    value: object

    def __str__(self) -> str:
        return "(not shown)"


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        # When, the preview cannot know.
        return "yes"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
