"""Amounts: Decimal in the shop and in MariaDB, integers in minor units towards Stripe.

Zero- and three-decimal currencies as in https://docs.stripe.com/currencies#zero-decimal. Never a float.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
_THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
# Charged by Stripe as two-decimal although they have no smaller coin in use
# (https://docs.stripe.com/currencies#special-cases): isk and ugx. They need no entry: two is the default.


def minor_unit_digits(currency: str) -> int:
    """Give how many decimals the currency has at Stripe: 0, 2 or 3. `currency` is an ISO code in any case."""
    code = currency.lower()
    if code in _ZERO_DECIMAL:
        return 0
    return 3 if code in _THREE_DECIMAL else 2


def round_to_minor_unit(amount: Decimal, currency: str) -> Decimal:
    """Round half up to the currency's minor unit (docs/rules.md, "Money")."""
    return amount.quantize(Decimal(1).scaleb(-minor_unit_digits(currency)), rounding=ROUND_HALF_UP)


def to_minor_units(amount: Decimal, currency: str) -> int:
    """Give the amount in minor units: 40.00 eur is 4000, 40 jpy is 40, 40 kwd is 40000.

    Raises:
        ValueError: the amount is finer than the currency's minor unit.
    """
    scaled = amount.scaleb(minor_unit_digits(currency))
    whole = int(scaled)
    if scaled != whole:
        raise ValueError(f"{amount} {currency.upper()} cannot be said in minor units")
    return whole


def from_minor_units(minor: int, currency: str) -> Decimal:
    """Give the amount of so many minor units: 4000 in eur is 40.00."""
    return Decimal(minor).scaleb(-minor_unit_digits(currency))


def spoken(minor: int, currency: str) -> str:
    """Give the amount as a person writes it: `40.00 EUR`."""
    return f"{from_minor_units(minor, currency)} {currency.upper()}"
