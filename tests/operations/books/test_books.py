"""`cachao books`: all that is wrong between the shop's books and Stripe is named, and nothing else."""

from __future__ import annotations

import csv
import io
import itertools
import time
from collections import Counter
from typing import Any

import pytest

from cachao.books import reading, shown
from local.stripe_stand_in import StripeStandIn
from tests.operations.books.planted import (
    AS_IT_SHOULD_BE,
    DAY,
    PLANTED,
    PlantedShop,
    a_day_without_events,
    payment_never_taken,
)
from tests.operations.conftest import Cachao
from tests.sizes import FULL, size
from ticketing.database import Database

# Long before anything that other tests do at the same stand-in, a span for each test.
_spans = itertools.count()


@pytest.fixture
def shop(database: Database, stripe_stand_in: StripeStandIn) -> PlantedShop:
    return made(database, stripe_stand_in, 100)


def made(database: Database, stand_in: StripeStandIn, orders: int) -> PlantedShop:
    since = int(time.time()) - 2000 * DAY + next(_spans) * 20 * DAY
    return PlantedShop(database, stand_in, since=since, until=since + DAY, orders=orders)


def span(shop: PlantedShop) -> list[str]:
    moments = [time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) for moment in (shop.since, shop.until)]
    return ["--since", moments[0], "--until", moments[1]]


def subject(finding: dict[str, Any], expected: set[object]) -> object:
    names = (finding.get("order_id"), finding.get("payment_key"), finding.get("object_id"), finding["transaction_id"])
    return next((name for name in names if name in expected), names)


def found(report: dict[str, Any], shop: PlantedShop) -> Counter[tuple[str, object]]:
    subjects = {about for _, about in shop.expected}
    return Counter(
        (finding["name"], subject({"transaction_id": None} | finding, subjects)) for finding in report["findings"]
    )


def test_books_that_agree_are_called_so(cachao: Cachao, shop: PlantedShop) -> None:
    for plant in AS_IT_SHOULD_BE:
        plant(shop)
    answer = cachao("books", *span(shop), json=True)
    report = answer.data
    assert report["findings"] == []
    assert answer.exit_code == 0
    assert [(sums["left_over_minor"], sums["named_minor"]) for sums in report["books"]] == [(0, 0)]
    assert report["names"] == {"Agrees": report["lines"]}
    assert "nothing to do" in cachao("books", *span(shop)).text


def test_all_that_is_wrong_is_found_and_nothing_is_invented(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn
) -> None:
    orders, times = size(150, 10_000), size(1, 20)
    shop = made(database, stripe_stand_in, orders)
    for plant in (*PLANTED * times, *AS_IT_SHOULD_BE * times):
        plant(shop)
    began = time.monotonic()
    answer = cachao("books", *span(shop), json=True)
    took = time.monotonic() - began
    report = answer.data
    assert found(report, shop) == Counter((str(name), about) for name, about in shop.expected)
    assert answer.exit_code == 1
    assert {sums["left_over_minor"] for sums in report["books"]} == {0}
    print(f"{report['lines']} lines, {report['requests']} requests, {took:.1f} s")
    if FULL:
        assert report["requests"] <= orders / 50
        assert took <= 60


def test_every_line_opens_in_a_spreadsheet_and_none_is_a_formula(cachao: Cachao, shop: PlantedShop) -> None:
    for plant in PLANTED:
        plant(shop)
    text = cachao("books", *span(shop), "--csv").text
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    report = cachao("books", *span(shop), json=True).data
    assert Counter(row["name"] for row in rows) == report["names"]
    [adjustment] = [row for row in rows if row["name"] == "Adjustment"]
    assert adjustment["what"].startswith("'=HYPERLINK")
    net = sum(float(row["net"] or 0) for row in rows)
    assert round(net * 100) == sum(sums["net_minor"] for sums in report["balance"])
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@"))]
    both = cachao("books", *span(shop), "--csv", json=True)
    assert (both.exit_code, "not both" in both.notes) == (2, True)


def test_what_is_named_is_shown_with_what_to_do(cachao: Cachao, shop: PlantedShop) -> None:
    for plant in PLANTED:
        plant(shop)
    text = cachao("books", *span(shop)).text
    for said in (
        "left over",
        "cachao mark-paid",
        "What to do now: run: cachao refund",
        "every-cent",
        "by hand",
    ):
        assert said in text, said


def test_how_it_is_used_wrongly_is_said(cachao: Cachao) -> None:
    for words in (
        [],
        ["--payout", "po_1", "--since", "2d"],
        ["--payout", "po_1", "--until", "2d"],
        ["--payout", "po_1", "--with-payouts"],
    ):
        assert cachao("books", *words).exit_code == 2
    assert cachao("books", "--since", "2026-02-01", "--until", "2026-01-01").exit_code == 2
    gone = cachao("books", "--payout", "po_1none")
    assert (gone.exit_code, "no payout po_1none" in gone.notes) == (1, True)


def test_what_stripe_did_not_list_is_asked_for_within_bounds(
    cachao: Cachao, shop: PlantedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LOOK_UPS", 2)
    for _ in range(5):
        payment_never_taken(shop)
    report = cachao("books", *span(shop), json=True).data
    assert (report["names"]["PaymentNotAtStripe"], report["names"]["NotLookedUp"]) == (2, 3)
    # Two pages of lines, one of payouts, and those two.
    assert report["requests"] == 4


def test_of_many_of_a_name_the_first_are_shown(
    cachao: Cachao, shop: PlantedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "_MOST_OF_A_NAME", 3)
    a_day_without_events(shop)
    text = cachao("books", *span(shop)).text
    assert text.count("PaymentNotRecorded") == 3
    assert "And 2 more of the same names" in text
