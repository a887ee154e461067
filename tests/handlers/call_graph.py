"""What a handler can come to, by the names that its code uses: enough to say which AWS calls it may make.

A method is reached where its class is and somebody reached uses its name; so nothing that is called is missed, except
what is called by a computed name, which the code does not do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FUNCTIONS = Path(__file__).parents[2] / "functions"


@dataclass
class Definition:
    """A function, class, method or constant of a module, and what it uses."""

    names: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    of_modules: set[tuple[str, str]] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    methods: dict[str, Definition] = field(default_factory=dict)


@dataclass
class Module:
    """A module's definitions, and what its imported names stand for: (module, name), name empty for a module itself."""

    definitions: dict[str, Definition]
    imports: dict[str, tuple[str, str]]


@dataclass
class Reached:
    """All attribute names and texts in what can be reached."""

    attributes: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


def modules() -> dict[str, Module]:
    """Read all modules of functions/."""
    files = {
        ".".join(file.relative_to(FUNCTIONS).with_suffix("").parts).removesuffix(".__init__"): file
        for file in FUNCTIONS.rglob("*.py")
    }
    return {name: _read(ast.parse(file.read_text(encoding="utf-8")), set(files)) for name, file in files.items()}


def reached_from(start: str, known: dict[str, Module]) -> Reached:
    """Give what `module.name` can come to."""
    module, _, name = start.rpartition(".")
    found = Reached()
    seen: set[int] = set()
    classes: list[tuple[str, Definition]] = []
    ahead: list[tuple[str, Definition]] = [(module, known[module].definitions[name])]
    while ahead:
        where, definition = ahead.pop()
        if id(definition) in seen:
            continue
        seen.add(id(definition))
        found.attributes |= definition.attributes
        found.texts |= definition.texts
        if definition.methods:
            classes.append((where, definition))
        ahead.extend(_used(where, definition, known))
        for place, owner in classes:
            ahead.extend(
                (place, method)
                for name, method in owner.methods.items()
                if name.startswith("__") or name in found.attributes
            )
    return found


def _used(where: str, definition: Definition, known: dict[str, Module]) -> Iterator[tuple[str, Definition]]:
    module = known[where]
    wanted = {(where, name) for name in definition.names}
    wanted |= {module.imports[name] for name in definition.names if name in module.imports}
    for alias, attribute in definition.of_modules:
        imported = module.imports.get(alias)
        if imported is not None and not imported[1]:
            wanted.add((imported[0], attribute))
    for place, name in wanted:
        if place in known and name in known[place].definitions:
            yield place, known[place].definitions[name]


def _read(tree: ast.Module, names: set[str]) -> Module:
    imports: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                imports[alias.asname or alias.name] = (whole, "") if whole in names else (node.module, alias.name)
    definitions: dict[str, Definition] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            definitions[node.name] = _definition(node)
        elif isinstance(node, ast.ClassDef):
            definitions[node.name] = _class(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    definitions[target.id] = _definition(node)
    return Module(definitions, imports)


def _class(node: ast.ClassDef) -> Definition:
    methods = {child.name: _definition(child) for child in node.body if isinstance(child, ast.FunctionDef)}
    body = ast.Module([child for child in node.body if not isinstance(child, ast.FunctionDef)], [])
    whole = _definition(body, *node.bases, *node.decorator_list)
    whole.methods = methods
    return whole


def _definition(*nodes: ast.AST) -> Definition:
    found = Definition()
    for node in (inner for outer in nodes for inner in ast.walk(outer)):
        if isinstance(node, ast.Name):
            found.names.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.attributes.add(node.attr)
            if isinstance(node.value, ast.Name):
                found.of_modules.add((node.value.id, node.attr))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.texts.add(node.value)
    return found
