"""Changes tables in use without standing in their users' way.

A change of a table needs it for itself for a moment. While it waits for that, everybody else waits behind it; and a
transaction that has read from the table and then writes to it ends in a deadlock (error 1213, seen on MariaDB 10.11:
a checkout that read a ticket's price lost against `CREATE INDEX … ON tickets`). So a change does not wait: it is
refused where the table is in use in that moment, and tried again a little later.
"""

from __future__ import annotations

import re
import time
from typing import Final

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

_CHANGE: Final = re.compile(r"(ALTER TABLE|CREATE INDEX|DROP INDEX)\b")
# After that, a change waits like anybody else, for as long as its connection lets it: a table may never be free.
_TRIES_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.01
# A change that took longer before it was refused, as an index of a large table, is not for trying out.
_SHORT_SECONDS: Final = 0.5


def execute(cursor: Cursor, statement: str, parameters: tuple[str, ...] | None = None) -> None:
    """Execute a statement of a migration.

    Raises:
        pymysql.err.MySQLError: it failed; 1205 where others had the table all the time.
    """
    if _CHANGE.match(statement) and _try_for_a_while(cursor, statement, parameters):
        return
    cursor.execute(statement, parameters)


def _try_for_a_while(cursor: Cursor, statement: str, parameters: tuple[str, ...] | None) -> bool:
    first = time.monotonic()
    while time.monotonic() < first + _TRIES_SECONDS:
        began = time.monotonic()
        try:
            cursor.execute(f"SET STATEMENT lock_wait_timeout = 0 FOR {statement}", parameters)
        except pymysql.err.OperationalError as error:
            if error.args[0] != ER.LOCK_WAIT_TIMEOUT:
                raise
        else:
            return True
        if time.monotonic() > began + _SHORT_SECONDS:
            break
        time.sleep(_PAUSE_SECONDS)
    return False
