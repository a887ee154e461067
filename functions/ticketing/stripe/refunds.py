"""Makes refunds at Stripe (https://docs.stripe.com/api/refunds/create)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from ticketing.stripe.client import StripeRefused, is_replayed, stripe_errors
from ticketing.stripe.objects import Refund
from ticketing.stripe.states import NOTHING_WENT_BACK

if TYPE_CHECKING:
    import stripe
    from stripe.params import RefundCreateParams

_CORRECTION: Final = "cachao_correction"


class StripeRefunds:
    """Makes refunds with the stripe package."""

    def __init__(self, client: stripe.StripeClient) -> None:
        """Take the client of `client.client`."""
        self._client = client

    def refund(
        self,
        payment_intent_id: str,
        *,
        order_id: int,
        idempotency_key: str,
        amount_minor: int | None = None,
        correction_id: int | None = None,
    ) -> Refund | None:
        """Refund all that is left of a payment, or a part; None when nothing is left, it was refunded before.

        It may come back as `failed` or `canceled`: then nothing went back. `correction_id` is written on the refund, so
        that `made_for` finds it.

        Raises:
            StripeUnavailable: no answer; ask again with the same key.
            StripeRefused: Stripe said no, e.g. because the payment is disputed.
            ConfigurationError: the API key is wrong, or may not refund.
        """
        try:
            with stripe_errors(f"refund {payment_intent_id}"):
                made = self._create(
                    payment_intent_id, _metadata(order_id, correction_id), idempotency_key, amount_minor
                )
        except StripeRefused as refusal:
            if refusal.code == "charge_already_refunded":
                return None
            raise
        return _as_refund(made, payment_intent_id)

    def _create(
        self, payment_intent_id: str, metadata: dict[str, str], idempotency_key: str, amount_minor: int | None
    ) -> stripe.Refund:
        import stripe  # noqa: PLC0415 -- slow to import; see stripe_client

        params: RefundCreateParams = {"payment_intent": payment_intent_id, "metadata": metadata}
        if amount_minor is not None:
            params["amount"] = amount_minor
        try:
            return self._client.v1.refunds.create(params=params, options={"idempotency_key": idempotency_key})
        except stripe.StripeError as error:
            if not is_replayed(error):
                raise
        # For a day Stripe repeats what it answered first, also a 500, or a refusal whose reason is gone by now
        # (https://docs.stripe.com/api/idempotent_requests). With another key no more can go back than what is left.
        return self._client.v1.refunds.create(
            params=params, options={"idempotency_key": f"{idempotency_key}-{uuid.uuid4()}"}
        )

    def made_before(self, payment_intent_id: str) -> list[Refund]:
        """Give the refunds of a payment that did not fail, the newest first.

        Raises:
            StripeUnavailable: try again.
            ConfigurationError: the API key is wrong.
        """
        made = [_as_refund(refund, payment_intent_id) for refund in self._list(payment_intent_id)]
        return [refund for refund in made if refund.status not in NOTHING_WENT_BACK]

    def made_for(self, payment_intent_id: str, correction_id: int) -> Refund | None:
        """Give the refund that was made for a correction; None where there is none. Idempotency keys last for a day.

        Raises:
            StripeUnavailable: try again.
            ConfigurationError: the API key is wrong.
        """
        for refund in self._list(payment_intent_id):
            reported = refund.to_dict(for_json=True).get("metadata")
            if isinstance(reported, dict) and reported.get(_CORRECTION) == str(correction_id):
                return _as_refund(refund, payment_intent_id)
        return None

    def _list(self, payment_intent_id: str) -> list[stripe.Refund]:
        with stripe_errors(f"list the refunds of {payment_intent_id}"):
            page = self._client.v1.refunds.list(params={"payment_intent": payment_intent_id, "limit": 100})
        return page.data


def _metadata(order_id: int, correction_id: int | None) -> dict[str, str]:
    # The order's id, so that the refund's own events find it without asking anybody.
    named = {"order_id": str(order_id)}
    return named if correction_id is None else named | {_CORRECTION: str(correction_id)}


def _as_refund(refund: stripe.Refund, payment_intent_id: str) -> Refund:
    charge = refund.charge
    return Refund(
        refund_id=refund.id,
        status=refund.status or "pending",
        amount_minor=refund.amount,
        currency=refund.currency,
        payment_intent_id=payment_intent_id,
        charge_id=charge if charge is None or isinstance(charge, str) else charge.id,
        failure_reason=getattr(refund, "failure_reason", None),
        pending_reason=getattr(refund, "pending_reason", None),
    )
