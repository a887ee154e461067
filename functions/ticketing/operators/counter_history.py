"""Lists what operators changed of counters, limits and sales (`counter_corrections`), the newest first."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ticketing.database import Database, Row
from ticketing.dates import utc_value
from ticketing.orders.counters import Kind

_COLUMNS = (
    "id, counter AS kind, counter_id, counted_change, held_change, limit_before, limit_after, sale_after, corrected_by,"
    " reason, corrected_at"
)


class CounterHistoryWanted(msgspec.Struct, kw_only=True):
    """Of which ticket or code; without one: of all. At most `limit`."""

    kind: Kind | None = None
    counter_id: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


class CounterHistory(msgspec.Struct, kw_only=True):
    """What was changed; columns are the table's (`kind` is its `counter`), times UTC. `more`: there are older ones."""

    corrections: list[Row]
    more: bool


def list_counter_corrections(database: Database, wanted: CounterHistoryWanted) -> CounterHistory:
    """List what was changed.

    Raises:
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        if wanted.kind is None:
            rows = tx.all(
                f"SELECT {_COLUMNS} FROM counter_corrections ORDER BY id DESC LIMIT %s",  # noqa: S608 -- constants
                wanted.limit + 1,
            )
        else:
            rows = tx.all(
                f"SELECT {_COLUMNS} FROM counter_corrections WHERE counter = %s AND counter_id = %s"  # noqa: S608 -- constants
                " ORDER BY id DESC LIMIT %s",
                wanted.kind,
                wanted.counter_id,
                wanted.limit + 1,
            )
    return CounterHistory(
        corrections=[{name: utc_value(value) for name, value in row.items()} for row in rows[: wanted.limit]],
        more=len(rows) > wanted.limit,
    )
