"""All that the database holds of one buyer, found by the e-mail address: for whoever has a right to know.

Unlike everything else that operators read this has the address in it: it is answered, and never logged.
https://eur-lex.europa.eu/eli/reg/2016/679/oj (articles 15 and 17).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from ticketing import addresses
from ticketing.database import Database, Row, Transaction
from ticketing.dates import utc_value

# What of an order is in which table, by the column `order_id`.
TABLES: Final = (
    "order_payments",
    "order_refunds",
    "order_disputes",
    "order_history",
    "order_checkouts",
    "order_corrections",
    "event_refund_lines",
    "counts_off",
    "resent_events",
    "idempotency_keys",
)
# Orders in one answer: Lambda answers with 6 MB at most.
_AT_ONCE: Final = 100


class BuyerPage(msgspec.Struct, kw_only=True):
    """Some of the buyer's orders, by their ids, with every column and every row that belongs to them; times are UTC.

    `of_account`: orders of the same accounts under other addresses; they are no part of this. `after_id` continues the
    list; None: that was all.
    """

    orders: list[Row]
    of_account: list[int]
    after_id: int | None


def find_orders(tx: Transaction, address: str, *, after_id: int) -> tuple[list[Row], int | None]:
    """Give some of the orders with this address, by their ids, and after which id the next ones come; None: no more.

    Regardless of case, of a blank before it or blanks after it, and of how the domain is written; nothing else is the
    same address.
    """
    ways = addresses.spellings(address.strip())
    # Blanks at the end the database leaves out of account itself.
    ways += [f" {way}" for way in ways]
    rows = tx.all(
        "SELECT * FROM ticket_orders FORCE INDEX (ticket_orders_by_email)"  # noqa: S608 -- placeholders
        f" WHERE email_lower IN ({', '.join(['%s'] * len(ways))}) AND id > %s ORDER BY id LIMIT %s",
        *ways,
        after_id,
        _AT_ONCE,
    )
    # The database's collation takes letters with and without accents for the same.
    same = [row for row in rows if is_theirs(row["email"], address)]
    return same, (rows[-1]["id"] if len(rows) == _AT_ONCE else None)


def is_theirs(stored: str, address: str) -> bool:
    """Tell whether an order's address is the buyer's."""
    return addresses.is_same(stored.strip(), address.strip())


def buyer_page(database: Database, address: str, *, after_id: int) -> BuyerPage:
    """Give the first orders after an id, with all that belongs to them.

    Raises:
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        orders, next_id = find_orders(tx, address, after_id=after_id)
        return BuyerPage(
            orders=[_with_all(tx, order) for order in orders],
            of_account=_others_of_account(tx, orders, address),
            after_id=next_id,
        )


def pattern_of(address: str) -> re.Pattern[str]:
    """Give what finds the address in a text, however it is written there."""
    ways = addresses.spellings(address.strip())
    return re.compile("|".join(re.escape(way) for way in sorted(ways, key=len, reverse=True)), re.IGNORECASE)


def _with_all(tx: Transaction, order: Row) -> Row:
    known: Row = {name: utc_value(value) for name, value in order.items() if name != "email_lower"}
    for table in TABLES:
        rows = tx.all(f"SELECT * FROM {table} WHERE order_id = %s", order["id"])  # noqa: S608 -- constants
        known[table] = [{name: utc_value(value) for name, value in row.items()} for row in rows]
    return known


def _others_of_account(tx: Transaction, orders: list[Row], address: str) -> list[int]:
    accounts = {order["cognito_sub"] for order in orders} - {None, ""}
    if not accounts:
        return []
    rows = tx.all(
        "SELECT id, email FROM ticket_orders FORCE INDEX (ticket_orders_by_buyer) WHERE cognito_sub IN %s LIMIT 1000",
        tuple(sorted(accounts)),
    )
    return sorted(row["id"] for row in rows if not is_theirs(row["email"], address))
