"""EndHolds: every minute: gives back the seats of those who left without a word."""

from __future__ import annotations

import time
from typing import Any, Final

from handlers import stripe_access
from handlers.runtime import TaskInput, database, task
from ticketing.reconciliation.end_holds import EndedHolds, end_holds
from ticketing.stripe.sessions import StripeSessions

# A request that is under way at the end, and a transaction after it.
_MARGIN_SECONDS: Final = 20.0


class EndHoldsInput(TaskInput):
    """The schedule gives nothing of this."""

    execution_id: str = "end_holds"
    remaining_seconds: float = 60.0


def handler(event: Any, context: Any) -> Any:  # noqa: ANN401 -- Lambda hands over anything
    """Give how many holds were ended."""
    del event
    return _end_holds({"remaining_seconds": context.get_remaining_time_in_millis() / 1000}, context)


@task(EndHoldsInput)
def _end_holds(given: EndHoldsInput) -> EndedHolds:
    deadline = time.monotonic() + given.remaining_seconds - _MARGIN_SECONDS
    # The rate limiter retries for all threads together; a request must not retry by itself.
    return end_holds(database, StripeSessions(stripe_access.client(network_retries=0)), deadline=deadline)
