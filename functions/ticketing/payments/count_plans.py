"""Works out what can be counted of a paid order when its rows do not fit together; knows no database.

An operator may have raised the order's quantity, moved it to another ticket or given it another code since it took its
hold; or a row was deleted, or a counter changed. What the order holds it keeps; what it wants beyond that it gets where
it is free (docs/rules.md, "Money first").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from ticketing.orders.counters import Counts, Reason
from ticketing.orders.counts_off import CountOff

Kind = Literal["seats", "use"]


class Claim(msgspec.Struct, frozen=True):
    """So many seats of a ticket, or uses of a code."""

    row_id: int
    amount: int


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """By how much the counters of a ticket or a code change."""

    row_id: int
    counted: int = 0
    held: int = 0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted, and what cannot be.

    Attributes:
        counted: where and how much; None: nothing, the order keeps what it holds, and is counted another time.
        moves: of the counters, in the order of the rows' ids.
        offs: what a person must know.
    """

    counted: Claim | None = None
    moves: list[Move] = []
    offs: list[CountOff] = []


def plan(kind: Kind, wanted: Claim, held: Claim | None, rows: Mapping[int, Counts | None]) -> Plan:
    """Work out what is counted.

    Args:
        kind: of what.
        wanted: what the order is for, as its columns say today.
        held: what it holds, as written down when that was taken.
        rows: the counters of both, locked; None where the row is gone.
    """
    if held is not None and held.row_id != wanted.row_id:
        return _plan_moved(kind, wanted, held, rows)
    row = rows[wanted.row_id]
    if row is None:
        return Plan(offs=[_not_counted(kind, wanted, wanted.amount, "gone")])
    known = held.amount if held is not None and row.held >= held.amount else 0
    # What is held already takes no more room, also where the limit was lowered meanwhile.
    possible = wanted.amount if wanted.amount <= known else known + row.free(wanted.amount - known)
    missing = wanted.amount - possible
    offs = [_not_counted(kind, wanted, missing, "no_room")] if missing else []
    if missing and not possible:
        # A code's last use went to others while the order had none: its buyer paid in good faith, nothing is off.
        return Plan(offs=[] if kind == "use" and held is None else offs)
    if held is not None and not known:
        offs.append(_not_released(kind, held, "too_low"))
    return Plan(
        counted=Claim(wanted.row_id, possible),
        moves=[Move(row_id=wanted.row_id, counted=possible, held=-known)],
        offs=offs,
    )


def _plan_moved(kind: Kind, wanted: Claim, held: Claim, rows: Mapping[int, Counts | None]) -> Plan:
    """The order holds what it is not for any more: it is exchanged as a whole, or counted where it is held."""
    to, from_ = rows[wanted.row_id], rows[held.row_id]
    unknown: Reason | None = "gone" if from_ is None else "too_low" if from_.held < held.amount else None
    if to is not None and to.free(wanted.amount) == wanted.amount:
        moves = [Move(row_id=wanted.row_id, counted=wanted.amount)]
        if unknown is None:
            moves.append(Move(row_id=held.row_id, held=-held.amount))
        return Plan(
            counted=wanted,
            moves=sorted(moves, key=lambda move: move.row_id),
            offs=[] if unknown is None else [_not_released(kind, held, unknown)],
        )
    offs = [_not_counted(kind, wanted, wanted.amount, "gone" if to is None else "no_room")]
    if unknown is not None:
        return Plan(offs=offs)
    amount = min(wanted.amount, held.amount)
    return Plan(
        counted=Claim(held.row_id, amount),
        moves=[Move(row_id=held.row_id, counted=amount, held=-held.amount)],
        offs=offs,
    )


def _not_counted(kind: Kind, wanted: Claim, amount: int, reason: Reason) -> CountOff:
    return CountOff(
        effect="count_seats" if kind == "seats" else "count_use",
        counter_id=wanted.row_id,
        amount=amount,
        reason=reason,
    )


def _not_released(kind: Kind, held: Claim, reason: Reason) -> CountOff:
    return CountOff(
        effect="release_seats" if kind == "seats" else "release_use",
        counter_id=held.row_id,
        amount=held.amount,
        reason=reason,
    )
