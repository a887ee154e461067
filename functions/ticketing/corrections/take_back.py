"""Takes an order, or some of its seats, back without moving money: what it took goes back on sale."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

import msgspec

from ticketing import money
from ticketing.corrections import claims
from ticketing.corrections.frame import Outcome
from ticketing.corrections.refusal import CorrectionRefused
from ticketing.corrections.states import require_movable
from ticketing.database import Row, Transaction
from ticketing.orders import give_back
from ticketing.orders.status import OrderStatus
from ticketing.payments import ledger

# A repeat of the same request within this time is taken for the same one.
SAME_REQUEST_MINUTES: Final = 60


class TakeBack(msgspec.Struct, frozen=True, kw_only=True, tag="take_back", tag_field="kind"):
    """Take back an order; or only `seats` of it, where it has `of` of them by then."""

    kind: ClassVar[str] = "take_back"

    seats: int | None = None
    of: int | None = None

    def tickets(self) -> Iterable[int]:
        """Give none: the order keeps its ticket."""
        return []

    def codes(self, tx: Transaction, order: Row) -> Iterable[int]:  # noqa: ARG002 -- it needs none
        """Give none."""
        return []

    def apply(self, tx: Transaction, order: Row) -> Outcome:
        """Give back what the order took, and end it where nothing is left of it."""
        return self._some(tx, order, self.seats) if self.seats is not None else self._all(tx, order)

    def _some(self, tx: Transaction, order: Row, seats: int) -> Outcome:
        order_id, has = order["id"], int(order["quantity"])
        outcome = Outcome(
            request=f"take-back {order_id} --seats {seats}",
            undo=f"cachao change {order_id} --quantity {has}",
            entry="corrected_seats_taken_back",
        )
        outcome.already = done_before(tx, order, outcome.request, seats=seats, of=self.of)
        if outcome.already:
            return outcome
        require_movable(order)
        take_seats_back(tx, order, seats)
        outcome.notes = _money_that_stays(tx, order, f"cachao refund {order_id} --seats {seats}")
        return outcome

    def _all(self, tx: Transaction, order: Row) -> Outcome:
        order_id, status = order["id"], order["status"]
        outcome = Outcome(
            request=f"take-back {order_id}",
            undo="It cannot be undone: an order that has ended is never revived. The buyer can buy again.",
            entry="corrected_taken_back",
        )
        if status == OrderStatus.CANCELLED and claims.seats_of(order) is None and claims.use_of(order) is None:
            outcome.already = f"Order {order_id} is cancelled already, and has nothing any more."
            return outcome
        if status == OrderStatus.REFUNDED:
            outcome.already = f"Order {order_id} is refunded already: it ended, and gave back what it had."
            return outcome
        give_back.give_back_everything(tx, order)
        tx.change(
            "UPDATE ticket_orders SET status = %s, hold_expires_at = NULL, next_check_at = NULL"
            " WHERE id = %s AND status = %s",
            OrderStatus.CANCELLED,
            order_id,
            status,
        )
        if status == OrderStatus.PROCESSING:
            awaited = (
                "A delayed payment of it is under way. If it succeeds, the alert PaymentForClosedOrder comes: then"
            )
            outcome.notes = [f"{awaited} cachao refund {order_id}."]
        else:
            outcome.notes = _money_that_stays(tx, order, f"cachao refund {order_id} --end-order")
        return outcome


def take_seats_back(tx: Transaction, order: Row, seats: int) -> None:
    """Give so many seats of an order back, and leave it the others.

    Raises:
        CorrectionRefused: it has no more than that.
    """
    order_id, has = order["id"], int(order["quantity"])
    if seats >= has:
        raise CorrectionRefused(
            f"Order {order_id} has {has} seat{'' if has == 1 else 's'}: {seats} is not a part of that.",
            advice=f"All of it: cachao take-back {order_id}, or with its money cachao refund {order_id} --end-order.",
        )
    claim = claims.seats_of(order)
    if claim is not None:
        # What was counted is what goes back; where fewer were counted than bought, so many fewer.
        claims.exchange_seats(
            tx, order, claims.Claim(claim.row_id, min(claim.amount, max(claim.amount - seats, 0)), claim.how)
        )
    changed = tx.change(
        "UPDATE ticket_orders SET quantity = quantity - %s WHERE id = %s AND quantity = %s", seats, order_id, has
    )
    if changed != 1:
        raise CorrectionRefused(f"Order {order_id} changed meanwhile.")


def done_before(tx: Transaction, order: Row, request: str, *, seats: int, of: int | None) -> str:
    """Say that this very request was done already; empty where it was not, or another one is meant.

    `of` says how many seats the order is to have before: then nothing else has to be known.

    Raises:
        CorrectionRefused: the order has another number of seats than `of`, for another reason.
    """
    order_id, has = order["id"], int(order["quantity"])
    last = tx.one(
        "SELECT id, request, TIMESTAMPDIFF(MINUTE, corrected_at, UTC_TIMESTAMP(6)) AS minutes FROM order_corrections"
        " WHERE order_id = %s ORDER BY id DESC LIMIT 1",
        order_id,
    )
    same = last is not None and last["request"] == request and last["minutes"] < SAME_REQUEST_MINUTES
    if of == has:
        return ""
    if of is not None and not (same and of == has + seats):
        raise CorrectionRefused(f"Order {order_id} has {has} seats, not {of}.", advice=f"Look: cachao show {order_id}.")
    if not same or last is None:
        return ""
    return (
        f"Already done {last['minutes']} minutes ago (correction {last['id']}); order {order_id} has {has} seats left."
        f" To take {seats} more, add --of {has}."
    )


def _money_that_stays(tx: Transaction, order: Row, command: str) -> list[str]:
    left = [known for known in ledger.payments_of(tx, order["id"]) if known.left_minor]
    return [
        f"{money.format_amount(known.left_minor, known.currency)} of {known.payment_key} stays with the shop."
        f" To give money back, say instead: {command}"
        for known in left
    ]
