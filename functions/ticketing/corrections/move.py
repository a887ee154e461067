"""Moves an order to another ticket, also of another event: another date. Its seats there are taken first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar, Final

import msgspec

from ticketing import dates
from ticketing.corrections import claims, prices
from ticketing.corrections.frame import Outcome
from ticketing.corrections.refusal import CorrectionRefused
from ticketing.corrections.states import require_movable
from ticketing.database import Row, Transaction
from ticketing.orders.status import LIVE

# Of a name, as `bought_ticket` and `bought_event` keep it.
_LONGEST_NAME: Final = 255


class Move(msgspec.Struct, frozen=True, kw_only=True, tag="move", tag_field="kind"):
    """Move an order to a ticket."""

    kind: ClassVar[str] = "move"

    ticket_id: int

    def tickets(self) -> Iterable[int]:
        """Give the ticket that it goes to."""
        return [self.ticket_id]

    def codes(self, tx: Transaction, order: Row) -> Iterable[int]:  # noqa: ARG002 -- it needs none
        """Give none."""
        return []

    def apply(self, tx: Transaction, order: Row) -> Outcome:
        """Exchange the order's seats, and have it say what the buyer now has. What was paid stays as it is."""
        came_from = int(order["ticket_id"])
        outcome = Outcome(
            request=f"move {order['id']} --ticket {self.ticket_id}",
            undo=f"cachao move {order['id']} --ticket {came_from}",
            entry="corrected_moved",
        )
        has = claims.seats_of(order)
        if came_from == self.ticket_id and (has is None or has.row_id == self.ticket_id):
            outcome.already = f"Order {order['id']} is of ticket {self.ticket_id} already."
            return outcome
        require_movable(order)
        there = _ticket(tx, self.ticket_id)
        if has is not None:
            claims.exchange_seats(tx, order, claims.Claim(self.ticket_id, max(int(order["quantity"]), 0), has.how))
        tx.change(
            "UPDATE ticket_orders SET event_id = %s, ticket_id = %s, bought_ticket = %s, bought_event = %s"
            " WHERE id = %s AND ticket_id = %s",
            there["event_id"],
            self.ticket_id,
            (there["name"] or "")[:_LONGEST_NAME] or None,
            (there["event_name"] or "")[:_LONGEST_NAME] or None,
            order["id"],
            came_from,
        )
        outcome.notes = [*_warnings(order, there), *_price(tx, order, self.ticket_id)]
        return outcome


def _ticket(tx: Transaction, ticket_id: int) -> Row:
    found = tx.one(
        "SELECT t.name, t.event_id, t.is_active, e.id AS event_there, e.name AS event_name, e.start_date, e.end_date"
        " FROM tickets AS t LEFT JOIN events AS e ON e.id = t.event_id WHERE t.id = %s",
        ticket_id,
    )
    if found is None:
        raise CorrectionRefused(f"There is no ticket {ticket_id}.", advice="The shop's tickets have other numbers.")
    if found["event_there"] is None:
        raise CorrectionRefused(f"The event {found['event_id']} of ticket {ticket_id} is gone.")
    return found


def _warnings(order: Row, there: Row) -> list[str]:
    notes = []
    now = dates.utc_naive(datetime.now(UTC))
    if dates.is_event_over(start_date=there["start_date"], end_date=there["end_date"], now=now):
        notes.append("The event that it goes to is over.")
    elif not there["is_active"]:
        notes.append("The ticket that it goes to is not on sale.")
    if order["validated_at"] is not None:
        notes.append(f"It was let in at the door ({order['validated_at']:%Y-%m-%d %H:%M} UTC).")
    if order["event_id"] != there["event_id"] and order["discount_code_id"] is not None:
        notes.append(f"It keeps code {order['discount_code_id']} of event {order['event_id']}, and its use.")
    if order["status"] in LIVE:
        notes.append("It is not paid yet: Stripe's page still names the old ticket, and asks for the old price.")
    return notes


def _price(tx: Transaction, order: Row, ticket_id: int) -> list[str]:
    said = prices.difference(
        tx, order, ticket_id=ticket_id, quantity=int(order["quantity"]), code_id=order["discount_code_id"]
    )
    return [said] if said else []
