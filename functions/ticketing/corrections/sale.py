"""Stops the sale of a ticket or an event, or the use of a discount code, and opens it again; each time is kept.

Of an event only those tickets are opened again whose sale was stopped here: what somebody took off sale in the shop,
as an early price that is over, stays so.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from ticketing import dates
from ticketing.corrections.refusal import CorrectionRefused
from ticketing.database import Database, Row, Transaction
from ticketing.orders import counters
from ticketing.orders.counters import BY_KIND, Correction, Kind

_TICKETS: Final = (
    "SELECT t.id, t.name, t.is_active, COALESCE(t.sold_quantity, 0) AS counted, t.held_quantity AS held,"
    " t.max_quantity AS most, t.event_id, e.start_date, e.end_date"
    " FROM tickets AS t LEFT JOIN events AS e ON e.id = t.event_id WHERE t.id IN %s ORDER BY t.id"
)
_CODES: Final = (
    "SELECT c.id, c.code AS name, c.is_active, COALESCE(c.used_count, 0) AS counted, c.held_count AS held,"
    " c.max_uses AS most, c.event_id, e.start_date, e.end_date"
    " FROM discount_codes AS c LEFT JOIN events AS e ON e.id = c.event_id WHERE c.id IN %s"
)


class NewSale(msgspec.Struct, frozen=True, kw_only=True):
    """Whose sale is to be open or not: one of the three, by its id."""

    event_id: int | None = None
    ticket_id: int | None = None
    code_id: int | None = None
    open: bool

    @property
    def kind(self) -> Kind:
        """What its rows are."""
        return "ticket" if self.code_id is None else "code"

    @property
    def name(self) -> str:
        """What it is called: `event 12`, `ticket 34`, `code 5`."""
        if self.event_id is not None:
            return f"event {self.event_id}"
        return f"ticket {self.ticket_id}" if self.ticket_id is not None else f"code {self.code_id}"


class OnSale(msgspec.Struct, kw_only=True):
    """A ticket or code, as it is and as it is to be. `counted`: sold or used."""

    counter_id: int
    name: str
    before: bool
    after: bool
    counted: int
    held: int
    limit: int | None


class SaleReport(msgspec.Struct, kw_only=True):
    """What changes, or has changed where `done`; `seen`: the state that it was in, `moved_on`: it is in another now."""

    kind: Kind
    of: str
    rows: list[OnSale] = []
    notes: list[str] = []
    seen: str = ""
    done: bool = False
    moved_on: bool = False
    refused: str = ""
    advice: str = ""

    @property
    def changes(self) -> list[OnSale]:
        """The rows that are to be otherwise than they are."""
        return [row for row in self.rows if row.before is not row.after]


def set_sale(database: Database, wanted: NewSale, *, by: str, reason: str | None, seen: str | None) -> SaleReport:
    """Show, or change, whether something is on sale; `seen`: do it, where it is as it was shown.

    All of an event's tickets, or none. Who did it, and why, is kept.

    Raises:
        DatabaseUnavailable: try again.
    """
    report = SaleReport(kind=wanted.kind, of=wanted.name)
    try:
        with database.transaction() as tx:
            _set(tx, wanted, report, by=by, reason=reason, seen=seen)
    except CorrectionRefused as refusal:
        report.refused, report.advice = str(refusal), refusal.advice
    return report


def stop(tx: Transaction, tickets: list[int], *, by: str, reason: str | None) -> None:
    """Stop the sale of these tickets, and keep that it was stopped here."""
    for ticket_id in tickets:
        _change(tx, "ticket", ticket_id, to=False, by=by, reason=reason)


def _set(
    tx: Transaction, wanted: NewSale, report: SaleReport, *, by: str, reason: str | None, seen: str | None
) -> None:
    found = _lock(tx, wanted)
    if wanted.open:
        _refuse_what_is_being_refunded(tx, wanted, found)
    stays = _off_sale_in_the_shop(tx, found) if wanted.open and wanted.event_id is not None else []
    report.rows = [_row(row, after=wanted.open and row["id"] not in stays) for row in found]
    report.notes = _notes(wanted, found, report.changes, stays)
    report.seen = ",".join(f"{row.counter_id}:{int(row.before)}" for row in report.rows)
    if seen is None or not report.changes:
        return
    if seen != report.seen:
        report.moved_on = True
        return
    for row in report.changes:
        _change(tx, wanted.kind, row.counter_id, to=row.after, by=by, reason=reason)
    report.done = True


def _lock(tx: Transaction, wanted: NewSale) -> list[Row]:
    if wanted.code_id is not None:
        ids = tx.all("SELECT id FROM discount_codes WHERE id = %s FOR UPDATE", wanted.code_id)
    elif wanted.ticket_id is not None:
        ids = tx.all("SELECT id FROM tickets WHERE id = %s FOR UPDATE", wanted.ticket_id)
    else:
        # The lower first, as everywhere.
        ids = tx.all("SELECT id FROM tickets WHERE event_id = %s ORDER BY id FOR UPDATE", wanted.event_id)
    if not ids:
        what = "has no ticket" if wanted.event_id is not None else "is not there"
        raise CorrectionRefused(f"{wanted.name.capitalize()} {what}.", advice="cachao orders shows events and tickets.")
    sql = _TICKETS if wanted.kind == "ticket" else _CODES
    return tx.all(sql, tuple(row["id"] for row in ids))


def _refuse_what_is_being_refunded(tx: Transaction, wanted: NewSale, found: list[Row]) -> None:
    if wanted.kind == "code":
        return
    scopes = {f"ticket:{row['id']}" for row in found} | {f"event:{row['event_id']}" for row in found}
    under_way = tx.all(
        "SELECT scope FROM event_refunds WHERE scope IN %s AND ended_at IS NULL ORDER BY scope", tuple(sorted(scopes))
    )
    if under_way:
        what = under_way[0]["scope"].replace(":", " ")
        raise CorrectionRefused(
            f"The refund of {what} has not ended: what is sold now would be refunded with the rest.",
            advice=f"cachao refund --{what} goes on with it, and says what is left.",
        )


def _off_sale_in_the_shop(tx: Transaction, found: list[Row]) -> list[int]:
    """Give the tickets that are off sale, and were not stopped here the last time."""
    off = [int(row["id"]) for row in found if not row["is_active"]]
    if not off:
        return []
    last = tx.all(
        "SELECT c.counter_id, c.sale_after FROM counter_corrections AS c JOIN (SELECT MAX(id) AS id FROM"
        " counter_corrections WHERE counter = 'ticket' AND counter_id IN %s AND sale_after IS NOT NULL"
        " GROUP BY counter_id) AS l ON l.id = c.id",
        tuple(off),
    )
    stopped_here = {int(row["counter_id"]) for row in last if not row["sale_after"]}
    return [ticket_id for ticket_id in off if ticket_id not in stopped_here]


def _row(row: Row, *, after: bool) -> OnSale:
    return OnSale(
        counter_id=int(row["id"]),
        name=str(row["name"] or ""),
        before=bool(row["is_active"]),
        after=after,
        counted=int(row["counted"]),
        held=int(row["held"]),
        limit=None if row["most"] is None else int(row["most"]),
    )


def _notes(wanted: NewSale, found: list[Row], changes: list[OnSale], stays: list[int]) -> list[str]:
    notes = [
        f"Ticket {ticket_id} was taken off sale in the shop, and stays so: {_opened(ticket_id)}" for ticket_id in stays
    ]
    if not wanted.open:
        held = sum(row.held for row in changes)
        return [*notes, f"{held} held by checkouts under way: who pays in time is served."] if held else notes
    now = dates.utc_naive(datetime.now(UTC))
    if any(dates.is_event_over(start_date=row["start_date"], end_date=row["end_date"], now=now) for row in found):
        notes.append("The event is over: nothing of it can be bought all the same.")
    notes += [
        f"None of {wanted.kind} {row.counter_id} is left: cachao limit --{wanted.kind} {row.counter_id} --to NUMBER"
        for row in changes
        if row.limit is not None and row.counted + row.held >= row.limit
    ]
    return notes


def _opened(ticket_id: int) -> str:
    return f"cachao sale --ticket {ticket_id} --open"


def _change(tx: Transaction, kind: Kind, row_id: int, *, to: bool, by: str, reason: str | None) -> None:
    """Set it where it is otherwise, and keep that."""
    changed = tx.change(
        f"UPDATE {BY_KIND[kind].table} SET is_active = %s WHERE id = %s AND NOT is_active <=> %s",  # noqa: S608 -- constants
        int(to),
        row_id,
        int(to),
    )
    if changed:
        counters.record(tx, Correction(kind=kind, counter_id=row_id, by=by, reason=reason, sale_after=to))
