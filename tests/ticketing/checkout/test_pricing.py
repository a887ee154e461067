from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing import money
from ticketing.checkout.errors import AmountTooLarge, AmountTooSmall, CheckoutRefused
from ticketing.checkout.pricing import Discount, minimum_charge, price_order


def percentage(value: str) -> Discount:
    return Discount(discount_type="percentage", value=Decimal(value))


def fixed(value: str) -> Discount:
    return Discount(discount_type="fixed", value=Decimal(value))


@pytest.mark.parametrize(
    ("base", "quantity", "discount", "unit", "saved", "total"),
    [
        ("20.00", 1, None, "20.00", "0.00", "20.00"),
        ("20.00", 3, percentage("10"), "18.00", "6.00", "54.00"),
        ("20.00", 2, fixed("5"), "15.00", "10.00", "30.00"),
        # 9.99 less 15 % is 8.4915
        ("9.99", 3, percentage("15"), "8.49", "4.50", "25.47"),
        # 1.25 less 50 % is 0.625: half a cent goes up, and the total is the sum of the rounded seats
        ("1.25", 3, percentage("50"), "0.63", "1.86", "1.89"),
        ("10.05", 1, percentage("50"), "5.03", "5.02", "5.03"),
        ("33.33", 1, percentage("33.33"), "22.22", "11.11", "22.22"),
        ("20.00", 2, percentage("100"), "0.00", "40.00", "0.00"),
        ("20.00", 2, fixed("25.00"), "0.00", "40.00", "0.00"),
        ("20.00", 1, percentage("150"), "0.00", "20.00", "0.00"),
        ("0.00", 2, None, "0.00", "0.00", "0.00"),
        # a discount that an organiser mistyped never makes a seat dearer
        ("20.00", 1, fixed("-5"), "20.00", "0.00", "20.00"),
    ],
)
def test_a_price_in_euros(
    base: str, quantity: int, discount: Discount | None, unit: str, saved: str, total: str
) -> None:
    price = price_order(base_price=Decimal(base), quantity=quantity, discount=discount, currency="eur")
    assert (price.unit_price, price.discount_amount, price.total_amount) == (
        Decimal(unit),
        Decimal(saved),
        Decimal(total),
    )
    assert price.unit_minor * quantity == price.total_minor == int(Decimal(total) * 100)


@pytest.mark.parametrize(
    ("currency", "base", "unit", "unit_minor"),
    [
        ("jpy", "1000.50", "1001", 1001),
        ("kwd", "10.125", "10.13", 10130),  # Stripe charges dinars in tens of fils only
        ("isk", "1200.50", "1201", 120100),  # two decimals at Stripe, but always .00
        ("usd", "12.345", "12.35", 1235),
        ("EUR", "12.30", "12.30", 1230),
    ],
)
def test_other_currencies_are_charged_in_what_stripe_can_charge(
    currency: str, base: str, unit: str, unit_minor: int
) -> None:
    price = price_order(base_price=Decimal(base), quantity=1, discount=None, currency=currency)
    assert price.unit_price == Decimal(unit)
    assert price.unit_minor == unit_minor
    assert price.currency == currency.lower()


@pytest.mark.parametrize(
    ("currency", "below", "enough"), [("eur", "0.49", "0.50"), ("eur", "0.01", "0.50"), ("gbp", "0.29", "0.30")]
)
def test_a_total_that_stripe_does_not_charge_is_refused(currency: str, below: str, enough: str) -> None:
    with pytest.raises(AmountTooSmall) as refused:
        price_order(base_price=Decimal(below), quantity=1, discount=None, currency=currency)
    assert refused.value.minimum == f"{enough} {currency.upper()}"
    price = price_order(base_price=Decimal(enough), quantity=1, discount=None, currency=currency)
    assert price.total_minor == minimum_charge(currency)


def test_the_minimum_is_for_the_total_not_for_a_seat() -> None:
    assert price_order(base_price=Decimal("0.25"), quantity=2, discount=None, currency="eur").total_minor == 50


def test_a_currency_without_a_known_minimum_is_left_to_stripe() -> None:
    assert price_order(base_price=Decimal("0.01"), quantity=1, discount=None, currency="zar").total_minor == 1


def test_a_total_that_stripe_cannot_charge_at_once_is_refused() -> None:
    with pytest.raises(AmountTooLarge, match=r"999,?999\.99 EUR"):
        price_order(base_price=Decimal("100000.00"), quantity=10, discount=None, currency="eur")
    most = price_order(base_price=Decimal("999999.99"), quantity=1, discount=None, currency="eur")
    assert most.total_minor == 99_999_999


@given(
    base=st.decimals(min_value=60, max_value=5000, places=2),
    quantity=st.integers(1, 10),
    discount=st.one_of(
        st.none(),
        st.builds(
            Discount,
            discount_type=st.sampled_from(["percentage", "fixed"]),
            value=st.decimals(min_value=-50, max_value=500, places=2),
        ),
    ),
    currency=st.sampled_from(["eur", "jpy", "kwd", "isk", "usd"]),
)
def test_a_total_is_always_the_sum_of_its_seats_and_its_discount(
    base: Decimal, quantity: int, discount: Discount | None, currency: str
) -> None:
    try:
        price = price_order(base_price=base, quantity=quantity, discount=discount, currency=currency)
    except CheckoutRefused:
        return  # less than Stripe charges; the tests above say when
    assert price.total_minor == price.unit_minor * quantity
    assert price.total_amount == price.unit_price * quantity
    assert money.from_minor_units(price.total_minor, currency) == price.total_amount
    full = price_order(base_price=base, quantity=quantity, discount=None, currency=currency)
    assert price.total_amount + price.discount_amount == full.total_amount
    assert 0 <= price.total_amount <= full.total_amount
