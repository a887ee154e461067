"""What the state machine does with an event, without Step Functions: the same tasks in the same order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ticketing.alerts import Alert
from ticketing.database import Database
from ticketing.errors import PermanentError
from ticketing.event_bus import BusEvent, PutResult
from ticketing.payments.accept import mark_order_paid
from ticketing.payments.counts import count_discount_use, count_ticket_sale
from ticketing.payments.disputes import record_dispute
from ticketing.payments.lookup import FindSession, FoundOrder, look_up_order
from ticketing.payments.refunds import record_refund
from ticketing.payments.release import mark_order_processing, release_order
from ticketing.stripe.events import ChargeEvent, IgnoredEvent, OrderEvent, RefundEvent, SessionEvent, read_event
from ticketing.stripe.thin_events import FetchObject


def run_workflow(
    database: Database,
    envelope: object,
    *,
    find_session: FindSession | None = None,
    told: list[Alert] | None = None,
    failed: list[str] | None = None,
    fetch: FetchObject | None = None,
) -> str:
    """One execution; gives how it ended: the outcome, `foreign`, or the alert's error.

    `told` gets the alerts of steps that succeed, `failed` what the error of one that fails says. `fetch` gives the
    objects of thin events.
    """
    try:
        return _run(database, envelope, find_session, [] if told is None else told, fetch)
    except PermanentError as error:
        if failed is not None:
            failed.append(str(error))
        return type(error).__name__


def _run(
    database: Database,
    envelope: object,
    find_session: FindSession | None,
    told: list[Alert],
    fetch: FetchObject | None,
) -> str:
    payment = read_event(envelope, livemode=False, fetch=fetch)
    if isinstance(payment, IgnoredEvent):
        return "ignored"
    found = look_up_order(database, payment, find_session=find_session)
    return _act(database, found.order_id, payment, told) if isinstance(found, FoundOrder) else "foreign"


def _act(database: Database, order_id: int, event: OrderEvent, told: list[Alert]) -> str:
    if isinstance(event, ChargeEvent | RefundEvent):
        recorded = record_refund(database, order_id, event)
        told += recorded.alerts
        return recorded.status
    if not isinstance(event, SessionEvent):
        dispute = record_dispute(database, order_id, event)
        told += dispute.alerts
        return dispute.told or "recorded"
    match event.outcome:
        case "paid":
            paid = mark_order_paid(database, order_id, event)
            told += paid.alerts
            told += count_ticket_sale(database, order_id).alerts
            told += count_discount_use(database, order_id).alerts
            return paid.status
        case "awaiting":
            return mark_order_processing(database, order_id, stripe_event_id=event.event_id).status
        case _:
            assert event.lost_as is not None
            moved = release_order(database, order_id, lost_as=event.lost_as, stripe_event_id=event.event_id)
            told += moved.alerts
            return moved.status


class WorkflowBus:
    """An event bus whose rule starts the workflow: at once, or when `run` is called."""

    def __init__(self, database: Database, *, at_once: bool = True, find_session: FindSession | None = None) -> None:
        self._database = database
        self._find_session = find_session
        self._at_once = at_once
        self.waiting: list[dict[str, Any]] = []
        self.types: list[str] = []
        self.results: list[str] = []

    def put(self, events: Sequence[BusEvent]) -> list[PutResult]:
        for event in events:
            self.types.append(event.detail_type)
            self.waiting.append(
                {"source": event.source, "detail-type": event.detail_type, "detail": json.loads(event.detail)}
            )
        if self._at_once:
            self.run()
        return [PutResult(event_id="1")] * len(events)

    def run(self) -> None:
        for envelope in self.waiting:
            self.results.append(run_workflow(self._database, envelope, find_session=self._find_session))
        self.waiting = []
