"""Request parameters: the bracketed form of API v1, and the checks Stripe makes on it.

A check takes the raw value and the parameter's name in bracket form, and returns the value in its type
or raises ApiError. Checks are put together to describe a request (see session_parameters.py).
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from local.stripe_stand_in.errors import invalid_parameter, not_imitated
from local.stripe_stand_in.json_object import JsonObject

Raw: TypeAlias = "str | dict[str, Raw]"
Check: TypeAlias = Callable[[Raw, str], Any]

MAX_DEPTH = 8
MAX_INTEGER = 2**53
_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_EMAIL = re.compile(r"^[^@\s<>\"(),:;\\]+@[^@\s<>\"(),:;\\.]+(\.[^@\s<>\"(),:;\\.]+)+$")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


def decode(encoded: str) -> dict[str, Raw]:
    """Decode `a[b][0][c]=1&expand[]=x` to nested dictionaries; list positions stay keys.

    Raises:
        ApiError: A name that is malformed, nested too deeply, or used both as value and as hash.
    """
    decoded: dict[str, Raw] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        match = _NAME.match(name)
        keys = [match.group(1), *re.findall(r"\[([^\[\]]*)\]", match.group(2))] if match else []
        if not keys or len(keys) > MAX_DEPTH:
            raise invalid_parameter(f"Invalid parameter name: {name[:100]}", name[:100])
        _put(decoded, keys, value, name)
    return decoded


def decode_json(body: bytes) -> dict[str, Raw]:
    """Bring the JSON of API v2 to the same form: values as texts, lists by position, null as an empty text.

    Raises:
        ApiError: It is no JSON object.
    """
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise invalid_parameter("The request body is no JSON object.", None)
    return {str(name): _raw(item) for name, item in value.items()}


def _raw(value: object) -> Raw:
    if isinstance(value, dict):
        return {str(name): _raw(item) for name, item in value.items()}
    if isinstance(value, list):
        return {str(position): _raw(item) for position, item in enumerate(value)}
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _put(target: dict[str, Raw], keys: list[str], value: str, name: str) -> None:
    for key in keys[:-1]:
        inner = target.setdefault(key or str(len(target)), {})
        if not isinstance(inner, dict):
            raise invalid_parameter(f"Invalid parameter: {name[:100]}", name[:100])
        target = inner
    target[keys[-1] or str(len(target))] = value


def join(prefix: str, key: str) -> str:
    """Return the name of a field inside a parameter, in bracket form."""
    return f"{prefix}[{key}]" if prefix else key


class HashOf:
    """Check a hash.

    Args:
        fields: What it may have, each with its check.
        required: Which of them it must have.
        known_to_stripe: Names fields that Stripe takes and the stand-in does not.
    """

    def __init__(
        self,
        fields: Mapping[str, Check],
        *,
        required: Iterable[str] = (),
        known_to_stripe: Callable[[], Iterable[str]] = lambda: (),
    ) -> None:
        """Take what it may and must have; see the class."""
        self.fields = fields
        self.required = tuple(required)
        self.known_to_stripe = known_to_stripe

    def __call__(self, raw: Raw, name: str) -> JsonObject:
        """Return the hash, its values in their types.

        Raises:
            ApiError: As Stripe says it: parameter_unknown, parameter_missing, parameter_invalid_…
        """
        if not isinstance(raw, dict):
            raise invalid_parameter("Invalid object", name)
        self._refuse_unknown(raw, name)
        for field in self.required:
            if field not in raw:
                param = join(name, field)
                raise invalid_parameter(f"Missing required param: {param}.", param, "parameter_missing")
        return {key: self.fields[key](value, join(name, key)) for key, value in raw.items()}

    def _refuse_unknown(self, raw: dict[str, Raw], name: str) -> None:
        unknown = [key for key in raw if key not in self.fields]
        if not unknown:
            return
        names = [join(name, key) for key in unknown]
        if set(unknown) <= set(self.known_to_stripe()):
            raise not_imitated(f"the parameter {', '.join(names)}", names[0])
        plural = "s" if len(names) > 1 else ""
        raise invalid_parameter(
            f"Received unknown parameter{plural}: {', '.join(names)}",
            names[0],
            "parameter_unknown",
        )


class ArrayOf:
    """Check a list, which comes as a hash of positions."""

    def __init__(self, item: Check, *, maximum: int = 100) -> None:
        """Take the check of its items, and how many there may be."""
        self.item = item
        self._maximum = maximum

    def __call__(self, raw: Raw, name: str) -> list[Any]:
        """Return the list.

        Raises:
            ApiError: It is none, or too long, or an item is wrong.
        """
        if not isinstance(raw, dict) or not all(key.isdigit() for key in raw):
            raise invalid_parameter("Invalid array", name)
        if len(raw) > self._maximum:
            raise invalid_parameter(f"Array {name} exceeded maximum {self._maximum} allowed elements.", name)
        keys = sorted(raw, key=int)
        return [self.item(raw[key], join(name, key)) for key in keys]


def _text(raw: Raw, name: str) -> str:
    if not isinstance(raw, str):
        raise invalid_parameter(f"Invalid string: {name}", name)
    if raw == "":
        raise invalid_parameter(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a"
            f" parameter; however '{name}' cannot be unset. You should remove '{name}' from your request or"
            " supply a non-empty value.",
            name,
            "parameter_invalid_empty",
        )
    return raw


def string(maximum: int = 5000) -> Check:
    """Check a text that is not empty."""

    def check(raw: Raw, name: str) -> object:
        text = _text(raw, name)
        if len(text) > maximum:
            raise invalid_parameter(
                f"Invalid string: {text[:10]}…{text[-5:]}; must be at most {maximum} characters",
                name,
                "parameter_invalid_string_length",
            )
        return text

    return check


def text() -> Check:
    """Check a text that may be empty, which unsets it."""

    def check(raw: Raw, name: str) -> object:
        if not isinstance(raw, str):
            raise invalid_parameter(f"Invalid string: {name}", name)
        return raw

    return check


def integer(minimum: int | None = None, maximum: int = MAX_INTEGER) -> Check:
    """Check a whole number; Stripe takes no `10.0`, no `1e3` and no spaces."""

    def check(raw: Raw, name: str) -> object:
        text = _text(raw, name)
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise invalid_parameter(f"Invalid integer: {text[:100]}", name, "parameter_invalid_integer")
        number = int(text)
        if minimum is not None and number < minimum:
            message = (
                "Invalid non-negative integer"
                if minimum == 0
                else f"This value must be greater than or equal to {minimum}."
            )
            raise invalid_parameter(message, name, "parameter_invalid_integer")
        if number > maximum:
            raise invalid_parameter(
                f"This value must be less than or equal to {maximum}.",
                name,
                "parameter_invalid_integer",
            )
        return number

    return check


def boolean() -> Check:
    """Check `true` or `false`."""

    def check(raw: Raw, name: str) -> object:
        text = _text(raw, name)
        if text not in {"true", "false"}:
            raise invalid_parameter(f"Invalid boolean: {text[:100]}", name)
        return text == "true"

    return check


class OneOf:
    """Check a choice."""

    def __init__(self, *choices: str) -> None:
        """Take the choices."""
        self.choices = choices

    def __call__(self, raw: Raw, name: str) -> str:
        """Return the choice.

        Raises:
            ApiError: It is none of them.
        """
        text = _text(raw, name)
        if text not in self.choices:
            *others, last = self.choices
            allowed = f"one of {', '.join(others)}, or {last}" if others else last
            leaf = name.rpartition("[")[2].rstrip("]")
            raise invalid_parameter(f"Invalid {leaf}: must be {allowed}", name)
        return text


def url() -> Check:
    """Check an absolute http(s) address without anything that could break a header."""

    def check(raw: Raw, name: str) -> object:
        text = _text(raw, name)
        try:
            parts = urlsplit(text)
            sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and not _CONTROL.search(text)
        except ValueError:
            sound = False
        if not sound:
            raise invalid_parameter("Not a valid URL", name, "url_invalid")
        return text

    return check


def email() -> Check:
    """Check an e-mail address."""

    def check(raw: Raw, name: str) -> object:
        text = _text(raw, name)
        if not is_email(text):
            raise invalid_parameter(f"Invalid email address: {text[:100]}", name, "email_invalid")
        return text

    return check


def is_email(text: str) -> bool:
    """Return whether Stripe would take the text for an e-mail address."""
    return len(text) <= 254 and _EMAIL.match(text) is not None  # noqa: PLR2004 - RFC 5321


def metadata() -> Check:
    """Check metadata: 50 keys of 40 characters, values of 500 (docs.stripe.com/api/metadata)."""

    def check(raw: Raw, name: str) -> object:
        if raw == "":
            return {}
        if not isinstance(raw, dict):
            raise invalid_parameter("Invalid object", name)
        if len(raw) > 50:  # noqa: PLR2004
            raise invalid_parameter(f"Metadata can have up to 50 keys, but you passed in {len(raw)}.", name)
        for key, value in raw.items():
            if not isinstance(value, str):
                raise invalid_parameter(f"Invalid value: {join(name, key)} must be a string", name)
            _limit("keys", "key", key, 40, name)
            _limit("values", "value", value, 500, name)
        return dict(raw)

    return check


def _limit(many: str, one: str, text: str, limit: int, name: str) -> None:
    if len(text) > limit:
        raise invalid_parameter(
            f"Metadata {many} can have up to {limit} characters, but you passed in a {one} that is"
            f" {len(text)} characters. Invalid {one}: {text[:50]}",
            name,
        )


class CreatedRange:
    """Check a moment, or a hash of gt, gte, lt and lte; gives ((comparison, Unix time), …)."""

    _COMPARISONS: ClassVar = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

    def __init__(self) -> None:
        """Make the check of the hash."""
        self.fields: Mapping[str, Check] = dict.fromkeys(self._COMPARISONS, integer(0))

    def __call__(self, raw: Raw, name: str) -> tuple[tuple[str, int], ...]:
        """Return the bounds.

        Raises:
            ApiError: It is neither.
        """
        if isinstance(raw, str):
            return (("=", integer(0)(raw, name)),)
        value = HashOf(self.fields)(raw, name)
        return tuple((self._COMPARISONS[key], moment) for key, moment in value.items())


# What an endpoint takes that gives one object.
RETRIEVE = HashOf({"expand": ArrayOf(string())})
NOTHING = HashOf({})
