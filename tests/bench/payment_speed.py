"""Sections `handlers` and `throughput`: payments by the handlers, against the bare SQL of the same transactions."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from statistics import median
from typing import Final

from pymysql.connections import Connection
from pymysql.cursors import Cursor
from rich.progress import Progress

from tests.bench import payment_work
from tests.bench.orders import check_sold, create_hot_ticket, create_pending_orders
from tests.bench.report import Line, Section
from tests.bench.scale import Scale
from tests.bench.shop import Shop
from tests.bench.workers import Worker, all_at_once

HANDLERS_BUDGET: Final = 2.0
# The floor is the SQL that the handlers send, so a query too many makes both sides slower and the ratio better. This
# is what each step needs, its COMMIT included; between a Lambda and its database each of them takes a millisecond.
ROUND_TRIPS_BUDGET: Final = {
    "ValidateEvent": 0,
    "LookUpOrder": 1,
    "MarkOrderPaid": 3,
    "CountTicketSale": 1,
    "CountDiscountUse": 1,
}
SHARE_BUDGET: Final = 0.4

# Orders that take their turn together.
_BATCH = 5
_WARM_UP = 10
_FUNCTION = "MarkOrderPaidFunction"
PROCESSES: Final = (1, 4)
# Payments a second and process that are made ready; whoever is faster has a shorter turn.
_MOST_A_SECOND = 600


def handlers(shop: Shop, scale: Scale, progress: Progress) -> Section:
    """The warm time of all handlers of one payment."""
    by_handlers: list[list[float]] = []
    by_floor: list[list[float]] = []
    batches = max(scale.payments // _BATCH, 1)
    task = progress.add_task("handlers: payments", total=batches)
    with contextlib.closing(shop.connect()) as connection, Worker(shop.environment(_FUNCTION)) as worker:
        ticket = create_hot_ticket(connection)
        ids = iter(create_pending_orders(connection, ticket, 2 * (_WARM_UP + batches * _BATCH)))

        def some(count: int) -> list[int]:
            return [next(ids) for _ in range(count)]

        round_trips = _listen(connection, worker)
        worker.call(payment_work.time_handlers, ticket, some(_WARM_UP))
        worker.call(payment_work.time_floor, ticket, some(_WARM_UP))
        for _ in range(batches):
            by_handlers += worker.call(payment_work.time_handlers, ticket, some(_BATCH))
            by_floor += worker.call(payment_work.time_floor, ticket, some(_BATCH))
            progress.advance(task)
        check_sold(connection, ticket, paid=2 * (_WARM_UP + batches * _BATCH), pending=0)
    section = Section(
        "handlers",
        "warm time of one payment's handlers, medians",
        ("round trips", "handler ms", "bare SQL ms", "own ms"),
        notes=[
            f"{batches * _BATCH} payments each way, in turns of {_BATCH}; each order has seats and a code held.",
            "Bare SQL: the same statements with the same parameters in the same transactions, by plain pymysql.",
            "Each step has a connection of its own, as each function has.",
        ],
    )
    for step, (name, spent, floor) in enumerate(
        (name, [each[step] for each in by_handlers], [each[step] for each in by_floor])
        for step, name in enumerate(payment_work.STEPS)
    ):
        line = _times(name, round_trips[step], spent, floor)
        most = ROUND_TRIPS_BUDGET[name]
        met = round_trips[step] <= most
        section.lines.append(Line(line.name, line.cells, line.ratio, f"≤ {most} round trips", met))
    total = _times(
        "one payment", sum(round_trips), [sum(each) for each in by_handlers], [sum(each) for each in by_floor]
    )
    assert total.ratio is not None
    section.lines.append(
        Line(total.name, total.cells, total.ratio, f"≤ {HANDLERS_BUDGET}", total.ratio <= HANDLERS_BUDGET)
    )
    return section


def _listen(connection: Connection[Cursor], worker: Worker) -> list[int]:
    """Let a worker learn the SQL from two orders, of two tickets with codes of their own, after another order."""
    tickets = [create_hot_ticket(connection) for _ in range(3)]
    warm_up, first, second = ((ticket, create_pending_orders(connection, ticket, 1)[0]) for ticket in tickets)
    return worker.call(payment_work.listen, warm_up, first, second)


def _times(name: str, round_trips: int, spent: list[float], floor: list[float]) -> Line:
    mine, bare = 1000 * median(spent), 1000 * median(floor)
    # Without a round trip there is no floor to compare with.
    return Line(name, (round_trips, mine, bare, mine - bare), mine / bare if round_trips else None)


def throughput(shop: Shop, scale: Scale, progress: Progress) -> Section:
    """Payments a second on one hot ticket."""
    section = Section(
        "throughput",
        "payments a second on one hot ticket, medians",
        ("handlers /s", "bare SQL /s"),
        notes=[
            f"{scale.rounds} rounds of {scale.window} s each way, taking turns; the ratio is the median of the rounds'."
        ],
    )
    task = progress.add_task("throughput: payments", total=scale.rounds * len(PROCESSES))
    with contextlib.ExitStack() as parts:
        connection = parts.enter_context(contextlib.closing(shop.connect()))
        workers = [parts.enter_context(Worker(shop.environment(_FUNCTION))) for _ in range(max(PROCESSES))]
        for worker in workers:
            _listen(connection, worker)
        for processes in PROCESSES:
            rounds = []
            for _ in range(scale.rounds):
                rounds.append(_round(shop, workers[:processes], scale.window))
                progress.advance(task)
            section.lines.append(
                rate_line(
                    processes_text(processes),
                    rounds,
                    share_budget=SHARE_BUDGET if processes == max(PROCESSES) else None,
                )
            )
    return section


def _round(shop: Shop, workers: list[Worker], window: float) -> tuple[float, float]:
    """Both sides for a while, on a ticket of this round's; gives both rates."""
    each = int(_MOST_A_SECOND * window) + 1
    rates = []
    paid = 0
    with contextlib.closing(shop.connect()) as connection:
        ticket = create_hot_ticket(connection)
        for prepare in (payment_work.prepare_payments, payment_work.prepare_replays):
            ids = create_pending_orders(connection, ticket, each * len(workers))
            all_at_once(workers, prepare, [(ticket, ids[place :: len(workers)]) for place in range(len(workers))])
            done = all_at_once(workers, payment_work.work_for, [(window,)] * len(workers))
            rates.append(sum(count / seconds for count, seconds in done))
            paid += sum(count for count, _ in done)
        check_sold(connection, ticket, paid=paid, pending=2 * each * len(workers) - paid)
    return rates[0], rates[1]


def processes_text(count: int) -> str:
    return f"{count} process{'es' if count > 1 else ''}"


def rate_line(name: str, rounds: Sequence[tuple[float, float]], *, share_budget: float | None) -> Line:
    """A line of a rate and its floor's, by the medians of the rounds."""
    mine, floor = median(rate for rate, _ in rounds), median(rate for _, rate in rounds)
    share = median(rate / bare for rate, bare in rounds)
    if share_budget is None:
        return Line(name, (mine, floor), share)
    return Line(name, (mine, floor), share, f"≥ {share_budget}", share >= share_budget)
