"""Asks InnoDB who waits for a row lock, on a connection that may look at everybody's transactions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import pymysql

_CONNECTION = re.compile(r"MariaDB thread id (\d+)")
_TABLE = re.compile(r"(?:of table|TABLE LOCK table) `[^`]+`\.`([^`]+)`")
_GONE_SECONDS = 10.0


@dataclass(frozen=True)
class Wait:
    """A connection that waits, and for a row of which table."""

    connection: int
    table: str


class InnoDB:
    """The monitor (SHOW ENGINE INNODB STATUS): always of now. `innodb_trx` is made anew ten times a second only.

    See https://mariadb.com/kb/en/show-engine-innodb-status/.
    """

    def __init__(self, connect: Callable[[], pymysql.Connection[pymysql.cursors.Cursor]]) -> None:
        self._connection = connect()
        self._cursor = self._connection.cursor()

    def close(self) -> None:
        self._connection.close()

    def waits(self) -> list[Wait]:
        """Give the connections that wait for a row lock."""
        self._cursor.execute("SHOW ENGINE INNODB STATUS")
        row = self._cursor.fetchone()
        text = str(row[2]) if row else ""
        found = []
        for transaction in text.partition("LIST OF TRANSACTIONS")[2].split("---TRANSACTION ")[1:]:
            head, waits, about = transaction.partition("TRX HAS BEEN WAITING")
            number = _CONNECTION.search(head)
            table = _TABLE.search(about)
            if waits and number is not None:
                found.append(Wait(int(number[1]), table[1] if table else ""))
        return found

    def kill(self, connection: int) -> None:
        """End a connection, as a network or a failover does, and wait until its transaction is undone."""
        try:
            self._cursor.execute(f"KILL CONNECTION {connection}")
        except pymysql.err.OperationalError:
            return  # it is gone already
        self.wait_until_gone(connection)

    def wait_until_gone(self, connection: int) -> None:
        """Wait until the server has undone what a connection left."""
        deadline = time.monotonic() + _GONE_SECONDS
        while time.monotonic() < deadline:
            self._cursor.execute("SELECT 1 FROM information_schema.processlist WHERE id = %s", (connection,))
            if self._cursor.fetchone() is None:
                return
            time.sleep(0.0005)
        raise TimeoutError(f"Connection {connection} did not end.")
