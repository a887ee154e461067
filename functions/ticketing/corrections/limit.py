"""Changes how many seats a ticket, or uses a code, has; never below what is sold and held."""

from __future__ import annotations

import msgspec

from ticketing.database import Database, Transaction
from ticketing.orders import counters
from ticketing.orders.counters import BY_KIND, Correction, Kind


class LimitReport(msgspec.Struct, kw_only=True):
    """A limit as it is and as it is to be; None is no limit. `counted`: sold or used; `done`: it is so now."""

    kind: Kind
    counter_id: int
    before: int | None = None
    after: int | None = None
    counted: int = 0
    held: int = 0
    done: bool = False
    moved_on: bool = False
    refused: str = ""
    advice: str = ""


class NewLimit(msgspec.Struct, frozen=True, kw_only=True):
    """What a limit is to be; `to` None: any number. `seen`: the limit that the operator saw."""

    kind: Kind
    counter_id: int
    to: int | None = None
    seen: int | None = None
    dry_run: bool = False


def set_limit(database: Database, wanted: NewLimit, *, by: str, reason: str | None) -> LimitReport:
    """Show, or change, how many seats a ticket or uses a code has.

    Where it is another one by now than the operator saw nothing is changed. Who changed it, and why, is kept.

    Raises:
        DatabaseUnavailable: try again.
    """
    report = LimitReport(kind=wanted.kind, counter_id=wanted.counter_id, after=wanted.to)
    with database.transaction() as tx:
        _set(tx, wanted, report, by=by, reason=reason)
    return report


def _set(tx: Transaction, wanted: NewLimit, report: LimitReport, *, by: str, reason: str | None) -> None:
    counter, row_id, to = BY_KIND[wanted.kind], wanted.counter_id, wanted.to
    now = counters.lock(tx, counter, row_id)
    if now is None:
        report.refused = f"There is no {wanted.kind} {row_id}."
        return
    report.before, report.counted, report.held = now.limit, now.counted, now.held
    taken = now.counted + now.held
    if to is not None and to < taken:
        report.refused = f"{taken} of {wanted.kind} {row_id} are taken: {now.counted} counted, {now.held} held."
        report.advice = f"The lowest limit is {taken}."
    if report.refused or wanted.dry_run or now.limit == to:
        return
    if now.limit != wanted.seen:
        report.moved_on = True
        return
    tx.change(f"UPDATE {counter.table} SET {counter.limit} = %s WHERE id = %s", to, row_id)  # noqa: S608 -- constants
    done = Correction(kind=wanted.kind, counter_id=row_id, by=by, reason=reason, limit_before=now.limit, limit_after=to)
    counters.record(tx, done)
    report.done = True
