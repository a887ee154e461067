"""Exchanges what an order has of a ticket or a code for something else: what is wanted is taken first, or nothing is.

An order has seats and a code's use either held (unpaid) or counted (paid). Every correction that touches them is one
exchange: from what was written down when it was taken, to what the order is to have. Works inside a transaction that
has locked the order, and then all tickets and codes that matter, the lower id first (`ticketing.corrections.frame`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ticketing.corrections.refusal import CorrectionRefused
from ticketing.database import Row, Transaction
from ticketing.orders import counters, counts_off, give_back, holds
from ticketing.orders.counters import CODES, TICKETS, Counter

How = Literal["held", "counted"]
_NOUNS = {"tickets": ("ticket", "seat"), "discount_codes": ("code", "use")}


class Claim(msgspec.Struct, frozen=True):
    """So many seats of a ticket, or uses of a code, held or counted."""

    row_id: int
    amount: int
    how: How


def seats_of(order: Row) -> Claim | None:
    """Give the seats that an order has; None where it has none."""
    if order["ticket_counted_at"] is not None and order["ticket_returned_at"] is None:
        return Claim(*give_back.counted_seats(order), "counted")
    if order["held_quantity"]:
        return Claim(holds.held_ticket(order), int(order["held_quantity"]), "held")
    return None


def use_of(order: Row) -> Claim | None:
    """Give the use of a discount code that an order has; None where it has none."""
    if order["discount_counted_at"] is not None and order["discount_returned_at"] is None:
        counted = give_back.counted_code(order)
        return None if counted is None else Claim(counted, 1, "counted")
    held = holds.held_code(order) if order["code_held"] else None
    return None if held is None else Claim(held, 1, "held")


def exchange_seats(tx: Transaction, order: Row, wanted: Claim) -> None:
    """Give the order these seats instead of those that it has.

    Raises:
        CorrectionRefused: they are not free, or a counter contradicts the order.
    """
    _exchange(tx, TICKETS, seats_of(order), wanted)
    if wanted.how == "counted":
        tx.change(
            "UPDATE ticket_orders SET ticket_counted_at = COALESCE(ticket_counted_at, UTC_TIMESTAMP(6)),"
            " ticket_returned_at = NULL, counted_ticket_id = %s, counted_quantity = %s, held_quantity = 0,"
            " held_ticket_id = NULL WHERE id = %s",
            wanted.row_id,
            wanted.amount,
            order["id"],
        )
        counts_off.settle(tx, order["id"], "count_seats")
    else:
        tx.change(
            "UPDATE ticket_orders SET held_quantity = %s, held_ticket_id = %s WHERE id = %s",
            wanted.amount,
            wanted.row_id,
            order["id"],
        )


def exchange_use(tx: Transaction, order: Row, wanted: Claim | None) -> None:
    """Give the order the use of this code, or none, instead of the one that it has.

    Raises:
        CorrectionRefused: none is left, or a counter contradicts the order.
    """
    has = use_of(order)
    _exchange(tx, CODES, has, wanted)
    if wanted is None:
        if has is not None and has.how == "counted":
            tx.change("UPDATE ticket_orders SET discount_returned_at = UTC_TIMESTAMP(6) WHERE id = %s", order["id"])
        tx.change("UPDATE ticket_orders SET code_held = 0, held_code_id = NULL WHERE id = %s", order["id"])
        counts_off.settle(tx, order["id"], "count_use")
    elif wanted.how == "counted":
        tx.change(
            "UPDATE ticket_orders SET discount_counted_at = COALESCE(discount_counted_at, UTC_TIMESTAMP(6)),"
            " discount_returned_at = NULL, counted_code_id = %s, code_held = 0, held_code_id = NULL WHERE id = %s",
            wanted.row_id,
            order["id"],
        )
        counts_off.settle(tx, order["id"], "count_use")
    else:
        tx.change("UPDATE ticket_orders SET code_held = 1, held_code_id = %s WHERE id = %s", wanted.row_id, order["id"])


def _exchange(tx: Transaction, counter: Counter, has: Claim | None, wanted: Claim | None) -> None:
    noun, piece = _NOUNS[counter.table]
    ids = sorted({claim.row_id for claim in (has, wanted) if claim is not None})
    rows = {row_id: counters.lock(tx, counter, row_id) for row_id in ids}
    if wanted is not None:
        there = rows[wanted.row_id]
        if there is None:
            raise CorrectionRefused(f"There is no {noun} {wanted.row_id}.")
        more = wanted.amount - (has.amount if has is not None and has.row_id == wanted.row_id else 0)
        if more > 0 and there.free(more) < more:
            free = there.free(more)
            left = f"{free} {piece}{'' if free == 1 else 's'} of {noun} {wanted.row_id} {'is' if free == 1 else 'are'}"
            raise CorrectionRefused(
                f"{more} more {'is' if more == 1 else 'are'} needed, and {left} free.",
                advice=f"cachao limit --{noun} {wanted.row_id} --to NUMBER raises what there is.",
            )
    for row_id in ids:
        counted = held = 0
        for claim, sign in ((has, -1), (wanted, 1)):
            # What is gone has no counter that could be put right.
            if claim is not None and claim.row_id == row_id and rows[row_id] is not None:
                counted += sign * claim.amount if claim.how == "counted" else 0
                held += sign * claim.amount if claim.how == "held" else 0
        if rows[row_id] is not None and counters.move(tx, counter, row_id, counted=counted, held=held) is not None:
            raise CorrectionRefused(
                f"The counters of {noun} {row_id} are lower than what the order has of it.",
                advice=f"Put them right first: cachao counts --{noun} {row_id}.",
            )
