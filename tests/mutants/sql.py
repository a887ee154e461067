"""Changes SQL a little: a term of a condition less, another comparison, sign, number, order, or assignment.

Locks (FOR UPDATE) are left: what they are for only shows when two meet (tests/schedules, the planted faults).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WORDS = re.compile(
    r"\b(SELECT|UPDATE|INSERT|DELETE|FROM|WHERE|SET|AND|OR|VALUES|JOIN|ORDER BY|LIMIT|IS NULL|IS NOT NULL|COALESCE|"
    r"UTC_TIMESTAMP|INTERVAL|IF|IN)\b"
)
# What stands for what; the second is put where the first is found.
_INSTEAD = (
    (r" AND ", " OR "),
    (r" OR ", " AND "),
    (r" <= ", " < "),
    (r" < ", " <= "),
    (r" >= ", " > "),
    (r" > ", " >= "),
    (r" <> ", " = "),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" IS NULL", " IS NOT NULL"),
    (r" IS NOT NULL", " IS NULL"),
    (r" NOT (?=EXISTS|IN)", " "),
    (r" DESC\b", " ASC"),
    (r"\bMAX\(", "MIN("),
    (r"\bMIN\(", "MAX("),
    (r"\bLEAST\(", "GREATEST("),
    (r"\bGREATEST\(", "LEAST("),
)
# Not of `SELECT 1` and `LIMIT 1`, by which only is asked whether there is a row.
_NUMBER = re.compile(r"(?<!SELECT )(?<!LIMIT )(?<![\w('])\d+(?![\w)'])")
# COALESCE(a, b) without the b.
_DEFAULT = re.compile(r"COALESCE\(([\w.]+), (?:[\w.]+)\)")
_ENDS = re.compile(r"\s(?:AND|OR|ORDER BY|GROUP BY|HAVING|LIMIT|FOR UPDATE|UNION|ON|WHERE|THEN|RETURNING)\b|[;,]")


@dataclass(frozen=True)
class Change:
    """What stands between two places of a text gives way to something else."""

    text: str
    begin: int
    end: int
    new: str

    def __str__(self) -> str:
        return self.text[: self.begin] + self.new + self.text[self.end :]

    def around(self) -> tuple[str, str]:
        """Give a piece of the text that is there once, and what becomes of it."""
        begin, end = self.begin, self.end
        while self.text.count(self.text[begin:end]) > 1 or begin == end:
            begin, end = self.text.rfind(" ", 0, max(begin - 1, 0)) + 1, self.text.find(" ", end + 1)
            end = len(self.text) if end < 0 else end
        return self.text[begin:end], self.text[begin : self.begin] + self.new + self.text[self.end : end]


def is_sql(text: str) -> bool:
    """Tell whether a text is SQL, or a piece of it: its words are written in capitals here."""
    return _WORDS.search(text) is not None


def changes(text: str) -> Iterator[Change]:
    """Give the changes that can be made; none where it is no SQL."""
    if not is_sql(text):
        return
    for pattern, other in _INSTEAD:
        for found in re.finditer(pattern, text):
            if not (pattern == " AND " and _is_between(text, found.start())):
                yield Change(text, found.start(), found.end(), other)
    for found in _NUMBER.finditer(text):
        yield Change(text, found.start(), found.end(), str(int(found[0]) + 1))
    for found in _DEFAULT.finditer(text):
        yield Change(text, found.start(), found.end(), found[1])
    yield from _without_a_term(text)
    yield from _without_an_assignment(text)


def _without_a_term(text: str) -> Iterator[Change]:
    for found in re.finditer(r"\sAND\s", text):
        if not _is_between(text, found.start()):
            end = _end(text, found.end())
            # Its parameters must go somewhere.
            yield Change(text, found.start(), end, " AND (%s IS NULL OR TRUE)" * text.count("%s", found.end(), end))


def _without_an_assignment(text: str) -> Iterator[Change]:
    begins = re.search(r"\sSET\s|ON DUPLICATE KEY UPDATE\s", text)
    at = len(text) if begins is None else begins.end()
    while at < len(text):
        end = _end(text, at)
        assignment = text[at:end].rstrip()
        column, is_assignment, value = assignment.lstrip().partition(" = ")
        if not is_assignment:
            return
        if value.count("%s") <= 1:
            same = f"IF(%s IS NULL, {column}, {column})" if "%s" in value else column
            yield Change(text, at + len(assignment) - len(value), at + len(assignment), same)
        at = end + 1 if text[end : end + 1] == "," else len(text)


def _end(text: str, at: int) -> int:
    """Give where the term that begins at a place ends: its own parentheses are closed by then."""
    level = 0
    for place in range(at, len(text)):
        level += {"(": 1, ")": -1}.get(text[place], 0)
        if level < 0 or (level == 0 and _ENDS.match(text, place)):
            return place
    return len(text)


def _is_between(text: str, at: int) -> bool:
    return re.search(r"\bBETWEEN\s\S+$", text[:at]) is not None
