"""A run that is cut short anywhere is finished by the next one, with the documented rights."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pymysql
import pytest

from local.database.mariadb import MariaDB
from tests.conftest import Connect, connect_to
from tests.sizes import size
from tests.ticketing.schema.schemas import LIVE_SCHEMA, rows, run
from ticketing.database import Database
from ticketing.errors import ConfigurationError, DataInconsistent, SchemaOutdated
from ticketing.schema import files
from ticketing.schema.accounts import FUNCTION_RIGHTS, MIGRATION_RIGHTS
from ticketing.schema.files import migration_names, statements_of
from ticketing.schema.runner import apply_migrations, pending_migrations
from ticketing.schema.version import require_current_schema

ALL = migration_names()

# What yoyo-migrations 9 leaves where its user may not drop tables: it dies at `DROP TABLE _yoyo_migration`.
HALF_MADE_BY_YOYO = """
CREATE TABLE yoyo_tmp_kxqjyrwebl (id INT);
CREATE TABLE yoyo_lock (locked INT DEFAULT 1, ctime TIMESTAMP, pid INT NOT NULL, PRIMARY KEY (locked));
CREATE TABLE _yoyo_migration (id VARCHAR(191) NOT NULL PRIMARY KEY, ctime TIMESTAMP);
CREATE TABLE _yoyo_log (id VARCHAR(36), migration_hash VARCHAR(64), migration_id VARCHAR(255), operation VARCHAR(10),
    username VARCHAR(255), hostname VARCHAR(255), comment VARCHAR(255), created_at_utc TIMESTAMP, PRIMARY KEY (id));
CREATE TABLE _yoyo_version (version INT NOT NULL PRIMARY KEY, installed_at_utc TIMESTAMP);
"""
HISTORY_OF_YOYO = """
CREATE TABLE _yoyo_migration (migration_hash VARCHAR(64), migration_id VARCHAR(255), applied_at_utc TIMESTAMP,
    PRIMARY KEY (migration_hash));
