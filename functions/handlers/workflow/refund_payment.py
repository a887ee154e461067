"""RefundPayment: gives a payment that paid nothing back through Stripe, or the one that an operator names."""

from __future__ import annotations

from handlers import stripe_access
from handlers.runtime import TaskInput, count_metric, database, task
from ticketing.errors import RefundFailed
from ticketing.payments.issue_refund import PartRefund, RefundedPayment, refund_payment
from ticketing.stripe.events import SessionEvent
from ticketing.stripe.refunds import StripeRefunds


class RefundPaymentInput(TaskInput):
    """The order, and its payment: as the workflow read it, or the key that an operator names; all of it, or a part."""

    order_id: int
    payment: SessionEvent | None = None
    payment_key: str | None = None
    accepted_too: bool = False
    part: PartRefund | None = None


@task(RefundPaymentInput)
def handler(given: RefundPaymentInput) -> RefundedPayment:
    """Raises RefundFailed, OrderNotFound; DatabaseUnavailable and StripeUnavailable are retried."""
    if given.payment is not None and given.payment_key is not None:
        raise RefundFailed("Name the payment once: `payment` or `payment_key`. Nothing was refunded.")
    refunded = refund_payment(
        database,
        StripeRefunds(stripe_access.client()),
        given.order_id,
        payment_key=given.payment.payment_key if given.payment is not None else given.payment_key,
        accepted_too=given.accepted_too,
        part=given.part,
        event_id=given.stripe_event_id,
    )
    if refunded.refund_id is not None:
        count_metric("PaymentsRefunded")
    return refunded
