# ruff: noqa: DTZ001 -- MariaDB hands times out without a zone, and so do these tests
from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from ticketing.checkout import validity

NOON = datetime(2026, 6, 30, 12, 0)


@pytest.mark.parametrize(
    ("until", "ended"),
    [
        (None, False),
        (date(2026, 6, 30), False),  # all of the day
        (date(2026, 6, 29), True),
        (datetime(2026, 6, 30), False),  # midnight: a day that a form wrote into a DATETIME
        (datetime(2026, 6, 29), True),
        (datetime(2026, 6, 30, 12, 0), False),  # the moment itself is still valid
        (datetime(2026, 6, 30, 11, 59, 59), True),
    ],
)
def test_the_end_is_included(until: date | datetime | None, ended: bool) -> None:
    assert validity.has_ended(until, NOON) is ended


@pytest.mark.parametrize(
    ("end", "over"),
    [
        (None, False),
        (datetime(2026, 6, 30, 0, 0, 1), False),  # in Honolulu it has just begun
        (datetime(2026, 6, 29, 23, 59, 59), True),  # twelve hours and a second ago
        (date(2026, 6, 29), True),
        (date(2026, 6, 30), False),
    ],
)
def test_an_event_is_over_when_it_is_over_wherever_it_may_be(end: date | datetime | None, over: bool) -> None:
    assert validity.is_over_everywhere(end, NOON) is over


@pytest.mark.parametrize(
    ("since", "begun"),
    [
        (None, True),
        (date(2026, 6, 30), True),
        (date(2026, 7, 1), False),
        (datetime(2026, 6, 30, 12, 0), True),
        (datetime(2026, 6, 30, 12, 0, 1), False),
    ],
)
def test_the_beginning_is_included(since: date | datetime | None, begun: bool) -> None:
    assert validity.has_begun(since, NOON) is begun


def test_times_are_utc() -> None:
    assert validity.utc_naive(datetime(2026, 6, 30, 14, 0, tzinfo=timezone(timedelta(hours=2)))) == NOON
    assert validity.utc_aware(NOON) == NOON.replace(tzinfo=UTC)
    assert validity.utc_aware(None) is None
