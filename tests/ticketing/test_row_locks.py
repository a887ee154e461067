"""No statement waits for a row that it does not look for, as an UPDATE without an index does.

Each UPDATE, DELETE and SELECT … FOR UPDATE is taken from the source of functions/ and run where all rows but the one
that it names are locked. There an UPDATE without an index waits on MariaDB 11.8; on 10.11 it passes over locked rows
that do not match, but not where it may not wait at all (`innodb_lock_wait_timeout = 0`): so both are asked the same.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.constants import ER
from pymysql.cursors import DictCursor

from tests.conftest import TABLES, Connect
from ticketing.orders.counters import CODES, TICKETS

FUNCTIONS: Final = Path(__file__).parents[2] / "functions"
LOCKING: Final = re.compile(r"\s*(UPDATE|DELETE)\b|\s*SELECT\b.*\b(FOR UPDATE|LOCK IN SHARE MODE)\b", re.DOTALL)
# What the names in composed statements may be.
NAMES: Final[dict[str, list[object]]] = {
    "column": ["funds_withdrawn_at", "funds_reinstated_at"],
    "columns": ["*"],
    "counter": [TICKETS, CODES],
    "kind": ["ticket", "code"],
    "name": ["ticket_orders"],
    "one": ["id"],
    "table": ["order_corrections", "counter_corrections"],
}
OTHER_ROWS: Final = 50


def locking_statements() -> list[str]:
    found = []
    for file in FUNCTIONS.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        texts = [*_texts(tree)]
        if any(LOCKING.match(_skeleton(text)) for text in texts):
            module = importlib.import_module(".".join(file.relative_to(FUNCTIONS).with_suffix("").parts))
            found += [sql for text in texts if LOCKING.match(_skeleton(text)) for sql in _readings(text, module)]
    migrations = [file.read_text(encoding="utf-8") for file in (FUNCTIONS / "migrations").glob("*.sql")]
    found += [sql for migration in migrations for sql in migration.split(";") if LOCKING.match(sql)]
    return sorted({" ".join(sql.split()) for sql in found})


def _texts(node: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.JoinedStr) or (isinstance(child, ast.Constant) and isinstance(child.value, str)):
            yield child
        else:
            yield from _texts(child)


def _skeleton(text: ast.Constant | ast.JoinedStr) -> str:
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)


def _readings(text: ast.Constant | ast.JoinedStr, module: ModuleType) -> Iterator[str]:
    """Give what a text may be: the module's own names are constants, others are as in NAMES."""
    code = compile(ast.Expression(text), module.__name__, "eval")
    names = {node.id for node in ast.walk(text) if isinstance(node, ast.Name)} - vars(module).keys()
    for values in itertools.product(*(NAMES[name] for name in names)):
        yield eval(code, vars(module) | dict(zip(names, values, strict=True)))  # noqa: S307 -- the project's own text


def parameters_for(sql: str) -> list[object]:
    """Make whatever is looked for the one row's."""
    before = [part.rstrip().upper() for part in sql.split("%s")[:-1]]
    return [
        1 if part.endswith("LIMIT") else ("1", "0") if part.endswith(" IN") else "1"  # LIMIT takes no text
        for part in before
    ]


class Rows:
    """In each table one row whose columns are all 1, and others, which another transaction has made: it locks them."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self.locker, self.own = self._open(), self._open()
        with self.own.cursor() as cursor:
            cursor.execute(
                "SELECT c.table_name AS name, GROUP_CONCAT(c.column_name) AS columns,"
                " GROUP_CONCAT(c.data_type IN ('date', 'datetime', 'timestamp')) AS times"
                " FROM information_schema.columns AS c"
                " JOIN information_schema.tables AS t USING (table_schema, table_name)"
                " WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'"
                " GROUP BY c.table_name"
            )
            tables = cursor.fetchall()
        # What a test before may leave there would stand in the way.
        assert {table["name"] for table in tables} - {"cachao_migrations"} == set(TABLES)
        others = range(2, 2 + OTHER_ROWS)
        for table in tables:
            self._insert(self.locker, table, others)
            self._insert(self.own, table, [1])

    def _open(self) -> Connection[DictCursor]:
        connection = self._connect()
        with connection.cursor() as cursor:
            cursor.execute(
                "SET SESSION sql_mode = '', foreign_key_checks = 0, check_constraint_checks = 0,"
                " innodb_lock_wait_timeout = 0, group_concat_max_len = 100000"
            )
        return connection

    def _insert(self, connection: Connection[DictCursor], table: dict[str, Any], numbers: Any) -> None:
        columns, times = table["columns"], table["times"].split(",")
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {table['name']} ({columns}) VALUES ({', '.join(['%s'] * len(times))})",
                [[f"{2020 if n == 1 else 2100 + n}-01-01" if time == "1" else n for time in times] for n in numbers],
            )

    def why_it_meets_others(self, sql: str) -> str | None:
        """Say by what a statement may wait for a row that it does not look for; None: it cannot."""
        with self.own.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}", parameters_for(sql))
            scans = [step for step in cursor.fetchall() if step["type"] in {"ALL", "index"}]
        if scans:
            return f"it reads all rows: {scans}"
        return "it waits" if self.waits(sql) else None

    def waits(self, sql: str) -> bool:
        """Tell whether a statement waits for a lock; it is run, and undone."""
        with self.own.cursor() as cursor:
            cursor.execute("SAVEPOINT as_before")
            try:
                cursor.execute(sql, parameters_for(sql))
            except pymysql.err.OperationalError as error:
                if error.args[0] != ER.LOCK_WAIT_TIMEOUT:
                    raise
                return True
            finally:
                cursor.execute("ROLLBACK TO SAVEPOINT as_before")
        return False

    def roll_back(self) -> None:
        self.own.rollback()
        self.locker.rollback()


@pytest.fixture
def rows(connect: Connect) -> Iterator[Rows]:
    rows = Rows(connect)
    yield rows
    rows.roll_back()


def test_no_statement_waits_for_rows_that_it_does_not_look_for(rows: Rows) -> None:
    statements = locking_statements()
    assert len(statements) > 70
    assert {sql: why for sql in statements if (why := rows.why_it_meets_others(sql))} == {}


def test_a_statement_without_an_index_is_noticed(rows: Rows) -> None:
    for sql in (
        "UPDATE tickets SET max_quantity = 1 WHERE name = %s",
        "DELETE FROM order_history WHERE entry = %s",
        "SELECT id FROM tickets WHERE name = %s FOR UPDATE",
    ):
        assert rows.waits(sql), sql
        assert "reads all rows" in str(rows.why_it_meets_others(sql))


def test_a_statement_that_seeks_its_row_by_a_state_is_noticed(rows: Rows) -> None:
    """As 10.11 may do where few orders wait for a payment: to it that index is as good as the order's number."""
    assert rows.why_it_meets_others(
        "UPDATE ticket_orders FORCE INDEX (ticket_orders_by_status_and_hold) SET hold_expires_at = UTC_TIMESTAMP(6)"
        " WHERE id = %s AND status = %s AND hold_expires_at > UTC_TIMESTAMP(6)"
    )
