"""The SQL files of functions/migrations: their names, their statements, and what these add."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parents[2] / "migrations"
# What may hold a semicolon that ends no statement: texts, names and comments.
_PIECE: Final = re.compile(r"""'(?:[^'\\]|\\.|'')*'|"[^"]*"|`[^`]*`|--[^\n]*|;|[^'"`;-]+|.""", re.DOTALL)
_CREATE: Final = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) \((.*)\)[^)]*\Z", re.DOTALL)
_ALTER: Final = re.compile(r"ALTER TABLE (\w+)\s(.*)\Z", re.DOTALL)
_INDEX: Final = re.compile(r"CREATE INDEX IF NOT EXISTS \w+ ON (\w+) \(([^)]*)\)")
_COLUMN: Final = re.compile(r"(?:ADD COLUMN IF NOT EXISTS )?(\w+) (\w+)(?:\((\d+)(?:, *(\d+))?\))?(.*)\Z", re.DOTALL)
_NO_COLUMNS: Final = frozenset({"ALGORITHM", "CONSTRAINT", "FOREIGN", "INDEX", "KEY", "LOCK", "PRIMARY", "UNIQUE"})


@dataclass(frozen=True)
class Column:
    """A column that a migration adds.

    Attributes:
        kind: the type's name in lower case, e.g. `varchar`.
        size: characters, or all digits of a DECIMAL, or digits of a second; 0 where the type has none.
        scale: a DECIMAL's digits after the point.
        made_by_alter: added to a table that is there, not together with it.
    """

    table: str
    name: str
    kind: str
    size: int
    scale: int
    may_be_null: bool
    is_virtual: bool
    is_ascii: bool
    made_by_alter: bool


def migration_names() -> list[str]:
    """Give the names of this version's migrations, in the order in which they are applied, e.g. `0001_live_schema`."""
    return sorted(file.stem for file in FOLDER.glob("*.sql"))


def statements_of(name: str) -> list[str]:
    """Give a migration's statements, without comments."""
    return list(_split((FOLDER / f"{name}.sql").read_text(encoding="utf-8")))


@functools.cache
def columns_of(statement: str) -> tuple[Column, ...]:
    """Give the columns that a CREATE TABLE or an ALTER TABLE adds."""
    created, altered = _CREATE.match(statement), _ALTER.match(statement)
    found = created or altered
    if found is None:
        return ()
    parts = (_COLUMN.match(" ".join(part.split())) for part in _outer_parts(found[2]))
    return tuple(
        Column(
            table=found[1],
            name=part[1],
            kind=part[2].lower(),
            size=int(part[3] or 0),
            scale=int(part[4] or 0),
            may_be_null="NOT NULL" not in part[5] and "PRIMARY KEY" not in part[5],
            is_virtual=" AS (" in part[5],
            is_ascii="CHARACTER SET ascii" in part[5],
            made_by_alter=altered is not None,
        )
        for part in parts
        if part is not None and part[1] not in _NO_COLUMNS
    )


def indexed_by(statement: str) -> tuple[str, tuple[str, ...]] | None:
    """Give the table and the columns of a CREATE INDEX; None for anything else."""
    found = _INDEX.match(statement)
    return None if found is None else (found[1], tuple(name.strip() for name in found[2].split(",")))


def _split(sql: str) -> Iterator[str]:
    statement = ""
    for piece in _PIECE.findall(sql):
        if piece == ";":
            yield statement.strip()
            statement = ""
        elif not piece.startswith("--"):
            statement += piece
    if statement.strip():
        yield statement.strip()


def _outer_parts(body: str) -> list[str]:
    """Split at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for character in body:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
