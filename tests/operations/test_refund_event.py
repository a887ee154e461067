"""`cachao refund --event`: shown, asked, done, gone on with where the balance ran dry, reported in three ways."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from cachao.problems import FunctionFailed
from cachao.refund import event as command
from local.stripe_stand_in import StripeStandIn
from tests.factories import create_event, create_order, create_ticket, row_of
from tests.operations.conftest import Cachao
from tests.operations.test_corrections import seeded
from tests.ticketing.paid_orders import dispute, pay, status
from ticketing.database import Database


@pytest.fixture
def event(database: Database, stripe_stand_in: StripeStandIn) -> Iterator[tuple[int, list[int]]]:
    """An event of two tickets with four paid orders, the last in dispute, and a free one; its id, and the orders'."""
    made = create_event(database)
    tickets = [create_ticket(database, event_id=made) for _ in range(2)]
    orders = [create_order(database, ticket_id=tickets[number % 2], quantity=2) for number in range(4)]
    for order_id in orders:
        session = seeded(stripe_stand_in, database, order_id)
        pay(database, order_id, payment_intent=stripe_stand_in.session(session)["payment_intent"])
    dispute(database, orders[3], "charge.dispute.created", payment_intent=payment_of(database, orders[3]))
    free = create_order(database, ticket_id=tickets[0], unit_price=0)
    pay(database, free, payment_intent=None, payment_status="no_payment_required")
    yield made, [*orders, free]
    stripe_stand_in.set_refundable(None)


def payment_of(database: Database, order_id: int) -> str:
    return str(row_of(database, "ticket_orders", order_id)["stripe_payment_intent_id"])


def test_it_is_shown_asked_done_and_reported(cachao: Cachao, database: Database, event: tuple[int, list[int]]) -> None:
    number, orders = event
    shown = cachao("refund", "--event", number, "--dry-run")
    assert shown.exit_code == 0, shown.notes
    for said in (
        "to refund",
        "in dispute: left alone",
        "free or unpaid: to end",
        "stops the sale of 2 tickets",
        "120.00",
    ):
        assert said in shown.text
    asked = cachao("refund", "--event", number)
    assert (asked.exit_code, "This cannot be undone." in asked.notes, "to refund" in asked.notes) == (2, True, True)
    assert [status(database, order_id) for order_id in orders] == ["paid"] * 5
    done = cachao("refund", "--event", number, "--yes", "--reason", "ill", json=True)
    # Somebody has to look at the one in dispute.
    assert done.exit_code == 1, done.notes
    assert [status(database, order_id) for order_id in orders] == ["refunded"] * 3 + ["paid", "cancelled"]
    report = done.data
    assert {line["order_id"]: line["state"] for line in report["lines"]} == {
        **dict.fromkeys(orders, "done"),
        orders[3]: "disputed",
    }
    assert report["agrees"]
    for field in ("paid_minor", "refunded_minor", "left_minor"):
        assert sum(line[field] for line in report["lines"]) == sum(one[field] for one in report["sums"])
    assert sum(one["refunded_minor"] for one in report["sums"]) == 12000
    table = cachao("refund", "--event", number, "--report").text
    for said in ("refunded", "in all", "These are left", "is open: answer or accept it", "The books agree with it"):
        assert said in table
    rows = list(
        csv.DictReader(
            io.StringIO(cachao("refund", "--event", number, "--report", "--csv").text.removeprefix("\ufeff"))
        )
    )
    assert len(rows) == 5
    assert sum(float(row["refunded"]) for row in rows) == 120.0
    assert {row["refund"][:3] for row in rows if row["payment"] and row["state"] == "done"} == {"re_"}
    # Again: nothing more goes back.
    again = cachao("refund", "--event", number, "--yes", json=True).data
    assert again["lines"] == report["lines"]


def test_where_the_balance_runs_dry_it_says_so_and_goes_on_from_there(
    cachao: Cachao, database: Database, event: tuple[int, list[int]], stripe_stand_in: StripeStandIn
) -> None:
    number, orders = event
    stripe_stand_in.set_refundable(4000)
    dry = cachao("refund", "--event", number, "--yes")
    assert dry.exit_code == 1
    assert "The balance at Stripe does not suffice" in dry.notes
    assert sum(status(database, order_id) == "refunded" for order_id in orders) == 1
    stripe_stand_in.set_refundable(None)
    assert "this goes on with it" in cachao("refund", "--event", number, "--dry-run").text
    cachao("refund", "--event", number, "--yes")
    assert [status(database, order_id) for order_id in orders[:3]] == ["refunded"] * 3
    with database.transaction() as tx:
        made = tx.all("SELECT order_id FROM order_refunds")
    assert sorted(row["order_id"] for row in made) == sorted(orders[:3])


def test_of_one_ticket_only_its_orders(cachao: Cachao, database: Database, event: tuple[int, list[int]]) -> None:
    ticket = row_of(database, "ticket_orders", event[1][0])["ticket_id"]
    assert cachao("refund", "--ticket", ticket, "--yes").exit_code == 0
    assert [status(database, order_id) for order_id in event[1]] == [
        "refunded",
        "paid",
        "refunded",
        "paid",
        "cancelled",
    ]


def test_what_is_not_there_or_makes_no_sense_is_said(
    cachao: Cachao, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = cachao("refund", "--event", 999, "--yes")
    assert (gone.exit_code, "There is no event 999" in gone.notes) == (1, True)
    assert cachao("refund", "--event", 999, "--report").exit_code == 1
    wrong: list[list[Any]] = [[], ["1", "--event", "2"], ["--event", "1", "--ticket", "2"], ["1", "--csv"]]
    for words in [*wrong, ["--event", "1", "--amount", "5"], ["1", "--report"], ["--event", "1", "--end-order"]]:
        assert cachao("refund", *words, "--yes").exit_code == 2, words


def test_while_stripe_is_away_it_waits_and_gives_up_at_last(
    cachao: Cachao,
    event: tuple[int, list[int]],
    stripe_stand_in: StripeStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(command, "_MOST_STUCK", 1)
    calls: list[str] = []
    real = command._ask

    def ask(context: Any, scope: Any, action: str, **given: Any) -> Any:
        calls.append(action)
        if action == "work" and calls.count("work") == 1:
            raise FunctionFailed("RefundEventFunction", "StripeUnavailable", "Stripe is away.")
        return real(context, scope, action, **given)

    monkeypatch.setattr(command, "_ask", ask)
    cachao("refund", "--event", event[0], "--yes")
    assert calls.count("work") == 2

    def away(context: Any, scope: Any, action: str, **given: Any) -> Any:
        if action == "work":
            raise FunctionFailed("RefundEventFunction", "StripeUnavailable", "Stripe is away.")
        return real(context, scope, action, **given)

    monkeypatch.setattr(command, "_ask", away)
    answer = cachao("refund", "--event", event[0], "--yes")
    assert (answer.exit_code, "Stripe is away." in answer.notes) == (1, True)
