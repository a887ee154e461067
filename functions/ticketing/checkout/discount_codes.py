"""Finds a discount code and says why it cannot be used (docs/rules.md, "Discount codes").

Stored and typed codes are compared in one form (`normalised`), here and not by MariaDB: its collations take É for E,
or a for something else than A, and know neither zero-width blanks nor Unicode's normal forms.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime

import msgspec

from ticketing import dates
from ticketing.checkout.errors import CodeRefusal, CodeRefused
from ticketing.checkout.pricing import Discount
from ticketing.database import Row, Transaction


class UsableCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code that may be used now, if a use is still left when it is held."""

    code_id: int
    discount: Discount


def normalised(code: str | None) -> str | None:
    """Give the form in which codes are compared; None for no code at all.

    Upper case, one normal form of Unicode (NFC), and no blanks around it: no-break, zero-width and control characters
    are blanks, too.
    """
    text = unicodedata.normalize("NFC", code or "")
    first, last = 0, len(text)
    while first < last and _is_blank(text[first]):
        first += 1
    while first < last and _is_blank(text[last - 1]):
        last -= 1
    # Upper case may take letters apart again.
    return unicodedata.normalize("NFC", text[first:last].upper()) or None


def find_usable(tx: Transaction, *, event_id: int, code: str, now: datetime) -> UsableCode:
    """Find the code of this event that may be used now. `code` is normalised, `now` UTC without a zone.

    The live table may have the same code twice: the newest that can be used counts, else the newest.

    Raises:
        CodeRefused: it cannot, and why.
    """
    as_stored = _stored_so(tx, event_id, code)
    usable = _usable(as_stored, now)
    if usable is None:
        # Stored in another form, or once more in another form.
        by_id = {row["id"]: row for row in [*as_stored, *_stored_otherwise(tx, event_id, code)]}
        rows = [by_id[code_id] for code_id in sorted(by_id, reverse=True)]
        usable = _usable(rows, now)
        if usable is None:
            raise CodeRefused((_refusal(rows[0], now) if rows else None) or "code_unknown")
    return UsableCode(
        code_id=usable["id"], discount=Discount(discount_type=usable["discount_type"], value=usable["discount_value"])
    )


def _usable(rows: list[Row], now: datetime) -> Row | None:
    return next((row for row in rows if _refusal(row, now) is None), None)


_COLUMNS = (
    "SELECT id, code, discount_type, discount_value, max_uses, COALESCE(used_count, 0) + held_count AS uses,"
    " valid_from, valid_until, is_active FROM discount_codes WHERE event_id = %s AND"
)


def _stored_so(tx: Transaction, event_id: int, code: str) -> list[Row]:
    """Give the rows that MariaDB's own comparison finds, newest first: nearly all codes are found so, by the index."""
    if not code.isascii():
        return []  # the column's character set may not have it, and then the comparison is an error
    rows = tx.all(f"{_COLUMNS} code = %s ORDER BY id DESC LIMIT 20", event_id, code)
    return [row for row in rows if normalised(row["code"]) == code]


def _stored_otherwise(tx: Transaction, event_id: int, code: str) -> list[Row]:
    """Give the rows that are this code only once normalised: with blanks, other letters than ASCII's, another case.

    It reads the event's codes in the index, and fetches those that are not plain upper-case ASCII.
    """
    found = tx.all(
        # As bytes: to a collation a small letter may be a capital one.
        "SELECT id, code FROM discount_codes WHERE event_id = %s AND CAST(code AS BINARY) REGEXP '[^!-`{-~]'",
        event_id,
    )
    ids = [row["id"] for row in found if normalised(row["code"]) == code]
    if not ids:
        return []
    return tx.all(f"{_COLUMNS} id IN ({', '.join(['%s'] * len(ids))})", event_id, *ids)


def _is_blank(character: str) -> bool:
    # Separators (Zs, Zl, Zp), control characters (Cc), and those of no width (Cf).
    return unicodedata.category(character) in {"Zs", "Zl", "Zp", "Cc", "Cf"}


def _refusal(row: Row, now: datetime) -> CodeRefusal | None:
    if not row["is_active"] or row["discount_type"] is None or row["discount_value"] is None:
        return "code_inactive"
    if not dates.has_begun(row["valid_from"], now):
        return "code_not_yet_valid"
    if dates.has_ended(row["valid_until"], now):
        return "code_expired"
    if row["max_uses"] is not None and row["uses"] >= row["max_uses"]:
        return "code_used_up"
    return None
