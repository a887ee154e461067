"""Delivery of events to the event bus and to a webhook address, in the background, until they arrive.

What is to be delivered is in the store since the transaction that made the event, so a restart goes on
where it stopped. Waiting times here are real ones, whatever the stand-in's clock says.
"""

import hashlib
import hmac
import json
import logging
import sqlite3
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.stripe_stand_in.context import Context, Target
from local.stripe_stand_in.event_destinations import EventDestination, Payload, wants
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.store import Store
from local.stripe_stand_in.thin_events import notification

logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 30.0
# "Stripe retries for up to three days" (docs.stripe.com/webhooks, docs.stripe.com/event-destinations).
GIVE_UP_AFTER_SECONDS = 3 * 24 * 3600.0
_WEBHOOK_TIMEOUT_SECONDS = 30.0


def sign(payload: str, secret: str, timestamp: int) -> str:
    """Return the `Stripe-Signature` header of a payload (docs.stripe.com/webhooks, "Verify manually")."""
    signature = hmac.new(secret.encode(), f"{timestamp}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={signature}"


@dataclass(frozen=True)
class Webhook:
    """An address that gets events as `stripe listen --forward-to` sends them.

    Attributes:
        url: Where to.
        signing_secret: The `whsec_…` they are signed with.
        types: The types that it takes; `*`: all.
        events_from: Whose: `@self` and, for connected accounts, `@accounts`.
        payload: Whether it gets snapshot or thin events (whose types begin with `v1.`).
    """

    url: str
    signing_secret: str
    types: tuple[str, ...] = ("*",)
    events_from: tuple[str, ...] = ("@self",)
    payload: Payload = "snapshot"
    timeout_seconds: float = _WEBHOOK_TIMEOUT_SECONDS

    def takes(self, event_type: str, *, connected: bool) -> bool:
        """Return whether events of this (snapshot) type are sent there."""
        return wants(
            event_type, payload=self.payload, types=self.types, events_from=self.events_from, connected=connected
        )

    def send(self, event: JsonObject) -> None:
        """Send one event, in the form that it takes.

        Raises:
            RuntimeError: The answer was not 2xx.
            OSError: There was no answer.
        """
        payload = json.dumps(in_form(event, self.payload), indent=2)
        request = urllib.request.Request(  # noqa: S310 - the developer's own address
            self.url,
            data=payload.encode(),
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "Stripe-Signature": sign(payload, self.signing_secret, int(time.time())),
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            },
            method="POST",
        )
        try:
            with _NO_REDIRECTS.open(request, timeout=self.timeout_seconds):
                return
        except urllib.error.HTTPError as error:
            error.close()
            raise RuntimeError(f"HTTP status {error.code}") from None


@dataclass(frozen=True)
class EventBus:
    """The partner event bus of a destination.

    Attributes:
        destination: Which.
        deliver: Takes an EventBridge envelope; raises when it was not taken.
    """

    destination: EventDestination
    deliver: Callable[[JsonObject], None]

    def takes(self, event_type: str, *, connected: bool) -> bool:
        """Return whether events of this (snapshot) type are sent there now."""
        return self.destination.takes(event_type, connected=connected)

    def send(self, event: JsonObject) -> None:
        """Put an event on the bus."""
        self.deliver(envelope(event, self.destination))


def targets_of(
    context: Context, deliver: Callable[[JsonObject], None] | None, webhook: Webhook | None
) -> dict[str, Target]:
    """Return where events go now, by name: `event_bus` and `webhook`, and what the API made by its id.

    Args:
        context: The stand-in.
        deliver: Takes the envelopes; None: nobody does.
        webhook: Where events are forwarded to without an endpoint; None: nowhere.
    """
    targets: dict[str, Target] = {}
    if deliver is not None:
        first, *made = list(context.destinations)
        targets |= {"event_bus": EventBus(first, deliver)}
        targets |= {destination.id: EventBus(destination, deliver) for destination in made}
    if webhook is not None:
        targets["webhook"] = webhook
    for endpoint in list(context.webhook_endpoints):
        if endpoint.secret is not None and endpoint.status == "enabled":
            targets[endpoint.id] = Webhook(endpoint.url, endpoint.secret, types=endpoint.enabled_events)
    return targets


def in_form(event: JsonObject, payload: Payload) -> JsonObject:
    """Return an event as it is sent: itself, or its thin twin; one that exists thin only (a ping) as it is."""
    return notification(event) if payload == "thin" and event["object"] == "event" else event


def envelope(event: JsonObject, destination: EventDestination) -> JsonObject:
    """Return the EventBridge event in which an event arrives on the partner event bus."""
    detail = in_form(event, destination.event_payload)
    created = event["created"]
    moment = datetime.fromisoformat(created) if isinstance(created, str) else datetime.fromtimestamp(created, UTC)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail["type"],
        "source": destination.source,
        "account": destination.aws_account_id,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": destination.aws_region,
        "resources": [destination.aws_event_source_arn],
        "detail": detail,
    }


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:  # noqa: ANN401 - as inherited
        """Follow nothing: a redirected webhook is a failed one, as at Stripe."""


_NO_REDIRECTS = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)


