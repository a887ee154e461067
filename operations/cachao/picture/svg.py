"""The picture as SVG text: complete in itself, its colours by the reader's light or dark setting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from cachao.picture.geometry import (
    HEADER,
    NODE_HEIGHT,
    NODE_HEIGHT_WITH_TIMES,
    POINT,
    SMALL_FONT_SIZE,
    Box,
    Point,
    lines_of,
    text_width,
)
from cachao.picture.graph import Edge, Node, read_graph
from cachao.picture.layout import Line, Plan, all_plans, lay_out
from cachao.picture.results import Overlay, StateResult, format_seconds
from cachao.view.foreign_text import safe_lines

Points = tuple[Point, ...]

# Its colours by themselves, for a page that has the same.
COLOURS: Final = (Path(__file__).parent / "palette.css").read_text(encoding="utf-8")
RULES: Final = (Path(__file__).parent / "picture.css").read_text(encoding="utf-8")
_MARGIN: Final = 16.0
_LINE_HEIGHT: Final = 15.0
_LABEL_LINE: Final = 12.5
_ROUNDING: Final = 6.0
_START_ROOM: Final = 24.0
_LEGEND_ROOM: Final = 36.0
_BADGES: Final = {"succeeded": "✓", "caught": "!", "failed": "✕", "running": "…", "stopped": "■"}
_LEGEND: Final = (("", "goes on"), ("error", "an error, caught"))
RESULT_WORDS: Final = {
    "succeeded": "succeeded",
    "caught": "failed, caught",
    "failed": "failed",
    "running": "running",
    "stopped": "stopped",
}


def draw(definition: Mapping[str, Any], overlay: Overlay | None = None, *, styled: bool = True) -> str:
    """Draw a state machine, with an execution laid over it where one is given.

    Args:
        definition: the state machine (Amazon States Language).
        overlay: what became of the states.
        styled: with its colours; without them a page puts COLOURS and RULES beside it.

    Returns:
        An SVG document. It is the same text for the same definition.

    Raises:
        ValueError: the definition is malformed.
    """
    graph = read_graph(definition)
    plan = lay_out(graph, node_height=NODE_HEIGHT if overlay is None else NODE_HEIGHT_WITH_TIMES)
    plan = plan.moved(_MARGIN, _MARGIN + _START_ROOM)
    width = plan.width + 2 * _MARGIN
    height = plan.height + 2 * _MARGIN + _START_ROOM + _LEGEND_ROOM
    title = "The state machine" if overlay is None else "The way of one execution through the state machine"
    size = f'viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" height="{_n(height)}"'
    run = "" if overlay is None else ' class="run"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}{run} role="img" aria-label={quoteattr(title)}>',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(str(definition.get('Comment', '')).strip())}</desc>",
        *([f"<style>{COLOURS}{RULES}</style>"] if styled else []),
        f'<rect class="paper" width="{_n(width)}" height="{_n(height)}" rx="8"/>',
        *_start(plan.boxes[graph.start], overlay),
        *_lines(plan, overlay),
        *_states(plan, overlay),
        *_labels(plan),
        *_legend(_MARGIN, height - _MARGIN - 4, overlay),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


# --- Lines --------------------------------------------------------------------------------------------------------


def _start(box: Box, overlay: Overlay | None) -> Iterator[str]:
    top = box.y - _START_ROOM
    classes = "" if overlay is None else " taken"
    yield f'<circle class="start" cx="{_n(box.middle)}" cy="{_n(top + 5)}" r="5"/>'
    yield f'<path class="way{classes}" d="M{_n(box.middle)} {_n(top + 10)}V{_n(box.y - 6)}"/>'
    yield _tip((box.middle, top), (box.middle, box.y), classes)


def _lines(plan: Plan, overlay: Overlay | None) -> Iterator[str]:
    every = [(line, _classes(line.edge, overlay, one.graph.doomed)) for one in all_plans(plan) for line in one.lines]
    every.sort(key=lambda drawn: "taken" in drawn[1])  # what was taken lies above what was not
    drawn: dict[tuple[str, str], list[Points]] = defaultdict(list)
    for line, classes in every:
        # Lines to one state join; where they run together only one is drawn, or their dashes would fill each other.
        before = drawn[line.edge.target, classes]
        points = _until_joined(_shortened(line.points), before)
        before.append(line.points)
        yield f'<path class="way{classes}" d="{_path(points)}">{_tooltip(line.edge)}</path>'
        if len(before) == 1 or line.points[-1] not in {other[-1] for other in before[:-1]}:
            yield _tip(line.points[-2], line.points[-1], classes)


def _until_joined(points: Points, others: list[Points]) -> Points:
    """Cut a line a little after the place where it meets one of the others."""
    for index, (start, end) in enumerate(pairwise(points)):
        meetings = [m for other in others for m in _meetings(start, end, other)]
        if meetings:
            nearest = min(meetings, key=lambda m: _distance(start, m))
            return _cut(points, index, _distance(start, nearest) + _ROUNDING)
    return points


def _meetings(start: Point, end: Point, other: Points) -> Iterator[Point]:
    """Give the corners of a line that lie on a stretch, and the places where the stretch's end lies on the line."""
    for corner in other:
        if _lies_on(corner, start, end):
            yield corner
    for a, b in pairwise(other):
        if _lies_on(end, a, b):
            yield end


