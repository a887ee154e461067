"""ReconcileOrders: every 15 minutes, and by hand: compares unpaid orders with Stripe and brings them right.

By hand it is called again and again with the cursor of its last answer until it is complete; `seconds` bounds each
call, so that the caller can show how far it is.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from handlers import event_bus, stripe_access
from handlers.runtime import TaskInput, count_metric, database, logger, metrics, task
from handlers.settings import required
from ticketing.order_inspection import database_health
from ticketing.reconciliation import DEFAULT_REQUESTS_PER_SECOND, Options, Report, RunCursor, reconcile
from ticketing.stripe_sessions import StripeSessions

# A page begun in the last moment takes this long at worst, when Stripe hardly answers.
_MARGIN_SECONDS: Final = 120.0
# Lambda answers with at most 6 MB; what was simply done is in the counts.
_MOST_ROWS: Final = 1000
_NEED_A_PERSON: Final = frozenset({"reported", "failed", "event_not_sent"})


class ReconcileOrdersInput(TaskInput):
    """The schedule gives nothing of this; `Options` says what it means. `since` without a zone is UTC."""

    execution_id: str = "reconciliation"
    since: datetime | None = None
    dry_run: bool = False
    close_missing: bool = False
    cursor: RunCursor | None = None
    requests_per_second: float = DEFAULT_REQUESTS_PER_SECOND
    seconds: float | None = None
    all_rows: bool = False
    remaining_seconds: float = 900.0


def handler(event: Any, context: Any) -> Any:  # noqa: ANN401 -- Lambda hands over anything
    """Give the run's report; rows only of what needs a person, unless `all_rows`. Raises StripeUnavailable."""
    given = dict(event) if isinstance(event, dict) else {}
    return _reconcile(given | {"remaining_seconds": context.get_remaining_time_in_millis() / 1000}, context)


@task(ReconcileOrdersInput)
def _reconcile(given: ReconcileOrdersInput) -> Report:
    seconds = max(given.remaining_seconds - _MARGIN_SECONDS, 1.0)
    end = time.monotonic() + min(seconds, given.seconds or seconds)
    report = reconcile(
        database,
        StripeSessions(stripe_access.client()),
        event_bus.EventBridgeBus(event_bus.client(), required("EVENT_BUS_NAME")),
        Options(
            since=_in_utc(given.since),
            dry_run=given.dry_run,
            close_missing=given.close_missing,
            cursor=given.cursor,
            requests_per_second=given.requests_per_second,
        ),
        stop=lambda: time.monotonic() >= end,
    )
    _tell(report)
    if not given.all_rows:
        report.rows = [row for row in report.rows if row.action in _NEED_A_PERSON]
    report.rows = report.rows[:_MOST_ROWS]
    return report


def _tell(report: Report) -> None:
    if report.dry_run:
        return
    for row in report.rows:
        if row.action in _NEED_A_PERSON:
            logger.error("Reconciliation needs a person", extra={"row": msgspec.to_builtins(row)})
    for count in report.counts:
        metrics.add_metric(name=f"Reconciled_{count.finding}_{count.action}", unit="Count", value=count.number)
    needing = sum(count.number for count in report.counts if count.action in _NEED_A_PERSON)
    metrics.add_metric(name="ReconciliationNeedsPerson", unit="Count", value=needing)
    if report.complete:
        # What even a whole run left behind blocks seats: an alarm watches it.
        metrics.add_metric(name="OrdersPastHold", unit="Count", value=database_health(database).past_hold)
    count_metric("ReconciliationRuns")


def _in_utc(time_given: datetime | None) -> datetime | None:
    if time_given is None or time_given.tzinfo is None:
        return time_given
    return time_given.astimezone(UTC).replace(tzinfo=None)
