from __future__ import annotations

from typing import Any

import pytest

from ticketing.checkout.errors import InvalidForm
from ticketing.checkout.form import read_checkout_form


def refusal_of(body: dict[str, Any]) -> str:
    with pytest.raises(InvalidForm) as refused:
        read_checkout_form(body, most=10)
    return str(refused.value)


def test_a_form() -> None:
    form = read_checkout_form(
        {"quantity": 2, "email": " Jo.O'Neil+x@mail.example.com ", "discount_code": "abc", "name": "left alone"},
        most=10,
    )
    assert (form.quantity, form.email, form.discount_code) == (2, "Jo.O'Neil+x@mail.example.com", "abc")
    assert read_checkout_form({"email": "a@b.example"}, most=10).quantity == 1
    assert read_checkout_form({"email": "a@b.example", "discount_code": None}, most=10).discount_code is None


@pytest.mark.parametrize("quantity", [True, False, 1.0, "1", 0, -1, None, 11.0, [1], {"a": 1}])
def test_a_quantity_is_a_whole_number_within_the_limit(quantity: object) -> None:
    assert "1 to 10" in refusal_of({"quantity": quantity, "email": "a@b.example"})


@pytest.mark.parametrize("quantity", [11, 10**30])
def test_more_than_one_order_may_have(quantity: int) -> None:
    assert refusal_of({"quantity": quantity, "email": "a@b.example"}) == "At most 10 tickets per order."


@pytest.mark.parametrize(
    "email",
    [
        None,
        "",
        "  ",
        7,
        ["a@b.example"],
        "a",
        "a@b",
        "@b.example",
        "a@",
        "a@@b.example",
        "a b@c.example",
        "a@b.example\r\nBcc: all@b.example",
        "a@b.example\n",
        "\ta@b.example",
        "a@b..example",
        "a@-b.example",
        "a@b-.example",
        "a@b.e",
        "a@b.12",
        ".a@b.example",
        "a.@b.example",
        "a..b@c.example",
        "a@b.example,c@d.example",
        "<a@b.example>",
        '"a"@b.example',
        "a@[127.0.0.1]",
        "é@b.example",
        "a@b\u00e9..example",
        "a@-\u00e9.example",
        "a@\u00e9\u200b\u2603 .example",
        "a@" + "\u00e9" * 64 + ".example",
        "a@" + ".".join(["\u00e9" * 20] * 12) + ".example",
        "a@\u00e9" + "." * 100000,
        "a@b.example\x00",
        "x" * 65 + "@b.example",
        "a@" + "b" * 64 + ".example",
        "a@" + ".".join(["b" * 60] * 5) + ".example",
        "a@" + "b." * 50000 + "!",
        "a." * 100000 + "@b.example",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(email: object) -> None:
    sentence = refusal_of({"email": email})
    assert "\n" not in sentence
    assert not (isinstance(email, str) and len(email) > 2 and email in sentence)


@pytest.mark.parametrize("code", [1, True, ["A"], {"a": 1}, "A" * 201])
def test_a_code_is_a_text(code: object) -> None:
    refusal_of({"email": "a@b.example", "discount_code": code})
