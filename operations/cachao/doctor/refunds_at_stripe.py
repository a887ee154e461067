"""Whether payments went back to their buyers, as Stripe has it: also what was refunded in its dashboard alone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from cachao.aws import stripe_access
from cachao.problems import explain
from ticketing.errors import ConfigurationError, StripeUnavailable
from ticketing.stripe.client import StripeRefused, stripe_errors

if TYPE_CHECKING:
    import stripe

    from cachao.aws.environment import Environment

_AT_ONCE: Final = 4
# Each is a request to Stripe.
_MOST: Final = 50


def went_back(environment: Environment, payment_intents: Sequence[str]) -> dict[str, bool]:
    """Tell of each payment whether all of it was refunded; those that Stripe does not tell of are left out.

    Stripe is asked about so many at most, and no more once it does not answer or the key may not ask.
    """
    if not payment_intents:
        return {}
    try:
        client = stripe_access.client(environment)
    except Exception as error:
        if explain(error) is None:
            raise
        return {}  # the link of Stripe's secret says why
    asked = payment_intents[:_MOST]
    answers: dict[str, bool] = {}
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        futures = {intent: pool.submit(_ask, client, intent) for intent in asked}
        for intent, future in futures.items():
            answer = future.result()
            if answer is not None:
                answers[intent] = answer
    except (ConfigurationError, StripeUnavailable):
        return answers
    finally:
        pool.shutdown(cancel_futures=True)
    return answers


def _ask(client: stripe.StripeClient, payment_intent: str) -> bool | None:
    try:
        with stripe_errors(f"read {payment_intent}"):
            intent = client.v1.payment_intents.retrieve(payment_intent, params={"expand": ["latest_charge"]})
    except StripeRefused:
        return None  # of another account or mode, or no payment at all
    charge = intent.latest_charge
    if charge is None or isinstance(charge, str):
        return None
    return 0 < charge.amount <= charge.amount_refunded
