"""LookUpOrder: finds the order of the payment, and checks that the two belong together."""

from __future__ import annotations

from handlers import stripe_access
from handlers.runtime import TaskInput, count_metric, database, logger, task
from handlers.settings import stripe_account_is_shared
from ticketing.orders.numbers import order_id_of
from ticketing.payments.lookup import Foreign, FoundOrder, OtherSession, look_up_order
from ticketing.stripe.events import IgnoredEvent, SessionEvent, StripeEvent
from ticketing.stripe.objects import SessionIdentity
from ticketing.stripe.sessions import StripeSessions

# Shorter than the function's own time-out together with the database's; the state machine tries again.
_STRIPE_SECONDS = 4.0


class LookUpOrderInput(TaskInput):
    """What ValidateEvent read."""

    payment: StripeEvent


@task(LookUpOrderInput)
def handler(given: LookUpOrderInput) -> FoundOrder | OtherSession | Foreign:
    """Raises OrderNotFound, OrderMismatch, AmountMismatch; DatabaseUnavailable and StripeUnavailable are retried."""
    if isinstance(given.payment, IgnoredEvent):
        return Foreign()
    # What the event names, so that its executions are found in the logs also when no order is.
    logger.append_keys(
        order_id=order_id_of(given.payment.order_reference),
        stripe_session_id=given.payment.session_id if isinstance(given.payment, SessionEvent) else None,
        stripe_payment_intent_id=given.payment.payment_intent_id,
    )
    order = look_up_order(
        database, given.payment, find_session=_find_session, account_is_shared=stripe_account_is_shared()
    )
    if isinstance(order, Foreign) and order.took_money:
        count_metric("ForeignPayments")
    logger.append_keys(order_id=order.order_id)
    return order


def _find_session(payment_intent_id: str) -> SessionIdentity | None:
    client = stripe_access.client(read_seconds=_STRIPE_SECONDS, network_retries=0)
    return StripeSessions(client).of_payment(payment_intent_id)
