"""Stripe's rate limit: so many requests in a second, then 429 (docs.stripe.com/rate-limits)."""

import threading
import time
from collections import deque
from http import HTTPStatus

from local.stripe_stand_in.errors import ApiError


class RateLimit:
    """A limit of requests within any one second.

    Args:
        per_second: How many; None: no limit. Stripe's own is 25 in test mode for most endpoints.
    """

    def __init__(self, per_second: int | None) -> None:
        """Set the limit; see the class."""
        self.per_second = per_second
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def check(self) -> None:
        """Count one request.

        Raises:
            ApiError: 429 `rate_limit`.
        """
        if self.per_second is None:
            return
        now = time.monotonic()
        with self._lock:
            while self._times and now - self._times[0] >= 1.0:
                self._times.popleft()
            if len(self._times) < self.per_second:
                self._times.append(now)
                return
        raise ApiError(
            "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
            status=HTTPStatus.TOO_MANY_REQUESTS,
            code="rate_limit",
            saved=False,
            headers={"Stripe-Rate-Limited-Reason": "global-rate"},
        )
