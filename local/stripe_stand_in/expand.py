"""`expand[]`: an id in an answer replaced by the object (docs.stripe.com/api/expanding_objects)."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from local.stripe_stand_in.errors import invalid_parameter
from local.stripe_stand_in.store import Kind

if TYPE_CHECKING:
    from local.stripe_stand_in.context import Context
    from local.stripe_stand_in.json_object import JsonObject

_FIELDS: dict[str, Kind] = {
    "payment_intent": "payment_intent",
    "latest_charge": "charge",
    "charge": "charge",
    "balance_transaction": "balance_transaction",
    "failure_balance_transaction": "balance_transaction",
}
# What is of whatever kind: Stripe takes a path into it that only some of the kinds have, and leaves the others alone.
_OF_ANY_KIND = "source"
_MAX_DEPTH = 4


def expand(
    context: "Context",
    answer: "JsonObject",
    paths: Iterable[str],
    included: "dict[str, Callable[[], JsonObject]] | None" = None,
) -> "JsonObject":
    """Return the answer with the named fields expanded; the stored objects stay as they are.

    Args:
        context: The stand-in.
        answer: An object or a list.
        paths: As `payment_intent.latest_charge`, or `data.payment_intent` on a list.
        included: Fields of the answer that are there only when asked for, as a session's `line_items`.

    Raises:
        ApiError: The field cannot be expanded.
    """
    for path in paths:
        keys = path.split(".")
        if len(keys) > _MAX_DEPTH:
            raise invalid_parameter(f"You cannot expand more than {_MAX_DEPTH} levels of a property.", "expand")
        if included and keys[0] in included:
            answer = answer | {keys[0]: included[keys[0]]()}
        elif answer.get("object") == "list":
            if keys[0] != "data" or len(keys) == 1:
                raise invalid_parameter(f"This property cannot be expanded ({path}).", "expand")
            answer = answer | {"data": [_expand_one(context, item, keys[1:], path) for item in answer["data"]]}
        else:
            answer = _expand_one(context, answer, keys, path)
    return answer


def _expand_one(context: "Context", item: "JsonObject", keys: list[str], path: str) -> "JsonObject":
    name, *rest = keys
    if name == _OF_ANY_KIND and name in item:
        return item | {name: _expand_any(context, item[name], rest)}
    if name not in _FIELDS or name not in item:
        raise invalid_parameter(f"This property cannot be expanded ({path}).", "expand")
    inner = item[name]
    if isinstance(inner, str):
        record = context.store.get(_FIELDS[name], inner)
        inner = record.body if record else None
    if isinstance(inner, dict) and rest:
        inner = _expand_one(context, inner, rest, path)
    return item | {name: inner}


def _expand_any(context: "Context", inner: "str | JsonObject | None", rest: list[str]) -> "str | JsonObject | None":
    if isinstance(inner, str):
        record = context.store.find(inner)
        inner = record.body if record else inner
    if isinstance(inner, dict) and rest and rest[0] in _FIELDS and rest[0] in inner:
        inner = _expand_one(context, inner, rest, ".".join(rest))
    return inner