def _lies_on(point: Point, start: Point, end: Point) -> bool:
    x_range, y_range = sorted((start[0], end[0])), sorted((start[1], end[1]))
    within = x_range[0] <= point[0] <= x_range[1] and y_range[0] <= point[1] <= y_range[1]
    return within and (start[0] == end[0] == point[0] or start[1] == end[1] == point[1])


def _cut(points: Points, index: int, length: float) -> Points:
    """Give the line's beginning: all before a stretch, and so much from the stretch's start on."""
    kept = list(points[: index + 1])
    for start, end in pairwise(points[index:]):
        stretch = _distance(start, end)
        if stretch >= length:
            part = length / stretch if stretch else 0.0
            return (*kept, (start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part))
        kept.append(end)
        length -= stretch
    return tuple(kept)


def _distance(start: Point, end: Point) -> float:
    """Along a line of right angles."""
    return abs(end[0] - start[0]) + abs(end[1] - start[1])


def _classes(edge: Edge, overlay: Overlay | None, doomed: set[str]) -> str:
    classes = " error" if edge.is_error else ""
    if overlay is None or not _is_taken(edge, overlay):
        return classes
    return f"{classes} taken{' lost' if edge.target in doomed else ''}"


def _is_taken(edge: Edge, overlay: Overlay) -> bool:
    source, target = overlay.states.get(edge.source), overlay.states.get(edge.target)
    if source is None or target is None:
        return False
    if overlay.transitions is not None and (edge.source, edge.target) not in overlay.transitions:
        return False
    return edge.is_error == (source.status == "caught")


def _path(points: Points) -> str:
    """Right angles with round corners."""
    x, y = points[0]
    text = f"M{_n(x)} {_n(y)}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        if corner in {before, after}:
            continue
        enter, leave = _towards(corner, before), _towards(corner, after)
        text += f"L{_n(enter[0])} {_n(enter[1])}Q{_n(corner[0])} {_n(corner[1])} {_n(leave[0])} {_n(leave[1])}"
    return f"{text}L{_n(points[-1][0])} {_n(points[-1][1])}"


