"""Applies the SQL files of functions/migrations, each once, in the order of their names.

MariaDB commits each DDL statement by itself, so a run can end between any two statements. Therefore each statement may
run twice without harm (`IF NOT EXISTS`, guarded changes), a file is noted in `cachao_migrations` after its last
statement, and a run that was cut short is simply run again. Nothing is ever dropped: the database's user needs no right
to (docs/deploy.md, Secrets).

See https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pymysql
from pymysql.connections import Connection
from pymysql.constants import ER
from pymysql.cursors import Cursor

from ticketing.database import describe, is_passing
from ticketing.errors import ConfigurationError, DatabaseUnavailable, DataInconsistent
from ticketing.schema import alteration
from ticketing.schema.check import check
from ticketing.schema.files import migration_names, statements_of

_LOCK_SECONDS: Final = 60
_HISTORY: Final = (
    "CREATE TABLE IF NOT EXISTS cachao_migrations ("
    " name VARCHAR(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,"
    " applied_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"
    ") ENGINE = InnoDB"
)
# A right is missing: for a table, for a column, for the database.
_NOT_ALLOWED: Final = frozenset({ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR})


def apply_migrations(connect: Callable[[], Connection[Any]]) -> list[str]:
    """Bring the database to this version's schema; safe to run at any time, by anybody, again.

    Two runs at once wait for each other. What an earlier run left half-made is finished, also one of yoyo-migrations,
    which this shop used before: what its history has counts as applied.

    Args:
        connect: opens a connection to the database that may take minutes for a statement (`FOR_MIGRATIONS`).

    Returns:
        The names of the migrations that were applied now; empty when there was nothing to do.

    Raises:
        DatabaseUnavailable: another run did not finish within a minute, or somebody's transaction holds a table.
        DataInconsistent: the live schema is not what the shop needs; the message says what to change.
        ConfigurationError: the database's user may not do what a migration needs.
    """
    connection = connect()
    connection.cursorclass = Cursor  # rows by position
    try:
        with connection.cursor() as cursor:
            _lock(cursor)
            due = _missing(cursor)
            check(cursor, due)
            cursor.execute(_HISTORY)
            for name in migration_names():
                if name in due:
                    _apply(cursor, name)
                _note(cursor, name)
                connection.commit()
    except (pymysql.err.MySQLError, OSError) as error:
        raise _stopped(error, "The migration") from error
    finally:
        connection.close()
    return due


def pending_migrations(connect: Callable[[], Connection[Any]]) -> list[str]:
    """Give the names of the migrations that the database has not had yet, without changing anything."""
    connection = connect()
    connection.cursorclass = Cursor
    try:
        with connection.cursor() as cursor:
            return _missing(cursor)
    finally:
        connection.close()


def _lock(cursor: Cursor) -> None:
    # Held by the connection and freed with it, so that a run that died blocks nobody.
    cursor.execute("SELECT GET_LOCK(CONCAT('cachao_migrate_', DATABASE()), %s)", (_LOCK_SECONDS,))
    row = cursor.fetchone()
    if row is None or row[0] != 1:
        raise DatabaseUnavailable("Another migration is running and did not finish within a minute.")


def _missing(cursor: Cursor) -> list[str]:
    """Give what neither our history nor yoyo's has, in order."""
    applied = _noted(cursor, "cachao_migrations", "name") | _noted(cursor, "_yoyo_migration", "migration_id")
    return [name for name in migration_names() if name not in applied]


def _noted(cursor: Cursor, table: str, column: str) -> set[str]:
    # A run of yoyo's that was cut short leaves its table without this column: then it has applied nothing.
    cursor.execute(
        "SELECT 1 FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = %s AND column_name = %s",
        (table, column),
    )
    if cursor.fetchone() is None:
        return set()
    cursor.execute(f"SELECT {column} FROM {table}")  # noqa: S608 -- constants of this module
    return {str(row[0]) for row in cursor.fetchall()}


def _apply(cursor: Cursor, name: str) -> None:
    for number, statement in enumerate(statements_of(name), start=1):
        try:
            alteration.execute(cursor, statement)
        except (pymysql.err.MySQLError, OSError) as error:
            raise _stopped(error, f"Statement {number} of the migration {name}") from error


def _note(cursor: Cursor, name: str) -> None:
    cursor.execute("INSERT IGNORE INTO cachao_migrations (name) VALUES (%s)", (name,))


def _stopped(error: pymysql.err.MySQLError | OSError, what: str) -> Exception:
    if is_passing(error):
        return DatabaseUnavailable(f"{what} stopped: {describe(error)}. Migrate again: it continues where it stopped.")
    if error.args and error.args[0] in _NOT_ALLOWED:
        return ConfigurationError(
            f"{what} needs a right that the database's user lacks: {describe(error)}. Grant the rights of"
            " docs/deploy.md, Secrets, then migrate again."
        )
    return DataInconsistent(f"{what} failed: {describe(error)}. What was migrated before it stays, and does no harm.")
