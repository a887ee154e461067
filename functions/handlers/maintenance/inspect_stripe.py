"""InspectStripe: what Stripe has of an order, or of one of its own ids; for `cachao stripe`. It changes nothing.

What others wrote on their objects may be anything: the result is not logged.
"""

from __future__ import annotations

from handlers import stripe_access
from handlers.runtime import TaskInput, database, task
from ticketing.operators.at_stripe import AtStripe, look
from ticketing.stripe.inspection import StripeInspector


class InspectStripeInput(TaskInput, kw_only=True):
    """An order's number, or an id of Stripe's."""

    execution_id: str = "by hand"
    wanted: str


@task(InspectStripeInput, logs_result=False)
def handler(given: InspectStripeInput) -> AtStripe:
    """Raises StripeRefused; DatabaseUnavailable and StripeUnavailable: try again."""
    return look(database, StripeInspector(stripe_access.client()), given.wanted)
