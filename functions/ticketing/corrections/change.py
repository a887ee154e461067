"""Changes how many seats an order has, or its discount code. What was paid stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar

import msgspec

from ticketing import dates
from ticketing.checkout import discount_codes
from ticketing.checkout.errors import CodeRefused
from ticketing.corrections import claims, prices
from ticketing.corrections.frame import Outcome
from ticketing.corrections.refusal import CorrectionRefused
from ticketing.corrections.states import require_movable
from ticketing.database import Row, Transaction
from ticketing.orders.status import LIVE, OrderStatus


class Change(msgspec.Struct, frozen=True, kw_only=True, tag="change", tag_field="kind"):
    """Give an order another number of seats, another code (by its text or its id), or none."""

    kind: ClassVar[str] = "change"

    quantity: int | None = None
    code: str | None = None
    code_id: int | None = None
    drop_code: bool = False

    def tickets(self) -> Iterable[int]:
        """Give none: the order keeps its ticket."""
        return []

    def codes(self, tx: Transaction, order: Row) -> Iterable[int]:
        """Give the code that it is to have."""
        wanted = self._code_id(tx, order)
        return [] if wanted is None else [wanted]

    def apply(self, tx: Transaction, order: Row) -> Outcome:
        """Exchange the order's seats and its use."""
        seats = int(order["quantity"]) if self.quantity is None else self.quantity
        code_id = self._code_id(tx, order)
        outcome = Outcome(
            request=f"change {order['id']} --quantity {seats} --code-id {code_id or 0}",
            undo=_undo(order, seats=seats != order["quantity"], code=code_id != order["discount_code_id"]),
            entry="corrected_changed",
        )
        has, use = claims.seats_of(order), claims.use_of(order)
        settled = has is None or self.quantity is None or has.amount == seats
        if seats == order["quantity"] and settled and code_id == order["discount_code_id"]:
            outcome.already = f"Order {order['id']} is so already."
            return outcome
        require_movable(order)
        if has is not None and (self.quantity is not None):
            # Where it was moved by hand since, its seats go to the ticket that it says now.
            claims.exchange_seats(tx, order, claims.Claim(int(order["ticket_id"]), seats, has.how))
        if code_id != order["discount_code_id"]:
            how: claims.How = "counted" if order["status"] == OrderStatus.PAID else "held"
            wanted = None if code_id is None else claims.Claim(code_id, 1, how)
            if use is not None or wanted is not None:
                claims.exchange_use(tx, order, wanted)
        tx.change(
            "UPDATE ticket_orders SET quantity = %s, discount_code_id = %s WHERE id = %s", seats, code_id, order["id"]
        )
        said = prices.difference(tx, order, ticket_id=int(order["ticket_id"]), quantity=seats, code_id=code_id)
        outcome.notes = [*([said] if said else []), *_warnings(order)]
        return outcome

    def _code_id(self, tx: Transaction, order: Row) -> int | None:
        if self.drop_code:
            return None
        if self.code_id is not None:
            return self.code_id
        text = discount_codes.normalised(self.code)
        if text is None:
            return None if order["discount_code_id"] is None else int(order["discount_code_id"])
        try:
            now = dates.utc_naive(datetime.now(UTC))
            return discount_codes.find_usable(tx, event_id=int(order["event_id"]), code=text, now=now).code_id
        except CodeRefused as refused:
            raise CorrectionRefused(
                f"The code cannot be used: {refused.reason}.",
                advice="--code-id NUMBER takes one regardless of its dates, as long as it has uses left.",
            ) from None


def _undo(order: Row, *, seats: bool, code: bool) -> str:
    parts = [f"cachao change {order['id']}"]
    parts += [f"--quantity {order['quantity']}"] if seats else []
    if code:
        known = order["discount_code_id"]
        parts.append("--drop-code" if known is None else f"--code-id {known}")
    return " ".join(parts)


def _warnings(order: Row) -> list[str]:
    if order["status"] not in LIVE:
        return []
    return ["It is not paid yet: Stripe's page still asks for the old number of seats at the old price."]
