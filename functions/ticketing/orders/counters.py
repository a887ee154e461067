"""Moves the counters of tickets and discount codes: each move is one guarded statement, or changes nothing.

A row can be gone and a counter too low, because people change the tables by hand. That is no error here but the
answer: why it could not be moved. Works inside a caller's transaction that has locked the order row; ticket rows are
changed before code rows (docs/decisions.md, "Lock order").
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from ticketing.database import Transaction

# gone: there is no such row. too_low: the counter is less than what is to be taken from it. no_room: its limit.
# unknown: the order was paid before this shop, and nobody knows whether it was counted.
Reason = Literal["gone", "too_low", "no_room", "unknown"]


class Counter(msgspec.Struct, frozen=True, kw_only=True):
    """Where a kind of thing is counted: names of a table and of its columns, constants of this module."""

    table: str
    counted: str
    held: str
    limit: str


TICKETS: Final = Counter(table="tickets", counted="sold_quantity", held="held_quantity", limit="max_quantity")
CODES: Final = Counter(table="discount_codes", counted="used_count", held="held_count", limit="max_uses")
# What an operator calls them.
Kind = Literal["ticket", "code"]
BY_KIND: Final[dict[Kind, Counter]] = {"ticket": TICKETS, "code": CODES}


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator changed of a counter; limits both None, `sale_after` None (else: it is on sale): that stayed."""

    kind: Kind
    counter_id: int
    by: str
    reason: str | None
    counted: int = 0
    held: int = 0
    limit_before: int | None = None
    limit_after: int | None = None
    sale_after: bool | None = None


def record(tx: Transaction, done: Correction) -> None:
    """Keep who changed a counter, when and why."""
    tx.change(
        "INSERT INTO counter_corrections (counter, counter_id, counted_change, held_change, corrected_by, reason,"
        " limit_before, limit_after, sale_after) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        done.kind,
        done.counter_id,
        done.counted,
        done.held,
        done.by,
        done.reason,
        done.limit_before,
        done.limit_after,
        done.sale_after,
    )


class Counts(msgspec.Struct, frozen=True):
    """The counters of one ticket or code; `limit` None is no limit."""

    counted: int
    held: int
    limit: int | None

    def free(self, most: int) -> int:
        """Give how much nobody has, between 0 and `most`."""
        return most if self.limit is None else min(max(self.limit - self.counted - self.held, 0), most)


def lock(tx: Transaction, counter: Counter, row_id: int) -> Counts | None:
    """Lock a ticket's or code's row and give its counters; None where it is gone. Of two the lower id comes first."""
    row = tx.one(
        f"SELECT COALESCE({counter.counted}, 0) AS counted, {counter.held} AS held, {counter.limit} AS most"  # noqa: S608 -- constants
        f" FROM {counter.table} WHERE id = %s FOR UPDATE",
        row_id,
    )
    if row is None:
        return None
    return Counts(int(row["counted"]), int(row["held"]), None if row["most"] is None else int(row["most"]))


def move(tx: Transaction, counter: Counter, row_id: int, *, counted: int = 0, held: int = 0) -> Reason | None:
    """Change what is counted and held of a ticket or code by these numbers; a counter never gets below 0.

    The limit is not looked at: what goes from held to counted is within it, and what is taken anew is the caller's to
    guard. Gives why nothing was changed, None where it was.
    """
    if not counted and not held:
        return None
    changed = tx.change(
        f"UPDATE {counter.table} SET {counter.counted} = COALESCE({counter.counted}, 0) + %s,"  # noqa: S608 -- constants
        f" {counter.held} = {counter.held} + %s"
        f" WHERE id = %s AND COALESCE({counter.counted}, 0) >= %s AND {counter.held} >= %s",
        counted,
        held,
        row_id,
        -counted,
        -held,
    )
    if changed == 1:
        return None
    there = tx.one(f"SELECT 1 FROM {counter.table} WHERE id = %s", row_id)  # noqa: S608 -- constants
    return "gone" if there is None else "too_low"
