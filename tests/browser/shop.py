"""The running shop as the tests see it: what they put on sale, what became of it, and Stripe's part."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final

import stripe

from local.database.mariadb import DatabaseAddress
from local.database.sample_shop import query
from local.stripe_stand_in.client import ControlClient
from tests.local.conftest import wait_until
from tests.local.running import Running

TicketType = tuple[str, str, int | None]
_NAMES: Final = itertools.count(1)


@dataclass(frozen=True)
class Event:
    """An event of one test's own."""

    id: int
    name: str
    tickets: tuple[int, ...]


class Shop:
    """A shop that runs."""

    def __init__(self, running: Running) -> None:
        """Take the running stack."""
        self.running = running
        self.addresses = running.wait_until_up()
        self.url: str = self.addresses["api_url"]
        self.database = DatabaseAddress(**self.addresses["database"])
        self.stripe = ControlClient(self.addresses["stripe_url"])

    def query(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """Run a statement and give its rows."""
        return query(self.database, sql, *parameters)

    def make_event(self, *tickets: TicketType, code: str | None = None, days: int = 30) -> Event:
        """Put an event on sale, with a code of 10 % and one use where it is named."""
        name = f"Concert {next(_NAMES)}"
        [event] = self.query(
            "INSERT INTO events (name, start_date) VALUES (%s, UTC_DATE() + INTERVAL %s DAY) RETURNING id", name, days
        )
        ids = [
            self.query(
                "INSERT INTO tickets (event_id, name, price, max_quantity) VALUES (%s, %s, %s, %s) RETURNING id",
                event["id"],
                *ticket,
            )[0]["id"]
            for ticket in tickets
        ]
        if code is not None:
            self.query(
                "INSERT INTO discount_codes (event_id, code, discount_type, discount_value, max_uses)"
                " VALUES (%s, %s, 'percentage', 10, 1)",
                event["id"],
                code,
            )
        return Event(event["id"], name, tuple(ids))

    def orders(self, event: Event) -> list[dict[str, Any]]:
        """All orders of an event, oldest first."""
        return self.query("SELECT * FROM ticket_orders WHERE event_id = %s ORDER BY id", event.id)

    def expire(self, session_id: str) -> None:
        """End a session at Stripe, as time does."""
        client = stripe.StripeClient("sk_test_local", base_addresses={"api": self.addresses["stripe_url"]})
        client.v1.checkout.sessions.expire(session_id)

    def wait_for_status(self, session_id: str, status: str) -> None:
        """Wait until the order of a session is so."""
        assert wait_until(lambda: self._status(session_id) == status, 30), self._status(session_id)

    def _status(self, session_id: str) -> str:
        [order] = self.query("SELECT status FROM ticket_orders WHERE stripe_checkout_session_id = %s", session_id)
        return str(order["status"])
