"""The stand-in as one object: start it, use it from tests, stop it."""

import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from local.loopback_callers import LoopbackCallersOnly
from local.stripe_stand_in import sessions
from local.stripe_stand_in.api import Api
from local.stripe_stand_in.app import App
from local.stripe_stand_in.context import API_VERSION, Context
from local.stripe_stand_in.control import Control
from local.stripe_stand_in.deliveries import FIRST_WAIT_SECONDS, Deliverer, Webhook, targets_of
from local.stripe_stand_in.event_destinations import EventDestination, Payload
from local.stripe_stand_in.faults import Faults
from local.stripe_stand_in.rate_limit import RateLimit
from local.stripe_stand_in.server import Server
from local.stripe_stand_in.store import Store
from local.stripe_stand_in.timekeeper import Timekeeper
from local.stripe_stand_in.world import World

if TYPE_CHECKING:
    from local.stripe_stand_in.json_object import JsonObject


class StripeStandIn(World):
    """A stand-in for Stripe on this machine; `with StripeStandIn(…) as stripe:` serves it.

    What a buyer, a bank or misfortune does: see World.

    Args:
        deliver: Takes each event as an EventBridge envelope and raises when it was not taken; it is
            tried again in the background until it was. None: no event bus.
        make_source: Makes the partner event source of a destination that the API made, as Stripe does at AWS.
        path: The SQLite file that keeps everything over a restart; None: memory.
        host: The address to listen on.
        port: The port; 0: a free one.
        public_url: The address that buyers' browsers reach it by; None: `http://host:port`.
        clock: Returns Unix time. Tests that move it call `run_due` afterwards, or wait a quarter second.
        destination: The event destination, whose id makes the events' `source`.
        webhook_url: An address that gets every event as `stripe listen --forward-to` sends it.
        webhook_signing_secret: The `whsec_…` those are signed with.
        webhook_events: The types to forward; `*`: all.
        webhook_events_from: Whose events to forward: `@self`, and `@accounts` for those of connected accounts.
        webhook_payload: In which form to forward them; the types of `thin` ones begin with `v1.`.
        api_keys: The valid keys; None: every `sk_test_…` and `rk_test_…`.
        rate_limit: API requests allowed within a second; None: any number.
        settle_delay: Seconds until a bank debit's result, or a late refund's, is known.
        delivery_threads: Deliveries at once; one keeps the events in order.
        first_wait: Seconds until an event that was not taken is sent again; it doubles each time.
        account_id: The account's id.
        api_version: The version named in events and answers. Objects have this version's shape only.
    """

    def __init__(  # noqa: PLR0913 - settings, all by name
        self,
        deliver: "Callable[[JsonObject], None] | None" = None,
        *,
        make_source: Callable[[EventDestination], None] = lambda _destination: None,
        path: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str | None = None,
        clock: Callable[[], float] = time.time,
        destination: EventDestination | None = None,
        webhook_url: str | None = None,
        webhook_signing_secret: str = "whsec_local",  # noqa: S107 - of this machine only
        webhook_events: Iterable[str] = ("*",),
        webhook_events_from: Iterable[str] = ("@self",),
        webhook_payload: Payload = "snapshot",
        api_keys: Collection[str] | None = None,
        rate_limit: int | None = None,
        settle_delay: float = 2.0,
        delivery_threads: int = 1,
        first_wait: float = FIRST_WAIT_SECONDS,
        account_id: str = "acct_1LocalStandIn0001",
        api_version: str = API_VERSION,
    ) -> None:
        """Put the parts together; see the class."""
        self._host, self._port, self._public_url = host, port, public_url
        self._store = Store(path)
        self._stopped = False
        self._server: Server | None = None
        webhook = None
        if webhook_url:
            webhook = Webhook(
                webhook_url,
                webhook_signing_secret,
                types=tuple(webhook_events),
                events_from=tuple(webhook_events_from),
                payload=webhook_payload,
            )
        deliverer = Deliverer(
            self._store, lambda: targets_of(context, deliver, webhook), delivery_threads, first_wait=first_wait
        )
        context = Context(
            store=self._store,
            clock=clock,
            base_url=lambda: self.url,
            wake=deliverer.wake,
            destinations=[destination or EventDestination()],
            account_id=account_id,
            api_version=api_version,
            settle_delay=settle_delay,
            make_source=make_source,
            targets=lambda: targets_of(context, deliver, webhook),
        )
        super().__init__(context, deliverer, Faults(), RateLimit(rate_limit))
        self._timekeeper = Timekeeper(self.run_due)
        api = Api(context, self._faults, self._rate_limit, api_keys)
        app = App(api, Control(self), context, lambda: self._stopped)
        public_host = urlsplit(public_url).hostname if public_url else None
        self.app = LoopbackCallersOnly(app, public_host=public_host, linked_path=sessions.CHECKOUT_PATH)

    @property
    def url(self) -> str:
        """The address of the API (for `base_addresses={"api": …}`) and of the hosted pages."""
        return self._public_url or self.local_url

    @property
    def local_url(self) -> str:
        """The address that is listened on."""
        port = self._server.port if self._server else self._port
        return f"http://{self._host}:{port}"

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
