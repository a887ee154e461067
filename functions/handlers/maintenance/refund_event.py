"""RefundEvent: refunds all orders of an event or a ticket that was called off; for `cachao refund --event`.

One call works for some seconds and says how far it is; whoever calls again goes on where it was.
"""

from __future__ import annotations

import time
from typing import Final, Literal

from handlers import stripe_access
from handlers.runtime import TaskInput, database, task
from handlers.settings import connect_to_database
from ticketing.corrections.event_refund import store
from ticketing.corrections.event_refund.lines import Scope
from ticketing.corrections.event_refund.report import EventRefundReport, preview, read
from ticketing.corrections.event_refund.run import EventRefund
from ticketing.database import Database
from ticketing.errors import InvalidEvent
from ticketing.schema.version import require_current_schema
from ticketing.stripe.refunds import StripeRefunds
from ticketing.stripe.sessions import StripeSessions

# As long as the columns of `event_refunds`.
_LONGEST: Final = 255
# Each answer is logged: a line of a log has 256 KB at most.
_LINES: Final = 500
_MOST_SECONDS: Final = 60.0


class RefundEventInput(TaskInput, kw_only=True):
    """What to do with the refund of a scope.

    `preview` changes nothing, `begin` stops the sale and writes down what is to be done, `work` does it for so many
    `seconds`, `report` gives lines behind `after`.
    """

    execution_id: str = "by hand"
    scope: Scope
    action: Literal["preview", "begin", "work", "report"]
    by: str = "nobody said"
    reason: str | None = None
    requests_per_second: float = 20.0
    seconds: float = 20.0
    after: tuple[int, str] = (0, "")


@task(RefundEventInput)
def handler(given: RefundEventInput) -> EventRefundReport:
    """Raises InvalidEvent; DatabaseUnavailable, StripeUnavailable: the same again goes on where it was."""
    scope = given.scope
    if (scope.event_id is None) is (scope.ticket_id is None):
        raise InvalidEvent("Name an event or a ticket.")
    if max(len(given.by), len(given.reason or "")) > _LONGEST or given.requests_per_second <= 0:
        raise InvalidEvent(f"Who, and why, have at most {_LONGEST} characters; the requests a second are above 0.")
    if given.action == "preview":
        return preview(database, scope)
    if given.action == "report":
        return read(database, scope, after=given.after, limit=_LINES)
    if given.action == "begin":
        store.begin(database, scope, by=given.by, reason=given.reason)
        return read(database, scope, after=None, limit=0)
    report = read(database, scope, after=None, limit=0)
    if report.refund_id is None:
        raise InvalidEvent(f"The refund of {scope.name} was not begun.")
    work = EventRefund(
        lambda: Database(connect_to_database, check=require_current_schema),
        # The pace repeats for all threads together; a request must not repeat by itself.
        StripeRefunds(stripe_access.client(network_retries=0)),
        StripeSessions(stripe_access.client(network_retries=0)),
        per_second=given.requests_per_second,
        deadline=time.monotonic() + min(given.seconds, _MOST_SECONDS),
    )
    progress = work.go(scope, report.refund_id, by=given.by, reason=given.reason)
    report = read(database, scope, after=None, limit=0)
    report.progress = progress
    return report
