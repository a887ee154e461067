"""Asks Stripe no faster than allowed, less when Stripe asks for it, and no longer than there is time.

See https://docs.stripe.com/rate-limits.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from ticketing.errors import StripeUnavailable

T = TypeVar("T")

_TRIES: Final = 6
_LONGEST_PAUSE_SECONDS: Final = 16.0
# As long as one request is tried where each try runs into its time-out. Then all the others need not be tried, too.
_SILENCE_SECONDS: Final = 60.0


class DeadlineExceeded(StripeUnavailable):
    """This was not asked, or not again: the time for it is over, or Stripe is silent. It waits for the next call."""


class RateLimiter:
    """A bound on requests a second for all threads together, with a pause for all when Stripe does not answer.

    After the deadline no request is begun any more; nor once Stripe has answered none for a minute.
    """

    def __init__(
        self,
        per_second: float,
        *,
        deadline: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Allow `per_second` requests until the clock shows `deadline`.

        `clock` and `sleep` are for those who want to turn time themselves.
        """
        self._interval = 1.0 / per_second
        self._deadline = deadline
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0
        self._is_over = False
        self._answered_at = -math.inf
        # Of the requests since the last answer.
        self._silent_since: float | None = None
        self._unanswered = 0
        self._gave_up = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is asked any more."""
        with self._lock:
            return self._is_over or self._gave_up or self._clock() >= self._deadline

    @property
    def silence(self) -> str:
        """A sentence where Stripe is silent: it answered none for a minute, or none in all the time there was."""
        with self._lock:
            if self._silent_since is None or not (self._gave_up or self._answered_at == -math.inf):
                return ""
            seconds = self._clock() - self._silent_since
            return f"Stripe answered none of {self._unanswered} requests in {seconds:.0f} seconds."

    def ask(self, work: Callable[[], T]) -> T:
        """Run a request in its turn; while Stripe cannot be asked, wait longer each time, with full jitter.

        Raises:
            DeadlineExceeded: its turn, or that of its next try, would come too late.
            StripeUnavailable: the last of the tries failed, too.
        """
        failed = 0
        while True:
            began = self._wait()
            try:
                answer = work()
            except StripeUnavailable:
                failed += 1
                self._note_silence(began)
                if failed >= _TRIES:
                    raise
                self._pause(min(_LONGEST_PAUSE_SECONDS, 0.5 * 2**failed))
            else:
                self._note_answer()
                return answer

    def _wait(self) -> float:
        """Wait for a turn, and give the time of it."""
        with self._lock:
            if self._gave_up:
                raise DeadlineExceeded("Stripe does not answer; no more requests are sent.")
            now = self._clock()
            turn = max(self._next, now)
            if turn >= self._deadline:
                # Turns only become later, so this is the end for all.
                self._is_over = True
                raise DeadlineExceeded("The time for requests to Stripe is over.")
            self._next = turn + self._interval
        if turn > now:
            self._sleep(turn - now)
        return turn

    def _pause(self, longest: float) -> None:
        with self._lock:
            # For all threads: what stopped this request stops the others.
            self._next = max(self._next, self._clock() + random.uniform(0, longest))  # noqa: S311 -- jitter, no secret

    def _note_answer(self) -> None:
        with self._lock:
            self._answered_at = self._clock()
            self._silent_since = None
            self._unanswered = 0

    def _note_silence(self, began: float) -> None:
        with self._lock:
            self._unanswered += 1
            if self._silent_since is None:
                # Another request, begun later, may have been answered meanwhile.
                self._silent_since = max(began, self._answered_at)
            self._gave_up = self._gave_up or self._clock() - self._silent_since >= _SILENCE_SECONDS
