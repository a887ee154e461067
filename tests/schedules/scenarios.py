"""Which tasks meet in which world: every pair, the dangerous triples, and each task alone and with itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.schedules.laboratory import Laboratory, Scenario

# What may come in each world. A task meets each other one, and itself: events come twice, and tasks are tried again.
MEET: dict[str, tuple[str, ...]] = {
    "open": (
        "checkout", "checkout_dear", "checkout_two", "click", "back", "back_same", "pays", "expired", "leave", "move",
        "move_other", "sweep",
    ),
    "told": (
        "checkout", "back", "payment", "second", "count_seats", "count_use", "expired", "failed", "processing",
        "refund", "charge", "refund_a", "refund_b", "refund_a_second", "dispute", "leave", "move", "sweep",
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


# A task whose connection ends anywhere while another one is at work: world, task, the other.
KILLED_BESIDE: tuple[tuple[str, str, str], ...] = (
    ("told", "payment", "expired"),
    ("told", "payment", "payment"),
    ("told", "payment", "refund"),
    ("told", "expired", "payment"),
    ("told", "refund", "payment"),
    ("paid", "count_seats", "count_seats"),
    ("paid", "count_seats", "refund"),
    ("paid", "count_use", "count_use"),
    ("counted", "refund_a", "refund_b"),
    ("counted", "refund", "refund"),
    ("counted", "dispute", "refund_a"),
    ("counted", "move", "refund"),
    ("counted", "give_money_back", "refund"),
    ("open", "leave", "pays"),
    ("open", "checkout", "expired"),
    ("open", "click", "click"),
    ("open", "sweep", "pays"),
    ("cancelled", "ended", "ended"),
)


def pairs() -> Iterator[Scenario]:
    """Every two tasks of a world, also a task and itself."""
    for world, tasks in MEET.items():
        for pair in itertools.combinations_with_replacement(tasks, 2):
            yield Scenario(world, pair)


def everything() -> list[Scenario]:
    """All of them, without connections that end."""
    return [*pairs(), *TRIPLES]


def with_kills(lab: Laboratory) -> Iterator[Scenario]:
    """Each task alone, and some with another one, its connection ending wherever that matters."""
    alone = [(world, task) for world, tasks in MEET.items() for task in tasks]
    for world, *tasks in [*alone, *KILLED_BESIDE]:
        yield from killed(lab, world, *tasks)


def killed(lab: Laboratory, world: str, *tasks: str) -> Iterator[Scenario]:
    """Give tasks of which the first one's connection ends wherever that matters."""
    for kill in lab.kills_of(world, tasks[0]):
        yield Scenario(world, tasks, ((0, kill),))


# In `make test`: whose connection ends, and what else.
CHOSEN_KILLS = (("told", "payment"), ("paid", "count_seats"), ("open", "click"))
CHOSEN: tuple[Scenario, ...] = (
    Scenario("open", ("checkout", "checkout")),
    Scenario("open", ("click", "click")),
    Scenario("open", ("leave", "pays")),
    Scenario("told", ("payment", "expired")),
    Scenario("told", ("payment", "payment")),
    Scenario("told", ("payment", "second")),
    Scenario("told", ("payment", "refund")),
    Scenario("told", ("payment", "sweep")),
    Scenario("paid", ("count_seats", "refund")),
    Scenario("paid", ("count_seats", "count_seats")),
    Scenario("counted", ("refund_a", "refund_b")),
    Scenario("counted", ("move", "move_other")),
    Scenario("cancelled_counted", ("ended", "ended")),
)
