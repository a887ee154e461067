"""Reads single fields of what Stripe sent: each is checked, and no sentence repeats what may be a person's."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec

from ticketing.errors import InvalidEvent

T = TypeVar("T", bound=msgspec.Struct)

# Stripe's ids are letters, digits and underscores, and at most 255 long (https://docs.stripe.com/upgrades).
_STRIPE_ID: Final = re.compile(r"[A-Za-z0-9_]{1,255}\Z")
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}\Z")
# What may be repeated in a message: words as Stripe and our own code write them. An address or a name is not.
_WORD: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}\Z")
# It is stored (`order_refunds.status`); Stripe's longest is requires_action.
_REFUND_STATUS: Final = re.compile(r"[a-z_]{1,20}\Z")
# What a payment can amount to at most in minor units: larger than any Stripe allows, smaller than a BIGINT.
_LARGEST_AMOUNT: Final = 10**12
# The end of the year 9999 in Unix time: what a date can say.
_LATEST_TIME: Final = 253_402_300_799


def convert(value: object, kind: type[T], what: str, *, expected: str | None = None) -> T:
    """Read a value as `kind`; `expected` is what its `object` must say, and then its `id` must be one of Stripe's.

    Raises:
        InvalidEvent: it is not of that shape.
    """
    try:
        read = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        # msgspec names types and places, never values: nothing of the buyer's can get into a log.
        raise InvalidEvent(f"{what} is malformed: {error}.") from None
    except UnicodeError:  # JSON can write half a surrogate pair, which is no text
        raise InvalidEvent(f"{what} is malformed: it has text that is not valid Unicode.") from None
    if expected is not None:
        kind_of_object = str(getattr(read, "object", ""))
        if kind_of_object != expected:
            raise InvalidEvent(f"{what} must be a {expected}, not {word(kind_of_object)}.")
        stripe_id(str(getattr(read, "id", "")), f"{what}.id")
    return read


def stripe_id(value: str, what: str) -> str:
    """Give an id of Stripe's, or raise InvalidEvent."""
    if not _STRIPE_ID.match(value):
        raise InvalidEvent(f"{what} is not a Stripe id.")
    return value


def optional_id(value: str | dict[str, Any] | None, what: str) -> str | None:
    """Give the id of a reference, which Stripe writes as an id, or as the whole object where it was expanded."""
    if isinstance(value, dict):
        value = value.get("id")
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidEvent(f"{what} is not a Stripe id.")
    return stripe_id(value, what)


def reference(metadata: dict[str, Any] | None, name: str) -> str | None:
    """Give what metadata says under a name: None where it says nothing, `?` where that is no word."""
    value = (metadata or {}).get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidEvent(f"metadata.{name} is not a string.")
    return word(value)


def amount(value: int | None, what: str) -> int | None:
    """Give an amount in minor units that a payment can have, or raise InvalidEvent."""
    if value is not None and not 0 <= value <= _LARGEST_AMOUNT:
        raise InvalidEvent(f"{what} is out of bounds.")
    return value


def needed_amount(value: int, what: str) -> int:
    """As `amount`, where there has to be one."""
    amount(value, what)
    return value


def currency(value: str) -> str:
    """Give a currency's code in small letters, or raise InvalidEvent."""
    if not _CURRENCY.match(value):
        raise InvalidEvent("currency is not a currency code.")
    return value.lower()


def presentment(value: object) -> tuple[int, str] | None:
    """Give what a buyer saw with adaptive pricing, an amount in minor units and its currency; None where it is no such.

    https://docs.stripe.com/api/checkout/sessions/object#checkout_session_object-presentment_details
    """
    reported = value if isinstance(value, dict) else {}
    amount_minor, code = reported.get("presentment_amount"), reported.get("presentment_currency")
    if not isinstance(amount_minor, int) or not isinstance(code, str):
        return None
    if isinstance(amount_minor, bool) or not 0 <= amount_minor <= _LARGEST_AMOUNT or not _CURRENCY.match(code):
        return None
    return amount_minor, code.lower()


def refund_status(value: str) -> str:
    """Give a refund's status as it is stored, or raise InvalidEvent."""
    if not _REFUND_STATUS.match(value):
        raise InvalidEvent("The refund's status is not a status of Stripe's.")
    return value


def time(value: object) -> int | None:
    """Give a Unix time that a date can say; None for anything else."""
    return value if isinstance(value, int) and 0 < value <= _LATEST_TIME else None


def word(value: str) -> str:
    """Make somebody else's text fit for messages and logs: a word as it is, anything else a question mark."""
    return value if _WORD.match(value) else "?"
