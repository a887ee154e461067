"""Whether the server's own settings let the shop write at all."""

from __future__ import annotations

from typing import Final

from ticketing.database import LOGS_STATEMENTS

# https://mariadb.com/docs/server/server-management/server-monitoring-logs/binary-log/binary-log-formats
SETTINGS: Final = "SELECT @@log_bin AS log_bin, @@binlog_format AS binlog_format"


def write_obstacle(*, log_bin: int, binlog_format: str) -> str | None:
    """Say why no write of the shop's can succeed on this server, and what to change; None where nothing forbids it.

    The shop writes under READ COMMITTED, and there MariaDB refuses each write (error 1665) that it would have to log
    as a statement.
    """
    if log_bin and binlog_format.upper() == "STATEMENT":
        return LOGS_STATEMENTS
    return None
