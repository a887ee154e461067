"""RefundPayment: gives a payment that paid nothing back through Stripe, or the one that an operator names."""

from __future__ import annotations

from handlers import stripe_access
from handlers.runtime import TaskInput, count_metric, database, task
from ticketing.errors import RefundFailed
from ticketing.payments.issue_refund import PartRefund, RefundedPayment, refund_payment
from ticketing.stripe.events import SessionEvent
from ticketing.stripe.refunds import StripeRefunds

# As long as the columns of `order_corrections`.
_LONGEST = 255


class RefundPaymentInput(TaskInput):
    """The order, and its payment: as the workflow read it, or the key that an operator names; all of it, or a part.

    `by` and `reason`: the operator who ordered it, and why.
    """

    order_id: int
    payment: SessionEvent | None = None
    payment_key: str | None = None
    accepted_too: bool = False
    part: PartRefund | None = None
    by: str | None = None
    reason: str | None = None


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
        ordered=None if given.by is None else (given.by[:_LONGEST], given.reason and given.reason[:_LONGEST]),
        event_id=given.stripe_event_id,
    )
    if refunded.refund_id is not None:
        count_metric("PaymentsRefunded")
    return refunded
