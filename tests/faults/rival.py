"""A second session that wants the same rows: what real lock waits and real deadlocks are made of."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pymysql

from local.database.mariadb import MariaDB
from tests.conftest import TABLES

ORDERS = "ticket_orders"
ALL_OTHERS = tuple(table for table in TABLES if table != ORDERS)
# InnoDB makes this table anew only when nobody has read it for a tenth of a second.
_POLL_SECONDS = 0.15


class Rival:
    """Holds locks while somebody else's transaction runs.

    Args:
        server: the database server.
    """

    def __init__(self, server: MariaDB) -> None:
        self._server = server

    @contextlib.contextmanager
    def holding(self, tables: tuple[str, ...], *, then_wants_the_order: bool = False) -> Iterator[None]:
        """Lock all rows of these tables, and the gaps where new ones would go.

        With `then_wants_the_order` it asks for the order as soon as somebody waits for it. Whoever that is locked the
        order before (the shop's lock order), so the two wait for each other.
        """
        connection, onlooker = self._server.connect(user="root"), self._server.connect(user="root")
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(connection, onlooker, done))
        try:
            with connection.cursor() as cursor:
                # In READ COMMITTED there would be no gap locks, and an INSERT would not wait.
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                connection.begin()
                if then_wants_the_order:
                    self._outweigh(cursor)
                for table in tables:
                    cursor.execute(f"SELECT * FROM {table} FOR UPDATE")
            if then_wants_the_order:
                watcher.start()
            yield
        finally:
            done.set()
            if watcher.ident is not None:
                watcher.join()
            connection.rollback()
            connection.close()
            onlooker.close()

    @staticmethod
    def _outweigh(cursor: pymysql.cursors.Cursor) -> None:
        # InnoDB gives up the transaction that changed less (https://mariadb.com/kb/en/innodb-lock-modes/).
        rows = ", ".join(f"('{number:064d}', '', UTC_TIMESTAMP(6))" for number in range(200))
        cursor.execute(f"INSERT INTO idempotency_keys (key_hash, request_hash, expires_at) VALUES {rows}")

    @staticmethod
    def _watch(
        connection: pymysql.Connection[pymysql.cursors.Cursor],
        onlooker: pymysql.Connection[pymysql.cursors.Cursor],
        done: threading.Event,
    ) -> None:
        waiting = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        with onlooker.cursor() as cursor:
            while not done.wait(_POLL_SECONDS):
                cursor.execute(waiting)
                row = cursor.fetchone()
                if row and row[0]:
                    break
        if not done.is_set():
            with contextlib.suppress(pymysql.err.MySQLError), connection.cursor() as cursor:
                cursor.execute(f"SELECT id FROM {ORDERS} FOR UPDATE")
