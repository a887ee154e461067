"""The picture as a web page of one file, with the timeline of the execution beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from cachao.picture.results import Overlay, StateResult, format_seconds
from cachao.picture.svg import RESULT_WORDS, draw
from cachao.view.foreign_text import safe_lines

_STYLE: Final = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def draw_page(definition: Mapping[str, Any], overlay: Overlay, *, title: str, sentence: str = "") -> str:
    """Draw an execution's way through the state machine, and its timeline, as an HTML document.

    Args:
        definition: the state machine (Amazon States Language).
        overlay: what became of the states; those with `started` have a bar in the timeline.
        title: e.g. the execution's name.
        sentence: what is to be said of it, e.g. how it ended.

    Raises:
        ValueError: the definition is malformed.
    """
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
            f"<title>{escape(safe_lines(title))}</title><style>{_STYLE}</style></head>",
            f"<body><h1>{escape(safe_lines(title))}</h1><p>{escape(safe_lines(sentence))}</p><main>",
            draw(definition, overlay),
            "<section><h2>Timeline</h2><table><thead><tr>",
            *(f'<th scope="col">{heading}</th>' for heading in ("Step", "Began", "Took", "Tries", "")),
            "</tr></thead><tbody>",
            *_rows(overlay),
            "</tbody></table></section></main></body></html>\n",
        ]
    )


def _rows(overlay: Overlay) -> Iterator[str]:
    results = sorted(overlay.states.items(), key=lambda item: item[1].started or 0.0)
    whole = max(((result.started or 0.0) + (result.seconds or 0.0) for _, result in results), default=0.0)
    for name, result in results:
        error = f'<br><span class="error-name">{escape(safe_lines(result.error))}</span>' if result.error else ""
        began = f"+{format_seconds(result.started)}" if result.started is not None else ""
        took = format_seconds(result.seconds) if result.seconds is not None else ""
        yield (
            f'<tr class="{result.status}"><td title="{RESULT_WORDS[result.status]}">{escape(name)}{error}</td>'
            f'<td class="number">{began}</td><td class="number">{took}</td>'
            f'<td class="number">{result.attempts}</td><td class="chart">{_bar(result, whole)}</td></tr>'
        )


def _bar(result: StateResult, whole: float) -> str:
    if result.started is None or not whole:
        return ""
    left, width = 100 * result.started / whole, 100 * (result.seconds or 0.0) / whole
    return f'<div style="margin-left:{left:.1f}%;width:{min(width, 100 - left):.1f}%"></div>'
