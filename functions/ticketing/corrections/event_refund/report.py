"""What the refund of an event would do, or has done: sums, and a line for each payment and order."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from ticketing.corrections.event_refund import store
from ticketing.corrections.event_refund.lines import Line, Scope, pages, tickets_of
from ticketing.corrections.event_refund.run import Progress
from ticketing.corrections.event_refund.store import Sum
from ticketing.database import Database


class EventRefundReport(msgspec.Struct, kw_only=True):
    """An event's refund.

    Attributes:
        scope: `event:12`, `ticket:34`.
        tickets: the tickets whose sale it stops.
        refund_id: None: it was not begun; then `sums` say what it would do.
        begun_by, begun_at, ended_at: who, and when; `ended_at` None: something is left to do.
        sums: lines and money by what is done and state.
        new_orders: orders that came since, and have no line yet.
        agrees: the books say of each payment what its line says.
        lines: from `after` on, a page of them; `after` is where the next begins, None at the end.
        progress: of the work that was just done.
    """

    scope: str
    tickets: list[int]
    refund_id: int | None = None
    begun_by: str | None = None
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    sums: list[Sum] = []
    new_orders: int = 0
    agrees: bool = True
    lines: list[Line] = []
    after: tuple[int, str] | None = None
    progress: Progress | None = None


def preview(database: Database, scope: Scope) -> EventRefundReport:
    """Say what the refund of a scope would do, as its orders are now; changes nothing.

    Raises:
        DatabaseUnavailable: try again.
    """
    report = _head(database, scope)
    found = [line for page in pages(database, report.tickets) for line in page]
    report.sums = store.add_up(found)
    return report


def read(database: Database, scope: Scope, *, after: tuple[int, str] | None, limit: int) -> EventRefundReport:
    """Say what the refund of a scope did, with a page of lines behind `after`; None: no lines, the sums alone.

    Raises:
        DatabaseUnavailable: try again.
    """
    report = _head(database, scope)
    if report.refund_id is None:
        return report
    with database.transaction() as tx:
        report.sums = store.sums(tx, report.refund_id)
        report.new_orders = store.count_new(tx, report.refund_id, report.tickets)
        report.agrees = store.ledger_agrees(tx, report.refund_id)
        if after is not None:
            report.lines = store.lines(tx, report.refund_id, after=after, limit=limit)
            if len(report.lines) == limit:
                report.after = (report.lines[-1].order_id, report.lines[-1].payment_key)
    return report


def _head(database: Database, scope: Scope) -> EventRefundReport:
    with database.transaction() as tx:
        tickets = tickets_of(tx, scope)
        found = store.find(tx, scope)
    report = EventRefundReport(scope=scope.name, tickets=tickets)
    if found is not None:
        report.refund_id, report.begun_by = int(found["id"]), found["begun_by"]
        report.begun_at = found["begun_at"].replace(tzinfo=UTC)
        report.ended_at = None if found["ended_at"] is None else found["ended_at"].replace(tzinfo=UTC)
    return report
