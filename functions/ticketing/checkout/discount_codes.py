"""Finds a discount code and says why it cannot be used (docs/rules.md, "Discount codes")."""

from __future__ import annotations

from datetime import datetime

import msgspec

from ticketing import dates
from ticketing.checkout.errors import CodeRefusal, CodeRefused
from ticketing.checkout.pricing import Discount
from ticketing.database import Row, Transaction

# As long as the live column can be; a longer one cannot be a code.
_LONGEST = 64


class UsableCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code that may be used now, if a use is still left when it is held."""

    code_id: int
    discount: Discount


def normalised(code: str | None) -> str | None:
    """Give a code as it is stored: upper case, no surrounding spaces; None for no code at all."""
    return (code or "").strip().upper() or None


def find_usable(tx: Transaction, *, event_id: int, code: str, now: datetime) -> UsableCode:
    """Find the code of this event that may be used now. `code` is normalised, `now` UTC without a zone.

    The live table may have the same code twice: the newest that can be used counts, else the newest.

    Raises:
        CodeRefused: it cannot, and why.
    """
    rows = [row for row in _rows(tx, event_id, code) if normalised(row["code"]) == code]
    if not rows:
        raise CodeRefused("code_unknown")
    refusals = [_refusal(row, now) for row in rows]
    for row, refusal in zip(rows, refusals, strict=True):
        if refusal is None:
            return UsableCode(
                code_id=row["id"],
                discount=Discount(discount_type=row["discount_type"], value=row["discount_value"]),
            )
    raise CodeRefused(refusals[0] or "code_unknown")


def _rows(tx: Transaction, event_id: int, code: str) -> list[Row]:
    if len(code) > _LONGEST or not _can_be_stored(tx, code):
        return []
    # MariaDB's comparison is wider than ours (É is E to it): the caller compares again.
    return tx.all(
        "SELECT id, code, discount_type, discount_value, max_uses, COALESCE(used_count, 0) + held_count AS uses,"
        " valid_from, valid_until, is_active FROM discount_codes WHERE event_id = %s AND code = %s"
        " ORDER BY id DESC LIMIT 20",
        event_id,
        code,
    )


def _can_be_stored(tx: Transaction, code: str) -> bool:
    """Tell whether the live column, whose character set nobody promised, can have such a code at all."""
    if code.isascii():
        return True
    column = tx.one(
        "SELECT character_set_name AS charset FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name = 'discount_codes' AND column_name = 'code'"
    )
    if column is None or column["charset"] == "utf8mb4":
        return True
    # What the column's character set lacks becomes a question mark on the way.
    kept = tx.one(f"SELECT CONVERT(%s USING {column['charset']}) AS code", code)
    return kept is not None and kept["code"] == code


def _refusal(row: Row, now: datetime) -> CodeRefusal | None:
    if not row["is_active"]:
        return "code_inactive"
    if not dates.has_begun(row["valid_from"], now):
        return "code_not_yet_valid"
    if dates.has_ended(row["valid_until"], now):
        return "code_expired"
    if row["max_uses"] is not None and row["uses"] >= row["max_uses"]:
        return "code_used_up"
    return None
