"""Looks at everything that a migration and the shop lean on, before anything is changed.

What is wrong is told in sentences that say what to do, all at once. Three kinds of questions: can the live tables carry
the shop (`live_tables`), is what the migrations would add there already, as somebody else made it, and will MariaDB let
them add it, without copying a table (`obstacles`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pymysql.cursors import Cursor

from ticketing.errors import DataInconsistent
from ticketing.schema import constraints, files, obstacles, server
from ticketing.schema.live_tables import LIVE_TABLES, PLACED_COLUMNS, Kind, Needed
from ticketing.schema.tables import INTEGERS, ExistingColumn, ExistingTable, look

_TEXTS: Final = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
_MOMENTS: Final = frozenset({"date", "datetime", "timestamp"})
# ADD COLUMN IF NOT EXISTS came earlier; the instant kinds of ALTER are what is measured from here on.
_OLDEST_VERSION: Final = (10, 6)


def check(cursor: Cursor, due: list[str]) -> None:
    """Look at the tables that are there; changes nothing. `due` are the names of the migrations to be applied.

    Raises:
        DataInconsistent: the shop cannot work on them, or a migration could not be finished; the message says what to
            change.
        DatabaseUnavailable: a table is in use by a transaction that does not end.
        ConfigurationError: the database's user lacks a right.
    """
    _raise([*_version(cursor), *_settings(cursor)])
    tables = look(cursor)
    statements = [statement for name in due for statement in files.statements_of(name)]
    _raise(
        [
            *(sentence for name, columns in LIVE_TABLES.items() for sentence in _live(tables.get(name), columns)),
            *constraints.refusals(cursor, tables),
            *_ours(tables, due),
            *obstacles.foreseen(cursor, tables, statements),
        ]
    )
    obstacles.try_rights_and_locks(cursor, tables, statements)


def _raise(found: Iterable[str]) -> None:
    sentences = list(dict.fromkeys(found))
    if sentences:
        raise DataInconsistent(
            "Nothing was changed: this shop cannot work on the database as it is. Change the following, then migrate"
            " again (docs/deploy.md, Migrate and verify):" + "".join(f"\n- {sentence}" for sentence in sentences)
        )


def _version(cursor: Cursor) -> Iterator[str]:
    cursor.execute("SELECT VERSION()")
    row = cursor.fetchone()
    version = str(row[0]) if row else ""
    found = re.match(r"(\d+)\.(\d+)", version)
    if "mariadb" not in version.lower() or found is None or (int(found[1]), int(found[2])) < _OLDEST_VERSION:
        yield f"The server is {version}, and the shop needs MariaDB 10.6 or later."


def _settings(cursor: Cursor) -> Iterator[str]:
    cursor.execute(server.SETTINGS)
    row = cursor.fetchone()
    obstacle = None if row is None else server.write_obstacle(log_bin=row[0], binlog_format=row[1])
    if obstacle is not None:
        yield obstacle


# --- The live tables ------------------------------------------------------------------------------------------------


def _live(table: ExistingTable | None, needed: dict[str, Needed]) -> Iterator[str]:
    if table is None:
        return  # 0001 makes it
    if table.kind != "BASE TABLE":
        yield (
            f"{table.name} is a {table.kind.lower()} table: its changes are kept, and columns cannot be added. Run"
            f" ALTER TABLE {table.name} DROP SYSTEM VERSIONING."
            if table.kind == "SYSTEM VERSIONED"
            else f"{table.name} is a {table.kind.lower()}: make it a table."
        )
        return
    if table.engine != "InnoDB":
        yield (
            f"{table.name} is {table.engine} and knows no transactions. Run ALTER TABLE {table.name} ENGINE = InnoDB."
        )
    for name, need in needed.items():
        column = table.columns.get(name)
        if column is None:
            yield f"{table.name} lacks the column {name}, {need.kind.value}."
        else:
            yield from _unfit(table, column, need)
    if table.name == "ticket_orders":
        yield from _unfilled(table)


def _unfit(table: ExistingTable, column: ExistingColumn, need: Needed) -> Iterator[str]:
    named = f"{table.name}.{column.name} is {column.written}"
    if need.kind is Kind.WORD:
        yield from _unfit_word(column, need, named)
    elif not _is_of(column, need.kind):
        yield f"{named}, but must be {need.kind.value}."
    elif need.kind is Kind.MONEY and column.digits - column.scale < need.at_least:
        yield f"{named}: too small for {'9' * need.at_least}.99. Make it DECIMAL(10,2)."
    elif need.kind is Kind.TEXT and column.characters < need.at_least:
        yield f"{named}: too short for {need.at_least} characters. Make it VARCHAR(255)."
    elif need.kind is Kind.NUMBER and column.digits < need.at_least:
        yield f"{named}: too small for a count. Make it INT."


def _is_of(column: ExistingColumn, kind: Kind) -> bool:
    if kind is Kind.MONEY:
        return column.kind == "decimal" and column.scale >= 2  # noqa: PLR2004 -- cents
    kinds = {
        Kind.ANY: {column.kind},
        Kind.NUMBER: INTEGERS,
        Kind.MOMENT: _MOMENTS,
        Kind.TIME: _MOMENTS - {"date"},
        Kind.TEXT: _TEXTS,
    }
    return column.kind in kinds[kind]


def _unfit_word(column: ExistingColumn, need: Needed, named: str) -> Iterator[str]:
    if column.kind == "enum":
        missing = [word for word in need.words if f"'{word}'" not in column.written]
        if missing:
            yield (
                f"{named} and lacks {', '.join(missing)}. Extend the ENUM by these values at its end, or make it"
                " VARCHAR(20)."
            )
    elif column.kind not in _TEXTS:
        yield f"{named}, but must be {need.kind.value}."
    elif column.characters < need.at_least:
        yield f"{named}: too short for {max(need.words, key=len)}. Make it VARCHAR(20)."


def _unfilled(table: ExistingTable) -> Iterator[str]:
    """Name the columns that every order must have, and that the checkout knows nothing of."""
    unknown = sorted(column.name for column in table.columns.values() if column.must_be_given)
    names = [name for name in unknown if name not in PLACED_COLUMNS]
    if names:
        yield (
            f"ticket_orders requires {', '.join(names)} for every order, but the checkout does not set it."
            " Give each a default, or allow NULL."
        )


# --- What the migrations add ----------------------------------------------------------------------------------------


def _ours(tables: dict[str, ExistingTable], due: list[str]) -> Iterator[str]:
    """Hold what is there under a name of ours against what the migrations would have made."""
    ours: dict[str, list[files.Column]] = {}
    for name in files.migration_names():
        for column in (column for statement in files.statements_of(name) for column in files.columns_of(statement)):
            if column.made_by_alter or column.table not in LIVE_TABLES:
                ours.setdefault(column.table, []).append(column)
                yield from _already_there(tables.get(column.table), column, applied=name not in due)
    for name, columns in ours.items():
        if name not in LIVE_TABLES and name in tables:
            yield from _somebody_elses(tables[name], columns)


def _already_there(table: ExistingTable | None, column: files.Column, *, applied: bool) -> Iterator[str]:
    existing = None if table is None else table.columns.get(column.name)
    if existing is None:
        if applied and column.made_by_alter:
            yield (
                f"{column.table} lacks {column.name}, which an earlier migration added. Delete the rows of"
                " cachao_migrations: every migration is safe to repeat."
            )
        return
    wrong = _difference(existing, column)
    if wrong:
        yield (
            f"{column.table}.{column.name} already exists as {existing.written}, but {wrong}. Rename it, or make it"
            " what functions/migrations says."
        )


def _difference(existing: ExistingColumn, ours: files.Column) -> str:
    if ours.is_virtual != existing.is_generated:
        return f"must {'' if ours.is_virtual else 'not '}be generated"
    if ours.kind in INTEGERS and existing.kind in INTEGERS:
        too_small = INTEGERS.index(existing.kind) < INTEGERS.index(ours.kind)
    elif existing.kind != ours.kind:
        return f"must be {ours.kind.upper()}"
    elif ours.kind == "decimal":
        too_small = existing.scale < ours.scale or existing.digits - existing.scale < ours.size - ours.scale
    else:
        too_small = (existing.characters or existing.second_digits) < ours.size
    if too_small:
        return "is too small"
    if existing.may_be_null and not ours.may_be_null:
        return "must be NOT NULL"
    if existing.must_be_given and ours.may_be_null:
        return "must be NULL by default"
    return ""


def _somebody_elses(table: ExistingTable, columns: list[files.Column]) -> Iterator[str]:
    names = {column.name for column in columns}
    missing = sorted({column.name for column in columns if not column.made_by_alter} - set(table.columns))
    unknown = sorted(
        column.name for column in table.columns.values() if column.name not in names and column.must_be_given
    )
    if table.kind == "BASE TABLE" and table.engine == "InnoDB" and not missing and not unknown:
        return
    why = (
        f"it lacks {', '.join(missing)}"
        if missing
        else f"it requires {', '.join(unknown)}"
        if unknown
        else f"it is {table.engine or table.kind}"
    )
    yield f"The table {table.name} is not this shop's ({why}). Rename it, or give the shop its own database."
