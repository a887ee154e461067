"""What we believe of Stripe, asked of the stand-in by `make test`, and of Stripe itself by `make contract`.

Each test is one belief that the shop or its stand-in builds upon. Against Stripe a failure says what we believe
wrongly: mend the stand-in first, then what the shop makes of it. Only what the shop uses is looked at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pytest
import stripe

from local.stripe_stand_in import PaymentSeed, StripeStandIn
from ticketing.stripe import client as stripe_client

T = TypeVar("T")

# Not STRIPE_SECRET_KEY: whoever has that set for other things must not have `make test` ask Stripe.
KEY_VARIABLE: Final = "CONTRACT_STRIPE_KEY"
IS_STRIPE: Final = KEY_VARIABLE in os.environ
_WAIT_SECONDS: Final = 60.0 if IS_STRIPE else 5.0
_LOOK_EVERY_SECONDS: Final = 1.0 if IS_STRIPE else 0.01
# What the buyer pays with: Stripe's test PaymentMethods (docs.stripe.com/testing), and how the stand-in plays them.
CARD: Final = "pm_card_visa"
DISPUTED: Final = "pm_card_createDispute"
INQUIRY: Final = "pm_card_createDisputeInquiry"
REFUND_FAILS: Final = "pm_card_refundFail"


@dataclass(frozen=True)
class Account:
    """A Stripe account: the real one in test mode, or the stand-in."""

    client: stripe.StripeClient
    api_base: str
    stand_in: StripeStandIn | None

    def pay(self, amount: int, method: str = CARD, **metadata: str) -> str:
        """Take a payment without Checkout, whose page no API pays; gives its `pi_…`."""
        if self.stand_in is None:
            return self.client.v1.payment_intents.create(
                params={
                    "amount": amount,
                    "currency": "eur",
                    "confirm": True,
                    "payment_method": method,
                    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                    "metadata": metadata,
                }
            ).id
        payment = self.stand_in.foreign_payment(PaymentSeed(amount, metadata=metadata))
        if method in {DISPUTED, INQUIRY}:
            self.stand_in.open_dispute(payment, inquiry=method == INQUIRY)
        elif method == REFUND_FAILS:
            self.stand_in.set_refund_outcome(payment, "fails_late")
        return payment

    def later(self) -> None:
        """Let happen what Stripe does by itself."""
        if self.stand_in is not None:
            self.stand_in.run_due()


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """The account that is asked."""
    if IS_STRIPE:
        base = "https://api.stripe.com"
        yield Account(stripe_client.client(os.environ[KEY_VARIABLE], api_base=base), base, None)
        return
    key = "sk_test_of_the_contract"
    with StripeStandIn(settle_delay=0.05, api_keys={key}) as stand_in:
        client = stripe_client.client(key, api_base=stand_in.url)
        yield Account(client, stand_in.url, stand_in)


@pytest.fixture
def client(account: Account) -> stripe.StripeClient:
    """The shop's own client of that account."""
    return account.client


@pytest.fixture
def eventually(account: Account) -> Callable[[Callable[[], T | None]], T]:
    """Ask again until there is an answer: some things come a moment later."""

    def ask(question: Callable[[], T | None]) -> T:
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            account.later()
            answer = question()
            if answer or time.monotonic() > deadline:
                assert answer, f"nothing came within {_WAIT_SECONDS:.0f} s"
                return answer
            time.sleep(_LOOK_EVERY_SECONDS)

    return ask


def refused(doing: Callable[[], Any]) -> stripe.StripeError:
    """Give the error with which Stripe refuses."""
    with pytest.raises(stripe.StripeError) as caught:
        doing()
    return caught.value
