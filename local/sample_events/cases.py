"""What the sample events show, and how each of them ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from local.sample_events.stripe_objects import (
    FREE_ORDER_ID,
    FREE_SESSION_ID,
    ORDER_MINOR,
    Body,
    charge,
    dispute,
    refund,
    session,
    stripe_event,
    stripe_id,
)
from local.stripe_stand_in.thin_events import notification

COMPLETED: Final = "checkout.session.completed"


@dataclass(frozen=True)
class Sample:
    """One sample event.

    Attributes:
        name: of its files, without `.json`.
        shows: what it shows.
        detail: the Stripe Event.
        outcome: what `ticketing.stripe_events.read_event` says of it: an outcome, or `InvalidEvent`.
        end: the state or the error with which its execution ends, when order 4242 is as events/orders.sql makes it.
        after: the sample that must have been sent before, or None.
    """

    name: str
    shows: str
    detail: Body
    outcome: str
    end: str
    after: str | None

    @property
    def event_type(self) -> str:
        """Its Stripe event type."""
        return str(self.detail["type"])


def _sample(
    name: str,
    shows: str,
    body: object,
    outcome: str,
    end: str,
    *,
    event_type: str = COMPLETED,
    after: str | None = None,
    **event: Any,  # noqa: ANN401 -- fields of the Stripe Event
) -> Sample:
    return Sample(name, shows, stripe_event(name, event_type, body, **event), outcome, end, after)


_DEBIT: Final[dict[str, Any]] = {"payment_method_types": ["sepa_debit"], "payment_status": "unpaid"}

_PAYMENTS: Final = (
    _sample(COMPLETED, "an order paid by card", session(), "paid", "OrderPaid"),
    _sample(
        "checkout.session.completed.again",
        "the same payment in a second Stripe Event: nothing is counted twice",
        session(),
        "paid",
        "OrderPaid",
        after=COMPLETED,
    ),
    _sample(
        "checkout.session.completed.second_payment",
        "a paid order that is paid once more, by another session: refund it",
        session(id=stripe_id("cs_test_a1", "second", 56), payment_intent=stripe_id("pi_3", "second payment")),
        "paid",
        "DuplicatePayment",
        after=COMPLETED,
    ),
    _sample(
        "checkout.session.completed.free",
        "an order of 0.00 EUR (4243): no payment was needed",
        session(
            FREE_ORDER_ID,
            id=FREE_SESSION_ID,
            amount_subtotal=0,
            amount_total=0,
            payment_intent=None,
            payment_status="no_payment_required",
        ),
        "paid",
        "OrderPaid",
    ),
    _sample(
        "checkout.session.completed.presentment",
        "adaptive pricing: the buyer saw and paid 46.80 USD for 40.00 EUR",
        session(presentment_details={"presentment_amount": 4680, "presentment_currency": "usd"}),
        "paid",
        "OrderPaid",
    ),
    _sample(
        "checkout.session.completed.other_currency",
        "the same as Stripe told it of sessions made before April 2025",
        session(
            amount_subtotal=4680,
            amount_total=4680,
            currency="usd",
            currency_conversion={
                "amount_subtotal": ORDER_MINOR,
                "amount_total": ORDER_MINOR,
                "fx_rate": "1.17",
                "source_currency": "eur",
            },
        ),
        "paid",
        "OrderPaid",
        api_version="2024-06-20",
    ),
    _sample(
        "checkout.session.completed.without_metadata",
        "no order_id in the metadata: the order is found by its session",
        session(metadata={}, client_reference_id=None),
        "paid",
        "OrderPaid",
    ),
    _sample(
        "checkout.session.completed.unpaid",
        "a bank debit that takes days: the order waits and keeps its seats",
        session(**_DEBIT),
        "awaiting",
        "PaymentAwaited",
    ),
    _sample(
        "checkout.session.async_payment_succeeded",
        "that debit succeeded",
        session(payment_method_types=["sepa_debit"]),
        "paid",
        "OrderPaid",
        event_type="checkout.session.async_payment_succeeded",
    ),
    _sample(
        "checkout.session.async_payment_failed",
        "that debit failed: the order is lost, its seats are free again",
        session(**_DEBIT),
        "lost",
        "OrderReleased",
        event_type="checkout.session.async_payment_failed",
    ),
    _sample(
        "checkout.session.expired",
        "the buyer never paid: the order is lost, its seats are free again",
        session(payment_intent=None, payment_status="unpaid", status="expired"),
        "lost",
        "OrderReleased",
        event_type="checkout.session.expired",
    ),
)

_MONEY_BACK: Final = (
    _sample(
        "charge.refunded",
        "the whole payment went back: the order ends refunded",
        charge(refunded=ORDER_MINOR),
        "refund",
        "RefundRecorded",
        event_type="charge.refunded",
        after=COMPLETED,
    ),
    _sample(
        "charge.refunded.part",
        "10.00 of 40.00 EUR went back: the order stays paid",
        charge(refunded=1000),
        "refund",
        "RefundRecorded",
        event_type="charge.refunded",
        after=COMPLETED,
    ),
    _sample(
        "refund.created",
        "a refund was begun",
        refund(status="pending"),
        "refund",
        "RefundRecorded",
        event_type="refund.created",
        after=COMPLETED,
    ),
    _sample(
        "refund.updated",
        "a refund has arrived",
        refund(),
        "refund",
        "RefundRecorded",
        event_type="refund.updated",
        after=COMPLETED,
    ),
    _sample(
        "refund.failed",
        "a refund did not arrive, the money is with the shop again",
        refund(status="failed", failure_reason="expired_or_canceled_card"),
        "refund",
        "RefundFailed",
        event_type="refund.failed",
        after=COMPLETED,
    ),
    _sample(
        "charge.dispute.created",
        "the buyer's bank wants the money back: answer it in time",
        dispute("needs_response"),
        "dispute",
        "RecordedAndTold",
        event_type="charge.dispute.created",
        after=COMPLETED,
    ),
    _sample(
        "charge.dispute.updated",
        "an inquiry became a dispute: there is a new deadline",
        dispute("needs_response"),
        "dispute",
        "RecordedAndTold",
        event_type="charge.dispute.updated",
        after=COMPLETED,
    ),
    _sample(
        "charge.dispute.funds_withdrawn",
        "the bank has taken the disputed money",
        dispute("needs_response"),
        "dispute",
        "RecordedAndTold",
        event_type="charge.dispute.funds_withdrawn",
        after=COMPLETED,
    ),
    _sample(
        "charge.dispute.funds_reinstated",
        "the bank has given the disputed money back to the shop",
        dispute("won"),
        "dispute",
        "RecordedAndTold",
        event_type="charge.dispute.funds_reinstated",
        after="charge.dispute.closed",
    ),
    _sample(
        "charge.dispute.closed",
        "the dispute was lost: as a full refund",
        dispute("lost"),
        "dispute",
        "RecordedAndTold",
        event_type="charge.dispute.closed",
        after=COMPLETED,
    ),
    _sample(
        "charge.dispute.closed.won",
        "the dispute was won: the order stays paid",
        dispute("won"),
        "dispute",
        "RecordedAndTold",
        event_type="charge.dispute.closed",
        after=COMPLETED,
    ),
)

_REFUSED: Final = (
    _sample(
        "wrong.amount",
        "1.00 EUR was paid for an order of 40.00 EUR",
        session(amount_subtotal=100, amount_total=100),
        "paid",
        "AmountMismatch",
    ),
    _sample(
        "wrong.session",
        "the session belongs to another order",
        session(id=stripe_id("cs_test_a1", "stranger", 56)),
        "paid",
        "OrderMismatch",
    ),
    _sample(
        "wrong.order",
        "there is no such order",
        session(999_999_999, id=stripe_id("cs_test_a1", "nobody", 56)),
        "paid",
        "OrderNotFound",
    ),
    _sample(
        "wrong.mode",
        "a live payment in a test environment",
        session(livemode=True),
        "InvalidEvent",
        "InvalidEvent",
        livemode=True,
    ),
    _sample(
        "wrong.object",
        "a refund where the Checkout Session should be",
        refund(),
        "InvalidEvent",
        "InvalidEvent",
    ),
    _sample(
        "malformed",
        "an amount that is text, no payment status",
        session(amount_total="forty", payment_status=None),
        "InvalidEvent",
        "InvalidEvent",
    ),
    _sample(
        "unhandled",
        "a type that no rule lets in; as the input of an execution it is ignored",
        {**charge(refunded=0), "metadata": {}},
        "ignored",
        "Ignored",
        event_type="charge.succeeded",
    ),
)

SAMPLES: Final = (*_PAYMENTS, *_MONEY_BACK, *_REFUSED)


def _thin(twin: Sample) -> Sample:
    detail = notification(twin.detail)
    kind = detail["related_object"]["type"]
    return Sample(
        name=detail["type"],
        shows=f"`{twin.name}` as a thin event: the {kind} is to be fetched from Stripe",
        detail=detail,
        outcome=twin.outcome,
        end=twin.end,
        after=twin.after,
    )


# One of each type. Stripe has to have the objects that they name: local Stripe gets them by `seed_objects`.
THIN_SAMPLES: Final = tuple(_thin(sample) for sample in (*_PAYMENTS, *_MONEY_BACK) if sample.name == sample.event_type)
