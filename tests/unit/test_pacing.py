"""The pace at which Stripe is asked, with a clock that the test turns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ticketing.errors import StripeUnavailable
from ticketing.pacing import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def failing(times: int) -> Iterator[bool]:
    yield from [True] * times
    while True:
        yield False


def test_no_more_requests_a_second_than_allowed() -> None:
    clock = Clock()
    pace = Pace(20, clock=clock, sleep=clock.sleep)
    began = clock.now
    for _ in range(101):
        pace.ask(lambda: None)
    assert clock.now - began == pytest.approx(5.0)


def test_a_pause_does_not_save_up_requests() -> None:
    clock = Clock()
    pace = Pace(10, clock=clock, sleep=clock.sleep)
    pace.ask(lambda: None)
    clock.now += 60
    began = clock.now
    for _ in range(11):
        pace.ask(lambda: None)
    assert clock.now - began == pytest.approx(1.0)


def test_what_fails_is_asked_again_later_and_in_the_end_given_up() -> None:
    clock = Clock()
    pace = Pace(1000, clock=clock, sleep=clock.sleep)
    trouble = failing(3)

    def ask() -> str:
        if next(trouble):
            raise StripeUnavailable("429")
        return "answer"

    assert pace.ask(ask) == "answer"
    trouble = failing(99)
    with pytest.raises(StripeUnavailable):
        pace.ask(ask)
