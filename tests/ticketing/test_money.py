"""Amounts in minor units and back, in currencies with none, two and three decimals."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing.money import format_amount, from_minor_units, minor_unit_digits, round_to_chargeable, to_minor_units

CURRENCIES = st.sampled_from(["eur", "usd", "jpy", "kwd", "isk", "ugx", "EUR", "Jpy"])
LARGEST = 10**12


@pytest.mark.parametrize(
    ("currency", "digits"), [("eur", 2), ("EUR", 2), ("jpy", 0), ("krw", 0), ("kwd", 3), ("isk", 2), ("ugx", 2)]
)
def test_decimals_of_a_currency(currency: str, digits: int) -> None:
    assert minor_unit_digits(currency) == digits


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("40.00", "eur", 4000),
        ("40", "eur", 4000),
        ("0.00", "eur", 0),
        ("0.01", "eur", 1),
        ("40", "jpy", 40),
        ("40.00", "jpy", 40),
        ("40.000", "kwd", 40000),
        ("0.001", "kwd", 1),
        ("99999999.99", "eur", 9999999999),
    ],
)
def test_minor_units(amount: str, currency: str, minor: int) -> None:
    assert to_minor_units(Decimal(amount), currency) == minor
    assert from_minor_units(minor, currency) == Decimal(amount)


@pytest.mark.parametrize(("amount", "currency"), [("0.001", "eur"), ("40.50", "jpy"), ("1.0001", "kwd")])
def test_what_is_finer_than_the_currency_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=f"{amount} {currency.upper()} has no whole number of minor units"):
        to_minor_units(Decimal(amount), currency)


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("0.005", "eur", "0.01"),
        ("0.015", "eur", "0.02"),
        ("0.0149", "eur", "0.01"),
        ("12.345", "eur", "12.35"),
        ("0.5", "jpy", "1"),
        ("1.5", "jpy", "2"),
        ("0.005", "kwd", "0.01"),
        ("12.5", "isk", "13"),
    ],
)
def test_halves_are_rounded_up(amount: str, currency: str, rounded: str) -> None:
    result = round_to_chargeable(Decimal(amount), currency)
    assert result == Decimal(rounded)
    assert result.as_tuple().exponent == Decimal(rounded).as_tuple().exponent


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (4000, "eur", "40.00 EUR"),
        (1, "eur", "0.01 EUR"),
        (0, "eur", "0.00 EUR"),
        (40, "jpy", "40 JPY"),
        (1, "kwd", "0.001 KWD"),
    ],
)
def test_amounts_are_spoken_with_all_their_decimals(minor: int, currency: str, text: str) -> None:
    assert format_amount(minor, currency) == text


@given(minor=st.integers(0, LARGEST), currency=CURRENCIES)
def test_there_and_back_is_the_same(minor: int, currency: str) -> None:
    assert to_minor_units(from_minor_units(minor, currency), currency) == minor


@given(amount=st.decimals(0, 10**8, places=6), currency=CURRENCIES)
def test_what_was_rounded_can_be_said_and_is_near(amount: Decimal, currency: str) -> None:
    rounded = round_to_chargeable(amount, currency)
    digits = 0 if currency in {"isk", "ugx"} else min(minor_unit_digits(currency), 2)
    step = Decimal(1).scaleb(-digits)
    assert abs(rounded - amount) <= step / 2
    assert from_minor_units(to_minor_units(rounded, currency), currency) == rounded
