"""Until when MariaDB maintains its releases: https://mariadb.org/about/#maintenance-policy, read in November 2026."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

# The long-term releases. Those between them end three months after they came out.
MAINTAINED_UNTIL: Final = {
    (10, 6): date(2026, 7, 6),
    (10, 11): date(2028, 2, 16),
    (11, 4): date(2029, 5, 29),
    (11, 8): date(2028, 6, 4),
    (12, 3): date(2029, 6, 30),
}


def why_not_maintained(version: str, today: date) -> str | None:
    """Say that MariaDB no longer maintains a server's release; None: it does, or nobody knows here.

    Args:
        version: as the server says it (`SELECT VERSION()`).
        today: the day to judge by.
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or "mariadb" not in version.lower():
        return None
    series = (int(found[1]), int(found[2]))
    until = MAINTAINED_UNTIL.get(series)
    if until is None and series < max(MAINTAINED_UNTIL):
        return f"It is MariaDB {found[0]}: no long-term release, and no longer maintained."
    if until is not None and until < today:
        return f"It is MariaDB {found[0]}, which MariaDB has not maintained since {until}."
    return None
