# ruff: noqa: DTZ001 -- MariaDB hands times out without a zone, and so do these tests
from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from ticketing import dates

NOON = datetime(2026, 6, 30, 12, 0)


@pytest.mark.parametrize(
    ("until", "ended"),
    [
        (None, False),
        ("0000-00-00", False),
        ("0000-00-00 00:00:00", False),
        (date(2026, 6, 30), False),
        (date(2026, 6, 29), True),  # over in the last time zone just now
        (date(2026, 6, 28), True),
        (datetime(2026, 6, 30), False),  # midnight: a day that a form wrote into a DATETIME
        (datetime(2026, 6, 29), True),
        (datetime(2026, 6, 30, 12, 0), False),  # the moment itself is still valid
        (datetime(2026, 6, 30, 11, 59, 59), True),
    ],
    ids=str,
)
def test_the_end_is_included(until: dates.Bound, ended: bool) -> None:
    assert dates.has_ended(until, NOON) is ended


@pytest.mark.parametrize("day", [date(2026, 6, 29), datetime(2026, 6, 29)], ids=str)
def test_until_a_day_means_until_it_is_over_in_the_last_time_zone(day: date) -> None:
    """For codes, date discounts and events alike."""
    before = NOON - timedelta(seconds=1)
    assert not dates.has_ended(day, before)
    assert not dates.is_event_over(start_date=None, end_date=day, now=before)
    assert dates.earliest_valid_day(before) == date(2026, 6, 29)
    assert dates.has_ended(day, NOON)
    assert dates.is_event_over(start_date=None, end_date=day, now=NOON)
    assert dates.earliest_valid_day(NOON) == date(2026, 6, 30)


@pytest.mark.parametrize(
    ("start", "end", "over"),
    [
        (None, None, False),
        ("0000-00-00 00:00:00", "0000-00-00 00:00:00", False),
        (None, datetime(2026, 6, 30, 0, 0, 1), False),  # in the last zone it has just begun
        (None, datetime(2026, 6, 29, 23, 59, 59), True),  # twelve hours and a second ago
        (datetime(2026, 6, 1, 20, 0), date(2026, 6, 30), False),
        (datetime(2027, 6, 1, 20, 0), date(2026, 6, 29), True),
        # Without an end: a day after the start.
        (datetime(2026, 6, 23, 20, 0), None, True),
        (datetime(2026, 6, 23, 20, 0), "0000-00-00 00:00:00", True),
        (datetime(2026, 6, 29, 0, 0, 1), None, False),
        (datetime(2026, 6, 28, 23, 59, 59), None, True),
        (date(2026, 6, 29), None, True),
        (date(2026, 6, 30), None, False),
        (datetime(2027, 6, 1, 20, 0), None, False),
    ],
    ids=str,
)
def test_an_event_is_over_when_it_is_over_wherever_it_may_be(start: dates.Bound, end: dates.Bound, over: bool) -> None:
    assert dates.is_event_over(start_date=start, end_date=end, now=NOON) is over


@pytest.mark.parametrize(
    ("start", "end", "soon"),
    [
        (None, None, False),
        (datetime(2026, 7, 7, 12, 0), None, False),
        (datetime(2026, 7, 7, 11, 59), None, True),
        (date(2026, 7, 7), None, True),
        (datetime(2026, 6, 30, 20, 0), None, True),  # tonight
        (datetime(2026, 6, 1, 20, 0), date(2026, 8, 1), True),  # under way
        ("0000-00-00", date(2026, 7, 2), True),
    ],
    ids=str,
)
def test_an_event_that_begins_soon(start: dates.Bound, end: dates.Bound, soon: bool) -> None:
    assert dates.begins_within(7, start_date=start, end_date=end, now=NOON) is soon


@pytest.mark.parametrize(
    ("since", "begun"),
    [
        (None, True),
        ("0000-00-00", True),
        (date(2026, 6, 30), True),
        (date(2026, 7, 1), False),
        (datetime(2026, 6, 30, 12, 0), True),
        (datetime(2026, 6, 30, 12, 0, 1), False),
    ],
)
def test_the_beginning_is_included(since: dates.Bound, begun: bool) -> None:
    assert dates.has_begun(since, NOON) is begun


def test_times_are_utc() -> None:
    assert dates.utc_naive(datetime(2026, 6, 30, 14, 0, tzinfo=timezone(timedelta(hours=2)))) == NOON
    assert dates.utc_aware(NOON) == NOON.replace(tzinfo=UTC)
    assert dates.utc_aware(None) is None
