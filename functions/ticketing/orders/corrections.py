"""What operators ordered about an order (`order_corrections`): what, who, when and why, and an entry of its history.

Works inside a caller's transaction that has locked the order row. Nothing of the buyer's is kept here.
"""

from __future__ import annotations

import msgspec

from ticketing.database import Row, Transaction
from ticketing.orders import history


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a correction changes: of which row, what, from what to what."""

    of: str
    what: str
    before: str
    after: str


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """A correction: its kind, the words of the command by which a repeat is known, who and why.

    `entry` is the history's. `payment_key`, `amount_minor`: of the payment that it is about.
    """

    kind: str
    request: str
    entry: str
    by: str
    reason: str | None = None
    payment_key: str | None = None
    amount_minor: int | None = None


def keep(tx: Transaction, order_id: int, ordered: Ordered, changes: list[Change]) -> int:
    """Keep a correction that is done, and write it into the order's history; give its id."""
    correction_id = _insert(tx, order_id, ordered, changes)
    finish(tx, order_id, correction_id, ordered, changes)
    return correction_id


def begin(tx: Transaction, order_id: int, ordered: Ordered, *, refunded_minor: int | None = None) -> int:
    """Keep a correction that Stripe is still to be asked for; give its id. `refunded_minor`: what went back before."""
    correction_id = _insert(tx, order_id, ordered, [])
    if refunded_minor is not None:
        tx.change(
            "UPDATE order_corrections SET refunded_minor = %s WHERE id = %s",
            refunded_minor,
            correction_id,
        )
    return correction_id


def finish(tx: Transaction, order_id: int, correction_id: int, ordered: Ordered, changes: list[Change]) -> None:
    """Note that a correction is done."""
    tx.change(
        "UPDATE order_corrections SET done_at = UTC_TIMESTAMP(6), changes = %s WHERE id = %s AND done_at IS NULL",
        msgspec.json.encode(changes).decode(),
        correction_id,
    )
    history.record(
        tx,
        order_id=order_id,
        entry=ordered.entry,
        stripe_event_id=f"cachao_correction_{correction_id}",
        stripe_object_id=ordered.payment_key,
        amount_minor=ordered.amount_minor,
    )


def give_up(tx: Transaction, correction_id: int) -> None:
    """Note that a correction came to nothing: Stripe refused. The same words may be said again."""
    tx.change(
        "UPDATE order_corrections SET done_at = UTC_TIMESTAMP(6), request = CONCAT(LEFT(request, 240), ' (refused)')"
        " WHERE id = %s AND done_at IS NULL",
        correction_id,
    )


def under_way(tx: Transaction, order_id: int) -> Row | None:
    """Give the correction of an order that Stripe is still to be asked for, or did and that is not written down."""
    return tx.one(
        "SELECT id, request, payment_key, amount_minor, refunded_minor, corrected_by, reason FROM order_corrections"
        " WHERE order_id = %s AND done_at IS NULL ORDER BY id LIMIT 1",
        order_id,
    )


def _insert(tx: Transaction, order_id: int, ordered: Ordered, changes: list[Change]) -> int:
    return tx.insert(
        "INSERT INTO order_corrections (order_id, kind, request, changes, corrected_by, reason, payment_key,"
        " amount_minor) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        order_id,
        ordered.kind,
        ordered.request,
        msgspec.json.encode(changes).decode(),
        ordered.by,
        ordered.reason,
        ordered.payment_key,
        ordered.amount_minor,
    )
