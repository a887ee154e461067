"""What the database holds, as values that two runs can be compared by, and what a task changed in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.conftest import TABLES
from ticketing.database import Database

# table, key, column -> value. A row that is there has at least its key's entry.
Rows = dict[tuple[str, str, str], Any]

# What differs between two runs that come to the same: numbers of rows, moments, which execution wrote.
_NOT_COMPARED = frozenset(
    {"created_at", "updated_at", "recorded_at", "reported_at", "execution_id", "alerted_at", "alerted_execution_id"}
)
_KEYS = {
    "order_history": ("order_id", "entry", "stripe_event_id"),
    "order_payments": ("order_id", "payment_key"),
    "order_refunds": ("stripe_refund_id",),
    "order_disputes": ("stripe_dispute_id",),
    "idempotency_keys": ("key_hash",),
    "order_checkouts": ("order_id",),
    "reported_sessions": ("stripe_checkout_session_id",),
}


def read_rows(database: Database, names: Mapping[str, str]) -> Rows:
    """Give all rows of all tables; `names` are what is to be written for ids that differ between runs."""
    rows: Rows = {}
    with database.transaction() as tx:
        tables = {table: tx.all(f"SELECT * FROM {table}") for table in TABLES}
    for table, found in tables.items():
        key_columns = _KEYS.get(table, ("id",))
        seen: Counter[str] = Counter()
        for row in found:
            value_of = {column: _value(value, names) for column, value in row.items()}
            key = " ".join(str(value_of[column]) for column in key_columns)
            seen[key] += 1
            key = f"{key} #{seen[key]}" if seen[key] > 1 else key
            for column, value in value_of.items():
                if column not in _NOT_COMPARED and (column != "id" or "id" in key_columns):
                    rows[table, key, column] = value
    return rows


def change_between(before: Rows, after: Rows) -> Rows:
    """Give what is new or different; the shop deletes nothing, so neither may a task."""
    assert before.keys() <= after.keys(), f"rows are gone: {sorted(before.keys() - after.keys())}"
    return {place: value for place, value in after.items() if place not in before or before[place] != value}


def describe_difference(expected: Rows, found: Rows) -> str:
    """Name the first places where two differ."""
    places = [p for p in sorted(expected.keys() | found.keys()) if expected.get(p, "-") != found.get(p, "-")]
    return "; ".join(
        f"{'.'.join(p)}: {expected.get(p, '-')!r} expected, {found.get(p, '-')!r} found" for p in places[:4]
    )


def _value(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, datetime):
        return "a time"
    return names.get(value, value) if isinstance(value, str) else value
