"""Which tasks meet in which world: every pair, the dangerous triples, and each task alone and with itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.schedules.laboratory import Laboratory, Scenario

_TWO = 2
# What may come in each world. A task meets each other one, and itself: events come twice, and tasks are tried again.
MEET: dict[str, tuple[str, ...]] = {
    "open": (
        "checkout", "checkout_dear", "checkout_two", "click", "back", "back_same", "pays", "expired", "leave", "move",
        "move_other", "sweep",
    ),
    "told": (
        "checkout", "back", "payment", "second", "count_seats", "count_use", "expired", "failed", "processing",
        "refund", "charge", "refund_a", "refund_b", "refund_a_second", "dispute", "leave", "move", "sweep", "look_up",
        "look_up_refund_second",
    ),
    # Whoever stores a session here must not take another's place; the others go on without one.
    "not_stored": (
        "look_up", "look_up_second", "look_up_refund", "completed", "expired", "processing", "refund", "leave", "move",
        "back",
    ),
    "paid": (
        "checkout", "payment", "second", "count_seats", "count_use", "uncounted", "expired", "refund", "refund_a",
        "refund_b", "dispute", "move", "give_money_back",
    ),
    # Nobody here but who counts: until then it does not hold what it is for.
    "changed": ("count_seats", "uncounted"),
    "counted": (
        "checkout", "payment", "second", "count_seats", "count_use", "failed", "refund", "charge", "refund_a",
        "refund_b", "dispute", "leave", "move", "move_other", "give_money_back",
    ),
    "twice": ("second", "refund", "refund_second", "dispute", "give_duplicate_back", "give_money_back", "count_seats"),
    "expired": ("checkout", "checkout_dear", "payment", "second", "expired", "refund", "leave", "move"),
    "cancelled": ("ended", "expired", "payment", "leave", "checkout", "refund"),
    "cancelled_counted": ("ended", "payment", "refund", "dispute", "checkout"),
    "half_refunded": ("refund_a", "refund_c", "refund_d", "charge", "dispute", "second", "give_money_back"),
    "lost": ("dispute", "refund", "second", "give_money_back"),
}  # fmt: skip

# Of three at once those in which money or a seat is at stake.
TRIPLES: tuple[Scenario, ...] = (
    # The last seat, for two buyers, and somebody gives one back.
    Scenario("open", ("checkout_dear", "checkout_dear", "expired")),
    Scenario("open", ("checkout", "checkout_dear", "leave")),
    # A payment, the expiry of its session, and its refund.
    Scenario("told", ("payment", "expired", "refund")),
    Scenario("told", ("payment", "failed", "refund")),
    Scenario("expired", ("payment", "checkout_dear", "refund")),
    # Two payments and a refund.
    Scenario("told", ("payment", "second", "refund")),
    Scenario("told", ("payment", "payment", "refund")),
    Scenario("counted", ("second", "refund", "refund_second")),
    # Two parts of a refund and the charge that says their sum.
    Scenario("counted", ("refund_a", "refund_b", "charge")),
    # Paid, counted by two, and given back.
    Scenario("paid", ("count_seats", "count_use", "refund")),
    Scenario("paid", ("count_seats", "uncounted", "refund")),
)


def alone() -> Iterator[Scenario]:
    """Each task of a world by itself."""
    for world, tasks in MEET.items():
        for task in tasks:
            yield Scenario(world, (task,))


def pairs() -> Iterator[Scenario]:
    """Every two tasks of a world, also a task and itself."""
    for world, tasks in MEET.items():
        for pair in itertools.combinations_with_replacement(tasks, 2):
            yield Scenario(world, pair)


def everything() -> list[Scenario]:
    """All of them, without connections that end."""
    return [*alone(), *pairs(), *TRIPLES]


def killed(lab: Laboratory, scenario: Scenario) -> Iterator[Scenario]:
    """Give the same with a connection that ends: of a task alone anywhere, of each of two where it ends a transaction.

    Of three: none.
    """
    world, tasks = scenario.world, scenario.tasks
    if len(tasks) == 1:
        for kill in lab.kills_of(world, *tasks):
            yield Scenario(world, tasks, ((0, kill),))
    elif len(tasks) == _TWO:
        for place in range(len(set(tasks))):
            for kill in lab.kills_at_ends(world, tasks[place]):
                yield Scenario(world, tasks, ((place, kill),))


# In `make test`; of some with connections that end.
CHOSEN_KILLS = (
    Scenario("told", ("payment",)),
    Scenario("paid", ("count_seats",)),
    Scenario("open", ("click",)),
    Scenario("told", ("payment", "refund")),
)
CHOSEN: tuple[Scenario, ...] = (
    Scenario("open", ("checkout", "checkout")),
    Scenario("open", ("click", "click")),
    Scenario("open", ("leave", "pays")),
    Scenario("told", ("payment", "expired")),
    Scenario("told", ("payment", "payment")),
    Scenario("told", ("payment", "second")),
    Scenario("told", ("payment", "refund")),
    Scenario("told", ("payment", "sweep")),
    Scenario("not_stored", ("look_up", "look_up_second")),
    Scenario("paid", ("count_seats", "refund")),
    Scenario("paid", ("count_seats", "count_seats")),
    Scenario("counted", ("refund_a", "refund_b")),
    Scenario("counted", ("move", "move_other")),
    Scenario("cancelled_counted", ("ended", "ended")),
)
