"""A clock that tests move, an event bus that can be down, and the real `stripe` package's client."""

import threading
import time
from collections.abc import Mapping
from typing import Any

import stripe

from local.stripe_stand_in import StripeStandIn

KEY = "sk_test_of_the_tests"


class Clock:
    """Unix time that runs on, and jumps when told."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


class Bus:
    """Takes envelopes as the local partner bus does; refuses them while `refusing` is set."""

    def __init__(self) -> None:
        self.envelopes: list[dict[str, Any]] = []
        self.refusing = False
        self.tries = 0
        self._lock = threading.Lock()

    def __call__(self, envelope: dict[str, Any]) -> None:
        with self._lock:
            self.tries += 1
            if self.refusing:
                raise ConnectionError("the bus is down")
            self.envelopes.append(envelope)

    @property
    def types(self) -> list[str]:
        return [envelope["detail-type"] for envelope in self.envelopes]

    def objects(self, event_type: str) -> list[dict[str, Any]]:
        """Return the snapshots in events of one type."""
        return [item["detail"]["data"]["object"] for item in self.envelopes if item["detail-type"] == event_type]


def headers_of(answer: stripe.StripeObject) -> Mapping[str, str]:
    """Return the HTTP headers with which an object came."""
    response = answer.last_response
    assert response is not None
    return response.headers


class _WithoutPauses(stripe.RequestsClient):
    """Repeats a request at once, where the package would wait half a second and longer."""

    def _sleep_time_seconds(self, *_args: Any, **_kwargs: Any) -> float:
        return 0.001


def client_of(stand_in: StripeStandIn, key: str = KEY, retries: int = 0) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": stand_in.url, "files": stand_in.url},
        max_network_retries=retries,
        http_client=_WithoutPauses(timeout=5),
    )
