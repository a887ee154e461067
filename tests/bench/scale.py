"""How much is measured: enough for steady medians, or just enough for a first look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    # Payments that are timed one by one, by the handlers and by bare SQL.
    payments: int
    # Throughput: how often each side takes its turn, and for how long (seconds).
    rounds: int
    window: float
    # Fresh interpreters for each module.
    imports: int
    # New workers for each function.
    cold: int
    # Executions for each outcome; of several, the first one only warms up.
    executions: int
    # Orders in the small and in the large table, and how many of the large one are pending on the hot ticket.
    small_table: int
    large_table: int
    pending: int
    # Seconds of checkouts without a migration, to hold those beside one against.
    baseline: float
    # Beside a commit of before: how often each side takes its turn, and how many executions are started at once.
    rounds_beside: int
    burst: int
    is_quick: bool = False


FULL = Scale(
    payments=400,
    rounds=12,
    window=0.5,
    imports=9,
    cold=15,
    executions=8,
    small_table=1_000,
    large_table=1_000_000,
    pending=20_000,
    baseline=30.0,
    rounds_beside=3,
    burst=240,
)
QUICK = Scale(
    payments=10,
    rounds=1,
    window=0.1,
    imports=1,
    cold=1,
    executions=1,
    small_table=100,
    large_table=2_000,
    pending=500,
    baseline=0.3,
    rounds_beside=1,
    burst=20,
    is_quick=True,
)
