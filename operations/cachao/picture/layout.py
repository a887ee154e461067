"""Boxes and lines in pixels: every line runs in the gaps between layers and in the channels between columns.

Ways to a state of the failure row share a rail: from a state's right side into the channel beside its column, down to
the rail of the target, along it, and down into the target. Rails and channel lanes belong to targets, so that lines
meet only where they lead to the same state, and otherwise cross at right angles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cachao.picture.geometry import (
    BRANCH_GAP,
    CHANNEL,
    HEADER,
    LANE,
    LAYER_GAP,
    NODE_HEIGHT,
    PADDING,
    POINT,
    SMALL_FONT_SIZE,
    TRUNK,
    Box,
    Point,
    node_width,
    text_width,
)
from cachao.picture.graph import Edge, Graph
from cachao.picture.placement import Cell, Grid, place

_LABEL_LIFT: Final = 5.0
_RAIL: Final = 11.0
_EXIT_STEP: Final = 7.0
_LABEL_ROOM: Final = 12.0
_ABOVE_ARROW: Final = 10.0


@dataclass(frozen=True)
class Label:
    """A text beside a line; `anchor` as in SVG."""

    text: str
    at: Point
    anchor: str = "start"


@dataclass(frozen=True)
class Line:
    """A way, as a line of right angles."""

    edge: Edge
    points: tuple[Point, ...]
    label: Label | None = None


@dataclass
class Plan:
    """Where everything of a scope is. Branches of a Parallel are moved to their places already."""

    graph: Graph
    width: float = 0
    height: float = 0
    boxes: dict[str, Box] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    branches: list[Plan] = field(default_factory=list)

    def moved(self, x: float, y: float) -> Plan:
        """Give it elsewhere."""
        lines = [
            Line(
                line.edge,
                tuple((px + x, py + y) for px, py in line.points),
                None
                if line.label is None
                else Label(line.label.text, (line.label.at[0] + x, line.label.at[1] + y), line.label.anchor),
            )
            for line in self.lines
        ]
        boxes = {name: box.moved(x, y) for name, box in self.boxes.items()}
        return Plan(self.graph, self.width, self.height, boxes, lines, [b.moved(x, y) for b in self.branches])


def lay_out(graph: Graph, *, node_height: float = NODE_HEIGHT) -> Plan:
    """Lay out a scope, branches within included; `node_height` of an ordinary state."""
    return _Layout(graph, place(graph), node_height).make()


class _Layout:
    def __init__(self, graph: Graph, grid: Grid, node_height: float) -> None:
        self._graph = graph
        self._grid = grid
        self._node_height = node_height
        self._inner = {
            name: [lay_out(branch, node_height=node_height) for branch in node.branches]
            for name, node in graph.nodes.items()
            if node.branches
        }
        self._plan = Plan(graph)
        self._column_x: list[float] = []
        self._column_width: list[float] = []
        self._layer_y: list[float] = []
        self._gap_top: list[float] = []
        self._rails = self._rails_by_target()
        self._lanes = self._lanes_by_column()

    def make(self) -> Plan:
        self._place_columns()
        bottom = self._place_layers()
        self._place_failure_row(bottom)
        for edge in self._graph.edges:
            self._plan.lines.append(self._route(edge))
        self._place_branches()
        boxes = self._plan.boxes.values()
        points = [point for line in self._plan.lines for point in line.points]
        self._plan.width = max([box.right for box in boxes] + [x for x, _ in points])
        self._plan.height = max([box.bottom for box in boxes] + [y for _, y in points])
        return self._plan

    # --- Boxes ----------------------------------------------------------------------------------------------------

    def _size(self, name: str) -> tuple[float, float]:
        inner = self._inner.get(name)
        if inner is None:
            return node_width(name, pointed=self._graph.nodes[name].kind == "choice"), self._node_height
        width = sum(plan.width for plan in inner) + BRANCH_GAP * (len(inner) - 1) + 2 * PADDING
        return max(width, node_width(name)), max(plan.height for plan in inner) + HEADER + PADDING

    def _place_columns(self) -> None:
        x = 0.0
        for column in range(self._grid.columns):
            names = [name for name, cell in self._grid.cells.items() if cell.column == column]
            width = max(self._size(name)[0] for name in names)
            self._column_x.append(x)
            self._column_width.append(width)
            x += width + CHANNEL + LANE * len(self._lanes[column])

    def _place_layers(self) -> float:
        y = 0.0
        for layer in range(self._grid.layers):
            names = [name for name, cell in self._grid.cells.items() if cell.layer == layer]
            height = max((self._size(name)[1] for name in names), default=0.0)
            for name in names:
                own_width, own_height = self._size(name)
                column = self._grid.cells[name].column
                x = self._column_x[column] + (self._column_width[column] - own_width) / 2
                self._plan.boxes[name] = Box(x, y, own_width, own_height)
            self._layer_y.append(y)
            self._gap_top.append(y + height)
            y += height + self._gap_height(layer)
        return y - self._gap_height(self._grid.layers - 1)

    def _gap_height(self, layer: int) -> float:
        trunks = len(self._turning(layer))
        return LAYER_GAP + max(0, trunks - 1) * TRUNK + (_LABEL_ROOM if self._has_labels(layer) else 0)

    def _has_labels(self, layer: int) -> bool:
        return any(edge.text for name in self._names_of(layer) for edge in self._down_from(name))

    def _names_of(self, layer: int) -> list[str]:
        return [name for name, cell in self._grid.cells.items() if cell.layer == layer]

    def _down_from(self, name: str) -> list[Edge]:
        """Ways from a state to deeper layers."""
        cells = self._grid.cells
        return [
            edge
            for edge in self._graph.edges
            if edge.source == name and edge.target in cells and cells[edge.target].layer > cells[name].layer
        ]

    def _turning(self, layer: int) -> list[str]:
        """States of a layer whose ways run along the gap below it, in the order of their trunks."""
        cells = self._grid.cells
        turning = {
            edge.source
            for edge in self._graph.edges
            if edge.source in cells and edge.target in cells and not self._is_straight(edge)
        }
        return [name for name in self._names_of(layer) if name in turning]

    def _is_straight(self, edge: Edge) -> bool:
        """Tell whether a way goes straight down its column, or straight to its neighbour."""
        source, target = self._grid.cells[edge.source], self._grid.cells[edge.target]
        if target.layer == source.layer:
            return self._is_free(source, target)
        return target.column == source.column and target.layer > source.layer and self._is_clear(edge)

    def _is_clear(self, edge: Edge) -> bool:
        """Tell whether nothing stands above a target, up to the layer of the source."""
        source, target = self._grid.cells[edge.source], self._grid.cells[edge.target]
        return all(self._grid.at(layer, target.column) is None for layer in range(source.layer + 1, target.layer))

    def _place_failure_row(self, bottom: float) -> None:
        if not self._grid.doomed:
            return
        y = bottom + LAYER_GAP / 2 + _RAIL * (len(self._rails) + 1)
        x = 0.0
        under = {above: name for name, above in self._grid.below.items()}
        for name in self._grid.doomed:
            width, height = self._size(name)
            room = max(width, self._size(under[name])[0] if name in under else 0.0)
            self._plan.boxes[name] = Box(x + (room - width) / 2, y, width, height)
            if name in under:
                own_width, own_height = self._size(under[name])
                lower = y + height + LAYER_GAP + TRUNK
                self._plan.boxes[under[name]] = Box(x + (room - own_width) / 2, lower, own_width, own_height)
            x += room + CHANNEL * 1.5
        # The main part is as wide or wider; the row begins where it leaves the same margin on both sides.
        wide = self._column_x[-1] + self._column_width[-1]
        shift = max(0.0, (wide - (x - CHANNEL * 1.5)) / 2)
        for name in [*self._grid.doomed, *self._grid.below]:
            self._plan.boxes[name] = self._plan.boxes[name].moved(shift, 0)

    def _place_branches(self) -> None:
        for name, inner in self._inner.items():
            box = self._plan.boxes[name]
            content = sum(plan.width for plan in inner) + BRANCH_GAP * (len(inner) - 1)
            x = box.x + (box.width - content) / 2
            for plan in inner:
                self._plan.branches.append(plan.moved(x, box.y + HEADER))
                x += plan.width + BRANCH_GAP

    # --- Rails and lanes ------------------------------------------------------------------------------------------

    def _falling(self) -> list[Edge]:
        """Ways from the main part into the failure row."""
        cells = self._grid.cells
        return [edge for edge in self._graph.edges if edge.source in cells and edge.target not in cells]

    def _rails_by_target(self) -> dict[str, int]:
        """Number of each target's rail from above; the rail that most states use is the lowest."""
        uses: dict[str, int] = defaultdict(int)
        for edge in self._falling():
            uses[edge.target] += 1
        return {target: number for number, target in enumerate(sorted(uses, key=lambda name: uses[name]))}

    def _lanes_by_column(self) -> dict[int, list[str]]:
        """Targets that the channel right of a column leads to; the lowest rail's lane is the leftmost."""
        lanes: dict[int, set[str]] = defaultdict(set)
        for edge in self._falling():
            lanes[self._grid.cells[edge.source].column].add(edge.target)
        return {
            column: sorted(lanes[column], key=lambda target: -self._rails[target])
            for column in range(self._grid.columns)
        }

    def _rail_y(self, target: str) -> float:
        return self._gap_top[-1] + LAYER_GAP / 2 + _RAIL * (self._rails[target] + 0.5)

    # --- Lines ----------------------------------------------------------------------------------------------------

    def _route(self, edge: Edge) -> Line:
        cells = self._grid.cells
        if edge.source not in cells:
            return self._along_failure_row(edge)
        if edge.target not in cells:
            return self._down_to_failure_row(edge)
        source, target = cells[edge.source], cells[edge.target]
        if target.layer == source.layer and self._is_free(source, target):
            return self._across(edge)
        if target.layer > source.layer and self._is_clear(edge):
            return self._down(edge, source)
        return self._beside(edge, source)

    def _down(self, edge: Edge, source: Cell) -> Line:
        start, end = self._plan.boxes[edge.source], self._plan.boxes[edge.target]
        if source.column == self._grid.cells[edge.target].column:
            at = (end.middle + _LABEL_LIFT, end.y - _ABOVE_ARROW)
            return Line(edge, ((start.middle, start.bottom), (end.middle, end.y)), _label(edge, at))
        trunk = self._trunk(edge.source, source)
        points = ((start.middle, start.bottom), (start.middle, trunk), (end.middle, trunk), (end.middle, end.y))
        return Line(edge, points, _label(edge, (end.middle + _LABEL_LIFT, end.y - _ABOVE_ARROW)))

    def _beside(self, edge: Edge, source: Cell) -> Line:
        """Pass the states above or below the target, also on a way back, by the channel at their right."""
        start, end = self._plan.boxes[edge.source], self._plan.boxes[edge.target]
        target = self._grid.cells[edge.target]
        trunk, above = self._trunk(edge.source, source), self._layer_y[target.layer] - _ABOVE_ARROW
        lanes = len(self._lanes[target.column])
        x = self._column_x[target.column] + self._column_width[target.column] + CHANNEL / 2 + LANE * lanes
        points = [(start.middle, start.bottom), (start.middle, trunk), (x, trunk), (x, above), (end.middle, above)]
        return Line(edge, (*points, (end.middle, end.y)))

    def _trunk(self, name: str, cell: Cell) -> float:
        return self._gap_top[cell.layer] + TRUNK * (1 + self._turning(cell.layer).index(name))

    def _is_free(self, source: Cell, target: Cell) -> bool:
        between = range(min(source.column, target.column) + 1, max(source.column, target.column))
        return all(self._grid.at(source.layer, column) is None for column in between)

    def _across(self, edge: Edge) -> Line:
        start, end = self._plan.boxes[edge.source], self._plan.boxes[edge.target]
        y = min(start.y + start.height, end.y + end.height, start.y + self._node_height) - self._node_height / 2
        to_right = end.x > start.x
        points = ((start.right if to_right else start.x, y), (end.x if to_right else end.right, y))
        # Beside the source: nearer to the target the lanes of the channel may run.
        at = (start.right + _LABEL_LIFT if to_right else start.x - _LABEL_LIFT, y - _LABEL_LIFT)
        return Line(edge, points, _label(edge, at, "start" if to_right else "end"))

    def _down_to_failure_row(self, edge: Edge) -> Line:
        start, end = self._plan.boxes[edge.source], self._plan.boxes[edge.target]
        column = self._grid.cells[edge.source].column
        lanes = self._lanes[column]
        lane = lanes.index(edge.target)
        x = self._column_x[column] + self._column_width[column] + CHANNEL / 2 + LANE * lane
        leaving = [other.target for other in self._falling() if other.source == edge.source]
        leaving.sort(key=lanes.index)
        # The lane nearest to the state is left for last, by the lowest exit, so that exits do not cross each other.
        y = start.bottom - _EXIT_STEP * (1 + leaving.index(edge.target))
        rail = self._rail_y(edge.target)
        points = ((self._side(edge.source, y), y), (x, y), (x, rail), (end.middle, rail), (end.middle, end.y))
        # Only what comes by name has a name to tell: above the target, on the side where the rail does not come from,
        # if there is room.
        widest = max((text_width(name, SMALL_FONT_SIZE) for name in edge.labels), default=0.0)
        at_left = x > end.middle and end.middle - _LABEL_LIFT >= widest
        at = (end.middle + (-_LABEL_LIFT if at_left else _LABEL_LIFT), end.y - _ABOVE_ARROW)
        label = _label(edge, at, "end" if at_left else "start") if edge.is_error else None
        return Line(edge, points, label)

    def _side(self, name: str, y: float) -> float:
        """Give x of a state's right side at a height; a question's side is pointed."""
        box = self._plan.boxes[name]
        if self._graph.nodes[name].kind != "choice":
            return box.right
        return box.right - POINT * abs(y - box.y - box.height / 2) / (box.height / 2)

    def _along_failure_row(self, edge: Edge) -> Line:
        start, end = self._plan.boxes[edge.source], self._plan.boxes[edge.target]
        row, below = self._grid.doomed, self._grid.below
        if below.get(edge.target) == edge.source:
            label = _label(edge, (start.middle + _LABEL_LIFT, end.y - _ABOVE_ARROW))
            return Line(edge, ((start.middle, start.bottom), (end.middle, end.y)), label)
        lower = end.bottom + TRUNK
        if edge.source in below:
            aside = _EXIT_STEP if edge.is_error else 0.0
            y, x = start.y + start.height / 2 + aside, end.middle + aside
            return Line(edge, ((start.right, y), (x, y), (x, end.bottom)))
        if edge.target in row and row.index(edge.target) == row.index(edge.source) + 1:
            # At the height of an ordinary state: what a group holds is below its own.
            y = start.y + min(start.height, end.height) / 2 + (_EXIT_STEP if edge.is_error else 0)
            return Line(edge, ((start.right, y), (end.x, y)), _label(edge, (start.right + 3, y - _LABEL_LIFT)))
        points = ((start.middle, start.bottom), (start.middle, lower), (end.middle, lower), (end.middle, end.bottom))
        return Line(edge, points)


def _label(edge: Edge, at: Point, anchor: str = "start") -> Label | None:
    return Label(edge.text, at, anchor) if edge.text else None


def all_plans(plan: Plan) -> Iterable[Plan]:
    """Give a plan and all those within it."""
    yield plan
    for branch in plan.branches:
        yield from all_plans(branch)
