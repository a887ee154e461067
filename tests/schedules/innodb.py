"""Asks InnoDB who waits for a row lock, on a connection that may look at everybody's transactions."""

from __future__ import annotations

import re
import threading
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
        # For the tasks' own threads.
        self._second = connect()
        self._one_at_a_time = threading.Lock()

    def close(self) -> None:
        self._connection.close()
        self._second.close()

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

    def wait_until_gone(self, connection: int) -> None:
        """Wait until the server has undone what a closed connection left. From any thread."""
        deadline = time.monotonic() + _GONE_SECONDS
        with self._one_at_a_time, self._second.cursor() as cursor:
            while time.monotonic() < deadline:
                cursor.execute("SELECT 1 FROM information_schema.processlist WHERE id = %s", (connection,))
                if cursor.fetchone() is None:
                    return
                time.sleep(0.0005)
        raise TimeoutError(f"Connection {connection} did not end.")
