"""Payments, refunds and disputes, as their objects, errors and events say them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.contract.conftest import DISPUTED, INQUIRY, REFUND_FAILS, Account, refused

Eventually = Callable[[Callable[[], Any]], Any]


def charge_of(client: stripe.StripeClient, payment: str) -> Any:
    intent = client.v1.payment_intents.retrieve(payment, {"expand": ["latest_charge"]}).to_dict(for_json=True)
    return intent["latest_charge"]


def events_about(client: stripe.StripeClient, object_id: str, types: list[str]) -> set[str]:
    page = client.v1.events.list({"types": types, "limit": 100})
    return {event.type for event in page.data if event.data.object["id"] == object_id}


def test_a_payment_by_card_is_known_by_its_charge(account: Account, client: stripe.StripeClient) -> None:
    payment = account.pay(3000, order_id="17")
    intent = client.v1.payment_intents.retrieve(payment)
    assert (intent.status, intent.amount, intent.amount_received, intent.currency) == ("succeeded", 3000, 3000, "eur")
    charge = charge_of(client, payment)
    assert (charge["amount"], charge["amount_refunded"], charge["refunded"]) == (3000, 0, False)
    assert (charge["payment_intent"], charge["paid"], charge["disputed"]) == (payment, True, False)
    assert charge["metadata"] == {"order_id": "17"}
    assert client.v1.charges.retrieve(charge["id"]).id == charge["id"]


def test_a_part_and_then_the_rest_is_refunded(
    account: Account, client: stripe.StripeClient, eventually: Eventually
) -> None:
    payment = account.pay(3000)
    part = client.v1.refunds.create({"payment_intent": payment, "amount": 1000, "metadata": {"order_id": "17"}})
    assert (part.object, part.amount, part.currency, part.payment_intent) == ("refund", 1000, "eur", payment)
    assert part.status in {"succeeded", "pending"}
    assert charge_of(client, payment)["amount_refunded"] == 1000
    too_much = refused(lambda: client.v1.refunds.create({"payment_intent": payment, "amount": 2001}))
    assert (too_much.http_status, type(too_much)) == (400, stripe.InvalidRequestError)
    rest = client.v1.refunds.create({"payment_intent": payment})
    assert rest.amount == 2000
    charge = charge_of(client, payment)
    assert (charge["amount_refunded"], charge["refunded"]) == (3000, True)
    again = refused(lambda: client.v1.refunds.create({"payment_intent": payment}))
    assert (again.http_status, again.code) == (400, "charge_already_refunded")
    listed = client.v1.refunds.list({"payment_intent": payment})
    assert [refund.id for refund in listed.data] == [rest.id, part.id]
    assert eventually(lambda: events_about(client, charge["id"], ["charge.refunded"])) == {"charge.refunded"}
    assert eventually(lambda: events_about(client, part.id, ["refund.created"])) == {"refund.created"}


def test_a_refund_that_the_bank_sends_back_fails_later(
    account: Account, client: stripe.StripeClient, eventually: Eventually
) -> None:
    refund = client.v1.refunds.create({"payment_intent": account.pay(3000, REFUND_FAILS)})
    assert refund.status in {"succeeded", "pending"}

    def failed() -> Any:
        found = client.v1.refunds.retrieve(refund.id)
        return found if found.status == "failed" else None

    assert isinstance(eventually(failed).failure_reason, str)
    assert eventually(lambda: events_about(client, refund.id, ["refund.failed"])) == {"refund.failed"}


@pytest.mark.parametrize(
    ("method", "statuses", "withdrawn"),
    [(DISPUTED, {"needs_response"}, True), (INQUIRY, {"warning_needs_response"}, False)],
)
def test_a_dispute_is_found_by_its_payment(
    account: Account,
    client: stripe.StripeClient,
    eventually: Eventually,
    method: str,
    statuses: set[str],
    withdrawn: bool,
) -> None:
    payment = account.pay(3000, method)

    def listed() -> Any:
        return next(iter(client.v1.disputes.list({"payment_intent": payment}).data), None)

    dispute = eventually(listed)
    assert (dispute.object, dispute.amount, dispute.currency) == ("dispute", 3000, "eur")
    assert dispute.status in statuses
    assert dispute.payment_intent == payment
    assert dispute.charge == charge_of(client, payment)["id"]
    assert charge_of(client, payment)["disputed"] is True
    assert isinstance(dispute.reason, str)
    assert client.v1.disputes.retrieve(dispute.id).id == dispute.id
    created, taken = "charge.dispute.created", "charge.dispute.funds_withdrawn"
    wanted = {created, taken} if withdrawn else {created}
    assert eventually(lambda: events_about(client, dispute.id, [created, taken]) == wanted)


def test_what_the_bank_took_cannot_be_refunded(
    account: Account, client: stripe.StripeClient, eventually: Eventually
) -> None:
    payment = account.pay(3000, DISPUTED)
    eventually(lambda: client.v1.disputes.list({"payment_intent": payment}).data)
    error = refused(lambda: client.v1.refunds.create({"payment_intent": payment}))
    assert (error.http_status, error.code) == (400, "charge_disputed")


def test_what_is_not_there_is_said_so(client: stripe.StripeClient) -> None:
    for ask in (
        lambda: client.v1.payment_intents.retrieve("pi_3nobody"),
        lambda: client.v1.charges.retrieve("ch_3nobody"),
        lambda: client.v1.refunds.retrieve("re_3nobody"),
        lambda: client.v1.disputes.retrieve("dp_1nobody"),
    ):
        error = refused(ask)
        assert (error.http_status, error.code) == (404, "resource_missing")
