"""Whether the database has had every migration of this version: what a worker asks before its first transaction."""

from __future__ import annotations

from typing import Any

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from ticketing.errors import SchemaOutdated
from ticketing.schema.files import migration_names


def require_current_schema(cursor: Cursor) -> None:
    """Hold that the database has had every migration of this version, with one query.

    Raises:
        SchemaOutdated: it has not; the message names what is missing.
    """
    try:
        cursor.execute("SELECT name FROM cachao_migrations")
        applied = {_first(row) for row in cursor.fetchall()}
    except pymysql.err.ProgrammingError as error:
        if error.args[0] != ER.NO_SUCH_TABLE:
            raise
        applied = set()
    missing = [name for name in migration_names() if name not in applied]
    if missing:
        raise SchemaOutdated(
            f"The database lacks {'the migration' if len(missing) == 1 else 'the migrations'} {', '.join(missing)},"
            " which belong to this version. Run `cachao migrate`. What fails meanwhile is retried for some minutes;"
            " after that, run `cachao replay --failed --since 2d --error SchemaOutdated`."
        )


def _first(row: Any) -> str:  # noqa: ANN401 -- a tuple or a dictionary, as the connection's cursors give rows
    return str(next(iter(row.values())) if isinstance(row, dict) else row[0])
