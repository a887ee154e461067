"""Times as operators write them: `--since 2d`, `--since 2026-11-20`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from cachao.problems import USAGE, Problem

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(\d{1,6})\s*([smhdw])\Z")


def parse_since(text: str, *, now: datetime | None = None) -> datetime:
    """Give the moment that `30m`, `12h`, `2d`, `1w`, a date or an ISO time stands for; without a zone it is UTC.

    Raises:
        Problem: it is none of these.
    """
    span = _SPAN.match(text.strip().lower())
    try:
        if span:
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[span[2]]: int(span[1])})
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # no time at all, or one before the year 1
        raise Problem(
            f"{text!r} is not a time.",
            advice="Write 30m, 12h, 2d, 1w, 2026-11-20 or 2026-11-20T08:30.",
            exit_code=USAGE,
        ) from None
