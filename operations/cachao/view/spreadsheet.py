"""Lists as CSV files that a spreadsheet opens, and from which no cell begins a calculation.

RFC 4180 with UTF-8; the byte order mark is what tells Excel that it is UTF-8. A text that begins like a formula gets
an apostrophe before it (https://owasp.org/www-community/attacks/CSV_Injection), also behind a semicolon: where the
decimal mark is a comma, Excel takes that for the end of a cell.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from cachao.problems import USAGE, Problem
from cachao.view.foreign_text import safe
from cachao.view.output import Output, moment

Cell = str | int | float | Decimal | datetime | None

_BYTE_ORDER_MARK: Final = "\ufeff"
# The wide forms are what they look like where Excel speaks Japanese.
_FORMULA: Final = re.compile(r"(^|;)(?=[\s\"']*[=+\-@＝＋－＠])")  # noqa: RUF001 -- the wide forms are meant


def write_csv(output: Output, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write rows to stdout as they come: numbers as they are, times in UTC, None as an empty cell.

    Raises:
        Problem: JSON was asked for, too.
    """
    refuse_json_and_csv(output)
    output.no_longer_waiting()
    _write(_BYTE_ORDER_MARK + _line(columns))
    for row in rows:
        output.no_longer_waiting()
        _write(_line([_cell(value) for value in row]))


def refuse_json_and_csv(output: Output) -> None:
    """Refuse two forms of one answer, before anything is done.

    Raises:
        Problem: JSON was asked for.
    """
    if output.as_json:
        raise Problem("--json or --csv, not both.", exit_code=USAGE)


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, str):
        return _FORMULA.sub(r"\1'", safe(value))
    return str(value)


def _line(cells: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def _write(text: str) -> None:
    # As bytes: a console's own encoding, or its line ends, would be another file.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()
