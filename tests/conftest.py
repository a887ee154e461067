"""One throw-away MariaDB for the whole test session, and a migrated, empty database for every test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from local.mariadb import MariaDB
from ticketing.database import Database, connector
from ticketing.schema import apply_migrations

# Quoted: only the stubs know that a Connection has a kind of cursor.
Connect = Callable[[], "Connection[DictCursor]"]

TABLES = (
    "order_history",
    "order_refunds",
    "order_payments",
    "idempotency_keys",
    "ticket_orders",
    "discount_codes",
    "ticket_discounts",
    "tickets",
    "events",
)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A real server on a free port; nothing of the system's is touched, nothing is left behind."""
    folder = Path(tempfile.mkdtemp(prefix="cachao-tests-"))
    try:
        with MariaDB(folder, port=0, durable=False) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _migrated(mariadb: MariaDB) -> Connect:
    connect = connect_to(mariadb, mariadb.name)
    apply_migrations(connect)
    return connect


@pytest.fixture
def connect(_migrated: Connect) -> Iterator[Connect]:
    """Open connections to a migrated database whose tables are empty; all are closed when the test ends."""
    opened: list[Connection[DictCursor]] = []

    def open_one() -> Connection[DictCursor]:
        connection = _migrated()
        opened.append(connection)
        return connection

    _empty(_migrated)
    yield open_one
    for connection in opened:
        if connection.open:
            connection._force_close()  # type: ignore[attr-defined]


@pytest.fixture
def database(connect: Connect) -> Database:
    """The shop's own way to that database."""
    return Database(connect)


def connect_to(server: MariaDB, name: str) -> Connect:
    """Give the shop's own connector to a database of the test server."""
    return connector(
        host=server.host, port=server.port, user=server.user, password=server.password, name=name, ca_file=None
    )


def _empty(connect: Connect) -> None:
    connection = connect()
    try:
        with connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"DELETE FROM {table}")
        connection.commit()
    finally:
        connection.close()


@pytest.fixture
def empty_schema(mariadb: MariaDB) -> Iterator[Connect]:
    """A database of this test's own without any table, for migrations."""
    name = f"{mariadb.name}_empty"
    root = pymysql.connect(host=mariadb.host, port=mariadb.port, user="root", password=mariadb.password)
    try:
        with root.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        yield connect_to(mariadb, name)
        with root.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")
    finally:
        root.close()
