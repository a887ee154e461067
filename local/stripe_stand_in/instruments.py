"""Stripe's test cards and test bank accounts, and what each of them does.

Source: docs.stripe.com/testing and docs.stripe.com/payments/sepa-debit/accept-a-payment ("Test").
"""

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Decline:
    """Why a card or a bank account does not pay."""

    message: str
    code: str
    decline_code: str | None = None


@dataclass(frozen=True)
class Card:
    """A test card: its network, and what happens with a payment by it."""

    brand: str
    decline: Decline | None = None
    disputed: bool = False
    refund: Literal["succeeds", "succeeds_late", "fails_late"] = "succeeds"


@dataclass(frozen=True)
class BankAccount:
    """A test bank account: whether the debit succeeds in the end, and whether that takes three minutes."""

    succeeds: bool
    slow: bool = False
    disputed: bool = False


_DECLINED = "Your card was declined."
_FUNDS = Decline("Your card has insufficient funds.", "card_declined", "insufficient_funds")

CARDS = {
    "4242424242424242": Card("visa"),
    "4000056655665556": Card("visa"),
    "5555555555554444": Card("mastercard"),
    "378282246310005": Card("amex"),
    "4000000000009995": Card("visa", _FUNDS),
    "4000000000000002": Card("visa", Decline(_DECLINED, "card_declined", "generic_decline")),
    "4000000000009987": Card("visa", Decline(_DECLINED, "card_declined", "lost_card")),
    "4000000000009979": Card("visa", Decline(_DECLINED, "card_declined", "stolen_card")),
    "4000000000000069": Card("visa", Decline("Your card has expired.", "expired_card")),
    "4000000000000127": Card("visa", Decline("Your card's security code is incorrect.", "incorrect_cvc")),
    "4000000000000119": Card(
        "visa",
        Decline("An error occurred while processing your card. Try again in a little bit.", "processing_error"),
    ),
    "4000000000000259": Card("visa", disputed=True),
    "4000000000007726": Card("visa", refund="succeeds_late"),
    "4000000000005126": Card("visa", refund="fails_late"),
}

IBANS = {
    "AT611904300234573201": BankAccount(succeeds=True),
    "DE89370400440532013000": BankAccount(succeeds=True),
    "AT321904300235473204": BankAccount(succeeds=True, slow=True),
    "AT861904300235473202": BankAccount(succeeds=False),
    "AT051904300235473205": BankAccount(succeeds=False, slow=True),
    "AT591904300235473203": BankAccount(succeeds=True, disputed=True),
}
SLOW_SECONDS = 180.0


def compact(number: str) -> str:
    """Return a card number or an IBAN without the spaces and hyphens people write."""
    return re.sub(r"[\s-]", "", number).upper()


def find_card(number: str) -> Card:
    """Return what the card does. Numbers that are no test cards are declined, as in test mode."""
    digits = compact(number)
    if not _passes_luhn(digits):
        return Card("unknown", Decline("Your card number is invalid.", "incorrect_number"))
    real = Decline(
        "Your card was declined. Your request was in test mode, but used a non test card. For a list of valid"
        " test cards, visit: https://stripe.com/docs/testing.",
        "card_declined",
        "test_mode_live_card",
    )
    return CARDS.get(digits, Card("unknown", real))


def find_bank_account(iban: str) -> BankAccount | None:
    """Return what the bank account does, or None for an IBAN that is no test account."""
    return IBANS.get(compact(iban))


def _passes_luhn(digits: str) -> bool:
    if not re.fullmatch(r"[0-9]{12,19}", digits):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value  # noqa: PLR2004
    return total % 10 == 0
