"""CorrectCounts: shows what the counters should be by what the orders say, and corrects them; for `cachao counts`.

It makes a row anew, too, that was deleted although orders stand on it (`cachao restore`).

It adds up all orders, which takes seconds where there are a million, and locks nothing meanwhile.
"""

from __future__ import annotations

from typing import Final

from handlers.runtime import TaskInput, task
from handlers.settings import connect_for_sums
from ticketing.database import Database
from ticketing.errors import InvalidEvent
from ticketing.operators.counter_correction import CounterState, CountsReport, CountsWanted, look, put_right
from ticketing.operators.restore_row import Restore, RestoreReport, restore
from ticketing.schema.version import require_current_schema

# As long as the columns of `counter_corrections`.
_LONGEST: Final = 255
_database = Database(connect_for_sums, check=require_current_schema)


class CorrectCountsInput(TaskInput):
    """Which counters. `seen`: correct these, as they were shown; else they are only shown. Or a row to `restore`."""

    execution_id: str = "by hand"
    wanted: CountsWanted = CountsWanted()
    seen: list[CounterState] | None = None
    restore: Restore | None = None
    by: str = "nobody said"
    reason: str | None = None


@task(CorrectCountsInput)
def handler(given: CorrectCountsInput) -> CountsReport | RestoreReport:
    """Raises DataInconsistent, InvalidEvent; DatabaseUnavailable: try again."""
    if max(len(given.by), len(given.reason or "")) > _LONGEST:
        raise InvalidEvent(f"Who corrects the counters, and why, have at most {_LONGEST} characters each.")
    if given.restore is not None:
        return restore(_database, given.restore, by=given.by, reason=given.reason)
    if given.seen is None:
        return look(_database, given.wanted)
    return put_right(_database, given.wanted, seen=given.seen, by=given.by, reason=given.reason)
