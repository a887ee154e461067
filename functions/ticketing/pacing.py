"""Asks Stripe no faster than allowed, and less when Stripe asks for it (https://docs.stripe.com/rate-limits)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from ticketing.errors import StripeUnavailable

T = TypeVar("T")

_TRIES: Final = 6
_LONGEST_PAUSE_SECONDS: Final = 16.0


class Pace:
    """A bound on requests a second for all threads together, with a pause for all when Stripe does not answer."""

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Allow `per_second` requests; `clock` and `sleep` are for those who want to turn time themselves."""
        self._interval = 1.0 / per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def ask(self, work: Callable[[], T]) -> T:
        """Run a request in its turn; while Stripe cannot be asked, wait longer each time, with full jitter.

        Raises:
            StripeUnavailable: the last of the tries failed, too.
        """
        for failed in range(1, _TRIES):
            self._wait()
            try:
                return work()
            except StripeUnavailable:
                self._pause(min(_LONGEST_PAUSE_SECONDS, 0.5 * 2**failed))
        self._wait()
        return work()

    def _wait(self) -> None:
        with self._lock:
            now = self._clock()
            turn = max(self._next, now)
            self._next = turn + self._interval
        if turn > now:
            self._sleep(turn - now)

    def _pause(self, longest: float) -> None:
        with self._lock:
            # For all threads: what stopped this request stops the others.
            self._next = max(self._next, self._clock() + random.uniform(0, longest))  # noqa: S311 -- jitter, no secret