def _towards(corner: Point, other: Point) -> Point:
    """Give the point a little way from a corner, at most half the way to the next."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    part = min(_ROUNDING, length / 2) / length if length else 0.0
    return corner[0] + dx * part, corner[1] + dy * part


def _shortened(points: Points) -> Points:
    """Leave room for the tip."""
    (x, y), (end_x, end_y) = points[-2], points[-1]
    length = abs(end_x - x) + abs(end_y - y) or 1.0
    part = max(0.0, (length - 5.0) / length)
    return (*points[:-1], (x + (end_x - x) * part, y + (end_y - y) * part))


def _tip(before: Point, end: Point, classes: str) -> str:
    dx, dy = end[0] - before[0], end[1] - before[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ux, uy = dx / length, dy / length
    back = (end[0] - 7.5 * ux, end[1] - 7.5 * uy)
    corners = [end, (back[0] - 3.8 * uy, back[1] + 3.8 * ux), (back[0] + 3.8 * uy, back[1] - 3.8 * ux)]
    return f'<polygon class="tip{classes}" points="{" ".join(f"{_n(x)},{_n(y)}" for x, y in corners)}"/>'


def _tooltip(edge: Edge) -> str:
    how = "on an error" if edge.is_error else "on"
    words = f": {edge.whole_text}" if edge.whole_text else ""
    return f"<title>{escape(f'{edge.source} {how} to {edge.target}{words}')}</title>"


def _labels(plan: Plan) -> Iterator[str]:
    for one in all_plans(plan):
        for line in one.lines:
            if line.label is not None:
                yield _label(line)


def _label(line: Line) -> str:
    assert line.label is not None  # noqa: S101 -- for the type checker
    x, y = line.label.at
    error = " error" if line.edge.is_error else ""
    # Error names are long: one below the other, the last one where a single one would stand.
    words = line.edge.labels if line.edge.is_error else (line.label.text,)
    spans = "".join(
        f'<tspan x="{_n(x)}" y="{_n(y - (len(words) - 1 - number) * _LABEL_LINE)}">{escape(word)}</tspan>'
        for number, word in enumerate(words)
    )
    return f'<text class="label{error}" text-anchor="{line.label.anchor}">{spans}</text>'


# --- States -------------------------------------------------------------------------------------------------------


def _states(plan: Plan, overlay: Overlay | None) -> Iterator[str]:
    for one in all_plans(plan):
        for name, box in one.boxes.items():
            result = overlay.states.get(name) if overlay is not None else None
            yield from _state(one.graph.nodes[name], box, result, overlay is not None)


def _state(node: Node, box: Box, result: StateResult | None, shows_run: bool) -> Iterator[str]:  # noqa: FBT001
    status = result.status if result is not None else "unreached"
    classes = f"state {status}" if shows_run else "state"
    named = "" if result is None else f"data-state={quoteattr(node.name)} "
    yield f'<g {named}class="{classes}"><title>{escape(safe_lines(_status_words(node, result)))}</title>'
    yield _shape(node, box)
    yield from _icon(node, box)
    yield from _text(node, box, result)
    if result is not None:
        yield f'<circle class="badge" cx="{_n(box.x + 2)}" cy="{_n(box.y + 2)}" r="8"/>'
        yield f'<text class="badge-text" x="{_n(box.x + 2)}" y="{_n(box.y + 5.5)}">{_BADGES[result.status]}</text>'
    yield "</g>"


def _shape(node: Node, box: Box) -> str:
    if node.kind == "choice":
        corners = [
            (box.x + POINT, box.y),
            (box.right - POINT, box.y),
            (box.right, box.y + box.height / 2),
            (box.right - POINT, box.bottom),
            (box.x + POINT, box.bottom),
            (box.x, box.y + box.height / 2),
        ]
        return f'<polygon class="box" points="{" ".join(f"{_n(x)},{_n(y)}" for x, y in corners)}"/>'
    round_end = node.kind in {"succeed", "fail"}
    radius = box.height / 2 if round_end else 6.0
    kind = {"succeed": " succeed", "fail": " fail", "parallel": " group", "map": " group"}.get(node.kind, "")
    return (
        f'<rect class="box{kind}" x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}"'
        f' rx="{_n(radius)}"/>'
    )


def _icon(node: Node, box: Box) -> Iterator[str]:
    """Mark a task by a bar at its left side; one that tells the operators by a letter, too."""
    if node.kind in {"lambda", "publish", "task"}:
        yield _bar(box.x, box.y + 6, box.height - 12)
    if node.kind == "publish":
        yield _letter(box.right - 13, box.y + 4)


def _bar(x: float, y: float, height: float) -> str:
    return f'<rect class="bar" x="{_n(x - 1.5)}" y="{_n(y)}" width="4" height="{_n(height)}" rx="2"/>'


def _letter(x: float, y: float) -> str:
    return f'<path class="icon" d="M{_n(x)} {_n(y)}h9v6h-9zl4.5 3.5l4.5 -3.5"/>'


def _text(node: Node, box: Box, result: StateResult | None) -> Iterator[str]:
    lines = [node.name] if node.branches else lines_of(node.name)
    times = _times(result)
    count = len(lines) + bool(times and not node.branches)
    y = box.y + HEADER / 2 if node.branches else box.y + box.height / 2 - (count - 1) * _LINE_HEIGHT / 2
    beside = f' <tspan class="small">{escape(times)}</tspan>' if times and node.branches else ""
    for line in lines:
        yield f'<text class="name" x="{_n(box.middle)}" y="{_n(y + 4.5)}">{escape(line)}{beside}</text>'
        y += _LINE_HEIGHT
    if times and not node.branches:
        yield f'<text class="times" x="{_n(box.middle)}" y="{_n(y + 3.5)}">{escape(times)}</text>'


def _times(result: StateResult | None) -> str:
    if result is None:
        return ""
    parts = [format_seconds(result.seconds)] if result.seconds is not None else []
    if result.attempts > 1:
        parts.append(f"×{result.attempts}")  # noqa: RUF001 -- "times", in little room
    return " ".join(parts)


def _status_words(node: Node, result: StateResult | None) -> str:
    parts = [f"{node.name}: {node.comment}" if node.comment else node.name]
    if result is not None:
        error = f" with {result.error}" if result.error else ""
        tries = f", {result.attempts} tries" if result.attempts > 1 else ""
        took = f", took {format_seconds(result.seconds)}" if result.seconds is not None else ""
        parts.append(f"{RESULT_WORDS[result.status].capitalize()}{error}{tries}{took}.")
    return " ".join(parts)


# --- Legend -------------------------------------------------------------------------------------------------------


def _legend(x: float, y: float, overlay: Overlay | None) -> Iterator[str]:
    for kind, text in _LEGEND:
        classes = f" {kind}" if kind else ""
        yield f'<path class="way{classes}" d="M{_n(x)} {_n(y - 4)}h24"/>'
        yield _tip((x, y - 4), (x + 30, y - 4), classes)
        yield f'<text class="small" x="{_n(x + 36)}" y="{_n(y)}">{text}</text>'
        x += 36 + text_width(text, SMALL_FONT_SIZE) + 18
    if overlay is None:
        for sign, text in ((_bar(x + 4, y - 11, 14), "task"), ("", "message to the operators")):
            yield sign or _letter(x, y - 8)
            yield f'<text class="small" x="{_n(x + 14)}" y="{_n(y)}">{text}</text>'
            x += 14 + text_width(text, SMALL_FONT_SIZE) + 18
        return
    for status in _statuses(overlay.states.values()):
        yield f'<g class="{status}"><circle class="badge" cx="{_n(x + 8)}" cy="{_n(y - 4)}" r="8"/>'
        yield f'<text class="badge-text" x="{_n(x + 8)}" y="{_n(y - 0.5)}">{_BADGES[status]}</text></g>'
        text = RESULT_WORDS[status]
        yield f'<text class="small" x="{_n(x + 21)}" y="{_n(y)}">{text}</text>'
        x += 21 + text_width(text, SMALL_FONT_SIZE) + 18


def _statuses(results: Iterable[StateResult]) -> list[str]:
    there = {result.status for result in results}
    return [status for status in RESULT_WORDS if status in there]


def _n(value: float) -> str:
    """Write a number shortly."""
    return f"{value:.1f}".removesuffix(".0")
