"""Who opened an order's checkout, as far as it must be known again (table `order_checkouts`).

A row is written with its order and goes with the order's hold; of a paid order it stays for a day. It has digests only.
See docs/rules.md, "Seats".
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from ticketing.database import Row, Statement, Transaction
from ticketing.orders.status import LIVE, OrderStatus

# An hour's seats that cost nothing count as held: they stay taken although nobody pays.
_FREE_SECONDS: Final = 3600
_KEPT_SECONDS: Final = 24 * 3600
_REMOVED_AT_ONCE: Final = 200

# What one client has of a ticket now. Parameters: `paid`, seconds, the client, the ticket.
_SEATS_OF_CLIENT: Final = (
    "(SELECT COALESCE(SUM(IF(h.held_quantity > 0, h.held_quantity, IF(h.status = %s AND h.total_amount = 0"
    " AND k.placed_at > UTC_TIMESTAMP(6) - INTERVAL %s SECOND, h.quantity, 0))), 0)"
    " FROM order_checkouts k JOIN ticket_orders h ON h.id = k.order_id WHERE k.client_hash = %s AND k.ticket_id = %s)"
)
# The newest checkout of a buyer, if it waits for its payment, and what his client has of the ticket.
_OBSTACLES: Final = (
    "SELECT o.id AS earlier_id, o.stripe_checkout_session_id AS earlier_session, o.checkout_url AS earlier_url,"  # noqa: S608 -- constants
    " c.wish_hash AS earlier_wish, TIMESTAMPDIFF(SECOND, c.placed_at, UTC_TIMESTAMP(6)) AS earlier_age,"
    f" o.hold_expires_at <= UTC_TIMESTAMP(6) AS earlier_is_over, {_SEATS_OF_CLIENT} AS seats_of_client"
    " FROM (SELECT 1 AS one) AS nothing"
    " LEFT JOIN order_checkouts c ON c.order_id = (SELECT MAX(m.order_id) FROM order_checkouts m"
    " WHERE m.buyer_hash = %s AND m.order_id > %s AND m.placed_at > UTC_TIMESTAMP(6) - INTERVAL %s SECOND)"
    " LEFT JOIN ticket_orders o ON o.id = c.order_id AND o.status = %s"
)


class Opener(msgspec.Struct, frozen=True, kw_only=True):
    """Who opens a checkout, and for what; SHA-256 in hexadecimal.

    Attributes:
        buyer_hash: who it is and which ticket; None where nobody could be known again.
        wish_hash: how many, with which code, for which address.
        client_hash: whose holds are added up; None: nobody's.
        known_seconds: for how long the buyer is known again.
        most_seats: how many seats of a ticket the client may hold at once; 0 is no bound.
    """

    buyer_hash: str | None
    wish_hash: str
    client_hash: str | None
    known_seconds: int
    most_seats: int


class EarlierCheckout(msgspec.Struct, frozen=True, kw_only=True):
    """A checkout of the same buyer for the same ticket that waits for its payment.

    `session_id` and `checkout_url` None: it is being opened, or whoever did so died. `is_over`: its hold has ended.
    """

    order_id: int
    session_id: str | None
    checkout_url: str | None
    wish_hash: str
    age_seconds: int
    is_over: bool


def noting(opener: Opener, *, ticket_id: int, quantity: int, token_hash: str, beside: int) -> Statement:
    """Give the statement that notes who opened the checkout of the order that was inserted last.

    It changes no row if he has another one or holds too much. The ticket's row is locked: of two requests for one
    ticket the later sees what the earlier one did.
    """
    return Statement(
        "INSERT INTO order_checkouts (ticket_id, token_hash, buyer_hash, wish_hash, client_hash, order_id)"  # noqa: S608 -- constants
        " SELECT %s, %s, %s, %s, %s, LAST_INSERT_ID() FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM order_checkouts c"
        " JOIN ticket_orders o ON o.id = c.order_id WHERE c.buyer_hash = %s AND c.order_id > %s"
        " AND c.placed_at > UTC_TIMESTAMP(6) - INTERVAL %s SECOND AND o.status = %s)"
        f" AND (%s = 0 OR {_SEATS_OF_CLIENT} + %s <= %s)",
        ticket_id,
        token_hash,
        opener.buyer_hash,
        opener.wish_hash,
        opener.client_hash,
        opener.buyer_hash,
        beside,
        opener.known_seconds,
        OrderStatus.PENDING,
        opener.most_seats,
        OrderStatus.PAID,
        _FREE_SECONDS,
        opener.client_hash,
        ticket_id,
        quantity,
        opener.most_seats,
    )


def find_obstacle(
    tx: Transaction, opener: Opener, *, ticket_id: int, quantity: int, beside: int
) -> EarlierCheckout | Literal["too_many"] | None:
    """Give what of the opener's own stands in the way of a checkout now: an earlier one, or what his client holds.

    `beside` is an order that does not count as an earlier one, nor do those before it.
    """
    row = tx.one(
        _OBSTACLES,
        OrderStatus.PAID,
        _FREE_SECONDS,
        opener.client_hash,
        ticket_id,
        opener.buyer_hash,
        beside,
        opener.known_seconds,
        OrderStatus.PENDING,
    )
    if row is None:
        return None
    if row["earlier_id"] is not None:
        return EarlierCheckout(
            order_id=int(row["earlier_id"]),
            session_id=row["earlier_session"],
            checkout_url=row["earlier_url"],
            wish_hash=row["earlier_wish"],
            age_seconds=int(row["earlier_age"]),
            is_over=bool(row["earlier_is_over"]),
        )
    return "too_many" if 0 < opener.most_seats < int(row["seats_of_client"]) + quantity else None


def renew_token(tx: Transaction, *, order_id: int, token_hash: str) -> None:
    """Let another token end the checkout: who knew the old one died with it."""
    tx.change("UPDATE order_checkouts SET token_hash = %s WHERE order_id = %s", token_hash, order_id)


def order_of_token(tx: Transaction, token_hash: str) -> Row | None:
    """Give the order (id, event_id, status, session) whose checkout the token ends."""
    return tx.one(
        "SELECT o.id, o.event_id, o.status, o.stripe_checkout_session_id FROM order_checkouts c"
        " JOIN ticket_orders o ON o.id = c.order_id WHERE c.token_hash = %s",
        token_hash,
    )


def forget(tx: Transaction, order_id: int) -> None:
    """Forget who opened a checkout that has ended."""
    tx.change("DELETE FROM order_checkouts WHERE order_id = %s", order_id)


def forget_old(tx: Transaction) -> int:
    """Forget some of those that are older than a day and hold nothing, and give how many."""
    old = tx.all(
        "SELECT c.order_id FROM order_checkouts c"
        " LEFT JOIN ticket_orders o ON o.id = c.order_id AND o.status IN %s"
        " WHERE c.placed_at < UTC_TIMESTAMP(6) - INTERVAL %s SECOND AND o.id IS NULL ORDER BY c.placed_at LIMIT %s",
        LIVE,
        _KEPT_SECONDS,
        _REMOVED_AT_ONCE,
    )
    if not old:
        return 0
    return tx.change("DELETE FROM order_checkouts WHERE order_id IN %s", [row["order_id"] for row in old])
