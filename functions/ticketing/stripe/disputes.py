"""Reads and answers disputes at Stripe (https://docs.stripe.com/disputes/api)."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ticketing.stripe.client import StripeRefused, is_replayed, stripe_errors

if TYPE_CHECKING:
    import stripe
    from stripe import RequestOptions
    from stripe.params import DisputeListParams, DisputeUpdateParams

_EVIDENCE: Final = "dispute_evidence"


class StripeDispute(msgspec.Struct, kw_only=True, frozen=True):
    """A dispute as Stripe has it.

    Attributes:
        amount_minor: in minor units of `currency`.
        due_by: until when it is to be answered, in Unix time; 0: the bank takes no answer; None: nobody knows.
        submission_count: how often evidence was submitted. A bank takes one answer.
        evidence: what is staged or was submitted, by Stripe's names of it; a file's is its id.
    """

    dispute_id: str
    charge_id: str | None
    payment_intent_id: str | None
    amount_minor: int
    currency: str
    reason: str
    status: str
    due_by: int | None
    submission_count: int
    past_due: bool
    evidence: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """Name its state, so that another one is known."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:32]


class StripeDisputes:
    """Reads and answers disputes with the stripe package. Each method raises what `stripe_errors` does."""

    def __init__(self, client: stripe.StripeClient) -> None:
        """Take the client of `client.client`."""
        self._client = client

    def retrieve(self, dispute_id: str) -> StripeDispute | None:
        """Give a dispute; None where this account and mode have none of that id."""
        try:
            with stripe_errors(f"read {dispute_id}"):
                return _read(self._client.v1.disputes.retrieve(dispute_id))
        except StripeRefused as refusal:
            if refusal.is_missing:
                return None
            raise

    def of_payment(self, payment_intent_id: str) -> list[StripeDispute]:
        """Give the disputes of a payment, the newest first."""
        return self._listed(payment_intent_id, {"payment_intent": payment_intent_id, "limit": 100})

    def of_charge(self, charge_id: str) -> list[StripeDispute]:
        """Give the disputes of a charge, the newest first."""
        return self._listed(charge_id, {"charge": charge_id, "limit": 100})

    def _listed(self, wanted: str, params: DisputeListParams) -> list[StripeDispute]:
        try:
            with stripe_errors(f"list the disputes of {wanted}"):
                page = self._client.v1.disputes.list(params)
        except StripeRefused as refusal:
            if refusal.is_missing:
                return []
            raise
        return [_read(dispute) for dispute in page.data]

    def upload(self, name: str, content: bytes) -> str:
        """Upload a file of evidence; give its id. The same content gives the same file again, for a day."""
        import stripe  # noqa: PLC0415 -- slow to import; see stripe_client

        key = f"evidence-{hashlib.sha256(name.encode() + content).hexdigest()}"
        with stripe_errors("upload a file"):
            try:
                return self._create(name, content, {"idempotency_key": key})
            except stripe.StripeError as error:
                # An answer of before, perhaps a 500: the file is worth more than being uploaded once.
                if not is_replayed(error):
                    raise
                return self._create(name, content, {})

    def _create(self, name: str, content: bytes, options: RequestOptions) -> str:
        file = io.BytesIO(content)
        file.name = name
        return self._client.v1.files.create({"purpose": _EVIDENCE, "file": file}, options).id

    def give(self, dispute: StripeDispute, evidence: dict[str, str], *, submit: bool) -> StripeDispute:
        """Put evidence on a dispute, and with `submit` send all of it to the bank; give the dispute as it is then.

        What it has and is not named stays. An answered dispute takes no second answer, so no key is needed.
        """
        params: DisputeUpdateParams = {"submit": submit}
        if evidence:
            params["evidence"] = evidence  # type: ignore[typeddict-item]
        with stripe_errors(f"{'submit' if submit else 'stage'} evidence in {dispute.dispute_id}"):
            return _read(self._client.v1.disputes.update(dispute.dispute_id, params))

    def accept(self, dispute: StripeDispute) -> StripeDispute:
        """Accept a dispute: it is lost, for good; give it as it is then."""
        with stripe_errors(f"close {dispute.dispute_id}"):
            return _read(self._client.v1.disputes.close(dispute.dispute_id))


def _read(dispute: stripe.Dispute) -> StripeDispute:
    body: dict[str, Any] = dispute.to_dict(for_json=True)
    details = body["evidence_details"]
    return StripeDispute(
        dispute_id=body["id"],
        charge_id=_id(body.get("charge")),
        payment_intent_id=_id(body.get("payment_intent")),
        amount_minor=int(body["amount"]),
        currency=str(body["currency"]).lower(),
        reason=str(body["reason"]),
        status=str(body["status"]),
        due_by=details.get("due_by"),
        submission_count=int(details.get("submission_count") or 0),
        past_due=bool(details.get("past_due")),
        # Hashes in it are of programs (Visa's) that only Stripe's dashboard knows.
        evidence={name: text for name, text in body["evidence"].items() if isinstance(text, str) and text},
    )


def _id(found: Any) -> str | None:  # noqa: ANN401 -- an id, an object, or nothing
    named = found["id"] if isinstance(found, dict) else found
    return None if named is None else str(named)
