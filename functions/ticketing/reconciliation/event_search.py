"""Goes through Stripe's list of events, page by page, and sends those through the workflow that never arrived.

Each event is looked at once, and sent at most once: what the workflow refuses it would refuse every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final, Literal, Protocol

import msgspec

from ticketing.database import Database
from ticketing.errors import ConfigurationError, StripeUnavailable
from ticketing.event_bus import EventBus, PutResult
from ticketing.reconciliation import event_scan, lost_events
from ticketing.reconciliation.event_scan import EventCursor
from ticketing.reconciliation.lost_events import LostEvent
from ticketing.reconciliation.repair import ReconciledItem, retried
from ticketing.reconciliation.session_search import RateLimitedSessions
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.event_list import EventObject
from ticketing.stripe.objects import SessionIdentity
from ticketing.stripe.rate_limit import DeadlineExceeded, RateLimiter

EVENT_MISSING: Final = "event_missing"
_TO_DO: Final = (
    "Reconciliation finds no lost refunds and disputes until the key may read Events (docs/deploy.md, Secrets)."
)


class EventList(Protocol):
    """Stripe's list of events: `ticketing.stripe.event_list.StripeEventList`."""

    def page(
        self, *, created_from: int, created_until: int, after: str | None = None
    ) -> tuple[list[EventObject], bool]:
        """Give a page of the events of a span of time (Unix seconds), newest first, and whether more follow."""


class RateLimitedEvents:
    """The same, in pace, and as long as there is time."""

    def __init__(self, events: EventList, limiter: RateLimiter) -> None:
        """Take the list and the pace at which it may be asked for."""
        self._events = events
        self._limiter = limiter

    def page(self, at: EventCursor) -> tuple[list[EventObject], bool]:
        """Give the page after a cursor, and whether more follow."""
        return self._limiter.ask(
            lambda: self._events.page(
                created_from=at.created_from, created_until=at.created_until, after=at.after_event
            )
        )


class EventSearch:
    """The part of a run that looks for lost events."""

    def __init__(
        self,
        database: Database,
        events: RateLimitedEvents | None,
        sessions: RateLimitedSessions,
        bus: EventBus,
        *,
        since: datetime | None,
        dry_run: bool,
        note: Callable[[ReconciledItem], None],
    ) -> None:
        """Take where to look and what to tell each finding to; `since` and `dry_run` as the run's."""
        self._database = database
        self._events = events
        self._sessions = sessions
        self._bus = bus
        self._since = since
        self._dry_run = dry_run
        self._note = note
        # A run that only looks, or looks since a date, leaves the place of the others alone.
        self._keeps_place = since is None and not dry_run

    def begin(self, now: datetime) -> EventCursor | None:
        """Give where to begin in a run that began at `now`; None: nothing is to be looked at.

        Raises:
            DatabaseUnavailable: try again.
        """
        if self._events is None:
            return None
        return event_scan.begin(self._database, now=now, since=self._since)

    def step(self, at: EventCursor, *, now: datetime, threads: ThreadPoolExecutor) -> EventCursor | None:
        """Look at a page, send what is lost, and give the place after it; None at the end, or where the bus is away.

        Raises:
            StripeUnavailable: Stripe does not answer; the next run begins here again.
            DatabaseUnavailable: try again; what was sent may be sent once more.
        """
        if self._events is None:
            return None
        try:
            page, more = self._events.page(at)
            lost = lost_events.find_lost(self._database, page, lambda keys: self._sessions_of(keys, threads))
        except DeadlineExceeded:
            return at
        except (ConfigurationError, StripeRefused) as error:
            return self._after_refusal(at, error)
        if not self._send(lost):
            return None
        return self._next_place(at, page[-1]["id"] if more and page else None, now)

    def _after_refusal(self, at: EventCursor, error: ConfigurationError | StripeRefused) -> EventCursor | None:
        if isinstance(error, StripeRefused) and at.after_event is not None:
            # The event of that place is gone after its 30 days: the span is gone through from its end again.
            return msgspec.structs.replace(at, after_event=None)
        # The rest of the run needs no such permission.
        self._note(
            ReconciledItem(
                order_id=None, session_id=None, finding="events_unreadable", action="failed", note=f"{error} {_TO_DO}"
            )
        )
        return None

    def _next_place(self, at: EventCursor, last: str | None, now: datetime) -> EventCursor | None:
        """Keep how far this came, and give where to go on; `last`: the page's last event, where more follow."""
        following = msgspec.structs.replace(at, after_event=last) if last is not None else None
        if self._keeps_place:
            event_scan.remember(self._database, following or at, is_done=following is None)
        if following is None and self._since is None:
            # That may have been the rest of an earlier run's span.
            return event_scan.after_span(at.created_until, now=now)
        return following

    def _sessions_of(
        self, payment_intent_ids: Iterable[str], threads: ThreadPoolExecutor
    ) -> dict[str, SessionIdentity | None]:
        asked = list(payment_intent_ids)
        return dict(zip(asked, threads.map(self._session_of, asked), strict=True))

    def _session_of(self, payment_intent_id: str) -> SessionIdentity | None:
        try:
            return self._sessions.of_payment(payment_intent_id)
        except DeadlineExceeded:
            raise
        except (StripeUnavailable, StripeRefused) as error:
            # One payment without an answer must not stop the others.
            self._note(
                ReconciledItem(
                    order_id=None,
                    session_id=None,
                    finding=EVENT_MISSING,
                    action="failed",
                    note=f"An event is about payment {payment_intent_id}, but its session cannot be read: {error}",
                )
            )
            return None

    def _send(self, lost: Sequence[LostEvent]) -> bool:
        """Send lost events and note them; False: the bus did not take all that it could."""
        if self._dry_run:
            for one in lost:
                self._note(_item(one, "event_sent"))
            return True
        results = self._bus.put([one.as_bus_event() for one in lost])
        settled = [one for one, result in zip(lost, results, strict=True) if result.taken or result.is_final]
        retried(lambda: lost_events.remember_sent(self._database, settled))
        for one, result in zip(lost, results, strict=True):
            self._note(_item(one, "event_sent") if result.taken else _not_sent(one, result))
        return len(settled) == len(lost)


def _item(one: LostEvent, action: Literal["event_sent", "event_not_sent"], note: str = "") -> ReconciledItem:
    return ReconciledItem(
        order_id=one.order_id,
        session_id=one.session_id,
        finding=EVENT_MISSING,
        action=action,
        note=f"{one.note}{note}",
    )


def _not_sent(one: LostEvent, result: PutResult) -> ReconciledItem:
    return _item(one, "event_not_sent", f"; EventBridge did not accept it: {result.error}")
