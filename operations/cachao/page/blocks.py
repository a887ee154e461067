"""What the commands print, as data for the page: the same tables and sentences, with the names of their styles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cachao.view.entries import Whole

# A piece of text and the names of its styles, which the page knows as classes.
Span = tuple[str, str]
Block = dict[str, Any]

STYLES: Final = frozenset({"bold", "dim", "red", "green", "yellow", "cyan", "magenta"})


def blocks_of(parts: Iterable[RenderableType]) -> list[Block]:
    """Give the blocks: `{"text": spans}`, `{"name": text}`, or `{"title", "columns", "rows": rows of cells of spans}`.

    Raises:
        TypeError: one is of a kind that no command prints so far.
    """
    return [block for part in parts for block in _blocks(part)]


def _blocks(part: RenderableType) -> Iterator[Block]:
    if isinstance(part, Table):
        cells = [list(column.cells) for column in part.columns]
        yield {
            "title": str(part.title or ""),
            "columns": [str(column.header) for column in part.columns],
            "rows": [[_spans(cell) for cell in row] for row in zip(*cells, strict=True)],
        }
    elif isinstance(part, Whole):
        yield {"name": part.text}
    elif isinstance(part, Padding):
        yield from _blocks(part.renderable)
    elif isinstance(part, Group):
        for inner in part.renderables:
            yield from _blocks(inner)
    else:
        spans = _spans(part)
        if spans:
            yield {"text": spans}


def _spans(part: RenderableType) -> list[Span]:
    if isinstance(part, str):
        part = Text.from_markup(part)
    if not isinstance(part, Text):
        raise TypeError(f"the page cannot show {type(part).__name__}")
    places = sorted({0, len(part.plain), *(edge for span in part.spans for edge in (span.start, span.end))})
    return [(part.plain[begin:end], _styles(part, begin)) for begin, end in pairwise(places)]


def _styles(text: Text, place: int) -> str:
    named = [str(text.style), *(str(span.style) for span in text.spans if span.start <= place < span.end)]
    return " ".join(word for style in named for word in style.split() if word in STYLES)
