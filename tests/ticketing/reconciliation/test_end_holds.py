"""Every minute the holds that are over are ended: a seat that nobody asks for is on sale again all the same."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import stripe
from samtranslator.yaml_helper import yaml_parse

from handlers import stripe_access
from handlers.maintenance import end_holds as handler_module
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.conftest import TEMPLATE
from tests.factories import create_order, names_of
from tests.ticketing.paid_orders import entries, order_row, seats, status
from ticketing.database import Database
from ticketing.reconciliation.end_holds import EndedHolds, end_holds
from ticketing.stripe.sessions import StripeSessions


@pytest.fixture
def shop(database: Database, stand_in: StripeStandIn, api: stripe.StripeClient) -> Shop:
    return Shop(database, stand_in, StripeSessions(api))


class Shop:
    """Orders whose hold ended some time ago, each with its session at Stripe."""

    def __init__(self, database: Database, stand_in: StripeStandIn, sessions: StripeSessions) -> None:
        self.database, self.stand_in, self.sessions = database, stand_in, sessions

    def order(self, *, ended_seconds_ago: int, session: Literal["open", "expired"] = "open", **columns: Any) -> int:
        order = create_order(self.database, hold=True, **columns)
        with self.database.transaction() as tx:
            tx.change(
                "UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) - INTERVAL %s SECOND WHERE id = %s",
                ended_seconds_ago,
                order,
            )
        row = order_row(self.database, order)
        self.stand_in.seed_session(
            SessionSeed(
                amount_total=int(row["total_amount"] * 100),
                metadata=names_of(row),
                session_id=row["stripe_checkout_session_id"],
                status=session,
            )
        )
        return order

    def session_of(self, order: int) -> str:
        return str(order_row(self.database, order)["stripe_checkout_session_id"])

    def end_holds(self, seconds: float = 30.0) -> EndedHolds:
        return end_holds(self.database, self.sessions, deadline=time.monotonic() + seconds)


def test_what_is_over_is_ended_and_given_back_once(shop: Shop) -> None:
    over = [shop.order(ended_seconds_ago=seconds) for seconds in (1, 600)]
    gone = shop.order(ended_seconds_ago=1, session="expired")
    held = shop.order(ended_seconds_ago=-60)
    assert shop.end_holds() == EndedHolds(given_back=3, paid=0, left=0)
    for order in over:
        assert shop.stand_in.session(shop.session_of(order))["status"] == "expired"
    for order in (*over, gone):
        assert (status(shop.database, order), seats(shop.database, order)) == ("expired", (0, 0))
        assert entries(shop.database, order).count("expired") == 1
    assert shop.stand_in.session(shop.session_of(held))["status"] == "open"
    assert status(shop.database, held) == "pending"
    assert shop.end_holds() == EndedHolds(given_back=0, paid=0, left=0)


def test_who_paid_before_keeps_his_seats(shop: Shop) -> None:
    order = shop.order(ended_seconds_ago=5)
    shop.stand_in.pay(shop.session_of(order))
    assert shop.end_holds() == EndedHolds(given_back=0, paid=1, left=0)
    assert (status(shop.database, order), seats(shop.database, order)[1]) == ("pending", 1)


def test_what_stripe_does_not_end_is_left_to_the_reconciliation(shop: Shop) -> None:
    unknown = create_order(shop.database, hold=True)
    with shop.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) WHERE id = %s", unknown)
    assert shop.end_holds() == EndedHolds(given_back=0, paid=0, left=1)
    with shop.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) - INTERVAL 21 MINUTE")
    assert shop.end_holds() == EndedHolds(given_back=0, paid=0, left=0)


def test_while_stripe_is_away_nothing_is_given_back(shop: Shop) -> None:
    order = shop.order(ended_seconds_ago=5)
    shop.stand_in.fail_next(50, status=500, path_prefix="/v1/checkout")
    assert shop.end_holds(seconds=0.5) == EndedHolds(given_back=0, paid=0, left=1)
    assert (status(shop.database, order), shop.session_of(order)) == ("pending", shop.session_of(order))
    shop.stand_in.clear_faults()
    assert shop.end_holds().given_back == 1


def test_the_function_runs_every_minute_and_says_what_it_did(
    shop: Shop, api: stripe.StripeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Resources"]["EndHoldsFunction"]["Properties"]
    [schedule] = function["Events"].values()
    assert (function["Handler"], schedule["Properties"]["Schedule"]) == (
        f"{handler_module.__name__}.handler",
        "rate(1 minute)",
    )
    monkeypatch.setattr(handler_module, "database", shop.database)
    monkeypatch.setattr(stripe_access, "client", lambda **_: api)
    shop.order(ended_seconds_ago=5)
    context = SimpleNamespace(aws_request_id="r", get_remaining_time_in_millis=lambda: 1000 * int(function["Timeout"]))
    event = {"version": "0", "id": "e", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
    assert handler_module.handler(event, context) == {"given_back": 1, "paid": 0, "left": 0}


def test_it_finds_them_by_an_index(database: Database) -> None:
    with database.transaction() as tx:
        plan = tx.one(
            "EXPLAIN SELECT id, stripe_checkout_session_id AS session_id FROM ticket_orders WHERE status = 'pending'"
            " AND hold_expires_at <= UTC_TIMESTAMP(6) AND hold_expires_at > UTC_TIMESTAMP(6) - INTERVAL 20 MINUTE"
            " AND stripe_checkout_session_id IS NOT NULL ORDER BY hold_expires_at LIMIT 500"
        )
    assert plan is not None
    assert plan["possible_keys"] is not None
    assert "ticket_orders_by_status_and_hold" in plan["possible_keys"]
