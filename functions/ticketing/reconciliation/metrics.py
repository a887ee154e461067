"""Counts the payments that a run of the reconciliation had to find itself, because no event told of them.

What an alarm makes of the figure: template.yaml, PaymentEventsMissingAlarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ticketing.database import Database
from ticketing.reconciliation import made_events
from ticketing.reconciliation.event_search import EVENT_MISSING
from ticketing.reconciliation.repair import ReconciledItem, retried

# MariaDB would take more; a backlog has tens of thousands.
_AT_ONCE: Final = 1000


def count(database: Database, rows: Iterable[ReconciledItem], *, seconds: float) -> int:
    """Count, of what a run of so many seconds did, the payments that it was the first to bring to the workflow.

    A payment that the workflow refuses is sent again and again: its event came, for all one knows, and it has an
    alert of its own, so it counts once. A delayed payment counts when its completed session had to be found.

    Raises:
        DatabaseUnavailable: also after several tries.
    """
    delayed, sent = 0, []
    for row in rows:
        if row.action == "marked_processing" or (row.finding == EVENT_MISSING and row.action == "event_sent"):
            # Each is sent once, ever.
            delayed += 1
        elif row.action == "event_sent" and row.session_id is not None:
            sent.append(made_events.event_id(row.session_id))
    batches = [sent[start : start + _AT_ONCE] for start in range(0, len(sent), _AT_ONCE)]
    return delayed + sum(_sent_first(database, batch, int(seconds * 1_000_000)) for batch in batches)


def _sent_first(database: Database, event_ids: Sequence[str], microseconds: int) -> int:
    def read() -> int:
        with database.transaction() as tx:
            # The entry is written once, the first time. By the database's own clock: it wrote the entry's time.
            row = tx.one(
                "SELECT COUNT(DISTINCT stripe_event_id) AS n FROM order_history"  # noqa: S608 -- %s only
                f" WHERE stripe_event_id IN ({', '.join(['%s'] * len(event_ids))}) AND entry = 'reconcile_sent'"
                " AND recorded_at >= UTC_TIMESTAMP(6) - INTERVAL %s MICROSECOND",
                *event_ids,
                microseconds,
            )
        return int(row["n"]) if row else 0

    return retried(read)
