"""Section `half-load`: how long a checkout takes while half as many come as four processes can do."""

from __future__ import annotations

import contextlib
from statistics import median, quantiles
from typing import Final

from rich.progress import Progress

from tests.bench import checkout_work
from tests.bench.orders import create_hot_ticket
from tests.bench.payment_speed import PROCESSES
from tests.bench.report import Line, Section
from tests.bench.scale import Scale
from tests.bench.shop import Shop
from tests.bench.workers import Worker

_P99_BUDGET: Final = 3.0
_FUNCTION: Final = "CreateCheckoutFunction"


def half_load(shop: Shop, scale: Scale, progress: Progress) -> Section:
    """The median and the 99th percentile of a checkout, from the moment at which it comes."""
    seconds = scale.rounds * scale.window
    task = progress.add_task("half-load: checkouts", total=2)
    with contextlib.ExitStack() as parts:
        connection = parts.enter_context(contextlib.closing(shop.connect()))
        ticket = create_hot_ticket(connection)
        environment = shop.environment(_FUNCTION)
        workers = [parts.enter_context(Worker(environment)) for _ in range(max(PROCESSES))]
        for worker in workers:
            worker.call(checkout_work.check_out_for, scale.window, ticket)  # warms up
        for worker in workers:
            worker.start(checkout_work.check_out_for, seconds, ticket)
        most = sum(done / spent for done, spent in [worker.result() for worker in workers])
        progress.advance(task)
        every = len(workers) / (most / 2)
        for worker in workers:
            worker.start(checkout_work.check_out_in_pace, max(seconds, 4 * every), ticket, every=every)
        took = [1000 * each for worker in workers for each in worker.result()]
        progress.advance(task)
    usual, p99 = median(took), quantiles(took, n=100)[-1]
    return Section(
        "half-load",
        f"a checkout while {most / 2:,.0f}/s come, half of what {len(workers)} processes can do",
        ("p99 ms", "median ms"),
        lines=[
            Line("whole handler", (p99, usual), p99 / usual, f"≤ {_P99_BUDGET:.0f} times", p99 / usual <= _P99_BUDGET)
        ],
        notes=[f"{len(took):,} checkouts on one hot ticket, without Stripe's time, each timed from when it was due."],
    )