class Deliverer:
    """Delivers what is pending. With one thread events arrive in the order in which they happened.

    Args:
        store: Where the pending deliveries are.
        targets: Returns the targets of this run, by name; what is pending for one that it does not have waits for a run
            that has it.
        first_wait: Seconds until an event that was not taken is sent again; it doubles each time.
        threads: How many deliveries run at once; with more than one the order is lost, as at Stripe.
    """

    def __init__(
        self,
        store: Store,
        targets: Callable[[], Mapping[str, Target]],
        threads: int = 1,
        *,
        first_wait: float = FIRST_WAIT_SECONDS,
    ) -> None:
        """Take what to deliver and where to; see the class."""
        self._store = store
        self._targets = targets
        self._first_wait = first_wait
        self._changed = threading.Condition()
        self._claimed: set[int] = set()
        self._wakes = 0
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._run, name=f"stripe-delivery-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Start delivering."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the deliveries that are under way; what is pending stays in the store."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout=5)

    def wake(self) -> None:
        """Say that there is something new to deliver."""
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Wait until nothing is pending; returns whether that came true within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self._pending():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with self._changed:
                self._changed.wait(min(left, 0.05))
        return True

    def report(self) -> list[JsonObject]:
        """Return every delivery, oldest first: event, target, state, attempts and the last error."""
        with self._store.transaction() as connection:
            rows = connection.execute(
                "SELECT event_id, event_type, target, state, attempts, last_error FROM event_deliveries ORDER BY id",
            ).fetchall()
        names = ("event_id", "event_type", "target", "state", "attempts", "last_error")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def redeliver(self, event_id: str) -> int:
        """Queue an event's deliveries once more; returns how many. Stripe does so at times, unasked."""
        with self._store.transaction() as connection:
            count = connection.execute(
                "INSERT INTO event_deliveries (event_id, event_type, target)"
                " SELECT DISTINCT event_id, event_type, target FROM event_deliveries WHERE event_id = ?",
                (event_id,),
            ).rowcount
        self.wake()
        return count

    def _pending(self) -> int:
        with self._store.transaction() as connection:
            (count,) = connection.execute(
                "SELECT count(*) FROM event_deliveries"
                " WHERE state = 'pending' AND target IN (SELECT value FROM json_each(?))",
                (self._names(),),
            ).fetchone()
        return int(count)

    def _names(self) -> str:
        return json.dumps(list(self._targets()))

    def _run(self) -> None:
        while True:
            seen = self._wakes
            try:
                claim = self._claim()
                if claim is not None:
                    self._attempt(*claim)
                    continue
                pause = min(0.1, self._first_wait / 2) if self._pending() else 5.0
            except sqlite3.Error:
                logger.exception("The disk may be full; deliveries go on when it is not")
                pause = self._first_wait
            with self._changed:
                if self._stopping:
                    return
                if self._wakes == seen:
                    self._changed.wait(timeout=pause)

    def _claim(self) -> tuple[int, str, str, int, float] | None:
        """Take the oldest delivery that is due and that no other thread has."""
        with self._store.transaction() as connection:
            if self._stopping:
                return None
            rows = connection.execute(
                "SELECT id, event_id, target, attempts, coalesce(first_attempt_at, 0) FROM event_deliveries"
                " WHERE state = 'pending' AND next_attempt_at <= ?"
                " AND target IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?",
                (time.time(), self._names(), len(self._claimed) + 1),
            ).fetchall()
            for row in rows:
                if row[0] not in self._claimed:
                    self._claimed.add(row[0])
                    return (int(row[0]), str(row[1]), str(row[2]), int(row[3]), float(row[4]))
        return None

    def _attempt(self, delivery_id: int, event_id: str, target: str, attempts: int, first: float) -> None:
        try:
            try:
                self._send(event_id, target)
            except Exception as error:  # noqa: BLE001 - whatever the callback raises, the event is kept
                self._failed(delivery_id, event_id, target, attempts + 1, first, error)
            else:
                self._mark(delivery_id, attempts + 1, first, state="delivered")
        finally:
            self._claimed.discard(delivery_id)
        with self._changed:
            self._changed.notify_all()

    def _send(self, event_id: str, target: str) -> None:
        record = self._store.find(event_id)
        if record is None:
            raise LookupError(f"The event {event_id} is gone from the store")
        if (taker := self._targets().get(target)) is not None:
            taker.send(record.body)

    def _failed(
        self,
        delivery_id: int,
        event_id: str,
        target: str,
        attempts: int,
        first: float,
        error: Exception,
    ) -> None:
        now = time.time()
        reason = f"{type(error).__name__}: {error}"[:500]
        if first and now - first > GIVE_UP_AFTER_SECONDS:
            logger.error("Event %s: gave up delivering to the %s after 3 days: %s", event_id, target, reason)
            self._mark(delivery_id, attempts, first, state="given_up", error=reason)
            return
        wait = min(self._first_wait * 2 ** min(attempts - 1, 20), LONGEST_WAIT_SECONDS)
        logger.warning(
            "Event %s: delivery to the %s failed (attempt %d), next one in %.1f s: %s",
            event_id,
            target,
            attempts,
            wait,
            reason,
        )
        self._mark(delivery_id, attempts, first, error=reason, next_attempt_at=now + wait)

    def _mark(
        self,
        delivery_id: int,
        attempts: int,
        first: float,
        *,
        state: str = "pending",
        error: str | None = None,
        next_attempt_at: float = 0.0,
    ) -> None:
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE event_deliveries SET attempts = ?, first_attempt_at = ?, state = ?, last_error = ?,"
                " next_attempt_at = ? WHERE id = ?",
                (attempts, first or time.time(), state, error, next_attempt_at, delivery_id),
            )
