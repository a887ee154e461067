"""Reads what a buyer filled in, and says in a sentence what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ticketing.addresses import ascii_address
from ticketing.checkout.errors import InvalidForm

# RFC 5321, 4.5.3.1.3, less the angle brackets.
_LONGEST_EMAIL: Final = 254
# No address is longer, in whatever letters.
_LONGEST_TEXT: Final = 1000
# What people have, and Stripe takes: an address in ASCII (see `ascii_address`) with a domain of at least two labels; no
# quoted local part, no address literal, no dot at an end or twice. A library would check more, and take longer to
# import than all of this function; whether the address exists only a letter can tell.
_EMAIL: Final = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]\Z",
    re.ASCII,
)
_LONGEST_CODE: Final = 200


class CheckoutForm(msgspec.Struct, frozen=True, kw_only=True):
    """A well-formed form; whether the code exists is another matter."""

    quantity: int
    email: str
    discount_code: str | None


def read_checkout_form(body: Mapping[str, Any], *, most: int) -> CheckoutForm:
    """Read the body of a checkout; fields that it does not know are left alone. `most`: tickets per order.

    Raises:
        InvalidForm: and what is wrong.
    """
    return CheckoutForm(quantity=_quantity(body, most), email=_email(body), discount_code=_discount_code(body))


def _quantity(body: Mapping[str, Any], most: int) -> int:
    quantity = body.get("quantity", 1)
    # JSON's true is an int to Python, and 1.0 would pass for one.
    if type(quantity) is int and quantity > most:
        raise InvalidForm(f"At most {most} tickets per order.")
    if type(quantity) is not int or quantity < 1:
        raise InvalidForm(f"The quantity must be a whole number from 1 to {most}.")
    return quantity


def _email(body: Mapping[str, Any]) -> str:
    email = body.get("email")
    if not isinstance(email, str) or not email.strip(" "):
        raise InvalidForm("An e-mail address is needed.")
    # Kept as Stripe takes it, so that whoever compares addresses finds one form.
    address = ascii_address(email.strip(" ")) if len(email) <= _LONGEST_TEXT else None
    if address is None or len(address) > _LONGEST_EMAIL or not _EMAIL.match(address):
        raise InvalidForm("This is not an e-mail address.")
    return address


def _discount_code(body: Mapping[str, Any]) -> str | None:
    code = body.get("discount_code")
    if code is None:
        return None
    if not isinstance(code, str) or len(code) > _LONGEST_CODE:
        raise InvalidForm(f"The discount code must be a text of at most {_LONGEST_CODE} characters.")
    return code
