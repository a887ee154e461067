"""JSONata in the definition: does it parse, and which variables does it read?

An expression is a string that is `{% … %}` as a whole
(https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from jsonata.jsonata import Jsonata
from jsonata.parser import Parser

# Step Functions' own functions, and JSONata's that it does not have.
# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html#jsonata-functions-in-step-functions
_AWS_FUNCTIONS: Final = frozenset({"partition", "range", "hash", "random", "uuid", "parse"})
_NOT_ON_AWS: Final = frozenset({"eval"})
KNOWN_FUNCTIONS: Final = frozenset(Jsonata.static_frame.bindings) - _NOT_ON_AWS | _AWS_FUNCTIONS

_WHOLE = re.compile(r"\s*\{%(.*)%\}\s*\Z", re.DOTALL)
_SUBSTITUTION = re.compile(r"\$\{[A-Za-z0-9]+\}")
# What a Symbol of the parser may hold; everything else of it is bookkeeping.
_CHILDREN: Final = (
    *("lhs", "rhs", "lhs_object", "rhs_object", "rhs_terms", "terms", "steps", "stages", "predicate", "group"),
    *("expr", "expression", "expressions", "condition", "then", "_else", "procedure", "arguments", "body"),
    *("pattern", "update", "delete"),
)


class ExpressionError(ValueError):
    """The expression cannot be parsed; the message is the parser's."""


@dataclass(frozen=True)
class Read:
    """What an expression reads.

    Attributes:
        variables: names without `$`, functions included, that the expression does not bind itself.
        states_fields: what it takes of `$states`, e.g. `result`.
    """

    variables: AbstractSet[str] = field(default_factory=set)
    states_fields: AbstractSet[str] = field(default_factory=set)


def expressions_in(value: object) -> Iterator[str]:
    """Give the JSONata texts anywhere in a field, without their `{% %}`."""
    for text in strings_in(value):
        if whole := _WHOLE.match(text):
            yield whole[1]


def half_expressions_in(value: object) -> Iterator[str]:
    """Give the strings that contain `{%` or `%}` and are no expression: Step Functions takes them literally."""
    for text in strings_in(value):
        whole = _WHOLE.match(text)
        inner = whole[1] if whole else text
        if "{%" in inner or "%}" in inner:
            yield text


def strings_in(value: object) -> Iterator[str]:
    """Give all strings anywhere in a field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings_in(item)


@lru_cache(maxsize=1024)
def read_by(expression: str) -> Read:
    """Tell what an expression reads.

    Raises:
        ExpressionError: it cannot be parsed.
    """
    walk = _Walk()
    walk.visit(_parse(expression), {"$", ""})
    return Read(walk.variables, walk.states_fields)


def object_keys_bound_to(variable: str, value: object) -> set[str] | None:
    """Give the keys of the object that an expression in `value` binds to a variable, or None where none does."""
    for expression in expressions_in(value):
        try:
            root = _parse(expression)
        except ExpressionError:
            continue  # `expression` tells
        for symbol in _all_symbols(root):
            if symbol.type == "bind" and symbol.lhs.value == variable and symbol.rhs.lhs_object is not None:
                return {str(key.value) for key, _ in symbol.rhs.lhs_object}
    return None


@lru_cache(maxsize=1024)
def _parse(expression: str) -> Any:  # noqa: ANN401 -- jsonata ships no types
    try:
        # A substitution is put in before AWS parses; a name stands for whatever it will be.
        return Jsonata(_SUBSTITUTION.sub("substituted", expression)).ast
    except Exception as error:
        raise ExpressionError(str(error) or type(error).__name__) from error


def _children(symbol: Any) -> Iterator[Any]:  # noqa: ANN401
    for name in _CHILDREN:
        yield from _symbols(getattr(symbol, name, None))


def _symbols(value: object) -> Iterator[Any]:
    if isinstance(value, Parser.Symbol):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _symbols(item)


def _all_symbols(symbol: Any) -> Iterator[Any]:  # noqa: ANN401
    yield symbol
    for child in _children(symbol):
        yield from _all_symbols(child)


class _Walk:
    """Through one expression's tree, in the order of evaluation, with JSONata's scopes (block, function)."""

    def __init__(self) -> None:
        self.variables: set[str] = set()
        self.states_fields: set[str] = set()

    def visit(self, symbol: Any, bound: set[str]) -> None:  # noqa: ANN401
        kind = symbol.type
        if kind == "variable":
            self._read(symbol.value, bound)
        elif kind == "path":
            self._visit_path(symbol, bound)
            return
        elif kind == "bind":
            # The function on the right may call itself by this name.
            name = symbol.lhs.value
            self.visit(symbol.rhs, bound | {name} if symbol.rhs.type == "lambda" else bound)
            bound.add(name)
            return
        elif kind == "lambda":
            self.visit(symbol.body, bound | {argument.value for argument in symbol.arguments})
            return
        elif kind == "block":
            bound = set(bound)
        for child in _children(symbol):
            self.visit(child, bound)

    def _visit_path(self, path: Any, bound: set[str]) -> None:  # noqa: ANN401
        first, *rest = path.steps
        if first.type == "variable" and first.value == "states" and rest and rest[0].type == "name":
            self.states_fields.add(rest[0].value)
        inner = set(bound)
        for step in path.steps:
            # `@$name` and `#$name` bind for the steps that follow.
            inner |= {name for name in (step.focus, step.index) if isinstance(name, str)}
            self.visit(step, inner)
        for child in _symbols(path.group):
            self.visit(child, inner)

    def _read(self, name: str, bound: set[str]) -> None:
        if name == "states" and name not in bound:
            return
        if name not in bound:
            self.variables.add(name)
