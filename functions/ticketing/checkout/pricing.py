"""What an order costs (docs/rules.md, "Money" and "Discount codes").

Unit price = base price - discount, rounded half up to what the currency can be charged in, between 0 and the base
price. Total = unit price x quantity: exactly the one line item that Stripe charges.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

import msgspec

from ticketing import money
from ticketing.checkout.errors import AmountTooLarge, AmountTooSmall

# The smallest charges above 0, in minor units (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
# In a currency that is not listed Stripe compares after converting, at a rate that is not known here: there Stripe
# has the last word.
_MINIMUM_CHARGE: Final = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
# The same page: an amount has at most eight digits. It is also what `total_amount` DECIMAL(10,2) can hold.
_MAXIMUM_CHARGE: Final = 99_999_999

_ZERO: Final = Decimal(0)
_HUNDRED: Final = Decimal(100)


class Discount(msgspec.Struct, frozen=True, kw_only=True):
    """A discount on one seat: `value` per cent of the base price, or a `fixed` amount in the order's currency."""

    discount_type: Literal["percentage", "fixed"]
    value: Decimal


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What an order costs. Decimals in the currency, `…_minor` in its minor units.

    `discount_amount` is what the whole order saves: (base price - unit price) x quantity. So
    total + discount_amount is what the seats would have cost without the discount.
    """

    unit_price: Decimal
    discount_amount: Decimal
    total_amount: Decimal
    unit_minor: int
    total_minor: int
    currency: str


def price_order(*, base_price: Decimal, quantity: int, discount: Discount | None, currency: str) -> Price:
    """Price `quantity` seats at `base_price` each, with at most one discount.

    Raises:
        AmountTooSmall: the total is above 0 but below what Stripe charges.
        AmountTooLarge: it is more than Stripe charges at once.
    """
    full = max(money.round_to_chargeable(base_price, currency), _ZERO)
    unit = (
        full if discount is None else money.round_to_chargeable(base_price - _reduction(base_price, discount), currency)
    )
    # A reduction larger than the price makes the seat free; a negative one must not make it dearer.
    unit = min(max(unit, _ZERO), full)
    total = unit * quantity
    price = Price(
        unit_price=unit,
        discount_amount=(full - unit) * quantity,
        total_amount=total,
        unit_minor=money.to_minor_units(unit, currency),
        total_minor=money.to_minor_units(total, currency),
        currency=currency.lower(),
    )
    _check_chargeable(price)
    return price


def minimum_charge(currency: str) -> int:
    """Give the smallest amount above 0 that Stripe charges, in minor units; 1 where only Stripe can tell."""
    return _MINIMUM_CHARGE.get(currency.lower(), 1)


def _reduction(base_price: Decimal, discount: Discount | None) -> Decimal:
    if discount is None:
        return _ZERO
    if discount.discount_type == "percentage":
        return base_price * discount.value / _HUNDRED
    return discount.value


def _check_chargeable(price: Price) -> None:
    minimum = minimum_charge(price.currency)
    if 0 < price.total_minor < minimum:
        raise AmountTooSmall(money.format_amount(minimum, price.currency))
    if price.total_minor > _MAXIMUM_CHARGE:
        raise AmountTooLarge(money.format_amount(_MAXIMUM_CHARGE, price.currency))
