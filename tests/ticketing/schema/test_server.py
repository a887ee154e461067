"""A server that logs statements refuses each write of the shop: told before a migration, by the doctor, and by name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.database.mariadb import MariaDB
from tests.conftest import connect_to
from tests.factories import create_event
from ticketing.database import Database
from ticketing.errors import ConfigurationError, DataInconsistent
from ticketing.operators.inspection import database_health
from ticketing.schema.runner import apply_migrations
from ticketing.schema.server import write_obstacle


@pytest.fixture
def logging_server() -> Iterator[MariaDB]:
    folder = Path(tempfile.mkdtemp(prefix="cachao-binlog-"))
    try:
        options = ("--log-bin=changes", "--server-id=1", "--binlog-format=STATEMENT")
        with MariaDB(folder, port=0, durable=False, options=options) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def set_format(server: MariaDB, kind: str) -> None:
    root = server.connect(user="root", database="mysql")
    root.query(f"SET GLOBAL binlog_format = '{kind}'")
    root.close()


def test_a_server_that_logs_statements(logging_server: MariaDB) -> None:
    connect = connect_to(logging_server, logging_server.name)
    with pytest.raises(DataInconsistent, match=r"(?s)Nothing was changed.*binlog_format = STATEMENT.*1665"):
        apply_migrations(connect)
    set_format(logging_server, "MIXED")
    apply_migrations(connect)
    assert database_health(Database(connect)).write_obstacle is None
    set_format(logging_server, "STATEMENT")
    database = Database(connect)
    with pytest.raises(ConfigurationError, match="1665"):
        create_event(database)
    assert "1665" in str(database_health(database).write_obstacle)


@pytest.mark.parametrize(
    ("log_bin", "binlog_format", "forbids"),
    [(1, "STATEMENT", True), (1, "statement", True), (0, "STATEMENT", False), (1, "MIXED", False), (1, "ROW", False)],
)
def test_what_forbids_writes(log_bin: int, binlog_format: str, *, forbids: bool) -> None:
    assert (write_obstacle(log_bin=log_bin, binlog_format=binlog_format) is not None) is forbids
