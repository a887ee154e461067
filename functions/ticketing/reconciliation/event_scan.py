"""How far reconciliation has looked through Stripe's events, run after run, so that each is looked at once.

A span is looked at page by page, newest first, as Stripe lists it. After each page its place is kept, so that a run
that was cut short is gone on with by the next one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from ticketing.database import Database
from ticketing.stripe.event_list import KEPT

# An event that is younger may still be on its way, or its execution may still be trying.
_SETTLED_AFTER: Final = timedelta(minutes=10)
# Stripe may list an event some time after it happened; what was looked at already is found to be there.
_OVERLAP: Final = timedelta(hours=1)
_NAME: Final = "stripe_events"


class EventCursor(msgspec.Struct, frozen=True, kw_only=True):
    """A span of Stripe's events (Unix seconds, both ends belong to it), and the last event that was looked at."""

    created_from: int
    created_until: int
    after_event: str | None = None


def begin(database: Database, *, now: datetime, since: datetime | None) -> EventCursor | None:
    """Give where a run begins that began at `now`: at `since`, else where the last one stopped. None: nowhere.

    Raises:
        DatabaseUnavailable: try again.
    """
    if since is not None:
        return _span(since, now)
    with database.transaction() as tx:
        row = tx.one("SELECT looked_until, span_from, span_until, after_event FROM event_scans WHERE name = %s", _NAME)
    if row is not None and row["span_until"] is not None:
        return EventCursor(
            created_from=row["span_from"], created_until=row["span_until"], after_event=row["after_event"]
        )
    if row is None or row["looked_until"] is None:
        return _span(now - KEPT, now)
    return after_span(row["looked_until"], now=now)


def after_span(looked_until: int, *, now: datetime) -> EventCursor | None:
    """Give the span after one that was looked at until then; None when there is none yet."""
    if looked_until >= _unix(now - _SETTLED_AFTER):
        return None
    return _span(datetime.fromtimestamp(looked_until, UTC).replace(tzinfo=None) - _OVERLAP, now)


def remember(database: Database, cursor: EventCursor, *, is_done: bool) -> None:
    """Keep the place of a run; `is_done`: all of the span was looked at.

    Raises:
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        if is_done:
            tx.change(
                "INSERT INTO event_scans (name, looked_until) VALUES (%s, %s)"
                " ON DUPLICATE KEY UPDATE looked_until = VALUES(looked_until), span_from = NULL, span_until = NULL,"
                " after_event = NULL",
                _NAME,
                cursor.created_until,
            )
        else:
            tx.change(
                "INSERT INTO event_scans (name, span_from, span_until, after_event) VALUES (%s, %s, %s, %s)"
                " ON DUPLICATE KEY UPDATE span_from = VALUES(span_from), span_until = VALUES(span_until),"
                " after_event = VALUES(after_event)",
                _NAME,
                cursor.created_from,
                cursor.created_until,
                cursor.after_event,
            )


def _span(since: datetime, now: datetime) -> EventCursor | None:
    until = _unix(now - _SETTLED_AFTER)
    start = max(_unix(since), _unix(now - KEPT))
    return EventCursor(created_from=start, created_until=until) if start <= until else None


def _unix(time: datetime) -> int:
    return int(time.replace(tzinfo=UTC).timestamp())