CREATE TABLE _yoyo_version (version INT NOT NULL PRIMARY KEY, installed_at_utc TIMESTAMP);
INSERT INTO _yoyo_version VALUES (2, NOW());
"""


class Killed(BaseException):
    """The process is gone, without a word to the server."""


def killed_before(connect: Connect, number: int) -> Connect:
    """Connections that are cut before their command of this number (1 is the first after connecting)."""

    def connect_and_count() -> Any:
        connection: Any = connect()
        send, counted = connection._execute_command, itertools.count(1)

        def execute(command: int, sql: object) -> None:
            if next(counted) == number:
                connection._force_close()
                raise Killed
            send(command, sql)

        connection._execute_command = execute
        return connection

    return connect_and_count


def structure(connect: Connect) -> set[tuple[str, ...]]:
    """Columns and indexes of the shop's tables."""
    columns = rows(
        connect,
        "SELECT table_name, column_name, column_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name NOT LIKE '%%yoyo%%'",
    )
    indexes = rows(
        connect,
        "SELECT table_name, index_name, seq_in_index, column_name FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND table_name NOT LIKE '%%yoyo%%'",
    )
    return {tuple(map(str, row.values())) for row in [*columns, *indexes]}


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", LIVE_SCHEMA + HALF_MADE_BY_YOYO], ids=["empty", "live, left by yoyo"])
def test_a_run_may_be_killed_between_any_two_statements(empty_schema: Connect, mariadb: MariaDB, before: str) -> None:
    root = mariadb.connect(user="root", database=f"{mariadb.name}_empty")

    def start_anew() -> None:
        with root.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {mariadb.name}_empty")
            cursor.execute(f"CREATE DATABASE {mariadb.name}_empty CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        run(empty_schema, before)

    start_anew()
    apply_migrations(empty_schema)
    whole = structure(empty_schema)
    # In `make test` every thirteenth place, another one for each schema.
    first = size(1 + len(before) % 13, 1)
    for number in itertools.count(first, size(13, 1)):
        start_anew()
        try:
            apply_migrations(killed_before(empty_schema, number))
        except Killed:
            apply_migrations(empty_schema)
        else:
            break
        assert structure(empty_schema) == whole, f"killed before command {number}"
        assert pending_migrations(empty_schema) == []
    assert number > sum(len(statements_of(name)) for name in ALL)
    root.close()


@pytest.mark.parametrize("name", ALL)
def test_each_statement_may_run_again(empty_schema: Connect, name: str) -> None:
    apply_migrations(empty_schema)
    before = structure(empty_schema)
    # And those after it: an index that makes way for columns is made again by a later file.
    for later in ALL[ALL.index(name) :]:
        for statement in statements_of(later):
            run(empty_schema, statement)
    assert structure(empty_schema) == before


def test_what_yoyo_left_half_made_is_no_hindrance(empty_schema: Connect) -> None:
    run(empty_schema, HALF_MADE_BY_YOYO)
    assert pending_migrations(empty_schema) == ALL
    assert apply_migrations(empty_schema) == ALL
    assert pending_migrations(empty_schema) == []


def test_a_history_of_yoyo_counts(empty_schema: Connect) -> None:
    run(empty_schema, HISTORY_OF_YOYO)
    # As a live database has it: the shop before this version applied its seven.
    for name in ALL[:7]:
        for statement in statements_of(name):
            run(empty_schema, statement)
        run(empty_schema, f"INSERT INTO _yoyo_migration VALUES (SHA2('{name}', 256), '{name}', NOW())")
    assert pending_migrations(empty_schema) == ALL[7:]
    assert apply_migrations(empty_schema) == ALL[7:]
    assert {row["name"] for row in rows(empty_schema, "SELECT name FROM cachao_migrations")} == set(ALL)


# What the first 0002 had beyond today's.
OLD_0002 = """
ALTER TABLE ticket_orders ADD COLUMN IF NOT EXISTS email_lower VARCHAR(255) AS (LOWER(email)) VIRTUAL;
CREATE INDEX IF NOT EXISTS ticket_orders_by_email ON ticket_orders (email_lower, created_at);
"""


def test_a_database_that_had_the_first_0002_copies_no_table_either(empty_schema: Connect) -> None:
    run(empty_schema, HISTORY_OF_YOYO)
    for name in ALL[:7]:
        for statement in statements_of(name):
            run(empty_schema, statement)
        run(empty_schema, f"INSERT INTO _yoyo_migration VALUES (SHA2('{name}', 256), '{name}', NOW())")
    run(empty_schema, OLD_0002)
    assert apply_migrations(empty_schema) == ALL[7:]  # each ALTER says INSTANT, and MariaDB refuses what it cannot do
    index = [row for row in structure(empty_schema) if "ticket_orders_by_email" in row]
    assert len(index) == 2


def test_a_history_of_yoyo_that_stops_halfway_is_finished(empty_schema: Connect) -> None:
    run(empty_schema, HISTORY_OF_YOYO)
    for statement in statements_of(ALL[0]):
        run(empty_schema, statement)
    run(empty_schema, f"INSERT INTO _yoyo_migration VALUES (SHA2('{ALL[0]}', 256), '{ALL[0]}', NOW())")
    assert apply_migrations(empty_schema) == ALL[1:]


def test_the_tests_have_the_documented_rights_and_no_more(connect: Connect) -> None:
    grants = " ".join(str(value) for row in rows(connect, "SHOW GRANTS") for value in row.values())
    [granted] = re.findall(r"GRANT ([A-Z, ]+) ON `", grants)
    assert set(granted.split(", ")) == set(MIGRATION_RIGHTS.split(", "))
    deploy = (Path(__file__).parents[3] / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert f"GRANT {MIGRATION_RIGHTS} ON `shop`.*" in deploy
    with pytest.raises(pymysql.err.OperationalError, match="DROP command denied"):
        run(connect, "DROP TABLE order_refunds")


def test_the_functions_have_the_documented_rights_and_no_more(connect: Connect, mariadb: MariaDB) -> None:
    functions = connect_to(mariadb, mariadb.name, user=mariadb.functions_user)
    grants = " ".join(str(value) for row in rows(functions, "SHOW GRANTS") for value in row.values())
    [granted] = re.findall(r"GRANT ([A-Z, ]+) ON `", grants)
    assert set(granted.split(", ")) == set(FUNCTION_RIGHTS.split(", "))
    deploy = (Path(__file__).parents[3] / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert f"GRANT {FUNCTION_RIGHTS} ON `shop`.*" in deploy
    with pytest.raises(pymysql.err.OperationalError, match="ALTER command denied"):
        run(functions, "ALTER TABLE order_refunds ADD COLUMN one INT")


@pytest.mark.parametrize("right", ["CREATE", "ALTER", "INDEX", "INSERT"])
def test_a_right_that_is_missing_is_told(empty_schema: Connect, mariadb: MariaDB, right: str) -> None:
    rights = ", ".join(one for one in MIGRATION_RIGHTS.split(", ") if one != right)
    root = mariadb.connect(user="root", database="mysql")
    root.query(f"CREATE OR REPLACE USER 'poor'@'127.0.0.1' IDENTIFIED BY '{mariadb.password}'")
    root.query(f"GRANT {rights} ON `{mariadb.name}_empty`.* TO 'poor'@'127.0.0.1'")
    try:
        poor = connect_to(mariadb, f"{mariadb.name}_empty", user="poor")
        with pytest.raises(ConfigurationError, match=rf"{right} command denied.* docs/deploy\.md"):
            apply_migrations(poor)
    finally:
        root.query("DROP USER 'poor'@'127.0.0.1'")
        root.close()
    apply_migrations(empty_schema)


def test_a_statement_that_fails_is_named(
    empty_schema: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE IF NOT EXISTS one (id INT);\nSELECT nothing FROM one;\n")
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    with pytest.raises(DataInconsistent, match="Statement 2 of the migration 0001_first failed: error 1054"):
        apply_migrations(empty_schema)


# --- What a worker asks -------------------------------------------------------------------------------------------


def test_a_worker_refuses_a_database_that_is_not_migrated(empty_schema: Connect) -> None:
    database = Database(empty_schema, check=require_current_schema)
    with pytest.raises(SchemaOutdated, match=rf"{ALL[-1]}.*cachao migrate"), database.transaction():
        pass
    apply_migrations(empty_schema)
    with database.transaction() as tx:
        assert tx.one("SELECT COUNT(*) AS n FROM ticket_orders") == {"n": 0}


def test_a_worker_asks_once(empty_schema: Connect) -> None:
    apply_migrations(empty_schema)
    database = Database(empty_schema, check=require_current_schema)
    for _ in range(2):
        with database.transaction() as tx:
            tx.one("SELECT 1")
        run(empty_schema, "DELETE FROM cachao_migrations")  # nobody looks any more


def test_a_misspelt_column_is_a_bug_and_not_tried_again(empty_schema: Connect) -> None:
    apply_migrations(empty_schema)
    database = Database(empty_schema, check=require_current_schema)
    with pytest.raises(pymysql.err.OperationalError, match="1054"), database.transaction() as tx:
        tx.one("SELECT no_such_column FROM ticket_orders")
    with pytest.raises(pymysql.err.ProgrammingError, match="1146"), database.transaction() as tx:
        tx.one("SELECT 1 FROM no_such_table")


def test_an_older_backup_that_is_restored_under_a_worker_is_told(empty_schema: Connect) -> None:
    apply_migrations(empty_schema)
    database = Database(empty_schema, check=require_current_schema)
    with database.transaction() as tx:
        tx.one("SELECT 1")
    run(empty_schema, f"DELETE FROM cachao_migrations WHERE name = '{ALL[-1]}'")
    with pytest.raises(SchemaOutdated, match=ALL[-1]), database.transaction() as tx:
        tx.one("SELECT no_such_column FROM ticket_orders")
