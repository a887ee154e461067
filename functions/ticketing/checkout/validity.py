"""Until when something is valid, where the live tables say it by a day or by a moment.

A bound that is a day counts as the whole day, in UTC: "valid until 30 June" is valid all of 30 June. A moment at
exactly midnight was entered as a day too (a date picker stores it so), and is read as that day; any other moment
is meant to the second. A buyer who is told "until 30 June" is never refused on that day.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

Bound = date | datetime | None
_LAST_ZONE = timedelta(hours=12)


def utc_naive(moment: datetime) -> datetime:
    """Give a moment as MariaDB hands it out: UTC, without a zone."""
    return moment.replace(tzinfo=None) - (moment.utcoffset() or timedelta())


def utc_aware(moment: datetime | None) -> datetime | None:
    """Give a moment that MariaDB handed out with its zone, as a caller needs it."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def has_begun(since: Bound, now: datetime) -> bool:
    """Tell whether `since` is reached; None is open. `now` is UTC without a zone."""
    return since is None or now >= _start(since)


def has_ended(until: Bound, now: datetime) -> bool:
    """Tell whether `until`, itself included, is past; None never ends. `now` is UTC without a zone."""
    if until is None:
        return False
    start = _start(until)
    if start.time() == time.min:
        return now >= start + timedelta(days=1)
    return now > start


def is_over_everywhere(end: Bound, now: datetime) -> bool:
    """Tell whether an event that ends then has ended wherever it takes place. `now` is UTC without a zone.

    An event's dates have no zone: they are the clock on the venue's wall. Twelve hours behind UTC is the last zone.
    """
    return has_ended(end, now - _LAST_ZONE)


def _start(bound: date | datetime) -> datetime:
    # A datetime is a date too: ask for the narrower one first.
    return bound if isinstance(bound, datetime) else datetime.combine(bound, time.min)
