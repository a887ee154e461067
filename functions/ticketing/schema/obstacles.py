"""What would end a migration half-way: foreseen from the tables as they are, or tried with statements that do nothing.

What is instant, and where, was tried on MariaDB 10.11 (docs/decisions.md, "Migrations").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from ticketing.database import describe
from ticketing.errors import DatabaseUnavailable
from ticketing.schema import alteration, files
from ticketing.schema.tables import ExistingTable

# An index's column in bytes, by row format; the larger one with the usual pages of 16 KB.
_LONGEST_INDEXED: Final = 3072
_LONGEST_INDEXED_COMPACT: Final = 767
_USUAL_PAGE: Final = 16384
_COMPACT: Final = frozenset({"Compact", "Redundant"})
_DROPPED: Final = re.compile(r"DROP INDEX IF EXISTS (\w+) ON \w+")
_CHANGED: Final = re.compile(r"(?:ALTER TABLE (\w+)|CREATE INDEX IF NOT EXISTS \w+ ON (\w+))\b")


def foreseen(cursor: Cursor, tables: dict[str, ExistingTable], statements: list[str]) -> Iterator[str]:
    """Tell what the tables that are there would not let these statements do."""
    longest = _longest_indexed(cursor)
    dropped = {found[1] for found in map(_DROPPED.match, statements) if found is not None}
    for table in _added_to(tables, statements):
        yield from _not_instant(cursor, table, dropped)
    for statement in statements:
        for column in files.columns_of(statement):
            if column.is_virtual and column.table in tables:
                yield from _not_virtual(cursor, tables[column.table], column)
        index = files.indexed_by(statement)
        if index is not None and index[0] in tables:
            yield from _not_indexable(tables[index[0]], index[1], statements, longest)


def try_rights_and_locks(cursor: Cursor, tables: dict[str, ExistingTable], statements: list[str]) -> None:
    """Try, on each table that these statements change, what they need, with statements that change nothing.

    Raises:
        DatabaseUnavailable: a transaction has the table and does not end.
        pymysql.err.MySQLError: a right is missing.
    """
    for name in sorted(_changed(statements) & set(tables)):
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {name} (id INT)")
        cursor.execute(f"DROP INDEX IF EXISTS cachao_no_such_index ON {name}")
        # Not every table of ours has an `id`.
        one = next(f"`{column.name}`" for column in tables[name].columns.values() if not column.is_generated)
        cursor.execute(f"INSERT IGNORE INTO {name} ({one}) SELECT {one} FROM {name} WHERE FALSE")  # noqa: S608 -- its own names
        cursor.execute(f"UPDATE {name} SET {one} = {one} WHERE FALSE")  # noqa: S608 -- its own names
        try:
            # As it is, but for the moment in which nobody else may have the table.
            comment = (tables[name].comment,)
            alteration.execute(cursor, f"ALTER TABLE {name} COMMENT = %s, ALGORITHM = INSTANT", comment)
        except pymysql.err.OperationalError as error:
            if error.args[0] != ER.LOCK_WAIT_TIMEOUT:
                raise
            raise DatabaseUnavailable(
                f"Nothing was changed: {name} is in use by a transaction that does not end ({describe(error)}). SHOW"
                " PROCESSLIST shows it; end it, or wait, then migrate again."
            ) from error


def _changed(statements: list[str]) -> set[str]:
    found = (_CHANGED.match(statement) for statement in statements)
    return {one[1] or one[2] for one in found if one is not None}


def _added_to(tables: dict[str, ExistingTable], statements: list[str]) -> list[ExistingTable]:
    """Give the tables that lack an ordinary column which these statements add."""
    columns = (column for statement in statements for column in files.columns_of(statement) if column.made_by_alter)
    names = {
        column.table
        for column in columns
        if column.table in tables and column.name not in tables[column.table].columns and not column.is_virtual
    }
    return [tables[name] for name in sorted(names)]


def _not_instant(cursor: Cursor, table: ExistingTable, dropped: set[str]) -> Iterator[str]:
    cursor.execute("SELECT @@innodb_instant_alter_column_allowed")
    row = cursor.fetchone()
    if row is not None and row[0] == "never":
        yield (
            "The server copies tables to add a column (innodb_instant_alter_column_allowed is never). Run SET GLOBAL"
            " innodb_instant_alter_column_allowed = 'add_drop_reorder' until the migration is done."
        )
    if table.row_format == "Compressed":
        yield (
            f"{table.name} has the row format COMPRESSED, and a column cannot be added without copying it. Run ALTER"
            f" TABLE {table.name} ROW_FORMAT = DYNAMIC."
        )
    cursor.execute(
        "SELECT DISTINCT s.index_name, IF(s.index_type = 'FULLTEXT', 'FULLTEXT index', 'index on a virtual column')"
        " FROM information_schema.statistics AS s JOIN information_schema.columns AS c"
        " USING (table_schema, table_name, column_name) WHERE table_schema = DATABASE() AND table_name = %s"
        " AND (s.index_type = 'FULLTEXT' OR c.extra = 'VIRTUAL GENERATED')",
        (table.name,),
    )
    for index, kind in cursor.fetchall():
        if index not in dropped:
            yield (
                f"{table.name} has the {kind} {index}, and a column cannot be added without copying the table. Drop the"
                " index, migrate, then make it again."
            )


def _not_virtual(cursor: Cursor, table: ExistingTable, column: files.Column) -> Iterator[str]:
    if column.name in table.columns:
        return
    if table.is_partitioned:
        yield (
            f"{table.name} is partitioned, and {column.name} cannot be added without copying it. Run ALTER TABLE"
            f" {table.name} REMOVE PARTITIONING."
        )
    email = table.columns.get("email")
    if email is None or table.kind != "BASE TABLE":
        return
    if table.character_set != email.character_set and email.character_set == "utf8mb4":
        yield (
            f"{table.name}.email is utf8mb4 in a table of {table.character_set}: {column.name} could not hold it. Run"
            f" ALTER TABLE {table.name} DEFAULT CHARACTER SET utf8mb4, which changes no column."
        )
    if email.characters > column.size:
        cursor.execute(f"SELECT id FROM {table.name} WHERE CHAR_LENGTH(email) > %s LIMIT 1", (column.size,))  # noqa: S608 -- a name of ours
        row = cursor.fetchone()
        if row is not None:
            yield f"Order {row[0]} has an e-mail address of more than {column.size} characters: shorten it."


def _not_indexable(table: ExistingTable, names: tuple[str, ...], statements: list[str], longest: int) -> Iterator[str]:
    added = {
        column.name: column for one in statements for column in files.columns_of(one) if column.table == table.name
    }
    for name in names:
        existing = table.columns.get(name)
        octets = 0 if existing is None else existing.octets
        if existing is None and name in added and added[name].kind in {"char", "varchar"}:
            octets = added[name].size * (1 if added[name].is_ascii else table.octets_of_a_character)
        if existing is not None and existing.kind.endswith(("text", "blob")):
            yield f"{table.name}.{name} is {existing.written} and cannot be indexed. Make it VARCHAR(255)."
        elif table.row_format in _COMPACT and octets > _LONGEST_INDEXED_COMPACT:
            yield (
                f"{table.name} has the row format {str(table.row_format).upper()}, in which an index ends at"
                f" {_LONGEST_INDEXED_COMPACT} bytes, and {name} takes {octets}. Run ALTER TABLE {table.name}"
                " ROW_FORMAT = DYNAMIC."
            )
        elif octets > longest:
            yield f"{table.name}.{name} takes {octets} bytes, and an index ends at {longest}. Make it shorter."


def _longest_indexed(cursor: Cursor) -> int:
    cursor.execute("SELECT @@innodb_page_size")
    row = cursor.fetchone()
    return _LONGEST_INDEXED * min(int(row[0]) if row else _USUAL_PAGE, _USUAL_PAGE) // _USUAL_PAGE
