"""What the commands print, as data."""

from __future__ import annotations

import pytest
from rich.columns import Columns
from rich.text import Text

from cachao.page.blocks import blocks_of
from cachao.view.entries import entries
from cachao.view.output import escape, table


def test_a_table_keeps_its_words_and_styles() -> None:
    made = table("Orders", "order", "status", rows=[["1", "[green]paid[/green] since then"]])
    assert blocks_of([made]) == [
        {
            "title": "Orders",
            "columns": ["order", "status"],
            "rows": [[[("1", "")], [("paid", "green"), (" since then", "")]]],
        }
    ]


def test_a_text_keeps_the_style_of_the_whole_and_of_a_part() -> None:
    assert blocks_of([Text.from_markup("[red]a [bold]b[/bold][/red]"), Text("c", style="yellow")]) == [
        {"text": [("a ", "red"), ("b", "red bold")]},
        {"text": [("c", "yellow")]},
    ]


def test_what_strangers_wrote_is_no_markup() -> None:
    assert blocks_of([escape("[red]x[/red]")]) == [{"text": [("[red]x[/red]", "")]}]


def test_names_stay_whole_and_empty_lines_are_left_out() -> None:
    assert blocks_of([*entries("To be replayed", [("a" * 80, ["x", "[bold]y[/bold]"])]), ""]) == [
        {"text": [("To be replayed", "bold")]},
        {"name": "a" * 80},
        {"text": [("x  ", ""), ("y", "bold")]},
    ]


def test_what_no_command_prints_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot show Columns"):
        blocks_of([Columns()])
