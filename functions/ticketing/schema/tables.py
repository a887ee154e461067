"""The tables of the database as they are, read from information_schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pymysql.cursors import Cursor

# From the smallest to the largest.
INTEGERS: Final = ("tinyint", "smallint", "mediumint", "int", "bigint")


@dataclass(frozen=True)
class ExistingColumn:
    """A column.

    Attributes:
        kind: the type's name, e.g. `varchar`.
        written: the whole type as MariaDB writes it, e.g. `varchar(255)`.
        characters, octets: how long a text may be; 0 where it is none.
        digits, scale: of a number, all and after the point.
        second_digits: of a time, after the point.
        must_be_given: an INSERT that does not name it fails.
    """

    name: str
    kind: str
    written: str
    characters: int
    octets: int
    digits: int
    scale: int
    second_digits: int
    may_be_null: bool
    must_be_given: bool
    is_generated: bool
    character_set: str | None


@dataclass(frozen=True)
class ExistingTable:
    """A table, or what stands in for one.

    Attributes:
        kind: `BASE TABLE`, `VIEW`, `SYSTEM VERSIONED`, `SEQUENCE`.
        octets_of_a_character: of the table's own character set, which new columns get.
    """

    name: str
    kind: str
    engine: str | None
    row_format: str | None
    comment: str
    is_partitioned: bool
    character_set: str | None
    octets_of_a_character: int
    columns: dict[str, ExistingColumn] = field(default_factory=dict)


def look(cursor: Cursor) -> dict[str, ExistingTable]:
    """Read the tables of this database, by name."""
    cursor.execute(
        "SELECT t.table_name, t.table_type, t.engine, t.row_format, t.table_comment, t.create_options,"
        " c.character_set_name, s.maxlen FROM information_schema.tables AS t"
        " LEFT JOIN information_schema.collation_character_set_applicability AS c"
        " ON t.table_collation IN (c.collation_name, c.full_collation_name)"
        " LEFT JOIN information_schema.character_sets AS s ON s.character_set_name = c.character_set_name"
        " WHERE t.table_schema = DATABASE()"
    )
    tables = {
        str(row[0]): ExistingTable(
            name=str(row[0]),
            kind=str(row[1]),
            engine=row[2],
            row_format=row[3],
            comment=str(row[4] or ""),
            is_partitioned="partitioned" in str(row[5] or ""),
            character_set=row[6],
            octets_of_a_character=int(row[7] or 4),
        )
        for row in cursor.fetchall()
    }
    cursor.execute(
        "SELECT table_name, column_name, data_type, column_type, character_maximum_length, character_octet_length,"
        " numeric_precision, numeric_scale, datetime_precision, is_nullable, column_default, extra, character_set_name"
        " FROM information_schema.columns WHERE table_schema = DATABASE()"
    )
    for row in cursor.fetchall():
        generated = "GENERATED" in str(row[11])
        tables[str(row[0])].columns[str(row[1])] = ExistingColumn(
            name=str(row[1]),
            kind=str(row[2]).lower(),
            written=str(row[3]),
            characters=int(row[4] or 0),
            octets=int(row[5] or 0),
            digits=int(row[6] or 0),
            scale=int(row[7] or 0),
            second_digits=int(row[8] or 0),
            may_be_null=row[9] == "YES",
            must_be_given=row[9] == "NO"
            and row[10] is None
            and not generated
            and "auto_increment" not in str(row[11]).lower(),
            is_generated=generated,
            character_set=row[12],
        )
    return tables
