"""mutmut with changes of this project's own: `python -P tests/mutants/operators.py run`, in the folder of the copy.

What mutmut (https://mutmut.readthedocs.io) does to Python it does here, too, but for three things. A text that is SQL
is changed as SQL (`sql`), also where it is a constant of its module; a sentence for people is left as it is: no rule
hangs on its words, and tests of alerts read them. A positional argument is not left out: that is only a TypeError.
And a property is changed as other functions are: mutmut leaves what is decorated.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import libcst as cst
import mutmut.__main__ as program
from mutmut.mutation import mutators

sys.path.insert(0, str(Path(__file__).parent))

import sql  # type: ignore[import-not-found]  # beside this file, which runs in the folder of the copy

_SOURCES = "src"


class _Here:
    """The module that is being changed, as it runs: its constants are asked for their texts."""

    module: ModuleType | None = None


def _text_of(node: cst.BaseExpression) -> str | None:
    """Give the text of a constant, as `_DUE` or `counts_off.IS_OFF`; None: it is something else."""
    names: list[str] = []
    while isinstance(node, cst.Attribute):
        names.insert(0, node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return None
    found: Any = _Here.module
    for name in (node.value, *names):
        found = getattr(found, name, None)
    return found if isinstance(found, str) else None


def _constant_argument(node: cst.Arg) -> Iterable[cst.Arg]:
    """`tx.all(_DUE)`: with another text instead."""
    text = _text_of(node.value)
    for change in sql.changes(text) if text else ():
        old, new = change.around()
        piece = cst.parse_expression(f"{cst.Module([]).code_for_node(node.value)}.replace({old!r}, {new!r})")
        yield node.with_changes(value=piece)


def _constant_inside(node: cst.FormattedStringExpression) -> Iterable[cst.FormattedStringText]:
    """`f"… {counts_off.IS_OFF}"`: with another text inside."""
    text = _text_of(node.expression)
    for change in sql.changes(text) if text else ():
        if not set(str(change)) & set("\"'\\{}"):
            yield cst.FormattedStringText(value=str(change))


def _string(node: cst.BaseString) -> Iterable[cst.BaseString]:
    if not isinstance(node, cst.SimpleString) or node.quote in {'"""', "'''"}:
        return
    if sql.is_sql(node.raw_value):
        for change in sql.changes(node.raw_value):
            yield node.with_changes(value=f"{node.prefix}{node.quote}{change}{node.quote}")
    elif " " not in node.raw_value:
        yield node.with_changes(value=f"{node.prefix}{node.quote}XX{node.raw_value}XX{node.quote}")


def _part_of_string(node: cst.FormattedStringText) -> Iterable[cst.FormattedStringText]:
    for change in sql.changes(node.value):
        yield node.with_changes(value=str(change))


def _argument(node: cst.Call) -> Iterable[cst.Call]:
    for place, argument in enumerate(node.args):
        if argument.star == "" and not (isinstance(argument.value, cst.Name) and argument.value.value == "None"):
            nothing = argument.with_changes(value=cst.Name("None"))
            yield node.with_changes(args=[*node.args[:place], nothing, *node.args[place + 1 :]])
        if argument.keyword is not None:
            yield node.with_changes(args=[*node.args[:place], *node.args[place + 1 :]])


class _Undecorated(cst.CSTTransformer):
    """`@property def x` becomes `def get_x` and `x = property(get_x)`."""

    def leave_FunctionDef(  # noqa: N802 -- libcst's name
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.FlattenSentinel[Any]:
        decorators = [d.decorator.value for d in original_node.decorators if isinstance(d.decorator, cst.Name)]
        if decorators != ["property"] or len(original_node.decorators) != 1:
            return updated_node
        name = original_node.name.value
        bare = updated_node.with_changes(name=cst.Name(f"get_{name}"), decorators=[])
        return cst.FlattenSentinel([bare, cst.parse_statement(f"{name} = property(get_{name})")])


def _of_this_module(mutate: Callable[..., Any]) -> Callable[..., Any]:
    def mutate_file_contents(filename: str, code: str, *others: Any) -> Any:
        _Here.module = importlib.import_module(".".join(Path(filename).relative_to(_SOURCES).with_suffix("").parts))
        return mutate(filename, cst.parse_module(code).visit(_Undecorated()).code, *others)

    return mutate_file_contents


def main() -> None:
    """Run mutmut."""
    sys.path.insert(0, str(Path(_SOURCES).resolve()))
    others = {mutators.operator_string: _string, mutators.operator_arg_removal: _argument}
    mutators.mutation_operators[:] = [  # type: ignore[index]
        *((kind, others.get(operator, operator)) for kind, operator in mutators.mutation_operators),
        (cst.FormattedStringText, _part_of_string),
        (cst.FormattedStringExpression, _constant_inside),
        (cst.Arg, _constant_argument),
    ]
    names = vars(program)
    names["mutate_file_contents"] = _of_this_module(names["mutate_file_contents"])
    program.cli()


if __name__ == "__main__":
    main()
