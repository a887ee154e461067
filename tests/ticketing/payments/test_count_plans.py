"""What is counted of a paid order whose rows do not fit together."""

from __future__ import annotations

import pytest

from ticketing.orders.counters import Counts
from ticketing.payments.count_plans import Claim, Plan, plan

A, B = 1, 2

# What the order is for, what it holds, the counters by id (sold, held, limit) → counted, counters' changes by id, what
# is off.
CASES: dict[str, tuple[Claim, Claim | None, dict[int, Counts | None], tuple[object, object, object]]] = {
    "two became three, one is free": (
        Claim(A, 3),
        Claim(A, 2),
        {A: Counts(0, 2, 3)},
        (Claim(A, 3), {A: (3, -2)}, []),
    ),
    "two became three, many are free": (
        Claim(A, 3),
        Claim(A, 2),
        {A: Counts(0, 2, 10)},
        (Claim(A, 3), {A: (3, -2)}, []),
    ),
    "two became three, none is free": (
        Claim(A, 3),
        Claim(A, 2),
        {A: Counts(0, 4, 4)},
        (Claim(A, 2), {A: (2, -2)}, ["count_seats 1 1 no_room"]),
    ),
    "two became five, one is free": (
        Claim(A, 5),
        Claim(A, 2),
        {A: Counts(1, 2, 4)},
        (Claim(A, 3), {A: (3, -2)}, ["count_seats 1 2 no_room"]),
    ),
    "two became three, the limit was lowered": (
        Claim(A, 3),
        Claim(A, 2),
        {A: Counts(0, 2, 0)},
        (Claim(A, 2), {A: (2, -2)}, ["count_seats 1 1 no_room"]),
    ),
    "two became one": (Claim(A, 1), Claim(A, 2), {A: Counts(0, 2, 2)}, (Claim(A, 1), {A: (1, -2)}, [])),
    "two became none": (Claim(A, 0), Claim(A, 2), {A: Counts(0, 2, 2)}, (Claim(A, 0), {A: (0, -2)}, [])),
    "the row is gone": (Claim(A, 2), Claim(A, 2), {A: None}, (None, {}, ["count_seats 1 2 gone"])),
    "held was set to 0, there is room": (
        Claim(A, 2),
        Claim(A, 2),
        {A: Counts(3, 0, None)},
        (Claim(A, 2), {A: (2, 0)}, ["release_seats 1 2 too_low"]),
    ),
    "held was set to 0, and others took the seats": (
        Claim(A, 2),
        Claim(A, 2),
        {A: Counts(3, 0, 3)},
        (None, {}, ["count_seats 1 2 no_room"]),
    ),
    "held was set to 0, and others took one seat": (
        Claim(A, 2),
        Claim(A, 2),
        {A: Counts(3, 0, 4)},
        (Claim(A, 1), {A: (1, 0)}, ["count_seats 1 1 no_room", "release_seats 1 2 too_low"]),
    ),
    "held nothing, marked paid by hand": (Claim(A, 2), None, {A: Counts(0, 0, 2)}, (Claim(A, 2), {A: (2, 0)}, [])),
    "moved, and there is room": (
        Claim(B, 2),
        Claim(A, 2),
        {A: Counts(0, 2, 2), B: Counts(3, 1, 6)},
        (Claim(B, 2), {A: (0, -2), B: (2, 0)}, []),
    ),
    "moved to a ticket with too little room": (
        Claim(A, 2),
        Claim(B, 2),
        {B: Counts(0, 2, 2), A: Counts(3, 2, 6)},
        (Claim(B, 2), {B: (2, -2)}, ["count_seats 1 2 no_room"]),
    ),
    "moved to a ticket that is gone, and made less": (
        Claim(B, 1),
        Claim(A, 2),
        {A: Counts(0, 2, 2), B: None},
        (Claim(A, 1), {A: (1, -2)}, ["count_seats 2 1 gone"]),
    ),
    "moved from a ticket that is gone": (
        Claim(B, 2),
        Claim(A, 2),
        {A: None, B: Counts(0, 0, None)},
        (Claim(B, 2), {B: (2, 0)}, ["release_seats 1 2 gone"]),
    ),
    "moved from a ticket that is gone to one that is full": (
        Claim(B, 2),
        Claim(A, 2),
        {A: None, B: Counts(1, 0, 2)},
        (None, {}, ["count_seats 2 2 no_room"]),
    ),
}


def told(found: Plan) -> tuple[object, object, object]:
    return (
        found.counted,
        {move.row_id: (move.counted, move.held) for move in found.moves},
        [f"{off.effect} {off.counter_id} {off.amount} {off.reason}" for off in found.offs],
    )


@pytest.mark.parametrize(("wanted", "held", "rows", "expected"), CASES.values(), ids=CASES)
def test_what_is_counted(
    wanted: Claim, held: Claim | None, rows: dict[int, Counts | None], expected: tuple[object, object, object]
) -> None:
    found = plan("seats", wanted, held, rows)
    assert told(found) == expected
    assert [move.row_id for move in found.moves] == sorted(move.row_id for move in found.moves)


def test_a_use_that_the_order_never_held_and_others_took_is_nothing_to_tell() -> None:
    assert plan("use", Claim(A, 1), None, {A: Counts(5, 0, 5)}) == Plan()
    assert told(plan("use", Claim(A, 1), None, {A: None}))[2] == ["count_use 1 1 gone"]
    assert told(plan("use", Claim(A, 1), Claim(A, 1), {A: Counts(5, 0, 5)}))[2] == ["count_use 1 1 no_room"]


def test_what_a_counter_cannot_give_back_is_told_of_seats_and_of_uses() -> None:
    gone = {A: Counts(3, 0, None), B: None}
    assert told(plan("use", Claim(A, 1), Claim(A, 1), gone))[2] == ["release_use 1 1 too_low"]
    assert told(plan("use", Claim(A, 1), Claim(B, 1), gone))[2] == ["release_use 2 1 gone"]
    low = {A: Counts(3, 0, None), B: Counts(0, 0, None)}
    assert told(plan("seats", Claim(A, 1), Claim(B, 1), low))[2] == ["release_seats 2 1 too_low"]


@pytest.mark.parametrize("sold", range(4))
@pytest.mark.parametrize("held", range(4))
@pytest.mark.parametrize("limit", [None, *range(5)])
@pytest.mark.parametrize("other", [None, Counts(0, 0, 2), Counts(1, 2, 3)])
def test_no_plan_leaves_the_bounds(sold: int, held: int, limit: int | None, other: Counts | None) -> None:
    """A counter never gets below 0, nor what nobody had beyond the limit; what is held is given up with the count."""
    rows = {A: Counts(sold, held, limit), B: other}
    for quantity in range(4):
        for claim in (None, Claim(A, 1), Claim(A, 2), Claim(B, 2)):
            found = plan("seats", Claim(A, quantity), claim, rows)
            for move in found.moves:
                before = rows[move.row_id]
                assert before is not None
                assert (before.counted + move.counted >= 0, before.held + move.held >= 0) == (True, True)
                taken = move.counted + move.held
                assert taken <= 0 or before.free(taken) == taken
            assert found.counted is not None or not found.moves
            assert (found.counted == Claim(A, quantity)) == (not any(o.effect == "count_seats" for o in found.offs))
