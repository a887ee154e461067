"""Fires the template's schedule rules, `rate(15 minutes)`, which moto keeps but never runs."""

import logging
import re
import threading
import time
from typing import Any

from local.aws.moto_patches.event_bridge import Delivery, EventDelivery, scheduled_event

LOG = logging.getLogger(__name__)
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
_TICK_SECONDS = 1.0


class ScheduleRunner:
    """A thread that sends each enabled schedule rule's event when its period has passed.

    As on AWS, a rule fires for the first time one period after it was made. `cron(…)` is not run.
    """

    def __init__(self, events: Any, deliveries: EventDelivery) -> None:  # noqa: ANN401 - moto's EventsBackend
        """Watch the rules of moto's backend."""
        self._events = events
        self._deliveries = deliveries
        self._due: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)

    def start(self) -> None:
        """Begin to watch the clock."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; nothing fires any more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def fire(self, rule_name: str) -> None:
        """Send a rule's event now.

        Raises:
            KeyError: there is no such rule.
        """
        self._send(self._events.event_buses["default"].rules[rule_name])

    def _run(self) -> None:
        while not self._stopped.wait(_TICK_SECONDS):
            bus = self._events.event_buses.get("default")
            for rule in list(bus.rules.values()) if bus is not None else []:
                self._fire_if_due(rule)

    def _fire_if_due(self, rule: Any) -> None:  # noqa: ANN401 - moto's Rule
        period = period_seconds(rule.scheduled_expression)
        if period is None or rule.state != "ENABLED":
            self._due.pop(rule.name, None)
            return
        now = time.monotonic()
        due = self._due.setdefault(rule.name, now + period)
        if now >= due:
            self._due[rule.name] = due + period
            self._send(rule)

    def _send(self, rule: Any) -> None:  # noqa: ANN401
        for target in rule.targets:
            delivery = Delivery(rule.arn, target, scheduled_event(rule), rule.account_id, rule.region_name)
            self._deliveries.deliver(delivery)


def period_seconds(expression: str | None) -> int | None:
    """Period of a `rate(…)` expression in seconds; None for anything else."""
    rate = _RATE.fullmatch(expression or "")
    return None if rate is None else int(rate[1]) * _SECONDS[rate[2]]
