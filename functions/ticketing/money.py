"""Amounts: Decimal in the shop and in MariaDB, integers in minor units towards Stripe.

Zero- and three-decimal currencies as in https://docs.stripe.com/currencies#zero-decimal. Never a float.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
_THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
# Said to Stripe with two decimals, the default, but only whole amounts can be charged
# (https://docs.stripe.com/currencies#special-cases).
_WHOLE_AMOUNTS_ONLY = frozenset({"isk", "ugx"})
# Stripe charges three-decimal currencies only in tens of their minor unit
# (https://docs.stripe.com/currencies#three-decimal), which is also as fine as DECIMAL(10,2) can say.
_FINEST_DECIMALS = 2


def minor_unit_digits(currency: str) -> int:
    """Give how many decimals the currency has at Stripe: 0, 2 or 3. `currency` is an ISO code in any case."""
    code = currency.lower()
    if code in _ZERO_DECIMAL:
        return 0
    return 3 if code in _THREE_DECIMAL else 2


def round_to_chargeable(amount: Decimal, currency: str) -> Decimal:
    """Round half up to what the currency can be charged in, mostly its minor unit (docs/rules.md, "Money")."""
    digits = 0 if currency.lower() in _WHOLE_AMOUNTS_ONLY else min(minor_unit_digits(currency), _FINEST_DECIMALS)
    return amount.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


def to_minor_units(amount: Decimal, currency: str) -> int:
    """Give the amount in minor units: 40.00 eur is 4000, 40 jpy is 40, 40 kwd is 40000.

    Raises:
        ValueError: the amount is finer than the currency's minor unit.
    """
    scaled = amount.scaleb(minor_unit_digits(currency))
    whole = int(scaled)
    if scaled != whole:
        raise ValueError(f"{amount} {currency.upper()} has no whole number of minor units")
    return whole


def from_minor_units(minor: int, currency: str) -> Decimal:
    """Give the amount of so many minor units: 4000 in eur is 40.00."""
    return Decimal(minor).scaleb(-minor_unit_digits(currency))


def format_amount(minor: int, currency: str) -> str:
    """Give the amount as a person writes it: `40.00 EUR`."""
    return f"{from_minor_units(minor, currency)} {currency.upper()}"


def format_charged(minor: int, currency: str, presented: tuple[int, str] | None) -> str:
    """Give what was charged, and what the buyer saw instead: `40.00 EUR, seen by the buyer as 46.80 USD`."""
    charged = format_amount(minor, currency)
    if presented is None or presented == (minor, currency):
        return charged
    return f"{charged}, seen by the buyer as {format_amount(*presented)}"
