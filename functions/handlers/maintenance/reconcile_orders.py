"""ReconcileOrders: every 15 minutes, and by hand: compares unpaid orders with Stripe and brings them right.

By hand it is called again and again with the cursor of its last answer until it is complete; `seconds` bounds each
call, so that the caller can show how far it is. A call that came no further, its cursor being that of the last answer,
needs more of them.

What needs a person is told as soon as it is settled, not at the end: the run may fail, or be killed, before that, and
a missing session is asked about again only after a day.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from handlers import event_bus, stripe_access
from handlers.runtime import TaskInput, count_metric, database, logger, metrics, task
from handlers.settings import required, stripe_account_is_shared
from ticketing.errors import StripeUnavailable
from ticketing.event_bus import EventBridgeBus
from ticketing.operators.inspection import database_health
from ticketing.reconciliation import metrics as found_payments
from ticketing.reconciliation.repair import NEED_A_PERSON, ReconciledItem
from ticketing.reconciliation.run import DEFAULT_REQUESTS_PER_SECOND, Options, Report, RunCursor, reconcile
from ticketing.stripe.event_list import StripeEventList
from ticketing.stripe.sessions import StripeSessions

# What follows the deadline at worst: the requests that are under way (up to 10 seconds for the name, 3 for each of its
# addresses, 8 for the answer), then a transaction with a database that does not answer (a minute, tries included).
_MARGIN_SECONDS: Final = 120.0
# Lambda answers with at most 6 MB; what was simply done is in the counts.
_MOST_ROWS: Final = 1000
# Whose runs these are that say nothing: the schedule's.
_SCHEDULED: Final = "reconciliation"


class ReconcileOrdersInput(TaskInput):
    """The schedule gives nothing of this; `Options` says what it means. `since` without a zone is UTC."""

    execution_id: str = _SCHEDULED
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
    begun = time.monotonic()
    seconds = max(given.remaining_seconds - _MARGIN_SECONDS, 1.0)
    found: list[ReconciledItem] = []

    def on_item(row: ReconciledItem) -> None:
        found.append(row)
        if row.action in NEED_A_PERSON:
            logger.error("Reconciliation needs a person", extra={"row": msgspec.to_builtins(row)})
            count_metric("ReconciliationNeedsPerson")

    try:
        report = reconcile(
            database,
            # The rate limiter retries for all threads together; a request must not retry by itself.
            StripeSessions(stripe_access.client(network_retries=0)),
            EventBridgeBus(event_bus.client(), required("EVENT_BUS_NAME")),
            Options(
                since=_in_utc(given.since),
                dry_run=given.dry_run,
                close_missing=given.close_missing,
                cursor=given.cursor,
                requests_per_second=given.requests_per_second,
                account_is_shared=stripe_account_is_shared(),
            ),
            events=StripeEventList(stripe_access.client(network_retries=0)),
            deadline=begun + min(seconds, given.seconds or seconds),
            on_item=on_item,
        )
    except StripeUnavailable:
        # The next run does not find again what this one has sent.
        _count_missing(given, found, begun)
        raise
    if not report.dry_run:
        _count_missing(given, found, begun)
        _count_run(report)
    if not given.all_rows:
        report.rows = [row for row in report.rows if row.action in NEED_A_PERSON]
    report.rows = report.rows[:_MOST_ROWS]
    return report


def _count_missing(given: ReconcileOrdersInput, found: list[ReconciledItem], begun: float) -> None:
    # Only scheduled runs count. A person may send a backlog, and an alarm reads this as "no event arrives now".
    if given.execution_id == _SCHEDULED:
        missing = found_payments.count(database, found, seconds=time.monotonic() - begun)
        metrics.add_metric(name="PaymentEventsMissing", unit="Count", value=missing)
        metrics.flush_metrics()


def _count_run(report: Report) -> None:
    # A point for each run; those that are more than 0 were counted one by one.
    metrics.add_metric(name="ReconciliationNeedsPerson", unit="Count", value=0)
    if report.complete:
        # Orders that even a complete run left past their hold block seats: an alarm watches them.
        metrics.add_metric(name="OrdersPastHold", unit="Count", value=database_health(database).past_hold)
    count_metric("ReconciliationRuns")


def _in_utc(time_given: datetime | None) -> datetime | None:
    if time_given is None or time_given.tzinfo is None:
        return time_given
    return time_given.astimezone(UTC).replace(tzinfo=None)
