"""An object in the shape of another API version: the fields that the version's release knows, and all that it needs."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.stripe_types.check import Types
from tests.stripe_types.versions import FILE, OBJECTS, Json, as_dumped

VERSIONS: Final[dict[str, Json]] = json.loads(FILE.read_text(encoding="utf-8"))


def shaped(release: str, body: Json) -> Json:
    """Give an object as this release of the package types it.

    What the release does not know is left out; what is always there and is not given gets some value of its type;
    the rest is null.
    """
    return _object(VERSIONS[release]["objects"][body["object"]], body)


def knows(release: str, kind: str, field: str) -> bool:
    """Tell whether an object has such a field in this release."""
    described = VERSIONS[release]["objects"][kind]
    return field in described["fields"] or field in described["others"]


def deviations(release: str, body: Json) -> list[str]:
    """Say what is otherwise than in the release."""
    dumped = {OBJECTS[name]: as_dumped(kind) for name, kind in VERSIONS[release]["objects"].items()}
    return list(Types(dumped).deviations(body, OBJECTS[body["object"]].rpartition(".")[2]))


def _object(described: Json, given: Json) -> Json:
    made: Json = dict.fromkeys(described["others"])
    for name, kind in described["fields"].items():
        if name in given:
            made[name] = _given(kind, given[name])
        else:
            made[name] = None if name in described["may_be_null"] else _any_value(kind)
    return made | {name: given[name] for name in described["others"] if name in given}


def _given(kind: Json, value: Any) -> Any:
    if kind["kind"] == "union":
        kind = next((choice for choice in kind["of"] if choice["kind"] == "object"), kind)
    return _object(kind, value) if kind["kind"] == "object" and isinstance(value, dict) else value


def _any_value(kind: Json) -> Any:
    match kind["kind"]:
        case "union":
            return _any_value(kind["of"][0])
        case "enum":
            return kind["values"][0]
        case "object":
            return _object(kind, {})
        case "list":
            return []
        case "map":
            return {}
        case name:
            return {"str": "text", "ref": "text_1", "int": 1, "float": 1.0, "bool": False, "decimal": "1"}[name]
