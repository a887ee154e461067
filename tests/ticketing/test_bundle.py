"""What functions/requirements.txt pins is all that the functions need: nothing else of this machine is on AWS."""

from __future__ import annotations

import ast

import pytest

from tests.ticketing.bundle_only import FUNCTIONS, run_in_the_bundle

IMPORT_ALL = """
import importlib, json, sys

for module, name in json.load(sys.stdin):
    found = importlib.import_module(module)
    if name and not hasattr(found, name):
        importlib.import_module(f"{module}.{name}")
print("all there")
"""


class _Imports(ast.NodeVisitor):
    """Every import statement, also those inside functions, which run late: (module, name or None)."""

    def __init__(self) -> None:
        self.found: set[tuple[str, str | None]] = set()

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.found |= {(alias.name, None) for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.module, "a relative import"
        self.found |= {(node.module, alias.name) for alias in node.names}


def test_every_import_is_in_the_bundle() -> None:
    imports = _Imports()
    for file in FUNCTIONS.rglob("*.py"):
        imports.visit(ast.parse(file.read_text(encoding="utf-8")))
    assert {("stripe", None), ("aws_lambda_powertools", "Logger")} <= imports.found
    assert run_in_the_bundle(IMPORT_ALL, sorted(imports.found, key=str)).strip() == "all there"


def test_what_is_not_in_the_bundle_is_not_found() -> None:
    with pytest.raises(AssertionError, match="No module named 'moto' in the bundle"):
        run_in_the_bundle("import moto")
