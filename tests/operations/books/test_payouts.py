"""`cachao books --payout`: a payout comes to the sum of its lines, and each line has its order."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from cachao.books import reading
from cachao.problems import FunctionFailed
from local.stripe_stand_in import StripeStandIn
from tests.operations.books.planted import DAY, PRICE, PlantedShop, lost_refund, refunded
from tests.operations.books.test_books import made, span
from tests.operations.conftest import Cachao
from ticketing.database import Database


@pytest.fixture
def shop(database: Database, stripe_stand_in: StripeStandIn) -> Iterator[PlantedShop]:
    store = stripe_stand_in.context.store
    # What other tests left on the balance is paid out.
    store.mark_paid_out([item.id for item in store.unpaid_transactions(None)], "po_other")
    shop = made(database, stripe_stand_in, 120)
    clock = stripe_stand_in.context.clock
    yield shop
    stripe_stand_in.context.clock = clock


def pay_out(shop: PlantedShop) -> dict[str, Any]:
    shop.stand_in.context.clock = lambda: shop.until + 8 * DAY
    payout = shop.stand_in.pay_out()
    assert payout is not None
    return payout


def test_a_payout_comes_to_its_lines(cachao: Cachao, shop: PlantedShop) -> None:
    refunded(shop)
    payout = pay_out(shop)
    answer = cachao("books", "--payout", payout["id"], json=True)
    assert (answer.exit_code, answer.data["findings"][0]["name"]) == (0, "Payout")
    assert [line["name"] for line in answer.data["findings"]] == ["Payout"]
    assert answer.data["lines"] == 122
    assert answer.data["requests"] == 2
    net = {sums["what"]: sums["net_minor"] for sums in answer.data["balance"]}
    assert net["charge"] + net["refund"] == payout["amount"] == -net["payout"]
    [books] = answer.data["books"]
    assert (books["stripe_minor"], books["left_over_minor"]) == (119 * PRICE, 0)
    rows = list(
        csv.DictReader(io.StringIO(cachao("books", "--payout", payout["id"], "--csv").text.removeprefix("\ufeff")))
    )
    assert {row["payout"] for row in rows} == {payout["id"]}
    assert len({row["order"] for row in rows} - {""}) == 120
    table = cachao("books", "--payout", payout["id"]).text
    assert f"Payout {payout['id']}: {payout['amount'] / 100:.2f} EUR, paid" in table
    assert "nothing to do" in table


def test_what_is_wrong_in_a_payout_is_named(cachao: Cachao, shop: PlantedShop) -> None:
    lost_refund(shop)
    order_id, payment = shop.next_order()
    payout = pay_out(shop)
    # A line of another amount than was paid out, and the bank sends it back.
    shop.alter_line(payment, fee=0, net=PRICE, fee_details=[])
    shop.stand_in.fail_payout(payout["id"])
    answer = cachao("books", "--payout", payout["id"], json=True)
    assert answer.exit_code == 1
    named = {line["name"]: line for line in answer.data["findings"]}
    assert named.keys() == {"Payout", "RefundNotRecorded", "PayoutDoesNotAddUp", "PayoutFailed", "FeeDiffers"}
    assert named["FeeDiffers"]["order_id"] == order_id
    assert "account_closed" in named["PayoutFailed"]["what"]
    assert f"its lines come to {(payout['amount'] + 85) / 100:.2f} EUR" in named["PayoutDoesNotAddUp"]["what"]


def test_of_a_span_each_line_has_its_payout_where_that_is_asked_for(cachao: Cachao, shop: PlantedShop) -> None:
    payout = pay_out(shop)
    _, payment = shop.next_order()
    shop.stand_in.context.clock = lambda: shop.until - 60
    shop.stand_in.move_balance("stripe_fee", -200)
    asked = ["books", *span(shop), "--with-payouts"]
    rows = list(csv.DictReader(io.StringIO(cachao(*asked, "--csv").text.removeprefix("\ufeff"))))
    assert {row["payout"] for row in rows if row["category"] == "charge"} == {payout["id"]}
    assert [row["payout"] for row in rows if row["category"] == "fee"] == [""], "it is on the balance"
    answer = cachao(*asked, json=True)
    assert answer.exit_code == 0
    shop.alter_line(payment, net=PRICE, fee=0, fee_details=[])
    assert "PayoutDoesNotAddUp" in cachao(*asked, json=True).data["names"]


def test_of_a_payout_by_hand_it_says_that_nobody_knows(cachao: Cachao, shop: PlantedShop) -> None:
    payout = shop.stand_in.pay_out(amount=100)
    assert payout is not None
    answer = cachao("books", "--payout", payout["id"])
    assert (answer.exit_code, "was made by hand" in answer.notes) == (1, True)


def test_of_a_payout_that_stripe_still_puts_together_it_says_so(cachao: Cachao, shop: PlantedShop) -> None:
    payout = pay_out(shop)
    record = shop.stand_in.context.store.get("payout", payout["id"])
    assert record is not None
    record.body["reconciliation_status"] = "in_progress"
    shop.stand_in.context.store.update(record)
    assert "not yet put together" in cachao("books", "--payout", payout["id"]).notes


def test_while_stripe_is_away_it_is_asked_again(
    cachao: Cachao, shop: PlantedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payout = pay_out(shop)
    monkeypatch.setattr(reading, "_PAUSE_SECONDS", 0.0)
    # A request is repeated six times by the function.
    shop.stand_in.fail_next(7, path_prefix="/v1/balance_transactions")
    answer = cachao("books", "--payout", payout["id"], json=True)
    assert (answer.exit_code, answer.data["lines"]) == (0, 121)
    assert "It is asked again." in answer.notes
    monkeypatch.setattr(reading, "_MOST_FAILED", 0)

    def away(*_given: Any, **_more: Any) -> Any:
        raise FunctionFailed("CompareBooksFunction", "StripeUnavailable", "Stripe is away.")

    monkeypatch.setattr("cachao.aws.environment.Environment.invoke", away)
    gone = cachao("books", "--payout", payout["id"])
    assert (gone.exit_code, "Stripe is away." in gone.notes) == (1, True)


def test_it_can_be_interrupted(cachao: Cachao, shop: PlantedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_given: Any, **_more: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("cachao.aws.environment.Environment.invoke", interrupted)
    answer = cachao("books", "--since", "2d")
    assert (answer.exit_code, "Interrupted. Nothing was changed" in answer.notes) == (130, True)
