"""Rows by the thousand: a hot ticket, its discount code, and pending orders that hold its seats."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from pymysql.connections import Connection
from pymysql.cursors import Cursor

QUANTITY = 2
# 20.00 less 10 %, twice.
TOTAL_MINOR = 3600
# Far from every other number of an order, so that each id is recognised among a statement's parameters.
_FIRST_TICKET = 5_000_001
_FIRST_CODE = 6_000_001
_FIRST_ORDER = 7_000_001
# Rows of one INSERT: one undo log that is not too long, and something to show meanwhile.
_AT_ONCE = 50_000


@dataclass(frozen=True)
class HotTicket:
    """The one ticket that everybody wants, and a code for it."""

    event_id: int
    ticket_id: int
    code_id: int


def create_hot_ticket(connection: Connection[Cursor]) -> HotTicket:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO events (name, cognito_sub) VALUES ('Salsa Night', 'owner')")
        event_id = cursor.lastrowid
        cursor.execute(
            "INSERT INTO tickets (id, event_id, name, price, max_quantity)"
            " SELECT GREATEST(COALESCE(MAX(id) + 1, 0), %s), %s, 'Standard', 20, 100000000 FROM tickets RETURNING id",
            (_FIRST_TICKET, event_id),
        )
        [ticket_id] = cursor.fetchone() or (0,)
        cursor.execute(
            "INSERT INTO discount_codes (id, event_id, code, discount_type, discount_value, max_uses)"
            " SELECT GREATEST(COALESCE(MAX(id) + 1, 0), %s), %s, 'SALSA10', 'percentage', 10, 100000000"
            " FROM discount_codes RETURNING id",
            (_FIRST_CODE, event_id),
        )
        [code_id] = cursor.fetchone() or (0,)
    return HotTicket(event_id, ticket_id, code_id)


def create_pending_orders(connection: Connection[Cursor], ticket: HotTicket, count: int) -> range:
    """Orders as the checkout leaves them, with a use of the code each; gives their ids."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT GREATEST(COALESCE(MAX(id) + 1, 0), %s) FROM ticket_orders", (_FIRST_ORDER,))
        [first] = cursor.fetchone() or (_FIRST_ORDER,)
        for begin in range(0, count, _AT_ONCE):
            some = min(_AT_ONCE, count - begin)
            cursor.execute(
                "INSERT INTO ticket_orders (id, event_id, ticket_id, email, quantity, unit_price, discount_amount,"
                " discount_code_id, total_amount, status, stripe_checkout_session_id, held_quantity, code_held,"
                " hold_expires_at)"
                " SELECT seq, %s, %s, CONCAT('buyer', seq, '@example.com'), %s, 18, 4, %s, 36, 'pending',"
                f" CONCAT('cs_test_', SHA2(seq, 224)), %s, 1, UTC_TIMESTAMP(6) + INTERVAL 1 HOUR"
                f" FROM seq_{first + begin}_to_{first + begin + some - 1}",
                (ticket.event_id, ticket.ticket_id, QUANTITY, ticket.code_id, QUANTITY),
            )
        _hold(cursor, ticket, count)
    return range(first, first + count)


def create_past_orders(connection: Connection[Cursor], ticket: HotTicket, count: int) -> None:
    """Paid orders of other tickets over the last year: what a shop has after a while."""
    with connection.cursor() as cursor:
        for begin in range(1, count + 1, _AT_ONCE):
            end = min(begin + _AT_ONCE - 1, count)
            cursor.execute(
                "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
                " stripe_checkout_session_id, stripe_payment_intent_id, cognito_sub, paid_at, ticket_counted_at,"
                " created_at)"
                " SELECT %s, %s + 1 + seq %% 500, CONCAT('buyer', seq * 7919 %% 300007, '@example.com'), 1, 20, 20,"
                " 'paid', CONCAT('cs_test_', SHA2(seq, 224)), CONCAT('pi_', LEFT(SHA2(-seq, 224), 24)),"
                " UUID(), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP() - INTERVAL (%s - seq) * 30 SECOND"
                f" FROM seq_{begin}_to_{end}",
                (ticket.event_id, ticket.ticket_id, count),
            )


def _hold(cursor: Cursor, ticket: HotTicket, orders: int) -> None:
    cursor.execute(
        "UPDATE tickets SET held_quantity = held_quantity + %s WHERE id = %s", (QUANTITY * orders, ticket.ticket_id)
    )
    cursor.execute("UPDATE discount_codes SET held_count = held_count + %s WHERE id = %s", (orders, ticket.code_id))


def session_id(order_id: int) -> str:
    """As `create_pending_orders` stores it; as long and as random as Stripe's."""
    return f"cs_test_{hashlib.sha224(str(order_id).encode()).hexdigest()}"


def check_sold(connection: Connection[Cursor], ticket: HotTicket, *, paid: int, pending: int) -> None:
    """Hold the rows against what must have happened: whoever was fast by leaving something out is found out.

    Raises:
        AssertionError: some order is not paid and counted once, or a count is wrong.
    """
    expected: dict[str, Any] = {
        "paid": paid,
        "pending": pending,
        "sold": paid * QUANTITY,
        "held": pending * QUANTITY,
        "used": paid,
        "uses_held": pending,
        "payments": paid,
        "entries": paid,
    }
    mine = "o.ticket_id = %(ticket)s"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT"
            f" (SELECT COUNT(*) FROM ticket_orders o WHERE {mine} AND status = 'paid' AND ticket_counted_at IS NOT NULL"
            " AND discount_counted_at IS NOT NULL AND held_quantity = 0 AND code_held = 0),"
            f" (SELECT COUNT(*) FROM ticket_orders o WHERE {mine} AND status = 'pending'),"
            " (SELECT sold_quantity FROM tickets WHERE id = %(ticket)s),"
            " (SELECT held_quantity FROM tickets WHERE id = %(ticket)s),"
            " (SELECT used_count FROM discount_codes WHERE id = %(code)s),"
            " (SELECT held_count FROM discount_codes WHERE id = %(code)s),"
            f" (SELECT COUNT(*) FROM order_payments p JOIN ticket_orders o ON o.id = p.order_id AND {mine}),"
            f" (SELECT COUNT(*) FROM order_history h JOIN ticket_orders o ON o.id = h.order_id AND {mine})",
            {"ticket": ticket.ticket_id, "code": ticket.code_id},
        )
        found = dict(zip(expected, cursor.fetchone() or (), strict=True))
    assert found == expected, f"the rows are not what the payments must have left: {found}, expected {expected}"
