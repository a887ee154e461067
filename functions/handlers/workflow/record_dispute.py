"""RecordDispute: records a dispute, says which alert is due, and ends an order whose payment was lost to it."""

from __future__ import annotations

import msgspec

from handlers.runtime import TaskInput, count_metric, database, task
from ticketing.alerts import Alert
from ticketing.payments.disputes import alert_of, record_dispute
from ticketing.stripe.events import DisputeEvent


class RecordDisputeInput(TaskInput):
    """The order that LookUpOrder found, and what Stripe said of the dispute."""

    order_id: int
    payment: DisputeEvent


class RecordDisputeResult(msgspec.Struct, kw_only=True):
    """The order's status after the task, whether the task changed it, and the alerts that are due."""

    status: str
    changed: bool
    alerts: list[Alert]


@task(RecordDisputeInput)
def handler(given: RecordDisputeInput) -> RecordDisputeResult:
    """Raises OrderNotFound; DatabaseUnavailable is retried."""
    recorded = record_dispute(database, given.order_id, given.payment)
    count_metric(recorded.alert)
    alert = alert_of(given.order_id, given.payment, recorded)
    return RecordDisputeResult(status=recorded.status, changed=recorded.changed, alerts=[alert, *recorded.alerts])
