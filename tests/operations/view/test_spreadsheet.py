"""CSV for spreadsheets: no cell begins a calculation, in whatever country the spreadsheet lives."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from cachao.problems import Problem
from cachao.view.output import Output
from cachao.view.spreadsheet import write_csv

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 -- the wide forms are meant
HOSTILE = [
    '=HYPERLINK("http://example.com")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    " =1",
    '"=1',
    "＝1",  # noqa: RUF001 -- as above
    "Salsa;=cmd|'/C calc'!A0",
    'Salsa; "=1',
    "Salsa\n=1",
]


def written(capsysbinary: pytest.CaptureFixture[bytes], *rows: list[Any]) -> str:
    write_csv(Output(), ("a", "b"), rows)
    return capsysbinary.readouterr().out.decode()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("separator", [",", ";"])
def test_no_cell_begins_a_formula(capsysbinary: pytest.CaptureFixture[bytes], text: str, separator: str) -> None:
    # Where the decimal mark is a comma, a spreadsheet takes the semicolon for the end of a cell.
    file = io.StringIO(written(capsysbinary, ["before", text], [text, 1]).removeprefix("\ufeff"), newline="")
    cells = [cell for row in csv.reader(file, delimiter=separator) for cell in row]
    assert len(cells) >= 3
    for cell in cells:
        assert not cell.lstrip(" \"'\t").startswith(DANGEROUS) or cell.lstrip(' "').startswith("'"), cell


def test_numbers_stay_numbers_and_text_stays_what_it_is(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    at = datetime(2026, 11, 21, 17, 5, 3, tzinfo=UTC)
    text = written(capsysbinary, [Decimal("-12.50"), -3], [at, None], ['Größe "L", a-b=c', "two\nlines"])
    assert text.startswith("\ufeffa,b\r\n")
    assert list(csv.reader(io.StringIO(text[1:], newline=""))) == [
        ["a", "b"],
        ["-12.50", "-3"],
        ["2026-11-21 17:05:03", ""],
        ['Größe "L", a-b=c', r"two\x0alines"],
    ]


def test_two_forms_of_one_answer_are_refused() -> None:
    with pytest.raises(Problem) as problem:
        write_csv(Output(as_json=True), ("a",), [])
    assert problem.value.exit_code == 2
