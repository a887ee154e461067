"""Sizes in pixels of the finished picture, boxes and lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

FONT_SIZE: Final = 13.0
SMALL_FONT_SIZE: Final = 11.0
# Width of an average character of a sans-serif font, in parts of its size; a little too wide rather than too narrow.
_CHARACTER: Final = 0.6
_LINE_CHARACTERS: Final = 11

NODE_HEIGHT: Final = 46.0
NODE_HEIGHT_WITH_TIMES: Final = 60.0
NODE_MARGIN: Final = 10.0
SMALLEST_NODE: Final = 84.0
# How far the sides of a question's box are pointed.
POINT: Final = 9.0
LAYER_GAP: Final = 34.0
TRUNK: Final = 12.0
CHANNEL: Final = 16.0
LANE: Final = 7.0
PADDING: Final = 10.0
HEADER: Final = 26.0
BRANCH_GAP: Final = 12.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle by its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """X of its middle."""
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        """X of its right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Y of its lower side."""
        return self.y + self.height

    def moved(self, x: float, y: float) -> Box:
        """Give it elsewhere."""
        return Box(self.x + x, self.y + y, self.width, self.height)


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Estimate the width of a text."""
    return len(text) * size * _CHARACTER


def lines_of(name: str) -> list[str]:
    """Break a long CamelCase name into two lines of about the same length, between words."""
    if len(name) <= _LINE_CHARACTERS:
        return [name]
    words = re.findall(r"[A-Z][^A-Z]*|^[^A-Z]+", name)
    breaks = [["".join(words[:count]), "".join(words[count:])] for count in range(1, len(words))]
    if not breaks:
        return [name]
    return min(breaks, key=lambda two: max(len(line) for line in two))


def node_width(name: str, *, pointed: bool = False) -> float:
    """Give the width that a state's box needs; `pointed`: its sides take room away from the text."""
    margin = NODE_MARGIN + (POINT if pointed else 0.0)
    return max(SMALLEST_NODE, max(text_width(line) for line in lines_of(name)) + 2 * margin)
