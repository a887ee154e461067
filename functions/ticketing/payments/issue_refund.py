"""Gives a payment back through Stripe: one that paid nothing, automatically, or the one an operator names.

A payment pays nothing when the order was paid already, when its seats were gone, or when the order was closed. The
refund is recorded at once, as its event would record it; that event then finds everything done.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

from ticketing import money
from ticketing.alerts import Alert
from ticketing.database import Database, Row, Transaction
from ticketing.errors import RefundFailed
from ticketing.orders import corrections, counts_off, history
from ticketing.orders.corrections import Ordered
from ticketing.payments import ledger, refunds, situation, standing
from ticketing.payments.standing import LedgerPayment
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.objects import Refund
from ticketing.stripe.states import NOTHING_WENT_BACK

_LONGEST_REQUEST: Final = 255


class Refunds(Protocol):
    """Where refunds are made: `ticketing.stripe.refunds.StripeRefunds`."""

    def refund(
        self, payment_intent_id: str, *, order_id: int, idempotency_key: str, amount_minor: int | None = None
    ) -> Refund | None:
        """Refund all that is left, or a part; None when nothing is left."""

    def made_before(self, payment_intent_id: str) -> list[Refund]:
        """Give the refunds that did not fail, the newest first."""


class RefundedPayment(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What went back. `refund_id` is None where nothing had been paid; `amount_minor` is what was refunded in all.

    `status` is Stripe's word: `succeeded`; or `pending`, `requires_action`, where the money is on its way and may still
    come back to the shop. `alerts`: what an operator must know besides; it is recorded all the same.
    """

    refund_id: str | None
    amount_minor: int
    currency: str
    amount: str
    payment_key: str
    status: str
    alerts: list[Alert] = []


class PartRefund(msgspec.Struct, kw_only=True, frozen=True):
    """A part of a payment that is to go back, as somebody who saw the books asked for it. Minor units.

    `refunded_minor` is what had gone back of the payment then. It makes the request safe to repeat: once the books say
    more, it is not the same request any more.
    """

    amount_minor: int
    refunded_minor: int


