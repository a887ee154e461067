"""SummarizeAlerts: every ten minutes, sends what the first alert of an error did not: one message for each error.

It also sends the alerts in AlertTable that their own executions could not publish.
A message goes out before its alerts are marked as sent: after a failure between the two it is sent again, never lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from handlers import alert_outbox, alert_topic
from handlers.alert_outbox import AlertOutbox, NotedAlert
from handlers.runtime import TaskInput, logger, task
from handlers.settings import required

# An execution publishes its alert within moments of noting it.
_AGE: Final = timedelta(minutes=1)
_MOST_LINES: Final = 50
_MOST_SENTENCE: Final = 300
_SCHEDULED: Final = "summary of alerts"


class SummarizeAlertsInput(TaskInput):
    """The schedule sends none of this."""

    execution_id: str = _SCHEDULED


def handler(event: Any, context: Any) -> Any:  # noqa: ANN401 -- Lambda hands over anything
    """Return how many alerts of each error were sent. Raises botocore's errors; the next run tries again."""
    del event
    return _summarize({}, context)


@task(SummarizeAlertsInput)
def _summarize(given: SummarizeAlertsInput) -> dict[str, int]:
    del given
    outbox = AlertOutbox(alert_outbox.client(), required("ALERT_TABLE_NAME"))
    by_error: dict[str, list[NotedAlert]] = defaultdict(list)
    for alert in outbox.not_sent(until=datetime.now(UTC) - _AGE):
        by_error[alert.error].append(alert)
    topic = alert_topic.client() if by_error else None
    for error, alerts in by_error.items():
        assert topic is not None  # noqa: S101 -- made where there is something to send
        alert_topic.publish(topic, _mail(error, sorted(alerts, key=lambda alert: alert.claimed_at)))
        logger.info("summary sent", extra={"error": error, "alerts": len(alerts)})
        for alert in alerts:
            outbox.note_sent(alert.key)
    return {error: len(alerts) for error, alerts in by_error.items()}


def _mail(error: str, alerts: Sequence[NotedAlert]) -> alert_topic.AlertMail:
    orders = sorted({alert.order for alert in alerts})
    first, last = alerts[0].claimed_at[:16].replace("T", " "), alerts[-1].claimed_at[:16].replace("T", " ")
    more = f"… and {len(alerts) - _MOST_LINES} more." if len(alerts) > _MOST_LINES else ""
    count = f"{len(alerts)} more execution{'s' if len(alerts) > 1 else ''}"
    return alert_topic.AlertMail(
        name=error,
        about=f"{count}, order{'s' if len(orders) > 1 else ''} {', '.join(orders)}",
        lines=[
            f"{error}: {count}",
            "",
            f"What happened: {count} failed with this error, from {first} to {last} UTC.",
            f"Orders: {', '.join(orders[:500])}",
            f"Step: {', '.join(sorted({alert.step for alert in alerts}))}",
            "Was money taken: look at each execution.",
            f"What to do now: {alerts[0].what_to_do}" if len(alerts) == 1 else _advice(error),
            "All of them: cachao executions --failed --since 2h",
            f"Execution: {alerts[0].execution_arn} (the first)",
            f"Console: {alert_topic.console_link(alerts[0].execution_arn)}",
            "",
            *(_line(alert) for alert in alerts[:_MOST_LINES]),
            more,
            "",
        ],
        order=orders[0] if len(orders) == 1 else "many",
        step=alerts[0].step if len({alert.step for alert in alerts}) == 1 else "many",
    )


def _advice(error: str) -> str:
    return (
        "What to do now: run cachao doctor, fix the cause, then replay all of them with:"
        f" cachao replay --failed --since 2d --error {error}. If one needs more, its line below says so."
    )


def _line(alert: NotedAlert) -> str:
    name = alert.execution_arn.rpartition(":")[2]
    return (
        f"- Order {alert.order}, {alert.step}: {alert.what_happened[:_MOST_SENTENCE]}"
        f" What to do: {alert.what_to_do} Execution: {name}"
    )
