"""Section `checkout`: checkouts a second on one hot ticket, without Stripe's time, in small and in large tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from rich.progress import Progress

from tests.bench import checkout_work
from tests.bench.orders import HotTicket, create_hot_ticket, create_past_orders, create_pending_orders
from tests.bench.payment_speed import PROCESSES, processes_text, rate_line
from tests.bench.report import Line, Section
from tests.bench.scale import Scale
from tests.bench.shop import Shop
from tests.bench.workers import Worker

_SLOWER_BUDGET: Final = 1.1
# Of the floor, with all processes. A code and an Idempotency-Key are more statements, of which the floor knows none.
_SHARE_BUDGETS: Final = {"checkout": 0.45, "with code": 0.3}
_FUNCTION: Final = "CreateCheckoutFunction"
_FLOOR, _PLACE, _CHECKOUT, _WITH_CODE = "floor", "place", "checkout", "with code"
_JOBS: Final[dict[str, tuple[Callable[..., tuple[int, float]], Mapping[str, Any]]]] = {
    _FLOOR: (checkout_work.insert_for, {}),
    _PLACE: (checkout_work.place_for, {}),
    _CHECKOUT: (checkout_work.check_out_for, {}),
    _WITH_CODE: (checkout_work.check_out_for, {"with_code": True}),
}
_TITLES: Final = {
    _PLACE: "order placed",
    _CHECKOUT: "whole handler",
    _WITH_CODE: "… with code and Idempotency-Key",
}


@dataclass(frozen=True)
class _Table:
    """A database with so many orders, and the workers that check out there."""

    ticket: HotTicket
    workers: list[Worker]

    def rate(self, job: str, processes: int, seconds: float) -> float:
        work, options = _JOBS[job]
        at_work = self.workers[:processes]
        for worker in at_work:
            worker.start(work, seconds, self.ticket, **options)
        return float(sum(done / spent for done, spent in [worker.result() for worker in at_work]))


def checkout(shop: Shop, scale: Scale, progress: Progress) -> Section:
    """Checkouts a second: against the floor, and with many orders against few."""
    with contextlib.ExitStack() as parts:
        small = _table(shop, parts, "few", past=0, pending=scale.small_table, progress=progress)
        large = _table(
            shop, parts, "many", past=scale.large_table - scale.pending, pending=scale.pending, progress=progress
        )
        rounds = _rounds(small, large, scale, progress)
    section = Section(
        "checkout",
        "checkouts a second on one hot ticket without Stripe's time, medians",
        ("/s", "compared with /s"),
        notes=[
            f"{scale.rounds} rounds of {scale.window} s each way, taking turns; ratios are the medians of the rounds'.",
            "Compared with: the bare guarded UPDATE and INSERT in one transaction; below, with few orders.",
            (
                f"Few: {scale.small_table:,} orders at first, all pending on the ticket. Many: {scale.large_table:,},"
                f" {scale.pending:,} of them pending on the ticket."
            ),
        ],
    )
    for processes in PROCESSES:
        for job, title in _TITLES.items():
            taken = [(each[processes, job], each[processes, _FLOOR]) for each, _ in rounds]
            section.lines.append(
                rate_line(
                    f"{title}, {processes_text(processes)}",
                    taken,
                    share_budget=_SHARE_BUDGETS.get(job) if processes == max(PROCESSES) else None,
                )
            )
    for processes in PROCESSES:
        for job in (_PLACE, _CHECKOUT):
            section.lines.append(
                _slower(
                    f"{_TITLES[job]}, many orders, {processes_text(processes)}",
                    [(many[processes, job], few[processes, job]) for few, many in rounds],
                )
            )
    return section


def _slower(name: str, rounds: list[tuple[float, float]]) -> Line:
    many, few = median(rate for rate, _ in rounds), median(rate for _, rate in rounds)
    slower = median(rate_of_few / rate for rate, rate_of_few in rounds)
    return Line(name, (many, few), slower, f"≤ {_SLOWER_BUDGET} times slower", slower <= _SLOWER_BUDGET)


Rates = dict[tuple[int, str], float]


def _rounds(small: _Table, large: _Table, scale: Scale, progress: Progress) -> list[tuple[Rates, Rates]]:
    """In each round everything has its turn, what is compared next to each other."""
    task = progress.add_task("checkout: rounds", total=scale.rounds + 1)
    rounds = []
    for _ in range(scale.rounds + 1):
        few: Rates = {}
        many: Rates = {}
        for processes in PROCESSES:
            for job in _JOBS:
                few[processes, job] = small.rate(job, processes, scale.window)
                if job in {_PLACE, _CHECKOUT}:
                    many[processes, job] = large.rate(job, processes, scale.window)
        rounds.append((few, many))
        progress.advance(task)
    return rounds[1:]  # the first one warms up


def _table(
    shop: Shop, parts: contextlib.ExitStack, name: str, *, past: int, pending: int, progress: Progress
) -> _Table:
    database = shop.add_database(name)
    task = progress.add_task(f"checkout: {past + pending:,} orders", total=None)
    with contextlib.closing(shop.connect(database)) as connection:
        ticket = create_hot_ticket(connection)
        create_past_orders(connection, ticket, past)
        create_pending_orders(connection, ticket, pending)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE TABLE ticket_orders")
    progress.remove_task(task)
    environment = shop.environment(_FUNCTION, database)
    workers = [parts.enter_context(Worker(environment)) for _ in range(max(PROCESSES))]
    return _Table(ticket, workers)
