"""Answering a dispute: what is staged, what is final, and what Stripe refuses after it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

import pytest
import stripe

from tests.contract.conftest import DISPUTED, INQUIRY, Account
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.disputes import StripeDispute, StripeDisputes

Eventually = Callable[[Callable[[], Any]], Any]
# A picture of one pixel.
PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def disputes(client: stripe.StripeClient) -> StripeDisputes:
    return StripeDisputes(client)


def opened(account: Account, disputes: StripeDisputes, eventually: Eventually, method: str = DISPUTED) -> StripeDispute:
    payment = account.pay(3000, method)
    [dispute] = eventually(lambda: disputes.of_payment(payment))
    found: StripeDispute = dispute
    return found


def test_evidence_is_staged_with_a_file_and_submitted_once(
    account: Account, disputes: StripeDisputes, eventually: Eventually
) -> None:
    dispute = opened(account, disputes, eventually)
    assert (dispute.submission_count, dispute.evidence.get("uncategorized_text")) == (0, None)
    assert isinstance(dispute.due_by, int)
    file = disputes.upload("scan.png", PNG)
    assert disputes.upload("scan.png", PNG) == file
    said = {"uncategorized_text": "The tickets were shown.", "service_documentation": file}
    staged = disputes.give(dispute, said, submit=False)
    assert (staged.status, staged.submission_count) == ("needs_response", 0)
    assert staged.evidence.items() >= said.items()
    sent = disputes.give(staged, {"service_date": "2026-12-28"}, submit=True)
    assert (sent.status, sent.submission_count) == ("under_review", 1)
    assert sent.evidence.items() >= said.items()
    with pytest.raises(StripeRefused) as refused:
        disputes.accept(sent)
    assert refused.value.http_status == 400


def test_an_accepted_dispute_is_lost_and_takes_no_answer(
    account: Account, disputes: StripeDisputes, eventually: Eventually
) -> None:
    dispute = opened(account, disputes, eventually)
    assert disputes.accept(dispute).status == "lost"
    assert [one.dispute_id for one in disputes.of_charge(str(dispute.charge_id))] == [dispute.dispute_id]
    with pytest.raises(StripeRefused) as refused:
        disputes.give(dispute, {"uncategorized_text": "After all."}, submit=True)
    assert refused.value.http_status == 400


def test_an_inquiry_is_answered_and_holds_no_money(
    account: Account, disputes: StripeDisputes, eventually: Eventually
) -> None:
    inquiry = opened(account, disputes, eventually, INQUIRY)
    assert inquiry.status == "warning_needs_response"
    sent = disputes.give(inquiry, {"uncategorized_text": "The tickets were shown."}, submit=True)
    assert (sent.status, sent.submission_count) == ("warning_under_review", 1)


def test_what_is_too_long_or_no_file_is_refused(
    account: Account, disputes: StripeDisputes, eventually: Eventually
) -> None:
    dispute = opened(account, disputes, eventually)
    for evidence in ({"uncategorized_text": "x" * 20_001}, {"receipt": "file_1nobody"}):
        with pytest.raises(StripeRefused):
            disputes.give(dispute, evidence, submit=False)
    assert disputes.of_payment("pi_3nobody") == []
