"""What every scene of the demo works with: the running stack, its database, its API, and a list of what was checked."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from local.database.sample_shop import query
from local.stack import LocalStack
from local.stripe_stand_in import StripeStandIn
from ticketing.operators.sample_shop import PRICE, SampleShop

_HTTP_SECONDS = 40


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True)
class Execution:
    """An execution that has ended, with its history."""

    arn: str
    name: str
    status: str
    output: Mapping[str, Any]
    error: str | None
    cause: str | None
    history: list[Mapping[str, Any]]


@dataclass
class Stage:
    """The stack and the screen. `check` notes what is not as it should be; the demo fails if anything is not."""

    stack: LocalStack
    screen: Console
    wrong: list[str] = field(default_factory=list)
    seen_executions: set[str] = field(default_factory=set)

    @property
    def stripe(self) -> StripeStandIn:
        """Stripe's stand-in; the demo always has one."""
        if self.stack.stripe is None:
            raise DemoError("The demo plays Stripe itself: unset STRIPE_SECRET_KEY.")
        return self.stack.stripe

    def check(self, sentence: str, *, holds: bool) -> None:
        """Show whether something that must be so is so."""
        if not holds:
            self.wrong.append(sentence)
        self.screen.print(f"  [green]✓[/] {sentence}" if holds else f"  [bold red]✗ {sentence}[/]")

    def query(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """Run a statement on the shop's database and give its rows."""
        return query(self.stack.database_address, sql, *parameters)

    def place_pending_order(self, shop: SampleShop, *, session_id: str, quantity: int = 1) -> int:
        """Insert a pending order as the live shop has them: of the time before holds existed."""
        [order] = self.query(
            "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
            " stripe_checkout_session_id) VALUES (%s, %s, 'guest@example.com', %s, %s, %s, 'pending', %s) RETURNING id",
            shop.event_id,
            shop.ticket_id,
            quantity,
            PRICE,
            PRICE * quantity,
            session_id,
        )
        return int(order["id"])

    def order(self, order_id: int) -> dict[str, Any]:
        """The order's row."""
        [row] = self.query("SELECT * FROM ticket_orders WHERE id = %s", order_id)
        return row

    def counts(self, shop: SampleShop) -> dict[str, int]:
        """The ticket's and the code's counters."""
        [row] = self.query(
            "SELECT sold_quantity, tickets.held_quantity, used_count, held_count FROM tickets, discount_codes"
            " WHERE tickets.id = %s AND discount_codes.id = %s",
            shop.ticket_id,
            shop.code_id,
        )
        return row

    def call(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Call the shop's API as the frontend does; gives the status and the reply."""
        origin = self.stack.options.frontend_origins[0]
        headers = {"Origin": origin, "Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(  # noqa: S310 -- http on loopback, from our own stack
            f"{self.stack.api_url}{path}",
            method=method,
            headers=headers,
            data=json.dumps(body).encode() if body is not None else None,
        )
        try:
            with urllib.request.urlopen(request, timeout=_HTTP_SECONDS) as reply:  # noqa: S310 -- see above
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def next_execution(self) -> Execution:
        """Wait for the one execution that has begun since the last look, until it has ended.

        Raises:
            DemoError: none began.
        """
        self.stripe.wait_until_delivered()
        new = [e for e in self.stack.cloud.executions() if e["executionArn"] not in self.seen_executions]
        if not new:
            raise DemoError("No execution was started: the event did not match a rule.")
        self.seen_executions.update(e["executionArn"] for e in new)
        arn = new[0]["executionArn"]
        reported = self.stack.wait_for_execution(arn)
        return Execution(
            arn=arn,
            name=reported["name"],
            status=reported["status"],
            output=json.loads(reported.get("output") or "{}"),
            error=reported.get("error"),
            cause=reported.get("cause"),
            history=list(self.stack.history(arn)),
        )
