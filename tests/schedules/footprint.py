"""What a statement touches: by this two statements are told apart whose order matters (`dependent`).

A row is named by its table and by what its statements find it by: an order's number, a ticket's, a key's. What a
statement does not say is every row of the table (`ANY`): then more orders of statements are tried than need be, never
fewer. InnoDB is asked all the same: a wait that these names do not explain is an error (`scheduler`).

Under READ COMMITTED a plain SELECT sees what is committed, so its place matters only before or after a COMMIT; whoever
locks a row sees its newest state, so their places matter among each other, and before or after the holder's COMMIT.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Row = tuple[str, str]

ANY = "*"
# By which column statements find the rows of a table; `order_id` where it is not named.
_KEYS = {
    "ticket_orders": "id",
    "tickets": "id",
    "discount_codes": "id",
    "events": "id",
    "ticket_discounts": "ticket_id",
    "idempotency_keys": "key_hash",
}
_NAMED = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+`?(\w+)`?(?:\s+(?:AS\s+)?(\w+))?", re.IGNORECASE)
_VERB = re.compile(r"\b(SELECT|UPDATE|INSERT|REPLACE|DELETE)\b", re.IGNORECASE)
# The columns of an INSERT whose values begin with parameters: its n-th column is the n-th of them.
_COLUMNS = re.compile(r"\bINTO\s+\w+\s*\(([^)]*)\)\s*(?:VALUES\s*\(|SELECT\s)((?:\s*%s\s*,?)+)", re.IGNORECASE)


@dataclass(frozen=True)
class Footprint:
    """Rows that a step locks, those of them that it writes, those that it only reads, and those that it makes seen."""

    locks: frozenset[Row] = frozenset()
    writes: frozenset[Row] = frozenset()
    reads: frozenset[Row] = frozenset()
    publishes: frozenset[Row] = frozenset()


NOTHING = Footprint()


def of_statement(sql: str, parameters: Sequence[object], *, new_row: str) -> Footprint:
    """Say what a statement touches. `new_row` names the order that it may insert: nobody else knows that one."""
    locks: set[Row] = set()
    writes: set[Row] = set()
    reads: set[Row] = set()
    given = list(parameters)
    for part in _parts(sql):
        own, given = given[: part.count("%s")], given[part.count("%s") :]
        verb = _VERB.search(part)
        if verb is None:
            continue
        _add(part, verb[1].upper(), own, new_row, locks, writes, reads)
    return Footprint(frozenset(locks), frozenset(writes), frozenset(reads))


def of_object(name: str, key: str) -> Footprint:
    """Something outside the database that two may want at once, as a session at Stripe."""
    return Footprint(locks=frozenset({(name, key)}))


def dependent(one: Footprint, other: Footprint) -> bool:
    """Tell whether two steps of two tasks may lead to something else in the other order."""
    return _meet(one.locks, other.locks) or _meet(one.reads, other.publishes) or _meet(other.reads, one.publishes)


def _meet(some: frozenset[Row], others: frozenset[Row]) -> bool:
    if not some or not others:
        return False
    if some & others:
        return True
    return any(table == there and ANY in {key, key_there} for table, key in some for there, key_there in others)


def _parts(sql: str) -> Iterable[str]:
    # A compound statement is what its statements are together.
    return sql.split(";") if sql.lstrip().upper().startswith("BEGIN NOT ATOMIC") else [sql]


@dataclass(frozen=True)
class _Mention:
    """A table in a statement: by which name, and the SELECT around it without what is in parentheses inside."""

    table: str
    alias: str
    around: str
    is_outer: bool


# A statement's text is the same each time: what it says of its tables is read once.
@functools.cache
def _mentions(part: str) -> tuple[_Mention, ...]:
    found = []
    for named in _NAMED.finditer(part):
        before = part[: named.start()].rstrip().upper()
        # "ON DUPLICATE KEY UPDATE column" and "FOR UPDATE" name no table, "FROM (SELECT" and DUAL neither.
        if before.endswith((" KEY", " FOR")) or named[1].lower() in {"select", "dual"}:
            continue
        around, is_outer = _around(part, named.start())
        found.append(_Mention(named[1].lower(), (named[2] or "").lower(), around, is_outer))
    return tuple(found)


def _around(part: str, at: int) -> tuple[str, bool]:
    """Give the text, as long as it was, with everything blank but the parentheses' level at a place."""
    level, levels = 0, []
    for character in part:
        if character == ")":
            level -= 1
        levels.append(level)
        if character == "(":
            level += 1
    here = levels[at]
    first = next((i for i in range(at, -1, -1) if levels[i] < here), -1) + 1
    last = next((i for i in range(at, len(part)) if levels[i] < here), len(part))
    kept = (c if first <= i < last and levels[i] == here else " " for i, c in enumerate(part))
    return "".join(kept), here == 0


def _add(
    part: str, verb: str, parameters: Sequence[object], new_row: str, locks: set[Row], writes: set[Row], reads: set[Row]
) -> None:
    inserts = verb in {"INSERT", "REPLACE"}
    is_locking = verb != "SELECT" or "FOR UPDATE" in part.upper()
    mentions = _mentions(part)
    for place, mention in enumerate(mentions):
        key = _key_parameter(part, place)
        row = (mention.table, ANY if key is None else str(parameters[key]))
        if is_locking and mention.is_outer and (place == 0 or not inserts):
            if inserts:
                row = (mention.table, _inserted(part, mention.table, parameters, new_row))
            locks.add(row)
            if verb != "SELECT":
                writes.add(row)
        else:
            reads.add(row)
            if verb in {"UPDATE", "DELETE"}:
                locks.add(row)  # what such a statement reads in a subquery it may lock, too


def _inserted(part: str, table: str, parameters: Sequence[object], new_row: str) -> str:
    found = _COLUMNS.search(part)
    key = _KEYS.get(table, "order_id")
    if found is None:
        return ANY
    columns = [column.strip().lower() for column in found[1].split(",")]
    if key in columns[: found[2].count("%s")]:
        return str(parameters[columns.index(key)])
    return new_row if table == "ticket_orders" else ANY


@functools.cache
def _key_parameter(part: str, place: int) -> int | None:
    """Give which parameter says what row is found of the table at this place in the statement; None: none does."""
    mentions = _mentions(part)
    mention = mentions[place]
    key = _KEYS.get(mention.table, "order_id")
    beside = {m.table for m in mentions if m.around == mention.around} - {mention.table}
    for found in re.finditer(rf"(?<![\w.])(?:(\w+)\.)?{key} = %s", mention.around, re.IGNORECASE):
        named = (found[1] or "").lower()
        # Without a name before it the column must be this table's alone.
        if named in {mention.table, mention.alias} - {""} or (not named and not beside):
            return part.count("%s", 0, found.start())
    return None
