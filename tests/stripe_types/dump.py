"""What a release of the `stripe` package says of Stripe's objects and requests, as plain JSON.

It reads the annotations of the installed package, whichever that is: `python tests/stripe_types/dump.py` prints them.
`typing.get_type_hints` is of no use here: the package imports half of its types for type checkers only.

A type is one of:

    {"kind": "any"}                          whatever JSON there may be
    {"kind": "str" | "int" | "float" | "bool" | "decimal" | "null"}
    {"kind": "enum", "values": […]}          also where the package says `Literal[…] | str`
    {"kind": "list" | "page" | "map", "of": type}     an array, one of the API's lists, free keys
    {"kind": "object", "fields": {name: {"type": type, "optional": bool}}}
    {"kind": "ref", "name": "PaymentIntent"} another object of the API, by its class
    {"kind": "union", "of": [type, …]}

An object's field is optional when it may be null or missing; a request's, when it need not be sent.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import json
import sys
import types
import typing
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import stripe
import typing_extensions
from stripe import StripeObject

Json = dict[str, Any]

OBJECTS = (
    "Account",
    "BalanceTransaction",
    "Charge",
    "Dispute",
    "Event",
    "File",
    "LineItem",
    "PaymentIntent",
    "PaymentMethod",
    "Payout",
    "Price",
    "Refund",
    "WebhookEndpoint",
    "checkout.Session",
    "v2.core.Event",
    "v2.core.EventDestination",
)
_PLAIN = {str: "str", int: "int", float: "float", bool: "bool", Decimal: "decimal", type(None): "null"}
_NOT_REQUIRED = (typing_extensions.NotRequired, typing.NotRequired)
_REQUIRED = (typing_extensions.Required, typing.Required)


def dump(objects: Iterable[str] = OBJECTS, requests: Iterable[str] = ()) -> dict[str, Json]:
    """Describe objects (`checkout.Session`) and requests (`params.checkout.SessionCreateParams`) by these names."""
    return {name: _described(_find(name)) for name in (*objects, *requests)}


def _find(name: str) -> type:
    module, _, leaf = name.rpartition(".")
    found: type = getattr(importlib.import_module(f"stripe.{module}" if module else "stripe"), leaf)
    return found


def _described(kind: type) -> Json:
    if issubclass(kind, StripeObject):
        fields = _object_fields(kind)
    else:
        # A TypedDict has the fields of its bases, too; those of RequestOptions are no parameters.
        names = _Names(vars(sys.modules[kind.__module__]))
        own = kind.__annotations__.keys() - stripe.RequestOptions.__annotations__.keys()
        fields = {name: _request_field(kind.__annotations__[name], names) for name in sorted(own)}
    return {"kind": "object", "fields": fields}


def _object_fields(kind: type) -> Json:
    fields: Json = {}
    for base in reversed(kind.__mro__):
        if not issubclass(base, StripeObject) or base is StripeObject:
            continue
        names = _Names(vars(sys.modules[base.__module__]))
        for name, annotation in inspect.get_annotations(base).items():
            if not name.startswith("_") and not _is_of_class(annotation):
                described = _type(annotation, names)
                fields[name] = {"type": described, "optional": _may_be_null(described)}
    return fields


def _is_of_class(annotation: object) -> bool:
    return str(typing.get_origin(annotation)) == "typing.ClassVar"


def _request_field(annotation: Any, names: _Names) -> Json:
    optional = typing.get_origin(annotation) in _NOT_REQUIRED
    if optional or typing.get_origin(annotation) in _REQUIRED:
        [annotation] = typing.get_args(annotation)
    return {"type": _type(annotation, names), "optional": optional}


class _Elsewhere:
    """A class that is imported for type checkers only."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __class_getitem__(cls, item: object) -> object:
        return item

    def __or__(self, other: Any) -> Any:
        return typing.Union[self.as_reference(), other]  # noqa: UP007 - made while running

    def __ror__(self, other: Any) -> Any:
        return typing.Union[other, self.as_reference()]  # noqa: UP007 - made while running

    def as_reference(self) -> typing.ForwardRef:
        return typing.ForwardRef(self.name)


class _Names(dict[str, Any]):
    """What a forward reference's names mean in its module."""

    def __missing__(self, name: str) -> Any:
        for module in (typing_extensions, typing, builtins):
            if hasattr(module, name):
                return getattr(module, name)
        return _Elsewhere(name)


def _type(annotation: Any, names: _Names) -> Json:
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        annotation = eval(annotation, {}, names)  # noqa: S307 - the package's own annotations
    origin = typing.get_origin(annotation)
    if origin is not None:
        return _generic(annotation, origin, names)
    if isinstance(annotation, _Elsewhere):
        return {"kind": "ref", "name": annotation.name}
    return _class(annotation)


def _class(annotation: Any) -> Json:
    if annotation is Any:
        return {"kind": "any"}
    if annotation in _PLAIN:
        return {"kind": _PLAIN[annotation]}
    if hasattr(annotation, "OBJECT_NAME"):
        return {"kind": "ref", "name": annotation.__name__}
    if annotation.__name__ == "UntypedStripeObject":
        return {"kind": "map", "of": {"kind": "any"}}
    if issubclass(annotation, StripeObject) or typing_extensions.is_typeddict(annotation):
        return _described(annotation)
    raise TypeError(f"the package has a type that is not known here: {annotation!r}")


def _generic(annotation: Any, origin: Any, names: _Names) -> Json:
    arguments = typing.get_args(annotation)
    if origin in {typing.Union, types.UnionType}:
        return _union([_type(argument, names) for argument in arguments])
    if origin is typing.Literal:
        return {"kind": "enum", "values": list(arguments)}
    kind = {"list": "list", "dict": "map", "ListObject": "page", "UntypedStripeObject": "map"}[origin.__name__]
    return {"kind": kind, "of": _type(arguments[-1], names)}


def _union(choices: list[Json]) -> Json:
    flat = [inner for choice in choices for inner in (choice["of"] if choice["kind"] == "union" else [choice])]
    enums = [choice for choice in flat if choice["kind"] == "enum"]
    if enums:
        # `Literal[…] | str`: newer releases leave room for values to come. What is known now are the literals.
        values = [value for choice in enums for value in choice["values"]]
        flat = [choice for choice in flat if choice["kind"] not in {"enum", "str"}] + [
            {"kind": "enum", "values": values}
        ]
    return flat[0] if len(flat) == 1 else {"kind": "union", "of": flat}


def _may_be_null(described: Json) -> bool:
    return described["kind"] in {"null", "any"} or (
        described["kind"] == "union" and any(choice["kind"] == "null" for choice in described["of"])
    )


def has(name: str) -> bool:
    """Whether this release has a class of that name: early ones have no `v2.core.Event`."""
    try:
        return bool(_find(name))
    except (ImportError, AttributeError):
        return False


if __name__ == "__main__":
    json.dump(
        {"version": stripe.VERSION, **dump(filter(has, OBJECTS), filter(has, sys.argv[1:]))},
        sys.stdout,
        indent=1,
        sort_keys=True,
    )
