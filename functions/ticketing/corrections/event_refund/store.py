"""Keeps the refund of an event: its orders, and what became of each (`event_refunds`, `event_refund_lines`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ticketing.corrections import sale
from ticketing.corrections.event_refund.lines import Line, Scope, pages, tickets_of
from ticketing.database import Database, Row, Transaction

_COLUMNS: Final = (
    "order_id, payment_key, what, state, paid_minor, before_minor, refunded_minor, currency, stripe_refund_id, note"
)
# What this refund gave back is its own, not gone back before; also where it died before it could write that down: then
# it is due, and doing it again finds the refund.
_STAYS: Final = "state = 'done' OR (state = 'due' AND what = 'refund' AND VALUES(state) = 'before')"
_STAYS_ALSO: Final = f"{_STAYS} OR state IN ('disputed', 'failed')"
_LONGEST_NOTE: Final = 255
_BATCH: Final = 200


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """How many lines are in a state, and their money, in minor units of one currency."""

    what: str
    state: str
    currency: str
    lines: int
    paid_minor: int
    before_minor: int
    refunded_minor: int
    left_minor: int


def find(tx: Transaction, scope: Scope) -> Row | None:
    """Give the refund of a scope, if it was begun."""
    return tx.one("SELECT id, begun_by, reason, begun_at, ended_at FROM event_refunds WHERE scope = %s", scope.name)


def begin(database: Database, scope: Scope, *, by: str, reason: str | None) -> int:
    """Begin the refund of a scope, or go on with it; stop the sale of its tickets; give its id."""
    with database.transaction() as tx:
        tickets = tickets_of(tx, scope)
        sale.stop(tx, tickets, by=by, reason=reason)
        tx.change(
            "INSERT INTO event_refunds (scope, begun_by, reason) VALUES (%s, %s, %s)"
            " ON DUPLICATE KEY UPDATE ended_at = NULL",
            scope.name,
            by,
            reason,
        )
        found = find(tx, scope)
    refund_id = 0 if found is None else int(found["id"])
    enrol(database, refund_id, tickets, anew=True)
    return refund_id


def enrol(database: Database, refund_id: int, tickets: Sequence[int], *, anew: bool) -> int:
    """Write down what is to be done about each order as it is now; give how many lines are due.

    What was refunded by this stays so; what was left alone, or failed, is looked at again only `anew`.
    """
    for found in pages(database, tickets):
        for at in range(0, len(found), _BATCH):
            with database.transaction() as tx:
                _enrol(tx, refund_id, found[at : at + _BATCH], stays=_STAYS if anew else _STAYS_ALSO)
    with database.transaction() as tx:
        return count_due(tx, refund_id)


def count_due(tx: Transaction, refund_id: int) -> int:
    """Count the lines that are due."""
    row = tx.one(
        "SELECT COUNT(*) AS due FROM event_refund_lines WHERE event_refund_id = %s AND state = 'due'", refund_id
    )
    return 0 if row is None else int(row["due"])


def _enrol(tx: Transaction, refund_id: int, found: list[Line], *, stays: str) -> None:
    for line in found:
        if line.is_unrecorded:
            tx.change(
                "INSERT IGNORE INTO order_payments (order_id, payment_key, stripe_payment_intent_id, role,"
                " amount_minor, currency) VALUES (%s, %s, %s, 'accepted', %s, %s)",
                line.order_id,
                line.payment_key,
                line.payment_key,
                line.paid_minor,
                line.currency,
            )
    values = [
        value
        for line in found
        for value in (
            refund_id,
            line.order_id,
            line.payment_key,
            line.what,
            line.state,
            line.paid_minor,
            line.before_minor,
            line.currency,
            line.note,
        )
    ]
    marks = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s, %s)"] * len(found))
    tx.change(
        "INSERT INTO event_refund_lines (event_refund_id, order_id, payment_key, what, state, paid_minor,"  # noqa: S608 -- constants
        f" before_minor, currency, note) VALUES {marks} ON DUPLICATE KEY UPDATE"
        f" paid_minor = IF({stays}, paid_minor, VALUES(paid_minor)),"
        f" before_minor = IF({stays}, before_minor, VALUES(before_minor)),"
        f" note = IF({stays}, note, VALUES(note)), state = IF({stays}, state, VALUES(state))",
        *values,
    )


def due(tx: Transaction, refund_id: int, *, after: tuple[int, str], limit: int) -> list[Line]:
    """Give lines that are due, behind one (order, payment)."""
    return _page(tx, "event_refund_id = %s AND state = 'due'", refund_id, after, limit)


def settle(tx: Transaction, refund_id: int, line: Line) -> None:
    """Write down what became of a line that was due."""
    tx.change(
        "UPDATE event_refund_lines SET state = %s, before_minor = %s, refunded_minor = %s, stripe_refund_id = %s,"
        " note = %s WHERE event_refund_id = %s AND order_id = %s AND payment_key = %s AND state = 'due'",
        line.state,
        line.before_minor,
        line.refunded_minor,
        line.stripe_refund_id,
        line.note[:_LONGEST_NOTE],
        refund_id,
        line.order_id,
        line.payment_key,
    )


def end(tx: Transaction, refund_id: int) -> None:
    """Note that nothing is left to do."""
    tx.change(
        "UPDATE event_refunds SET ended_at = UTC_TIMESTAMP(6) WHERE id = %s AND ended_at IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM event_refund_lines AS l WHERE l.event_refund_id = %s AND l.state = 'due')",
        refund_id,
        refund_id,
    )


def lines(tx: Transaction, refund_id: int, *, after: tuple[int, str], limit: int) -> list[Line]:
    """Give lines behind one (order, payment), in their order."""
    return _page(tx, "event_refund_id = %s", refund_id, after, limit)


def _page(tx: Transaction, condition: str, refund_id: int, after: tuple[int, str], limit: int) -> list[Line]:
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM event_refund_lines WHERE {condition}"  # noqa: S608 -- constants
        " AND (order_id, payment_key) > (%s, %s) AND order_id >= %s ORDER BY order_id, payment_key LIMIT %s",
        refund_id,
        *after,
        after[0],
        limit,
    )
    return msgspec.convert(rows, list[Line])


def sums(tx: Transaction, refund_id: int) -> list[Sum]:
    """Add the lines up, by what is done, state and currency."""
    rows = tx.all(
        "SELECT what, state, currency, COUNT(*) AS number, SUM(paid_minor) AS paid_minor,"
        " SUM(before_minor) AS before_minor, SUM(refunded_minor) AS refunded_minor FROM event_refund_lines"
        " WHERE event_refund_id = %s GROUP BY what, state, currency ORDER BY what, state, currency",
        refund_id,
    )
    return [_sum(row) for row in rows]


def add_up(found: Sequence[Line]) -> list[Sum]:
    """Add lines up that are not kept: a preview."""
    groups: dict[tuple[str, str, str], list[Line]] = {}
    for line in found:
        groups.setdefault((line.what, line.state, line.currency), []).append(line)
    return [
        _sum(
            {
                "what": what,
                "state": state,
                "currency": currency,
                "number": len(group),
                "paid_minor": sum(line.paid_minor for line in group),
                "before_minor": sum(line.before_minor for line in group),
                "refunded_minor": sum(line.refunded_minor for line in group),
            }
        )
        for (what, state, currency), group in sorted(groups.items())
    ]


def count_new(tx: Transaction, refund_id: int, tickets: Sequence[int]) -> int:
    """Count the orders of these tickets that have no line yet: they came since it was looked."""
    if not tickets:
        return 0
    row = tx.one(
        "SELECT COUNT(*) AS number FROM ticket_orders AS o LEFT JOIN event_refund_lines AS l"
        " ON l.event_refund_id = %s AND l.order_id = o.id WHERE o.ticket_id IN %s AND l.order_id IS NULL",
        refund_id,
        tuple(tickets),
    )
    return 0 if row is None else int(row["number"])


def ledger_agrees(tx: Transaction, refund_id: int) -> bool:
    """Tell whether the books say of each payment what its line says went back."""
    row = tx.one(
        "SELECT COUNT(*) AS number FROM event_refund_lines AS l LEFT JOIN order_payments AS p"
        " ON p.order_id = l.order_id AND p.payment_key = l.payment_key WHERE l.event_refund_id = %s"
        " AND l.what = 'refund' AND NOT (p.refunded_minor <=> l.before_minor + l.refunded_minor)",
        refund_id,
    )
    return row is not None and not row["number"]


def _sum(row: Row) -> Sum:
    paid, before, refunded = (int(row[name]) for name in ("paid_minor", "before_minor", "refunded_minor"))
    return Sum(
        what=row["what"],
        state=row["state"],
        currency=row["currency"],
        lines=int(row["number"]),
        paid_minor=paid,
        before_minor=before,
        refunded_minor=refunded,
        left_minor=paid - before - refunded,
    )