def refundable_payments(database: Database, order_id: int) -> list[LedgerPayment]:
    """Give the payments of an order whose money stands, so that an operator can choose; the oldest first.

    Raises:
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        refunds.lock_order(tx, order_id)
        payments = ledger.payments_of(tx, order_id)
    return [payment for payment in payments if payment.left_minor > 0]


def refund_payment(  # noqa: PLR0913 -- by name, and most are not given
    database: Database,
    stripe: Refunds,
    order_id: int,
    *,
    payment_key: str | None = None,
    accepted_too: bool = False,
    part: PartRefund | None = None,
    event_id: str | None = None,
    ordered: tuple[str, str | None] | None = None,
) -> RefundedPayment:
    """Give all that is left of a payment back, or a part of it, and record it as the refund's event would.

    Repeated, it refunds nothing more: Stripe gets the same idempotency key until what was made or answered with it
    failed, and never gives back more than what is left.

    Args:
        database: the shop's.
        stripe: where the refund is made.
        order_id: the order.
        payment_key: which of its payments (`order_payments.payment_key`); without it the only one that pays nothing.
        accepted_too: also refund the payment that pays the order, which ends the order. Otherwise that is refused:
            a duplicate may have become the order's payment since the alert.
        part: not all that is left, but this much; then the order stays as it is.
        event_id: the Stripe event that made the refund due, for the order's history.
        ordered: the operator who ordered it, and why; it is kept with the order.

    Raises:
        RefundFailed: nothing to refund was found, or Stripe said no, or could not carry it out.
        StripeUnavailable: try again.
        ConfigurationError: the API key may not refund.
        OrderNotFound: the order is gone.
        DatabaseUnavailable: try again; the refund may have been made.
    """
    with database.transaction() as tx:
        order = refunds.lock_order(tx, order_id)
        payments = ledger.payments_of(tx, order_id)
        payment = _choose(order, payments, payment_key, accepted_too=accepted_too or part is not None)
        failed = ledger.failed_refunds(tx, order_id=order_id, payment_key=payment.payment_key)
        now = situation.read(tx, order_id, payment.payment_key)
    if payment.amount_minor == 0 and payment.stripe_payment_intent_id is None:
        return _refunded(payment, None, 0, "succeeded")
    if part is not None:
        _check_part(order_id, payment, part)
    made = _make(stripe, order_id, payment, failed, part, now)
    with database.transaction() as tx:
        is_new = not _was_asked_for(tx, order_id, made[0])
        record_made(tx, order_id, made, event_id)
        if ordered is not None and is_new and made[0].status not in NOTHING_WENT_BACK:
            _keep(tx, order_id, payment, made[0], ordered, part)
        alerts = counts_off.open_alerts(tx, order_id)
        now = situation.read(tx, order_id, payment.payment_key)
    newest = made[0]
    if newest.status in NOTHING_WENT_BACK:
        raise refunds.refund_failed(now, newest)
    refunded = _refunded(payment, newest.refund_id, sum(refund.amount_minor for refund in made), newest.status)
    refunded.alerts = alerts
    return refunded


def _choose(order: Row, payments: list[LedgerPayment], payment_key: str | None, *, accepted_too: bool) -> LedgerPayment:
    order_id = order["id"]
    if payment_key is not None:
        chosen = [payment for payment in payments if payment.payment_key == payment_key]
        if not chosen:
            raise RefundFailed(f"Order {order_id} has no payment {payment_key}. Nothing was refunded.")
    else:
        chosen = [p for p in payments if standing.superfluous(order, p, payments) and not p.went_back]
        if len(chosen) != 1:
            names = ", ".join(payment.payment_key for payment in chosen) or "none"
            raise RefundFailed(
                f"Order {order_id} has not exactly one payment to refund ({names}): name the payment."
                " Nothing was refunded."
            )
    payment = chosen[0]
    if standing.pays(order, payment, payments) and not payment.went_back and not accepted_too:
        raise RefundFailed(
            f"Payment {payment.payment_key} pays order {order_id}: refunding it would end the order."
            " Nothing was refunded."
        )
    return payment


def _check_part(order_id: int, payment: LedgerPayment, part: PartRefund) -> None:
    if payment.refunded_minor != part.refunded_minor:
        raise RefundFailed(
            f"Payment {payment.payment_key} of order {order_id} changed meanwhile:"
            f" {money.format_amount(payment.refunded_minor, payment.currency)} of it is refunded, not"
            f" {money.format_amount(part.refunded_minor, payment.currency)}. Look at the order again."
            " This request refunded nothing."
        )
    if not 0 < part.amount_minor < payment.left_minor:
        raise RefundFailed(
            f"Payment {payment.payment_key} of order {order_id} has"
            f" {money.format_amount(payment.left_minor, payment.currency)} left, and"
            f" {money.format_amount(part.amount_minor, payment.currency)} is not a part of that. Nothing was refunded."
        )


def _make(
    stripe: Refunds,
    order_id: int,
    payment: LedgerPayment,
    failed: int,
    part: PartRefund | None,
    now: situation.Situation,
) -> list[Refund]:
    intent = payment.stripe_payment_intent_id or payment.payment_key
    # Stripe answers a repeated key with what it answered first. After a refund that failed later, that answer would
    # be the failed one: then a new key.
    key = f"refund-{order_id}-{payment.payment_key}" + (f"-{failed}" if failed else "")
    if part is not None:
        key += f"-part-{part.amount_minor}-after-{part.refunded_minor}"
    try:
        made = stripe.refund(
            intent, order_id=order_id, idempotency_key=key, amount_minor=None if part is None else part.amount_minor
        )
        before = stripe.made_before(intent) if made is None else [made]
    except StripeRefused as refusal:
        raise RefundFailed(
            f"Payment {payment.payment_key} of order {order_id} was not refunded. {refusal}",
            what_to_do=after_refusal(refusal, now),
        ) from None
    if not before:
        raise RefundFailed(
            f"Stripe says that payment {payment.payment_key} of order {order_id} is already refunded,"
            " but lists no refund of it."
        )
    return before


def after_refusal(refusal: StripeRefused, now: situation.Situation) -> str:
    """Say what to do now where Stripe refused a refund."""
    if refusal.code == "charge_disputed" and not any(dispute.is_open for dispute in now.disputes):
        # Stripe knows of a dispute whose event has not come yet, or that was lost.
        return (
            f"{situation.IN_NO_WAY}. Look at its dispute, and answer it if it is open: cachao dispute {now.payment_key}"
        )
    return f"find out why Stripe refused, and fix that. Then, {situation.what_to_do(now)}"


def record_made(tx: Transaction, order_id: int, made: Iterable[Refund], event_id: str | None = None) -> None:
    """Record refunds that were made, as their events would, and that somebody asked for them."""
    for refund in made:
        # The order is read anew: the refund before may have ended it.
        refunds.apply(tx, refunds.lock_order(tx, order_id), refund, cause=event_id or refund.refund_id)
        history.record(
            tx,
            order_id=order_id,
            entry="refund_requested",
            stripe_event_id=event_id or refund.refund_id,
            stripe_object_id=refund.refund_id,
            amount_minor=refund.amount_minor,
        )


def _was_asked_for(tx: Transaction, order_id: int, made: Refund) -> bool:
    """Tell whether somebody asked for a refund before: a repeat finds it made, and orders none."""
    return (
        tx.one(
            "SELECT 1 FROM order_history WHERE order_id = %s AND entry = 'refund_requested' AND stripe_object_id = %s"
            " LIMIT 1",
            order_id,
            made.refund_id,
        )
        is not None
    )


def _keep(
    tx: Transaction,
    order_id: int,
    payment: LedgerPayment,
    made: Refund,
    ordered: tuple[str, str | None],
    part: PartRefund | None,
) -> None:
    """Keep who ordered the refund, and why."""
    by, reason = ordered
    amount = money.from_minor_units(made.amount_minor, payment.currency)
    request = f"refund {order_id} --payment {payment.payment_key}" + (f" --amount {amount}" if part else "")
    corrections.keep(
        tx,
        order_id,
        Ordered(
            kind="refund",
            request=request[:_LONGEST_REQUEST],
            entry="refund_ordered",
            by=by,
            reason=reason,
            payment_key=payment.payment_key,
            amount_minor=made.amount_minor,
        ),
        [],
    )


def _refunded(payment: LedgerPayment, refund_id: str | None, amount_minor: int, status: str) -> RefundedPayment:
    return RefundedPayment(
        refund_id=refund_id,
        amount_minor=amount_minor,
        currency=payment.currency,
        amount=money.format_amount(amount_minor, payment.currency),
        payment_key=payment.payment_key,
        status=status,
    )
