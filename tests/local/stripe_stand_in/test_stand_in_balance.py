"""What moves on the balance, and what a payout pays out."""

from typing import Any

import pytest
import stripe

from local.stripe_stand_in import ApiError, PaymentSeed, SessionSeed, StripeStandIn
from tests.local.stripe_stand_in.support import Clock

WEEK = 7 * 24 * 3600


def lines(client: stripe.StripeClient, **filters: Any) -> list[dict[str, Any]]:
    asked: Any = {"limit": 100, **filters}
    page = client.v1.balance_transactions.list(asked)
    return [item.to_dict(for_json=True) for item in page.data]


def kinds(client: stripe.StripeClient, **filters: Any) -> list[tuple[str, str, int, int]]:
    return [
        (item["type"], item["reporting_category"], item["amount"], item["net"]) for item in lines(client, **filters)
    ]


@pytest.fixture
def payment(stand_in: StripeStandIn) -> str:
    session = stand_in.seed_session(SessionSeed(3000))
    return str(stand_in.session(session)["payment_intent"])


def test_every_movement_has_its_line(stand_in: StripeStandIn, client: stripe.StripeClient, payment: str) -> None:
    refund = stand_in.refund(payment, amount=1000)
    stand_in.finish_refund(refund["id"], status="failed")
    stand_in.open_dispute(payment)
    stand_in.close_dispute(payment, status="won")
    stand_in.move_balance("stripe_fee", -200)
    assert kinds(client)[::-1] == [
        ("charge", "charge", 3000, 2930),
        ("refund", "refund", -1000, -1000),
        ("refund_failure", "refund_failure", 1000, 1000),
        ("adjustment", "dispute", -3000, -5000),
        ("adjustment", "dispute_reversal", 3000, 3000),
        ("stripe_fee", "fee", -200, -200),
    ]
    assert kinds(client, type="adjustment")[::-1] == kinds(client)[::-1][3:5]
    for line in lines(client):
        assert line["net"] == line["amount"] - line["fee"]
        assert line["fee"] == sum(fee["amount"] for fee in line["fee_details"])


def test_each_object_names_its_lines(stand_in: StripeStandIn, client: stripe.StripeClient, payment: str) -> None:
    refund = stand_in.refund(payment, amount=1000)
    failed = stand_in.finish_refund(refund["id"], status="failed")
    dispute = stand_in.open_dispute(payment)
    taken, out, back, disputed = lines(client, expand=["data.source", "data.source.charge"])[::-1]
    assert taken["source"]["balance_transaction"] == taken["id"]
    assert (failed["balance_transaction"], failed["failure_balance_transaction"]) == (out["id"], back["id"])
    assert [moved["id"] for moved in dispute["balance_transactions"]] == [disputed["id"]]
    # A path into a source reaches those that have it, and leaves the others as they are.
    assert out["source"]["charge"]["id"] == disputed["source"]["charge"]["id"] == taken["source"]["id"]
    read = client.v1.payment_intents.retrieve(payment, {"expand": ["latest_charge.balance_transaction"]})
    assert read.to_dict(for_json=True)["latest_charge"]["balance_transaction"]["net"] == 2930


def test_a_declined_card_and_a_debit_under_way_move_nothing(
    stand_in: StripeStandIn, client: stripe.StripeClient
) -> None:
    declined, debit = stand_in.seed_sessions(SessionSeed(3000, status="open") for _ in range(2))
    stand_in.pay(declined, "4000000000009995")
    stand_in.pay(debit, None, iban="AT611904300234573201")
    assert kinds(client) == []
    stand_in.settle(debit)
    assert kinds(client) == [("payment", "charge", 3000, 2965)]


def test_another_currency_is_converted(stand_in: StripeStandIn, client: stripe.StripeClient) -> None:
    stand_in.foreign_payment(PaymentSeed(11600, currency="usd"))
    [line] = lines(client, expand=["data.source"])
    assert (line["amount"], line["currency"], line["source"]["amount"]) == (10000, "eur", 11600)
    assert round(line["source"]["amount"] * line["exchange_rate"]) == line["amount"]


def test_a_payout_pays_out_what_is_available(
    stand_in: StripeStandIn, client: stripe.StripeClient, clock: Clock, payment: str
) -> None:
    assert stand_in.pay_out() is None
    clock.advance(WEEK + 1)
    stand_in.refund(payment, amount=1000)  # available later than the charge
    payout = stand_in.pay_out()
    assert payout is not None
    assert (payout["amount"], payout["reconciliation_status"]) == (2930, "completed")
    assert kinds(client, payout=payout["id"]) == [
        ("payout", "payout", -2930, -2930),
        ("charge", "charge", 3000, 2930),
    ]
    assert [line["status"] for line in lines(client)] == ["available", "pending", "available"]
    assert client.v1.payouts.retrieve(payout["id"]).amount == 2930
    assert stand_in.pay_out() is None, "the refund's money is missing"
    with pytest.raises(stripe.InvalidRequestError, match="No such payout"):
        lines(client, payout="po_1unknown")


def test_a_payout_that_fails_brings_its_money_back(
    stand_in: StripeStandIn, client: stripe.StripeClient, payment: str
) -> None:
    assert payment
    payout = stand_in.pay_out(everything=True)
    assert payout is not None
    failed = stand_in.fail_payout(payout["id"])
    assert (failed["status"], failed["failure_code"]) == ("failed", "account_closed")
    assert kinds(client)[0] == ("payout_failure", "payout_reversal", 2930, 2930)
    with pytest.raises(ApiError, match="failed already"):
        stand_in.fail_payout(payout["id"])
    again = stand_in.pay_out(everything=True)
    assert again is not None
    assert [payout["status"] for payout in client.v1.payouts.list({"status": "paid"}).data] == ["paid"]


def test_of_a_payout_by_hand_nobody_knows_what_it_paid_out(
    stand_in: StripeStandIn, client: stripe.StripeClient, payment: str
) -> None:
    assert payment
    payout = stand_in.pay_out(amount=2000)
    assert payout is not None
    assert (payout["automatic"], payout["reconciliation_status"]) == (False, "not_applicable")
    assert kinds(client, payout=payout["id"]) == [("payout", "payout", -2000, -2000)]
