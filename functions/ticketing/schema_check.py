"""Holds the live tables against what the shop leans on, before a migration changes anything.

The engine, the states an order can have, and that an order can be placed without columns nobody told us of.
"""

from __future__ import annotations

from typing import Final

from pymysql.cursors import Cursor

from ticketing.errors import DataInconsistent

_STATUSES: Final = ("pending", "processing", "paid", "refunded", "expired", "failed", "cancelled")

# What an order is placed with. The live table's other columns must do without; of its defaults nothing is known, so the
# times are among these.
PLACED_COLUMNS: Final = (
    "event_id",
    "ticket_id",
    "cognito_sub",
    "email",
    "quantity",
    "unit_price",
    "discount_amount",
    "discount_code_id",
    "total_amount",
    "currency",
    "status",
    "held_quantity",
    "code_held",
    "hold_expires_at",
    "created_at",
    "updated_at",
)


def check(cursor: Cursor) -> None:
    """Look at the tables that are there; changes nothing.

    Raises:
        DataInconsistent: the shop cannot work on them; the message says what to change.
    """
    cursor.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
        " AND table_name IN ('tickets', 'discount_codes', 'ticket_orders') AND engine <> 'InnoDB'"
    )
    wrong_engine = [str(row[0]) for row in cursor.fetchall()]
    cursor.execute(
        "SELECT column_type FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name = 'ticket_orders' AND column_name = 'status'"
    )
    row = cursor.fetchone()
    cursor.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name = 'ticket_orders' AND is_nullable = 'NO' AND column_default IS NULL AND extra = ''"
    )
    unfilled = sorted({str(row[0]) for row in cursor.fetchall()} - set(PLACED_COLUMNS))
    if wrong_engine:
        raise DataInconsistent(
            f"These tables are not InnoDB and know no transactions: {', '.join(wrong_engine)}."
            " Run ALTER TABLE … ENGINE = InnoDB on each, then migrate again."
        )
    column_type = str(row[0]) if row else ""
    missing = [status for status in _STATUSES if column_type.startswith("enum") and f"'{status}'" not in column_type]
    if missing:
        raise DataInconsistent(
            f"ticket_orders.status is {column_type} and lacks {', '.join(missing)}."
            " Extend the ENUM by these values (or make it VARCHAR(20)), then migrate again."
        )
    if unfilled:
        raise DataInconsistent(
            f"ticket_orders wants {', '.join(unfilled)} of every order, and the checkout knows nothing of it."
            " Give each a default, or let it be NULL, then migrate again."
        )
