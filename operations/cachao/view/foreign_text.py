r"""Text that strangers wrote, made safe for a terminal and for a pipe.

Names of events have owners, metadata comes from whatever else uses the Stripe account, and error sentences quote both.
A terminal obeys what is written in them: ESC and C1 begin commands (OSC 52 writes the clipboard), bidirectional
controls reorder a line, line separators and line breaks forge one. Each such character is shown as its number: `\x1b`.
See https://www.unicode.org/reports/tr36/ and CWE-150.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# Control characters (Cc), line and paragraph separators (Zl, Zp), halves of surrogate pairs (Cs), and of the characters
# without a shape (Cf) those that hide or reorder others. Not the joiners U+200C and U+200D: some scripts and emoji need
# them.
_UNSAFE_BUT_LINE_BREAK: Final = (
    r"\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
_UNSAFE: Final = re.compile(rf"[\n{_UNSAFE_BUT_LINE_BREAK}]")
_UNSAFE_IN_LINES: Final = re.compile(f"[{_UNSAFE_BUT_LINE_BREAK}]")


def safe(text: str) -> str:
    """Give a text with each unsafe character written as its number: one line, whatever it was."""
    return _UNSAFE.sub(_number, text)


def safe_lines(text: str) -> str:
    """Give a text of ours, of several lines, with each other unsafe character in it written as its number."""
    return _UNSAFE_IN_LINES.sub(_number, text)


def safe_json(text: str) -> str:
    """Give a JSON text with each unsafe character written as JSON writes them; its value stays the same."""
    return _UNSAFE_IN_LINES.sub(_json_number, text)


def shown_json(text: str) -> str:
    """Give a JSON text whose values are to be shown: each unsafe character in them is written as its number."""
    return _UNSAFE_IN_LINES.sub(lambda found: f"\\{_number(found)}", text)


class SafeConsole(Console):
    """A console on which no text can be a command, wherever it came from; rich's own commands stay."""

    @property
    def is_drawing(self) -> bool:
        """Whether progress is drawn on it at the moment."""
        return bool(self._live_stack)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Give the segments of something that is to be shown."""
        for segment in super().render(renderable, options):
            if segment.control or not _UNSAFE_IN_LINES.search(segment.text):
                yield segment
            else:
                yield Segment(safe_lines(segment.text), segment.style)


def _number(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:  # noqa: PLR2004 -- two digits are enough
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 -- four digits are


def _json_number(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))
