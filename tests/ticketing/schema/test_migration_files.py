"""What the migrations' files say: they only add, copy no table, and are read rightly by the shop itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Connect
from tests.ticketing.schema.schemas import rows
from ticketing.schema import files
from ticketing.schema.files import Column, columns_of, indexed_by, migration_names, statements_of
from ticketing.schema.live_tables import LIVE_TABLES

STATEMENTS = [(name, statement) for name in migration_names() for statement in statements_of(name)]
IDS = [f"{name[:4]}: {' '.join(statement.split())[:60]}" for name, statement in STATEMENTS]
each_statement = pytest.mark.parametrize("statement", [statement for _, statement in STATEMENTS], ids=IDS)


@each_statement
def test_it_only_adds_and_may_run_twice(statement: str) -> None:
    assert re.match(
        r"(CREATE TABLE|CREATE INDEX) IF NOT EXISTS |ALTER TABLE |UPDATE |INSERT IGNORE |DROP INDEX IF EXISTS ",
        statement,
    )
    dropped = re.fullmatch(r"DROP INDEX IF EXISTS (\w+) ON \w+", statement)
    if dropped:
        # It makes way for columns, and is made again.
        all_of_them = [one for _, one in STATEMENTS]
        later = all_of_them[all_of_them.index(statement) :]
        assert any(one.startswith(f"CREATE INDEX IF NOT EXISTS {dropped[1]} ") for one in later)
        return
    assert not re.search(r"\b(DROP|MODIFY|CHANGE|RENAME|TRUNCATE|DELETE)\b", statement)
    assert statement.count("ADD COLUMN") == statement.count("ADD COLUMN IF NOT EXISTS")


@each_statement
def test_a_change_of_a_table_copies_none(statement: str) -> None:
    if statement.startswith(("ALTER", "CREATE INDEX")):
        assert re.search(r"ALGORITHM = (INSTANT|NOCOPY)\b", statement)


@each_statement
def test_ordinary_columns_and_virtual_ones_are_added_apart(statement: str) -> None:
    # Together they copy the table on MariaDB 10.11, and MariaDB would refuse the ALGORITHM.
    if statement.startswith("ALTER"):
        assert len({column.is_virtual for column in columns_of(statement)}) == 1


def test_the_columns_that_are_read_from_the_files_are_those_that_the_database_has(connect: Connect) -> None:
    read = {(column.table, column.name) for _, statement in STATEMENTS for column in columns_of(statement)}
    found = rows(
        connect,
        "SELECT table_name AS t, column_name AS c FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name <> 'cachao_migrations'",
    )
    assert read == {(row["t"], row["c"]) for row in found}


def test_the_indexes_that_are_read_from_the_files_are_those_that_are_made() -> None:
    made = [statement for _, statement in STATEMENTS if statement.startswith("CREATE INDEX")]
    assert made
    assert all(indexed_by(statement) for statement in made)


def test_an_empty_database_gets_the_live_tables_columns() -> None:
    made = {(column.table, column.name) for one in statements_of("0001_live_schema") for column in columns_of(one)}
    needed = {(table, column) for table, columns in LIVE_TABLES.items() for column in columns}
    assert needed <= made


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS a DECIMAL(10, 2) NOT NULL DEFAULT 0, ALGORITHM = INSTANT",
            Column("t", "a", "decimal", 10, 2, False, False, False, True),
        ),
        (
            "ALTER TABLE t\n    ADD COLUMN IF NOT EXISTS a VARCHAR(255) AS (LOWER(b)) VIRTUAL",
            Column("t", "a", "varchar", 255, 0, True, True, False, True),
        ),
        (
            "CREATE TABLE IF NOT EXISTS t (a CHAR(64) CHARACTER SET ascii NOT NULL, KEY b (a)) ENGINE = InnoDB",
            Column("t", "a", "char", 64, 0, False, False, True, False),
        ),
        (
            "CREATE TABLE IF NOT EXISTS t (\n a BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY\n) ENGINE = InnoDB",
            Column("t", "a", "bigint", 0, 0, False, False, False, False),
        ),
    ],
)
def test_a_column_is_read(statement: str, expected: Column) -> None:
    assert columns_of(statement) == (expected,)


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("", []),
        ("-- nothing; at all\n", []),
        ("SELECT 1;\nSELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';', \"--\", `;` FROM t; -- why; so\n", ["SELECT ';', \"--\", `;` FROM t"]),
        ("SELECT 'it''s; \\'--';", ["SELECT 'it''s; \\'--'"]),
        ("SELECT 3 - 1;", ["SELECT 3 - 1"]),
    ],
)
def test_statements_end_at_a_semicolon_outside_texts_and_comments(
    sql: str, statements: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "0001_x.sql").write_text(sql)
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    assert statements_of("0001_x") == statements
