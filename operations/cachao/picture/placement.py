"""Where the states stand: a grid of layers and columns, and below it the row of states that only lead to a failure.

The layers are those of longest-path layering. A state's longest continuation stands right below it, its others in the
next columns that are free, so that lines between layers never run through a state. A general layout library does not
know that a dozen catchers lead to one alert; here they share rails (layout.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cachao.picture.graph import Graph


@dataclass(frozen=True)
class Cell:
    """A place in the grid."""

    layer: int
    column: int


@dataclass
class Grid:
    """The states of a scope on their places.

    Attributes:
        graph: the scope.
        cells: of the states that can still succeed.
        doomed: the others in their order from left to right; `below` those of them that stand under another one.
    """

    graph: Graph
    cells: dict[str, Cell] = field(default_factory=dict)
    doomed: list[str] = field(default_factory=list)
    below: dict[str, str] = field(default_factory=dict)

    @cached_property
    def columns(self) -> int:
        """How many columns there are."""
        return 1 + max(cell.column for cell in self.cells.values())

    @cached_property
    def layers(self) -> int:
        """How many layers there are."""
        return 1 + max(cell.layer for cell in self.cells.values())

    def at(self, layer: int, column: int) -> str | None:
        """Name of the state at a place."""
        return next((name for name, cell in self.cells.items() if cell == Cell(layer, column)), None)


def place(graph: Graph) -> Grid:
    """Give each state its place."""
    hopeful = set(graph.nodes) - graph.doomed
    if graph.start not in hopeful:
        hopeful = set(graph.nodes)
    grid = Grid(graph)
    _Columns(grid, _layers(graph, hopeful)).fill()
    _place_doomed(grid, set(graph.nodes) - set(grid.cells))
    return grid


def _layers(graph: Graph, names: set[str]) -> dict[str, int]:
    """Longest-path layering from the start; ways back to an earlier state do not count."""
    layers: dict[str, int] = {}
    path: list[str] = []

    def visit(name: str, layer: int) -> None:
        if name not in names or name in path or layers.get(name, -1) >= layer:
            return
        layers[name] = layer
        path.append(name)
        for after in graph.after(name):
            visit(after, layer + 1)
        path.pop()

    visit(graph.start, 0)
    for name in layers:
        # An end with several ways to it stands beside the last of them, not below: it is nobody's continuation.
        before = [layers[other] for other in graph.before(name) if other in layers]
        if not graph.after(name) and len(before) > 1 and before.count(max(before)) == 1:
            layers[name] = max(before)
    return layers


class _Columns:
    """Fills the grid depth first."""

    def __init__(self, grid: Grid, layers: Mapping[str, int]) -> None:
        self._grid = grid
        self._layers = layers
        self._taken: set[Cell] = set()

    def fill(self) -> None:
        self._put(self._grid.graph.start, 0)

    def _put(self, name: str, column: int) -> None:
        cell = Cell(self._layers[name], column)
        self._grid.cells[name] = cell
        self._taken.add(cell)
        children = [child for child in self._grid.graph.after(name) if child in self._layers]
        # What others lead to as well, and stands already, is nobody's continuation here.
        longest = max((c for c in children if c not in self._grid.cells), key=self._depth, default=None)
        for child in sorted(children, key=lambda child: child != longest):  # the others as in the definition
            if child in self._grid.cells:
                continue
            first = column if child == longest and self._layers[child] > cell.layer else column + 1
            self._put(child, self._free_column(child, first, cell.layer + 1))

    def _depth(self, name: str) -> int:
        return max((self._layers[after] for after in self._reachable(name)), default=0)

    def _reachable(self, name: str) -> set[str]:
        found: set[str] = set()
        ahead = [name]
        while ahead:
            here = ahead.pop()
            if here in self._layers and here not in found:
                found.add(here)
                ahead.extend(self._grid.graph.after(here))
        return found

    def _free_column(self, name: str, first: int, layer: int) -> int:
        """Find a column that is free from a layer down to the end of the longest way that goes on below it."""
        last = self._straight_down_to(name)
        column = first
        while any(Cell(row, column) in self._taken for row in range(min(layer, self._layers[name]), last + 1)):
            column += 1
        return column

    def _straight_down_to(self, name: str) -> int:
        # What stands already stands elsewhere.
        children = [
            child
            for child in self._grid.graph.after(name)
            if child not in self._grid.cells and self._layers.get(child, -1) > self._layers[name]
        ]
        if not children:
            return self._layers[name]
        return self._straight_down_to(max(children, key=self._depth))


def _place_doomed(grid: Grid, names: set[str]) -> None:
    """Put them in a row, each after those that lead to it; a detour of a single state stands under its beginning."""
    graph = grid.graph
    ahead = [name for name in graph.nodes if name in names]
    while ahead:
        ready = [n for n in ahead if not any(b in ahead and b != n for b in graph.before(n))] or ahead[:1]
        # Those that others of the row lead to come as soon as they can, so that chains stand together.
        chosen = min(ready, key=lambda n: (-len([a for a in graph.after(n) if a in names]), graph.before(n) == []))
        ahead.remove(chosen)
        grid.doomed.append(chosen)
    for name in list(grid.doomed):
        before = graph.before(name)
        if len(before) == 1 and before[0] in grid.doomed:
            others = [n for n in graph.after(before[0]) if n != name]
            if others and graph.after(name) == others:
                grid.below[name] = before[0]
                grid.doomed.remove(name)
