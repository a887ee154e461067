"""Holds JSON against what `dump` says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]

_SCALARS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "decimal": (str,),
    "null": (type(None),),
}
_PAGE = frozenset({"object", "data", "has_more", "url"})


# What a value looks like in a request.
_TEXTS = {"int": r"-?\d+", "float": r"-?\d+(\.\d+)?", "bool": "true|false", "decimal": r"-?\d+(\.\d+)?", "null": ""}


class Types:
    """What a release of the package says.

    Args:
        dumped: What `dump` gave.
    """

    def __init__(self, dumped: Mapping[str, Json]) -> None:
        """Take what it says; see the class."""
        self._by_class = {name.rpartition(".")[2] if "v2." not in name else name: kind for name, kind in dumped.items()}

    def deviations(self, value: object, name: str) -> Iterator[str]:
        """Say what is otherwise than in the package: `Charge.outcome.rule: left out`.

        Args:
            value: An object as the API gives it.
            name: Its class: `Charge`, `Session`, `v2.core.Event`.
        """
        return self._object(value, self._by_class[name], name)

    def _object(self, value: Any, described: Json, path: str) -> Iterator[str]:
        fields = described["fields"]
        for name in value.keys() - fields.keys():
            yield f"{path}.{name}: unknown"
        for name, field in fields.items():
            if name in value:
                yield from self._value(value[name], field["type"], f"{path}.{name}")
            else:
                yield f"{path}.{name}: {'left out' if field['optional'] else 'required'}"

    def _value(self, value: Any, described: Json, path: str) -> Iterator[str]:
        kind = described["kind"]
        if kind == "union":
            yield from self._union(value, described["of"], path)
        elif kind == "enum":
            if value not in described["values"]:
                yield f"{path}: {value!r} is none of its values"
        elif kind in _SCALARS:
            if not isinstance(value, _SCALARS[kind]) or (kind == "int" and isinstance(value, bool)):
                yield f"{path}: no {kind}"
        elif kind != "any":
            yield from self._composite(value, described, path)

    def _composite(self, value: Any, described: Json, path: str) -> Iterator[str]:
        kind = described["kind"]
        if isinstance(value, list) != (kind == "list") or not isinstance(value, list | dict):
            yield f"{path}: no {kind}"
        elif isinstance(value, list):
            for item in value:
                yield from self._value(item, described["of"], path)
        elif kind == "object":
            yield from self._object(value, described, path)
        elif kind == "ref":
            yield from self._other(value, described["name"], path)
        elif kind == "map":
            for name, item in value.items():
                yield from self._value(item, described["of"], f"{path}[{name}]")
        elif value.keys() != _PAGE or value["object"] != "list":
            yield f"{path}: no list of the API"
        else:
            yield from self._composite(value["data"], {"kind": "list", "of": described["of"]}, path)

    def _other(self, value: Any, name: str, path: str) -> Iterator[str]:
        if name in self._by_class:
            yield from self.deviations(value, name)
        else:
            yield f"{path}: a {name}, of which nothing is known here"

    def _union(self, value: Any, choices: list[Json], path: str) -> Iterator[str]:
        """Hold a value against the choice that says most of it: the first one without a deviation, or the last one."""
        found: list[str] = []
        for choice in [choice for choice in choices if (choice["kind"] == "null") == (value is None)] or choices:
            found = list(self._value(value, choice, path))
            if not found:
                return
            if isinstance(value, dict) and choice["kind"] in {"object", "ref", "page"}:
                break
        yield from found


def request_deviations(sent: Any, described: Json, path: str) -> Iterator[str]:
    """Say what of a request the package does not know: `line_items.price_data.ammount: unknown`.

    Args:
        sent: A request's parameters as they arrive: texts, and hashes by name or by position.
        described: What `dump` says of them.
        path: What to call it.
    """
    kind = described["kind"]
    if kind == "union":
        yield from min((list(request_deviations(sent, choice, path)) for choice in described["of"]), key=len)
    elif kind == "object":
        yield from _hash_deviations(sent, described["fields"], path)
    elif kind in {"list", "map"}:
        for item in sent.values() if isinstance(sent, dict) else [None]:
            yield from request_deviations(item, described["of"], path)
    elif kind == "enum" and sent not in described["values"]:
        yield f"{path}: {sent!r} is none of its values"
    elif not isinstance(sent, str) or not re.fullmatch(_TEXTS.get(kind, "(?s).*"), sent):
        yield f"{path}: no {kind}"


def _hash_deviations(sent: Any, fields: Json, path: str) -> Iterator[str]:
    if not isinstance(sent, dict):
        yield f"{path}: no hash"
        return
    for name, value in sent.items():
        if name in fields:
            yield from request_deviations(value, fields[name]["type"], f"{path}.{name}")
        else:
            yield f"{path}.{name}: unknown"
    for name, field in fields.items():
        if not field["optional"] and name not in sent:
            yield f"{path}.{name}: required"
