"""Inquiries, disputes in part, lost and won, and refunds that do not arrive."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe

from local.stripe_stand_in import ApiError, EventDestination, SessionSeed, StripeStandIn
from local.stripe_stand_in.dispute_requests import _LONG_TEXTS
from tests.local.stripe_stand_in.support import Bus, Clock, client_of

Types = Callable[[], list[str]]


@pytest.fixture
def stand_in(bus: Bus, clock: Clock) -> Iterator[StripeStandIn]:
    with StripeStandIn(
        bus, clock=clock, settle_delay=600.0, destination=EventDestination(enabled_events=("*",))
    ) as running:
        yield running


@pytest.fixture
def payment(stand_in: StripeStandIn) -> str:
    session = stand_in.seed_session(SessionSeed(3000, metadata={"order_id": "17"}))
    return str(stand_in.session(session)["payment_intent"])


@pytest.fixture
def types(stand_in: StripeStandIn, bus: Bus) -> Types:
    """What was told so far."""

    def told() -> list[str]:
        assert stand_in.wait_until_delivered()
        return bus.types

    return told


def test_an_inquiry_becomes_a_dispute(
    stand_in: StripeStandIn, client: stripe.StripeClient, bus: Bus, clock: Clock, payment: str, types: Types
) -> None:
    inquiry = stand_in.open_dispute(payment, inquiry=True)
    assert (inquiry["status"], inquiry["is_charge_refundable"]) == ("warning_needs_response", True)
    assert inquiry["balance_transactions"] == []
    assert types() == ["charge.dispute.created"]
    clock.advance(24 * 3600)

    stand_in.escalate_dispute(inquiry["id"])

    assert types()[1:] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    [updated] = bus.objects("charge.dispute.updated")
    assert (updated["id"], updated["status"]) == (inquiry["id"], "needs_response")
    assert updated["evidence_details"]["due_by"] >= inquiry["evidence_details"]["due_by"] + 24 * 3600
    assert [moved["amount"] for moved in updated["balance_transactions"]] == [-3000]
    told = next(item["detail"] for item in bus.envelopes if item["detail-type"] == "charge.dispute.updated")
    assert told["data"]["previous_attributes"]["status"] == "warning_needs_response"
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        client.v1.refunds.create({"payment_intent": payment})
    with pytest.raises(ApiError, match="only an open inquiry"):
        stand_in.escalate_dispute(payment)


def test_an_inquiry_can_be_refunded_and_goes_away(
    stand_in: StripeStandIn, client: stripe.StripeClient, payment: str, types: Types
) -> None:
    stand_in.open_dispute(payment, inquiry=True)
    assert client.v1.refunds.create({"payment_intent": payment}).status == "succeeded"
    assert stand_in.close_dispute(payment, status="warning_closed")["status"] == "warning_closed"
    assert types() == ["charge.dispute.created", "charge.refunded", "refund.created", "charge.dispute.closed"]


def test_a_dispute_of_a_part_is_lost_and_then_won(
    stand_in: StripeStandIn, bus: Bus, payment: str, types: Types
) -> None:
    with pytest.raises(ApiError, match="1 to 3000"):
        stand_in.open_dispute(payment, amount=3001)
    stand_in.open_dispute(payment, amount=1000)
    stand_in.close_dispute(payment, status="lost")
    with pytest.raises(ApiError, match="cannot become lost"):
        stand_in.close_dispute(payment, status="lost")
    stand_in.close_dispute(payment, status="won")

    assert types() == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ]
    lost, won = bus.objects("charge.dispute.closed")
    assert [(told["status"], told["amount"]) for told in (lost, won)] == [("lost", 1000), ("won", 1000)]
    assert [moved["amount"] for moved in won["balance_transactions"]] == [-1000, 1000]
    with pytest.raises(ApiError, match="cannot become warning_closed"):
        stand_in.close_dispute(payment, status="warning_closed")
    with pytest.raises(ApiError, match="No such dispute"):
        stand_in.close_dispute("dp_nobody", status="won")


def test_a_dispute_is_answered_once(
    stand_in: StripeStandIn, client: stripe.StripeClient, clock: Clock, payment: str, types: Types
) -> None:
    dispute = stand_in.open_dispute(payment)["id"]
    file = client.v1.files.create({"purpose": "dispute_evidence", "file": io.BytesIO(b"%PDF-1.7 a receipt")})
    assert (file.type, file.size, client.v1.files.retrieve(file.id).id) == ("pdf", 18, file.id)
    staged = client.v1.disputes.update(dispute, {"evidence": {"receipt": file.id}, "submit": False})
    assert (staged.status, staged.evidence_details.has_evidence) == ("needs_response", True)
    clock.advance(10 * 24 * 3600)
    answered = client.v1.disputes.update(dispute, {"evidence": {"customer_name": "Jenny"}})
    assert (answered.evidence.receipt, answered.evidence.customer_name) == (file.id, "Jenny")
    details = answered.evidence_details
    assert (answered.status, details.submission_count, details.past_due) == ("under_review", 1, True)
    assert types()[2:] == ["charge.dispute.updated"] * 2
    with pytest.raises(stripe.InvalidRequestError, match="takes no evidence"):
        client.v1.disputes.update(dispute, {"evidence": {"customer_name": "Rosen"}})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be closed"):
        client.v1.disputes.close(dispute)


@pytest.mark.parametrize(
    ("inquiry", "text", "ends"),
    [
        (False, "winning_evidence", "won"),
        (False, "losing_evidence", "lost"),
        (True, "winning_evidence", "warning_closed"),
        (True, "anything else", "warning_under_review"),
    ],
)
def test_in_test_mode_the_evidence_decides(
    stand_in: StripeStandIn, client: stripe.StripeClient, payment: str, inquiry: bool, text: str, ends: str
) -> None:
    dispute = stand_in.open_dispute(payment, inquiry=inquiry)["id"]
    answered = client.v1.disputes.update(dispute, {"evidence": {"uncategorized_text": text}})
    assert answered.status == ("warning_under_review" if inquiry else "under_review")
    assert client.v1.disputes.retrieve(dispute).status == ends


def test_a_dispute_is_accepted(
    stand_in: StripeStandIn, client: stripe.StripeClient, payment: str, types: Types
) -> None:
    dispute = stand_in.open_dispute(payment)
    assert [one.id for one in client.v1.disputes.list({"charge": dispute["charge"]}).data] == [dispute["id"]]
    assert client.v1.disputes.close(dispute["id"]).status == "lost"
    assert types()[2:] == ["charge.dispute.closed"]
    with pytest.raises(stripe.InvalidRequestError, match="cannot be closed"):
        client.v1.disputes.close(dispute["id"])


def test_evidence_that_stripe_does_not_take_is_refused(
    stand_in: StripeStandIn, client: stripe.StripeClient, payment: str
) -> None:
    dispute = stand_in.open_dispute(payment)["id"]
    evidence: Any
    for evidence, said in (
        ({"uncategorized_text": "x" * 20_001}, "at most 20000"),
        ({"receipt": "file_none"}, "No such file upload"),
        ({"receipt_": "file_none"}, "unknown parameter"),
        (dict.fromkeys(_LONG_TEXTS, "x" * 20000), "150000"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=said):
            client.v1.disputes.update(dispute, {"evidence": evidence, "submit": False})
    for content, said in ((b"GIF89a", "PDF, JPEG, PNG"), (b"%PDF-" + bytes(5_000_000), "too large")):
        with pytest.raises(stripe.InvalidRequestError, match=said):
            client.v1.files.create({"purpose": "dispute_evidence", "file": io.BytesIO(content)})
    assert client.v1.disputes.retrieve(dispute).evidence_details.has_evidence is False


def test_a_refund_fails_at_once(
    stand_in: StripeStandIn, client: stripe.StripeClient, payment: str, types: Types
) -> None:
    stand_in.set_refund_outcome(payment, "fails_at_once")
    refund = client.v1.refunds.create({"payment_intent": payment})

    assert (refund.status, refund.failure_reason) == ("failed", "expired_or_canceled_card")
    assert types() == ["refund.created", "refund.failed"]
    charge = client.v1.charges.retrieve(str(refund.charge))
    assert (charge.amount_refunded, charge.refunded) == (0, False)

    stand_in.set_refund_outcome(payment, "succeeds")
    assert client.v1.refunds.create({"payment_intent": payment}).status == "succeeded"


@pytest.mark.parametrize(
    ("outcome", "first", "last"),
    [("succeeds_late", "pending", "succeeded"), ("fails_late", "succeeded", "failed")],
)
def test_a_refund_ends_later(
    stand_in: StripeStandIn,
    client: stripe.StripeClient,
    clock: Clock,
    payment: str,
    types: Types,
    outcome: Any,
    first: str,
    last: str,
) -> None:
    stand_in.set_refund_outcome(payment, outcome)
    refund = client.v1.refunds.create({"payment_intent": payment})
    assert refund.status == first
    clock.advance(601)
    stand_in.run_due()
    assert client.v1.refunds.retrieve(refund.id).status == last
    assert types()[2:] == ["refund.updated", *(["refund.failed"] if last == "failed" else [])]


def test_a_refund_that_needs_the_buyer_is_cancelled(
    stand_in: StripeStandIn, client: stripe.StripeClient, payment: str
) -> None:
    stand_in.set_refund_outcome(payment, "requires_action")
    refund = stand_in.refund(payment, amount=1000, metadata={"order_id": "of the Dashboard"})
    assert (refund["status"], refund["metadata"]) == ("requires_action", {"order_id": "of the Dashboard"})
    assert stand_in.finish_refund(refund["id"], status="canceled")["status"] == "canceled"
    assert client.v1.charges.retrieve(refund["charge"]).amount_refunded == 0
    with pytest.raises(ApiError, match="canceled already"):
        stand_in.finish_refund(refund["id"], status="succeeded")
    wrong: Any = "vanishes"
    with pytest.raises(ValueError, match="fails_at_once"):
        stand_in.set_refund_outcome(payment, wrong)


def test_the_control_endpoints_play_it_too(stand_in: StripeStandIn, payment: str, types: Types) -> None:
    from local.stripe_stand_in.client import ControlClient  # noqa: PLC0415 - of this test only

    control = ControlClient(stand_in.url)
    dispute = control.call("open_dispute", payment_intent=payment, inquiry=True)
    assert control.call("escalate_dispute", dispute=dispute["id"])["status"] == "needs_response"
    other = control.call("foreign_payment", amount=500, metadata={"order_id": "17"})
    control.call("set_refund_outcome", payment_intent=other, outcome="fails_at_once")
    assert control.call("refund", payment_intent=other)["status"] == "failed"
    assert control.call("emit", event_type="charge.dispute.created", object_id=dispute["id"])["type"]
    assert types()[-1] == "charge.dispute.created"
    assert client_of(stand_in).v1.payment_intents.retrieve(other).to_dict()["metadata"] == {"order_id": "17"}
