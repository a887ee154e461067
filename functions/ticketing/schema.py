"""Applies the migrations of functions/migrations with yoyo-migrations (https://ollycope.com/software/yoyo/latest/)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from yoyo import read_migrations
from yoyo.backends.core.mysql import MySQLBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import default_migration_table

from ticketing.database import describe, is_passing
from ticketing.errors import DatabaseUnavailable, DataInconsistent
from ticketing.order_placement import PLACED_COLUMNS

_MIGRATIONS: Final = str(Path(__file__).resolve().parent.parent / "migrations")
_LOCK_SECONDS: Final = 60
_STATUSES: Final = ("pending", "processing", "paid", "refunded", "expired", "failed", "cancelled")


class _Backend(MySQLBackend):  # type: ignore[misc]  # yoyo ships no types
    """yoyo's MySQL backend on connections of ours, so that credentials and TLS are the functions' own."""

    def __init__(self, connect: Callable[[], Connection[Any]]) -> None:
        self._open = connect
        super().__init__(DatabaseURI("mysql", None, None, None, None, _name(connect), {}), default_migration_table)

    def connect(self, dburi: DatabaseURI) -> Connection[Any]:  # noqa: ARG002 -- yoyo's signature
        connection = self._open()
        connection.cursorclass = Cursor  # yoyo reads rows by position
        return connection

    def _check_transactional_ddl(self) -> bool:
        # yoyo finds that out with a table that it makes and drops. MariaDB commits each DDL statement by itself, and a
        # user who may not drop tables would leave that one behind.
        return False

    def copy(self) -> _Backend:
        """Give yoyo the second connection that it records its progress on."""
        return _Backend(self._open)


def _name(connect: Callable[[], Connection[Any]]) -> str:
    connection = connect()
    try:
        with connection.cursor(Cursor) as cursor:
            cursor.execute("SELECT DATABASE()")
            row = cursor.fetchone()
    finally:
        connection.close()
    return str(row[0]) if row else ""


def apply_migrations(connect: Callable[[], Connection[Any]]) -> list[str]:
    """Bring the database to this version's schema; safe to run at any time, by anybody, again.

    Every statement is `IF NOT EXISTS`, because MariaDB commits each DDL statement by itself: a run that was cut
    short is simply run again. Two runs at once wait for each other.

    Args:
        connect: opens a connection to the database that may take minutes for a statement and rest as long
            (`FOR_MIGRATIONS`).

    Returns:
        The names of the migrations that were applied now; empty when there was nothing to do.

    Raises:
        DatabaseUnavailable: another run did not finish within a minute, or somebody's transaction holds a table.
        DataInconsistent: the live schema is not what the shop needs; the message says what to change.
    """
    try:
        return _apply(connect)
    except (pymysql.err.MySQLError, OSError) as error:
        reason = _reason(error)
        if not is_passing(reason):
            raise
        raise DatabaseUnavailable(
            f"The migration stopped: {describe(reason)}. What is done is kept; run it again."
        ) from error


def _apply(connect: Callable[[], Connection[Any]]) -> list[str]:
    connection = connect()
    connection.cursorclass = Cursor
    try:
        _lock(connection)
        backend = _Backend(connect)
        try:
            backend.init_database()
            due = backend.to_apply(read_migrations(_MIGRATIONS))
            backend.apply_migrations(due)
        finally:
            backend.connection.close()
        _check(connection)
    finally:
        connection.close()
    return [migration.id for migration in due]


def pending_migrations(connect: Callable[[], Connection[Any]]) -> list[str]:
    """Give the names of the migrations that the database has not had yet, without changing anything."""
    connection = connect()
    try:
        with connection.cursor(Cursor) as cursor:
            cursor.execute("SHOW TABLES LIKE '%%yoyo_migration'")
            applied: set[str] = set()
            if cursor.fetchone():
                cursor.execute("SELECT migration_id FROM _yoyo_migration")
                applied = {str(row[0]) for row in cursor.fetchall()}
    finally:
        connection.close()
    return [migration.id for migration in read_migrations(_MIGRATIONS) if migration.id not in applied]


def _reason(error: BaseException) -> BaseException:
    """Give what came first: yoyo then goes back to a savepoint, which DDL has ended, and that fails, too."""
    while isinstance(error.__context__, pymysql.err.MySQLError | OSError):
        error = error.__context__
    return error


def _lock(connection: Connection[Any]) -> None:
    # Held by the connection and freed with it, so that a run that died blocks nobody.
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(CONCAT('cachao_migrate_', DATABASE()), %s)", (_LOCK_SECONDS,))
        row = cursor.fetchone()
    if row is None or row[0] != 1:
        raise DatabaseUnavailable("Another migration is running and did not finish within a minute.")


def _check(connection: Connection[Any]) -> None:
    """Hold what the code leans on against tables that were there before.

    The engine, the states an order can have, and that an order can be placed without columns nobody told us of.
    """
    with connection.cursor() as cursor:
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
