"""Until when something is valid, where the live tables say it by a day or by a moment (docs/rules.md, "Seats").

A bound that is a day counts as the whole day, until it is over in the last time zone (UTC-12): "valid until 30 June"
is valid all of 30 June, wherever the buyer is. A moment at exactly midnight was entered as a day too (a date picker
stores it so) and is read as that day. None is open; so is a zero date ('0000-00-00'), which `database` reads as None.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

Bound = date | datetime | None
_LAST_ZONE = timedelta(hours=12)
_DAY = timedelta(days=1)


def utc_naive(moment: datetime) -> datetime:
    """Give a moment as MariaDB hands it out: UTC, without a zone."""
    return moment.replace(tzinfo=None) - (moment.utcoffset() or timedelta())


def utc_aware(moment: datetime | None) -> datetime | None:
    """Give a moment that MariaDB handed out with its zone, as a caller needs it."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def utc_value(value: Any) -> Any:  # noqa: ANN401 -- a column's value
    """Give a column's value; of a moment with its zone, which MariaDB's times are UTC without."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def as_if_utc(local: Bound) -> str | None:
    """Give a time on the venue's wall as the live API does: the same figures, called UTC (2026-12-28T20:00:00.000Z)."""
    start = _start(local)
    return None if start is None else f"{start.isoformat(timespec='milliseconds')}Z"


def has_begun(since: Bound, now: datetime) -> bool:
    """Tell whether `since` is reached; a day begins at midnight UTC. `now` is UTC without a zone."""
    start = _start(since)
    return start is None or now >= start


def has_ended(until: Bound, now: datetime) -> bool:
    """Tell whether `until`, itself included, is past. `now` is UTC without a zone.

    A day is past when it is over in the last time zone; any other moment is UTC and meant to the second.
    """
    start = _start(until)
    if start is None:
        return False
    if _is_day(start):
        return now - _LAST_ZONE >= start + _DAY
    return now > start


def is_event_over(*, start_date: Bound, end_date: Bound, now: datetime) -> bool:
    """Tell whether an event is over, wherever it takes place: at its end or, where it has none, a day after its start.

    An event's dates have no zone: they are the clock on the venue's wall, so its end is past when it is in the last
    zone. Without either date an event is never over. `now` is UTC without a zone.
    """
    wall = now - _LAST_ZONE
    end = _start(end_date)
    if end is not None:
        return wall >= end + _DAY if _is_day(end) else wall > end
    start = _start(start_date)
    return start is not None and wall >= start + _DAY


def begins_within(days: int, *, start_date: Bound, end_date: Bound, now: datetime) -> bool:
    """Tell whether an event begins in less than so many days, or has begun. `now` is UTC without a zone.

    Without a start its end counts; without either nobody knows, and it does not. Half a day of zones is no matter here.
    """
    start = _start(start_date) or _start(end_date)
    return start is not None and now > start - timedelta(days=days)


def is_date(bound: Bound) -> bool:
    """Tell whether there is a date at all."""
    return _start(bound) is not None


def earliest_valid_day(now: datetime) -> date:
    """Give the earliest day that is not over everywhere yet. `now` is UTC without a zone."""
    return (now - _LAST_ZONE).date()


def _start(bound: Bound) -> datetime | None:
    # A datetime is a date too: ask for the narrower one first.
    if isinstance(bound, datetime):
        return bound
    return datetime.combine(bound, time.min) if isinstance(bound, date) else None


def _is_day(start: datetime) -> bool:
    return start.time() == time.min
