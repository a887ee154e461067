"""The stand-in as one object: start it, use it from tests, stop it."""

import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from local.stripe_stand_in import disputes, payments, refunds, seeding, sessions
from local.stripe_stand_in.api import Api
from local.stripe_stand_in.app import App
from local.stripe_stand_in.context import API_VERSION, Context
from local.stripe_stand_in.deliveries import Deliverer, Webhook
from local.stripe_stand_in.event_destinations import EventDestination
from local.stripe_stand_in.faults import Fault, FaultKind, Faults, Moment
from local.stripe_stand_in.payments import DEFAULT_CARD, Payer, PayResult
from local.stripe_stand_in.rate_limit import RateLimit
from local.stripe_stand_in.seeding import SessionSeed
from local.stripe_stand_in.server import Server
from local.stripe_stand_in.store import Store
from local.stripe_stand_in.timekeeper import Timekeeper, run_due

if TYPE_CHECKING:
    from local.stripe_stand_in.json_object import JsonObject

_SMALLEST_ERROR_STATUS = 400


class StripeStandIn:
    """A stand-in for Stripe on this machine; `with StripeStandIn(…) as stripe:` serves it.

    Args:
        deliver: Takes each event as an EventBridge envelope and raises when it was not taken; it is
            tried again in the background until it was. None: no event bus.
        path: The SQLite file that keeps everything over a restart; None: memory.
        host: The address to listen on.
        port: The port; 0: a free one.
        public_url: The address that buyers' browsers reach it by; None: `http://host:port`.
        clock: Returns Unix time. Tests that move it call `run_due` afterwards, or wait a quarter second.
        destination: The event destination, whose id makes the events' `source`.
        webhook_url: An address that gets every event as `stripe listen --forward-to` sends it.
        webhook_signing_secret: The `whsec_…` those are signed with.
        webhook_events: The types to forward; `*`: all.
        api_keys: The valid keys; None: every `sk_test_…` and `rk_test_…`.
        rate_limit: API requests allowed within a second; None: any number.
        settle_delay: Seconds until a bank debit's result, or a late refund's, is known.
        delivery_threads: Deliveries at once; one keeps the events in order.
        account_id: The account's id.
        api_version: The version named in events and answers. Objects have this version's shape only.
    """

    def __init__(  # noqa: PLR0913 - settings, all by name
        self,
        deliver: "Callable[[JsonObject], None] | None" = None,
        *,
        path: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str | None = None,
        clock: Callable[[], float] = time.time,
        destination: EventDestination | None = None,
        webhook_url: str | None = None,
        webhook_signing_secret: str = "whsec_local",  # noqa: S107 - of this machine only
        webhook_events: Iterable[str] = ("*",),
        api_keys: Collection[str] | None = None,
        rate_limit: int | None = None,
        settle_delay: float = 2.0,
        delivery_threads: int = 1,
        account_id: str = "acct_1LocalStandIn0001",
        api_version: str = API_VERSION,
    ) -> None:
        """Put the parts together; see the class."""
        self._host, self._port, self._public_url = host, port, public_url
        self._store = Store(path)
        self._faults = Faults()
        self._rate_limit = RateLimit(rate_limit)
        self._stopped = False
        self._server: Server | None = None
        self.destination = destination or EventDestination()
        webhook = Webhook(webhook_url, webhook_signing_secret) if webhook_url else None
        self._deliverer = Deliverer(self._store, self.destination, deliver, webhook, delivery_threads)
        self.context = Context(
            store=self._store,
            clock=clock,
            base_url=lambda: self.url,
            wake=self._deliverer.wake,
            destination=self.destination,
            account_id=account_id,
            api_version=api_version,
            settle_delay=settle_delay,
            has_event_bus=deliver is not None,
            webhook_events=tuple(webhook_events) if webhook else (),
        )
        self._timekeeper = Timekeeper(self.run_due)
        api = Api(self.context, self._faults, self._rate_limit, api_keys)
        self.app = App(self, api, lambda: self._stopped)

    @property
    def url(self) -> str:
        """The address of the API (for `base_addresses={"api": …}`) and of the hosted pages."""
        port = self._server.port if self._server else self._port
        return self._public_url or f"http://{self._host}:{port}"

    def start(self) -> Self:
        """Serve, deliver and let time pass; returns itself.

        Raises:
            SystemExit: The port is taken (werkzeug says so on stderr).
        """
        self._server = Server(self.app, self._host, self._port)
        self._server.start()
        self._deliverer.start()
        self._timekeeper.start()
        return self

    def stop(self) -> None:
        """Stop. What was not delivered stays in the file and is delivered after the next start."""
        if self._stopped:
            return
        self._stopped = True
        self._faults.release()
        if self._server is not None:
            self._server.stop()
        self._timekeeper.stop()
        self._deliverer.stop()
        self._store.close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def pay(
        self,
        session_id: str,
        card: str | None = DEFAULT_CARD,
        *,
        iban: str | None = None,
        email: str | None = None,
        name: str | None = None,
        convert_to: str | None = None,
        fx_rate: str = "1.1",
    ) -> PayResult:
        """Pay as the buyer does on the hosted page; see Stripe's test cards and IBANs in instruments.py.

        Args:
            session_id: The session.
            card: A card number.
            iban: A bank account instead of the card.
            email: The buyer's, where the shop gave none.
            name: The buyer's.
            convert_to: Let adaptive pricing take another currency (with a card).
            fx_rate: Units of that currency for one of the session's.

        Raises:
            ApiError: 404 for an unknown session; 400 for an unusable IBAN or method.
        """
        payer = Payer(card, iban, email, name, convert_to, fx_rate)
        return payments.pay(self.context, session_id, payer)

    def settle(self, session_id: str, *, succeeded: bool = True) -> PayResult:
        """Decide a delayed payment now, whatever its IBAN says; takes a `cs_…` or a `pi_…`."""
        return payments.settle(self.context, session_id, succeeded=succeeded)

    def open_dispute(
        self,
        payment_intent: str,
        *,
        amount: int | None = None,
        reason: str = "fraudulent",
    ) -> "JsonObject":
        """Dispute a payment as the buyer's bank does; returns the dispute."""
        return disputes.open_dispute(self.context, payment_intent, amount=amount, reason=reason)

    def close_dispute(self, dispute: str, *, status: Literal["won", "lost"]) -> "JsonObject":
        """Decide a dispute, named by its own id or by its payment's; returns the dispute."""
        return disputes.close_dispute(self.context, dispute, status)

    def finish_refund(self, refund: str, *, status: Literal["succeeded", "failed"]) -> "JsonObject":
        """End a refund: a pending one succeeds, or any fails at the buyer's bank; returns the refund."""
        return refunds.finish(self.context, refund, status)

    def session(self, session_id: str) -> "JsonObject":
        """Return a session as the API shows it."""
        return sessions.show(self.context, sessions.find(self.context, session_id))

    def seed_session(self, seed: SessionSeed) -> str:
        """Put one session there without an event; returns its id."""
        return self.seed_sessions([seed])[0]

    def seed_sessions(self, seeds: Iterable[SessionSeed]) -> list[str]:
        """Put many sessions there without events, 10,000 in about a second; returns their ids."""
        return seeding.seed(self.context, seeds)

    def run_due(self) -> int:
        """Do now what is due by the clock: expiries, settlements, late refunds; returns how many."""
        return run_due(self.context)

    def wait_until_delivered(self, timeout: float = 10.0) -> bool:
        """Wait until every event has arrived; returns whether that came true within `timeout` seconds."""
        return self._deliverer.wait(timeout)

    def deliveries(self) -> "list[JsonObject]":
        """Return every delivery: event_id, event_type, door, state, attempts, last_error."""
        return self._deliverer.report()

    def redeliver(self, event_id: str) -> int:
        """Deliver an event once more, as Stripe does unasked at times; returns to how many doors."""
        return self._deliverer.redeliver(event_id)

    def fail_next(
        self,
        n: int = 1,
        *,
        status: FaultKind = 500,
        path_prefix: str = "/v1/",
        method: str | None = None,
        when: Moment = "before",
        seconds: float = 30.0,
    ) -> None:
        """Let the next `n` API requests that match fail; see faults.Fault.

        Args:
            n: How many.
            status: An HTTP status, `timeout` or `reset`.
            path_prefix: Only requests to paths that begin so.
            method: Only this HTTP method.
            when: `before` the endpoint, `inside` it (a status only) or `after` it, with the work done.
            seconds: How long a `timeout` lasts.

        Raises:
            ValueError: A combination that means nothing.
        """
        known = status in {"timeout", "reset"} if isinstance(status, str) else status >= _SMALLEST_ERROR_STATUS
        if not known or n < 1 or when not in {"before", "inside", "after"}:
            raise ValueError("a fault is a status from 400 on, 'timeout' or 'reset', before, inside or after")
        if when == "inside" and isinstance(status, str):
            raise ValueError("only a status can happen inside an endpoint")
        self._faults.arm(Fault(n, status, path_prefix, method, when, seconds))

    def clear_faults(self) -> None:
        """Forget faults that have not happened, and end those that hold a request."""
        self._faults.clear()

    def set_rate_limit(self, per_second: int | None) -> None:
        """Allow so many API requests within a second; None: any number."""
        self._rate_limit.per_second = per_second
