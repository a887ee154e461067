"""The pace at which Stripe is asked, with a clock that the test turns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ticketing.errors import StripeUnavailable
from ticketing.stripe.rate_limit import DeadlineExceeded, RateLimiter


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
    pace = RateLimiter(20, clock=clock, sleep=clock.sleep)
    began = clock.now
    for _ in range(101):
        pace.ask(lambda: None)
    assert clock.now - began == pytest.approx(5.0)


def test_a_pause_does_not_save_up_requests() -> None:
    clock = Clock()
    pace = RateLimiter(10, clock=clock, sleep=clock.sleep)
    pace.ask(lambda: None)
    clock.now += 60
    began = clock.now
    for _ in range(11):
        pace.ask(lambda: None)
    assert clock.now - began == pytest.approx(1.0)


def test_what_fails_is_asked_again_later_and_in_the_end_given_up() -> None:
    clock = Clock()
    pace = RateLimiter(1000, clock=clock, sleep=clock.sleep)
    trouble = failing(3)

    def ask() -> str:
        if next(trouble):
            raise StripeUnavailable("429")
        return "answer"

    assert pace.ask(ask) == "answer"
    trouble = failing(99)
    with pytest.raises(StripeUnavailable):
        pace.ask(ask)


def silent() -> None:
    raise StripeUnavailable("no answer")


def test_nothing_is_begun_after_the_deadline() -> None:
    clock = Clock()
    pace = RateLimiter(10, deadline=clock.now + 0.95, clock=clock, sleep=clock.sleep)
    for _ in range(10):
        pace.ask(lambda: None)
    assert clock.now == pytest.approx(100.9)
    # Its turn would come after the deadline, so nobody waits for it.
    with pytest.raises(DeadlineExceeded):
        pace.ask(pytest.fail)
    assert clock.now == pytest.approx(100.9)
    assert pace.is_over
    assert not pace.silence


def test_what_fails_is_not_tried_again_after_the_deadline() -> None:
    clock = Clock()
    pace = RateLimiter(10, deadline=clock.now + 20, clock=clock, sleep=clock.sleep)
    tries = 0

    def hang() -> None:
        nonlocal tries
        tries += 1
        clock.now += 8
        silent()

    with pytest.raises(DeadlineExceeded):
        pace.ask(hang)
    assert tries in {2, 3}
    assert clock.now <= 100 + 20 + 8
    assert f"none of {tries} requests" in pace.silence


def test_who_is_silent_for_a_minute_is_not_asked_any_more() -> None:
    clock = Clock()
    pace = RateLimiter(10, clock=clock, sleep=clock.sleep)
    pace.ask(lambda: None)
    clock.now += 3600  # nothing was asked meanwhile: that is no silence
    began = clock.now
    while not pace.is_over:
        with pytest.raises(StripeUnavailable):
            pace.ask(silent)
    assert began + 60 <= clock.now <= began + 60 + 16
    assert "in 6" in pace.silence or "in 7" in pace.silence
    with pytest.raises(DeadlineExceeded):
        pace.ask(pytest.fail)


def test_an_answer_now_and_then_is_no_silence() -> None:
    clock = Clock()
    pace = RateLimiter(10, clock=clock, sleep=clock.sleep)
    for _ in range(20):
        trouble = failing(4)

        def ask(trouble: Iterator[bool] = trouble) -> None:
            clock.now += 8
            if next(trouble):
                silent()

        pace.ask(ask)
    assert clock.now > 100 + 20 * 40
    assert not pace.is_over
    assert not pace.silence
