"""What constraints of the live tables would refuse: NULL where there is nothing to write, a state, another order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pymysql
from pymysql.cursors import Cursor

from ticketing.schema.live_tables import LIVE_TABLES, PLACED_COLUMNS
from ticketing.schema.tables import ExistingTable

# What an order does not have, or not yet, and when.
_MAY_BE_NULL: Final = {
    "cognito_sub": "a guest's order has none",
    "discount_code_id": "an order without a code has none",
    "stripe_checkout_session_id": "an order has none before Stripe has made it",
    "stripe_payment_intent_id": "an order has none before it is paid",
}
# A unique index with one of these refuses no order of the shop's.
_UNIQUE_BY_ITSELF: Final = frozenset({"id", "order_mark", "stripe_checkout_session_id", "stripe_payment_intent_id"})
_WRITTEN: Final = {"tickets": ("sold_quantity",), "discount_codes": ("used_count",), "ticket_orders": PLACED_COLUMNS}


def refusals(cursor: Cursor, tables: dict[str, ExistingTable]) -> Iterator[str]:
    """Tell what the constraints of the live tables would not let the shop do."""
    for name in LIVE_TABLES:
        table = tables.get(name)
        if table is None or table.kind != "BASE TABLE":
            continue
        yield from _generated(table)
        yield from _keys(cursor, table)
        yield from _checks(cursor, table)
    if "ticket_orders" in tables:
        yield from _never_null(tables["ticket_orders"])


def _never_null(orders: ExistingTable) -> Iterator[str]:
    for name, why in _MAY_BE_NULL.items():
        column = orders.columns.get(name)
        # One that must be given and is not is told by its own sentence.
        if column is not None and not column.may_be_null:
            yield f"ticket_orders.{name} may not be NULL, but {why}. Allow NULL."


def _generated(table: ExistingTable) -> Iterator[str]:
    for name in _WRITTEN.get(table.name, ()):
        column = table.columns.get(name)
        if column is not None and column.is_generated:
            yield f"{table.name}.{name} is generated, but the shop writes it. Make it an ordinary column."


def _keys(cursor: Cursor, table: ExistingTable) -> Iterator[str]:
    cursor.execute(
        "SELECT index_name, GROUP_CONCAT(column_name ORDER BY seq_in_index) FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND table_name = %s AND non_unique = 0 GROUP BY index_name",
        (table.name,),
    )
    unique = {str(row[0]): str(row[1]).split(",") for row in cursor.fetchall()}
    if "id" in table.columns and ["id"] not in unique.values():
        yield f"{table.name}.id has no unique index of its own. Make it the primary key."
    if table.name != "ticket_orders":
        return
    for index, names in sorted(unique.items()):
        columns = [table.columns[name] for name in names if name in table.columns]
        # NULL is equal to nothing; what the shop does not write stays NULL where it may be.
        if not any(
            column.name in _UNIQUE_BY_ITSELF or (column.may_be_null and column.name not in PLACED_COLUMNS)
            for column in columns
        ):
            yield (
                f"The unique index {index} of ticket_orders ({', '.join(names)}) refuses a second order. Drop it, or"
                " make it an ordinary index."
            )


def _checks(cursor: Cursor, table: ExistingTable) -> Iterator[str]:
    cursor.execute(
        "SELECT constraint_name, check_clause FROM information_schema.check_constraints"
        " WHERE constraint_schema = DATABASE() AND table_name = %s ORDER BY constraint_name",
        (table.name,),
    )
    for constraint, clause in cursor.fetchall():
        for name, needed in LIVE_TABLES[table.name].items():
            refused = _refused_words(cursor, name, needed.words, str(clause)) if needed.words else []
            if refused:
                yield (
                    f"The constraint {constraint} of {table.name} refuses {', '.join(refused)} as {name}. Drop it, or"
                    " let it allow these, too."
                )


def _refused_words(cursor: Cursor, column: str, words: tuple[str, ...], clause: str) -> list[str]:
    """Try a CHECK on each word; one that looks at other columns besides is not for us to judge."""
    values = " UNION ALL ".join(f"SELECT %s AS `{column}`" for _ in words)
    try:
        cursor.execute(
            f"SELECT `{column}` FROM ({values}) AS words WHERE NOT ({clause.replace('%', '%%')})",  # noqa: S608 -- the table's own
            words,
        )
    except pymysql.err.MySQLError as error:
        if isinstance(error, pymysql.err.InterfaceError) or not cursor.connection.open:
            raise
        return []
    return [str(row[0]) for row in cursor.fetchall()]
