"""Reconciliation against a real MariaDB and the Stripe stand-in."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import stripe

from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.conftest import Connect
from tests.factories import create_code, create_order, create_ticket, names_of, row_of
from tests.handlers.workflow.workflow_by_hand import WorkflowBus
from tests.ticketing.paid_orders import code_uses, entries, order_row, pay, refund_charge, refunded, seats, status
from ticketing.database import Database
from ticketing.errors import DatabaseUnavailable, DataInconsistent, StripeUnavailable
from ticketing.event_bus import BusEvent, PutResult
from ticketing.payments.release import OrderMove, release_order
from ticketing.reconciliation import ended_orders
from ticketing.reconciliation import run as reconciliation
from ticketing.reconciliation.repair import ReconciledItem
from ticketing.reconciliation.run import Options, Report, reconcile
from ticketing.stripe.event_list import StripeEventList
from ticketing.stripe.rate_limit import RateLimiter
from ticketing.stripe.sessions import StripeSessions

FAST = 2000.0
LONG_AGO = datetime(2020, 1, 1)  # noqa: DTZ001 -- UTC without a zone, as in the database


class Shop:
    """The three parts together, and steps that the tests share."""

    def __init__(self, database: Database, stand_in: StripeStandIn, api: stripe.StripeClient) -> None:
        self.database, self.stand_in, self.api = database, stand_in, api
        self.bus = WorkflowBus(database, find_session=StripeSessions(api).of_payment)

    def order(self, *, hold: bool = True, due: bool = True, **columns: Any) -> int:
        """An order whose hold is over, or (hold=False) one of the live shop, an hour old."""
        if not hold:
            columns.setdefault("created_at", datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1))
        order = create_order(self.database, hold=hold, **columns)
        if hold and due:
            with self.database.transaction() as tx:
                tx.change(
                    "UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE WHERE id = %s",
                    order,
                )
        return order

    def session(self, order: int, **seed: Any) -> str:
        """A session of the order at Stripe, as its checkout would have opened it."""
        row = order_row(self.database, order)
        metadata = names_of(row)
        fields = {"metadata": metadata, "session_id": row["stripe_checkout_session_id"], **seed}
        minor = int(row["total_amount"] * 100)
        return self.stand_in.seed_session(SessionSeed(amount_total=minor, **fields))

    def run(self, **options: Any) -> Report:
        return reconcile(
            self.database,
            StripeSessions(self.api),
            self.bus,
            Options(requests_per_second=FAST, **options),
            events=StripeEventList(self.api),
        )


@pytest.fixture
def shop(database: Database, stand_in: StripeStandIn, api: stripe.StripeClient) -> Shop:
    return Shop(database, stand_in, api)


def done(report: Report) -> set[tuple[str, str]]:
    return {(row.finding, row.action) for row in report.rows}


def only(report: Report) -> ReconciledItem:
    assert len(report.rows) == 1
    return report.rows[0]


# --- What Stripe says of an order's session --------------------------------------------------------------------------


@pytest.mark.parametrize("hold", [True, False])
def test_a_paid_order_goes_through_the_workflow_and_is_counted(shop: Shop, hold: bool) -> None:
    order = shop.order(hold=hold, quantity=2)
    shop.session(order)
    assert done(shop.run()) == {("paid", "event_sent")}
    assert (status(shop.database, order), seats(shop.database, order)) == ("paid", (2, 0))
    assert shop.bus.types == ["checkout.session.completed"]
    assert shop.run().rows == []


def test_an_order_that_cost_nothing_is_fulfilled_like_the_others(shop: Shop) -> None:
    order = shop.order(unit_price=0)
    shop.session(order)
    assert done(shop.run()) == {("paid", "event_sent")}
    assert status(shop.database, order) == "paid"


def test_an_expired_session_gives_the_hold_back(shop: Shop) -> None:
    ticket = create_ticket(shop.database)
    code = create_code(shop.database, event_id=row_of(shop.database, "tickets", ticket)["event_id"])
    order = shop.order(ticket_id=ticket, discount_code_id=code)
    shop.session(order, status="expired")
    assert done(shop.run()) == {("expired", "released")}
    assert (status(shop.database, order), seats(shop.database, order)) == ("expired", (0, 0))
    assert code_uses(shop.database, code) == (0, 0)


def test_an_open_session_past_its_hold_is_ended_at_stripe_first(shop: Shop) -> None:
    order = shop.order()
    session = shop.session(order, status="open")
    assert done(shop.run()) == {("open", "released")}
    assert shop.stand_in.session(session)["status"] == "expired"
    assert (status(shop.database, order), seats(shop.database, order)) == ("expired", (0, 0))


def test_an_open_session_of_the_live_shop_keeps_its_own_time(shop: Shop) -> None:
    order = shop.order(hold=False)
    ends = int(time.time()) + 20 * 3600
    session = shop.session(order, status="open", expires_at=ends)
    assert done(shop.run()) == {("open", "left")}
    assert shop.stand_in.session(session)["status"] == "open"
    assert status(shop.database, order) == "pending"
    expected = datetime.fromtimestamp(ends, tz=UTC).replace(tzinfo=None)
    row = order_row(shop.database, order)
    assert (row["next_check_at"], row["hold_expires_at"]) == (expected, None)
    assert shop.run().rows == []


class _PaidInBetween(StripeSessions):
    """The buyer pays between the question and the order to expire."""

    def __init__(self, api: stripe.StripeClient, stand_in: StripeStandIn) -> None:
        super().__init__(api)
        self._stand_in = stand_in

    def expire(self, session_id: str) -> bool:
        self._stand_in.pay(session_id)
        return super().expire(session_id)


def test_a_session_that_is_paid_while_it_should_be_ended_counts_as_paid(shop: Shop) -> None:
    order = shop.order()
    shop.session(order, status="open")
    sessions = _PaidInBetween(shop.api, shop.stand_in)
    report = reconcile(shop.database, sessions, shop.bus, Options(requests_per_second=FAST))
    assert done(report) == {("paid", "event_sent")}
    assert status(shop.database, order) == "paid"


def test_a_delayed_payment_is_awaited_then_paid(shop: Shop) -> None:
    order = shop.order()
    session = shop.session(order, payment_status="unpaid")
    assert done(shop.run()) == {("payment_awaited", "marked_processing")}
    assert (status(shop.database, order), seats(shop.database, order)) == ("processing", (0, 1))
    assert shop.run().rows == []  # asked again tomorrow
    shop.stand_in.settle(session, succeeded=True)
    _make_due(shop.database, order)
    assert done(shop.run()) == {("paid", "event_sent")}
    assert (status(shop.database, order), seats(shop.database, order)) == ("paid", (1, 0))


def test_a_delayed_payment_that_failed_gives_the_hold_back(shop: Shop) -> None:
    order = shop.order(status="processing")
    session = shop.session(order, payment_status="unpaid")
    assert done(shop.run()) == {("payment_awaited", "left")}
    assert shop.run().rows == []
    shop.stand_in.settle(session, succeeded=False)
    _make_due(shop.database, order)
    assert done(shop.run()) == {("payment_failed", "released")}
    assert (status(shop.database, order), seats(shop.database, order)) == ("failed", (0, 0))


def test_what_was_paid_and_refunded_in_full_ends_refunded_and_uncounted(shop: Shop) -> None:
    order = shop.order()
    session = shop.session(order)
    shop.api.v1.refunds.create({"payment_intent": shop.stand_in.session(session)["payment_intent"]})
    assert done(shop.run()) == {("refunded", "event_sent")}
    assert (status(shop.database, order), seats(shop.database, order)) == ("refunded", (0, 0))
    assert shop.bus.types == ["charge.refunded"]
    assert shop.run().rows == []


def test_what_was_refunded_in_part_is_recorded_with_the_payment(shop: Shop) -> None:
    order = shop.order(hold=False)
    session = shop.session(order)
    shop.api.v1.refunds.create({"payment_intent": shop.stand_in.session(session)["payment_intent"], "amount": 500})
    assert done(shop.run()) == {("paid", "event_sent")}
    assert (status(shop.database, order), refunded(shop.database, order)) == ("paid", Decimal(5))
    assert shop.bus.types == ["charge.refunded", "checkout.session.completed"]


def test_a_paid_order_without_seats_left_is_told_once(shop: Shop) -> None:
    order = shop.order(hold=False, ticket_id=create_ticket(shop.database, max_quantity=0))
    shop.session(order)
    assert done(shop.run()) == {("paid", "event_sent")}
    assert shop.bus.results == ["PaidButSoldOut"]
    assert shop.run().rows == shop.run(since=LONG_AGO).rows == []


def test_a_disputed_payment_is_pointed_out(shop: Shop) -> None:
    order = shop.order()
    session = shop.session(order)
    shop.stand_in.open_dispute(str(shop.stand_in.session(session)["payment_intent"]))
    assert "disputed" in only(shop.run()).note


# --- Orders without a session, sessions without an order -------------------------------------------------------------


def test_an_order_without_a_session_is_closed(shop: Shop) -> None:
    order = shop.order(stripe_checkout_session_id=None)
    assert done(shop.run()) == {("no_session", "released")}
    assert (status(shop.database, order), seats(shop.database, order)) == ("expired", (0, 0))


@pytest.mark.parametrize("mark", [None, "m" * 32])
def test_a_session_whose_id_was_not_stored_is_found_at_stripe(shop: Shop, mark: str | None) -> None:
    order = shop.order(stripe_checkout_session_id=None, order_mark=mark)
    naming = {} if mark is None else {"metadata": {"order_id": str(order), "order_mark": mark}}
    shop.session(order, status="expired", session_id="cs_test_first", **naming)
    session = shop.session(order, session_id="cs_test_second", **naming)
    shop.session(order, status="expired", session_id="cs_test_third", **naming)
    assert done(shop.run()) == {("paid", "event_sent")}
    assert status(shop.database, order) == "paid"
    assert order_row(shop.database, order)["stripe_checkout_session_id"] == session


FOREIGN = [
    ({}, "{order}"),
    ({"order_id": "{order}"}, "{order}"),
    ({"order_id": "{order}", "event_id": "99", "ticket_id": "{ticket}"}, None),
    ({"order_id": "{order}", "order_mark": "of another shop"}, None),
]


@pytest.mark.parametrize("status_there", ["open", "complete"])
@pytest.mark.parametrize(("metadata", "reference"), FOREIGN)
def test_a_session_that_is_not_ours_is_neither_expired_nor_taken_for_the_orders(
    shop: Shop, metadata: dict[str, str], reference: str | None, status_there: Any
) -> None:
    """Another application of the account numbers its orders, too."""
    order = shop.order(stripe_checkout_session_id=None)
    texts = {"order": str(order), "ticket": str(order_row(shop.database, order)["ticket_id"])}
    session = shop.stand_in.seed_session(
        SessionSeed(
            amount_total=2000,
            status=status_there,
            metadata={name: text.format(**texts) for name, text in metadata.items()},
            client_reference_id=reference and reference.format(**texts),
        )
    )
    found = {(row.order_id, row.finding) for row in shop.run().rows}
    assert found - {(None, "unknown_session")} == {(order, "no_session")}
    assert shop.stand_in.session(session)["status"] == status_there
    assert (status(shop.database, order), seats(shop.database, order)) == ("expired", (0, 0))
    assert order_row(shop.database, order)["stripe_checkout_session_id"] is None
    assert shop.bus.types == []


def test_the_session_is_found_though_the_live_shops_clock_was_local(shop: Shop) -> None:
    order = shop.order(hold=False, stripe_checkout_session_id=None)
    shop.session(order, session_id=None, created=int(time.time()) - 11 * 3600)
    assert ("paid", "event_sent") in done(shop.run())


def test_a_checkout_under_way_is_left_alone(shop: Shop) -> None:
    order = shop.order(due=False, stripe_checkout_session_id=None)
    assert shop.run().rows == []
    assert done(shop.run(since=LONG_AGO)) == {("no_session", "left")}
    assert status(shop.database, order) == "pending"


def test_an_open_session_within_its_hold_is_left_alone_on_demand_too(shop: Shop) -> None:
    order = shop.order(due=False)
    session = shop.session(order, status="open")
    assert done(shop.run(since=LONG_AGO)) == {("open", "left")}
    assert shop.stand_in.session(session)["status"] == "open"
    assert seats(shop.database, order) == (0, 1)


def test_a_session_that_stripe_does_not_know_is_reported_and_closed_only_when_told(shop: Shop) -> None:
    order = shop.order()
    row = only(shop.run())
    assert (row.finding, row.action) == ("session_missing", "reported")
    assert (status(shop.database, order), seats(shop.database, order)) == ("pending", (0, 1))
    assert shop.run().rows == []  # once a day
    assert done(shop.run(since=LONG_AGO, dry_run=True)) == {("session_missing", "reported")}
    other = shop.order(due=False)  # a buyer is paying: not asked about
    assert done(shop.run(close_missing=True, dry_run=True)) == {("session_missing", "released")}
    report = shop.run(close_missing=True)
    assert [(row.order_id, row.action) for row in report.rows] == [(order, "released")]
    assert (report.done, report.total) == (1, 1)
    assert (status(shop.database, order), seats(shop.database, order)) == ("expired", (0, 0))
    assert status(shop.database, other) == "pending"
    assert "session_missing" in entries(shop.database, order)


def test_closing_missing_ones_goes_through_them_page_by_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "_PAGE_SIZE", 3)
    orders = [shop.order() for _ in range(8)]
    assert {row.action for row in shop.run().rows} == {"reported"}
    known = shop.session(orders[0], status="expired")
    assert known
    assert len(shop.run(close_missing=True, dry_run=True).rows) == 8
    assert done(shop.run(close_missing=True)) == {("session_missing", "released"), ("expired", "released")}
    assert {status(shop.database, order) for order in orders} == {"expired"}


@pytest.mark.parametrize("metadata", [{}, {"order_id": "987654"}, {"order_id": "shirt-1"}])
def test_a_payment_that_no_order_knows_is_reported(shop: Shop, metadata: dict[str, str]) -> None:
    session = shop.stand_in.seed_session(SessionSeed(amount_total=1500, metadata=metadata))
    row = only(shop.run())
    assert (row.finding, row.action, row.session_id) == ("unknown_session", "reported", session)
    assert "15.00 EUR" in row.note
    assert str(shop.stand_in.session(session)["payment_intent"]) in row.note


def test_a_payment_that_no_order_knows_is_reported_once_and_does_not_hide_the_next(shop: Shop) -> None:
    first = shop.stand_in.seed_session(SessionSeed(amount_total=1500))
    assert [row.session_id for row in shop.run(dry_run=True).rows] == [first]
    assert [row.session_id for row in shop.run().rows] == [first]
    assert shop.run().rows == shop.run(dry_run=True).rows == []
    second = shop.stand_in.seed_session(SessionSeed(amount_total=1600))
    assert [row.session_id for row in shop.run().rows] == [second]
    # Who asks since a date sees what is still to be settled.
    yesterday = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=1)
    for _ in range(2):
        assert {row.session_id for row in shop.run(since=yesterday).rows} == {first, second}


def test_in_a_shared_account_a_payment_that_is_no_orders_is_nothing_to_report(shop: Shop) -> None:
    order = create_order(shop.database)
    pay(shop.database, order)
    for metadata in ({}, {"order_id": "987654"}, {"order_id": str(order)}):
        shop.stand_in.seed_session(SessionSeed(amount_total=2000, metadata=metadata))
    assert shop.run(account_is_shared=True).rows == shop.run(since=LONG_AGO, account_is_shared=True).rows == []
    late = shop.order()
    shop.session(late)
    assert done(shop.run(account_is_shared=True)) == {("paid", "event_sent")}


def test_what_is_not_ours_and_took_no_money_is_not_reported(shop: Shop) -> None:
    shop.stand_in.seed_session(SessionSeed(amount_total=0, metadata={"order_id": "987654"}))
    assert shop.run().rows == []


def _naming(where: str, order: int) -> dict[str, Any]:
    return {"client_reference_id": str(order)} if where != "metadata" else {"metadata": {"order_id": str(order)}}


@pytest.mark.parametrize("named", ["metadata", "client_reference_id"])
def test_a_neighbours_sessions_of_our_numbers_are_left_alone(shop: Shop, named: str) -> None:
    """Another application of the account counts its orders, too: not one of its sessions touches one of ours."""
    orders = [
        shop.order(),
        shop.order(stripe_checkout_session_id=None),
        shop.order(hold=False, stripe_checkout_session_id=None),
    ]
    paid = create_order(shop.database)
    pay(shop.database, paid)
    before = [order_row(shop.database, order) for order in (*orders, paid)]
    states: tuple[dict[str, Any], ...] = ({}, {"status": "open"}, {"status": "expired"})
    neighbours = [
        shop.stand_in.seed_session(SessionSeed(amount_total=2000, **_naming(named, order), **state))
        for order in (*orders, paid)
        for state in states
    ]
    kept = [shop.stand_in.session(session)["status"] for session in neighbours]
    runs: tuple[dict[str, Any], ...] = ({"dry_run": True}, {}, {"since": LONG_AGO})
    for options in runs:
        report = shop.run(**options)
        assert {(row.finding, row.action) for row in report.rows if row.order_id is None} <= {
            ("unknown_session", "reported")
        }
        assert {row.finding for row in report.rows if row.order_id is not None} <= {"no_session", "session_missing"}
    assert [shop.stand_in.session(session)["status"] for session in neighbours] == kept
    assert shop.bus.types == []
    after = [order_row(shop.database, order) for order in (*orders, paid)]
    for then, now in zip(before, after, strict=True):
        for column in ("stripe_checkout_session_id", "stripe_payment_intent_id", "refunded_amount"):
            assert then[column] == now[column]
    assert [status(shop.database, order) for order in (*orders, paid)][-1] == "paid"


def test_a_payment_that_no_order_knows_and_that_went_back_needs_nobody(shop: Shop) -> None:
    session = shop.stand_in.seed_session(SessionSeed(amount_total=1500))
    intent = str(shop.stand_in.session(session)["payment_intent"])
    shop.api.v1.refunds.create(params={"payment_intent": intent, "amount": 500})
    assert only(shop.run(dry_run=True)).session_id == session  # 10 of 15 are still with the shop
    shop.api.v1.refunds.create(params={"payment_intent": intent})
    assert shop.run().rows == shop.run(since=LONG_AGO).rows == []


def test_only_recent_payments_are_looked_at_unless_a_date_is_given(shop: Shop) -> None:
    shop.stand_in.seed_session(SessionSeed(amount_total=1500, created=int(time.time()) - 3 * 86400))
    assert shop.run().rows == []
    assert done(shop.run(since=datetime.now(UTC).replace(tzinfo=None) - timedelta(days=4))) == {
        ("unknown_session", "reported")
    }


def test_a_lost_late_payment_of_a_lapsed_order_is_sent_once(shop: Shop) -> None:
    order = shop.order()
    session = shop.session(order, status="expired")
    shop.run()
    assert status(shop.database, order) == "expired"
    # Another attempt of the same order, paid, and its event lost.
    with shop.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET stripe_checkout_session_id = 'cs_test_late' WHERE id = %s", order)
    late = shop.session(order, session_id="cs_test_late")
    assert late != session
    report = shop.run()
    assert done(report) == {("paid", "event_sent")}
    assert (status(shop.database, order), seats(shop.database, order)) == ("paid", (1, 0))
    assert shop.run().rows == []


def test_a_lost_second_payment_is_told_once(shop: Shop) -> None:
    order = create_order(shop.database)
    pay(shop.database, order)
    shop.session(order, session_id="cs_test_second")
    assert done(shop.run()) == {("paid", "event_sent")}
    assert shop.bus.results == ["DuplicatePayment"]
    assert shop.run().rows == shop.run(since=LONG_AGO).rows == []


def test_recorded_payments_are_not_found_again(shop: Shop) -> None:
    order = create_order(shop.database)
    session = shop.session(order)
    intent = shop.stand_in.session(session)["payment_intent"]
    pay(shop.database, order, payment_intent=intent)
    by_hand = create_order(shop.database, hold=False, status="paid")  # by an operator
    shop.session(by_hand)
    assert shop.run().rows == []
    refund_charge(shop.database, order, 2000, payment_intent=intent)
    assert shop.run(since=LONG_AGO).rows == []


# --- Runs: again, dry, stopped, refused ------------------------------------------------------------------------------


def test_an_order_whose_event_is_on_its_way_is_not_sent_again_until_it_must_be_lost(shop: Shop) -> None:
    order = shop.order(hold=False)
    shop.session(order)
    shop.bus = WorkflowBus(shop.database, at_once=False)
    assert done(shop.run()) == {("paid", "event_sent")}
    assert status(shop.database, order) == "pending"
    assert shop.run().rows == shop.run(since=LONG_AGO).rows == []
    shop.bus.waiting = []  # lost
    _make_due(shop.database, order)
    assert done(shop.run()) == {("paid", "event_sent")}
    shop.bus.run()
    assert status(shop.database, order) == "paid"


def test_what_the_workflow_refuses_is_sent_after_ever_longer_times(shop: Shop) -> None:
    order = shop.order()
    shop.session(order)
    with shop.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET asked_minor = 9900 WHERE id = %s", order)
    shop.run()
    assert shop.bus.results == ["AmountMismatch"]
    assert _minutes_until_due(shop.database, order) == pytest.approx(10, abs=1)
    with shop.database.transaction() as tx:
        tx.change("UPDATE order_history SET recorded_at = recorded_at - INTERVAL 2 HOUR")
    _make_due(shop.database, order)
    shop.run()
    assert _minutes_until_due(shop.database, order) == pytest.approx(120, abs=1)
    with shop.database.transaction() as tx:
        tx.change("UPDATE order_history SET recorded_at = recorded_at - INTERVAL 9 DAY")
    _make_due(shop.database, order)
    shop.run()
    assert _minutes_until_due(shop.database, order) == pytest.approx(24 * 60, abs=1)


def test_a_dry_run_says_the_same_and_changes_nothing(shop: Shop) -> None:
    orders = [shop.order(), shop.order(), shop.order(hold=False), shop.order(stripe_checkout_session_id=None)]
    orders += [shop.order(), shop.order(stripe_checkout_session_id=None)]
    shop.session(orders[0])
    shop.session(orders[1], status="expired")
    shop.session(orders[2], payment_status="unpaid")
    opened = shop.session(orders[4], status="open")
    shop.session(orders[5], session_id="cs_test_found")
    late = create_order(shop.database, hold=False, status="expired")
    shop.session(late)
    before = [order_row(shop.database, order) for order in orders]
    dry = shop.run(dry_run=True)
    assert [order_row(shop.database, order) for order in orders] == before
    assert shop.bus.types == []
    assert shop.stand_in.session(opened)["status"] == "open"
    assert all(entries(shop.database, order) == [] for order in orders)
    wet = shop.run()
    assert dry.dry_run
    assert dry.counts == wet.counts
    assert sum(count.number for count in wet.counts) == 7
    assert shop.run().rows == []


def test_slowing_down_when_stripe_asks_for_it(shop: Shop) -> None:
    orders = [shop.order() for _ in range(40)]
    for order in orders:
        shop.session(order, status="expired")
    shop.stand_in.set_rate_limit(25)
    assert {(c.finding, c.action, c.number) for c in shop.run().counts} == {("expired", "released", 40)}


def test_an_order_about_which_stripe_does_not_answer_is_left_for_the_next_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticketing.stripe.rate_limit._TRIES", 1)
    silent, other = shop.order(), shop.order()
    session = shop.session(silent)
    shop.session(other)
    shop.stand_in.fail_next(1, status=503, path_prefix=f"/v1/checkout/sessions/{session}")
    assert done(shop.run()) == {("unanswered", "left"), ("paid", "event_sent")}
    assert status(shop.database, silent) == "pending"
    assert done(shop.run()) == {("paid", "event_sent")}


def test_a_silent_stripe_ends_the_run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticketing.stripe.rate_limit._TRIES", 1)
    shop.session(shop.order())
    shop.stand_in.fail_next(5, status=503)
    with pytest.raises(StripeUnavailable, match="none of 1"):
        shop.run()


class _FullBus:
    def put(self, events: Sequence[BusEvent]) -> list[PutResult]:
        return [PutResult(event_id=None if number % 2 else "1") for number in range(len(events))]


def test_an_event_that_the_bus_did_not_take_is_due_again(shop: Shop) -> None:
    orders = [shop.order() for _ in range(4)]
    for order in orders:
        shop.session(order)
    report = reconcile(shop.database, StripeSessions(shop.api), _FullBus(), Options(requests_per_second=FAST))
    assert sorted(row.action for row in report.rows) == ["event_not_sent"] * 2 + ["event_sent"] * 2
    assert len(shop.run().rows) == 2


def test_an_order_whose_counter_cannot_follow_is_ended_and_told(shop: Shop) -> None:
    broken, whole = shop.order(), shop.order()
    shop.session(broken, status="expired")
    shop.session(whole, status="expired")
    with shop.database.transaction() as tx:
        tx.change("UPDATE tickets SET held_quantity = 0 WHERE id = %s", order_row(shop.database, broken)["ticket_id"])
    report = shop.run()
    assert {row.order_id: row.action for row in report.rows} == {broken: "reported", whole: "released"}
    [note] = [row.note for row in report.rows if row.order_id == broken]
    assert f"1 seat of order {broken} is not subtracted from the held count" in note
    assert (status(shop.database, broken), status(shop.database, whole)) == ("expired", "expired")
    assert shop.run().rows == []


def test_one_order_that_cannot_be_mended_keeps_no_other_waiting(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, whole = shop.order(), shop.order()
    shop.session(broken, status="expired")
    shop.session(whole, status="expired")

    def release(database: Database, order_id: int, **named: Any) -> OrderMove:
        if order_id == broken:
            raise DataInconsistent("nobody knows")
        return release_order(database, order_id, **named)

    monkeypatch.setattr("ticketing.reconciliation.repair.release_order", release)
    report = shop.run()
    assert {row.order_id: row.action for row in report.rows} == {broken: "failed", whole: "released"}


def test_one_order_of_which_stripe_does_not_speak_ends_no_run(shop: Shop) -> None:
    orders = [shop.order() for _ in range(4)]
    sessions = [shop.session(order, status="expired") for order in orders]
    shop.stand_in.fail_next(1, status=400, path_prefix=f"/v1/checkout/sessions/{sessions[1]}")
    found = {row.order_id: (row.finding, row.action) for row in shop.run().rows}
    others = {order: ("expired", "released") for order in orders if order != orders[1]}
    assert found == {**others, orders[1]: ("refused", "reported")}
    assert shop.run().rows == []  # told once a day
    _make_due(shop.database, orders[1])
    assert done(shop.run()) == {("expired", "released")}


def test_one_payment_of_which_stripe_does_not_speak_ends_no_run(shop: Shop) -> None:
    late = [create_order(shop.database, hold=False, status="expired") for _ in range(3)]
    sessions = [shop.session(order) for order in late]
    shop.stand_in.fail_next(1, status=400, path_prefix=f"/v1/checkout/sessions/{sessions[1]}")
    report = shop.run()
    assert {(row.order_id, row.finding, row.action) for row in report.rows} == {
        (late[0], "paid", "event_sent"),
        (late[1], "refused", "reported"),
        (late[2], "paid", "event_sent"),
    }
    assert report.complete


def test_sessions_that_nobody_may_search_end_no_run(shop: Shop) -> None:
    without, other = shop.order(stripe_checkout_session_id=None), shop.order()
    shop.session(other, status="expired")
    shop.stand_in.fail_next(1, status=400, path_prefix="/v1/checkout/sessions")
    found = {row.order_id: (row.finding, row.action) for row in shop.run().rows}
    assert found == {without: ("refused", "reported"), other: ("expired", "released")}
    assert status(shop.database, without) == "pending"


class _OddSessions(StripeSessions):
    """One session has a shape that nobody foresaw."""

    odd: tuple[str, dict[str, Any]]

    def retrieve(self, session_id: str) -> Any:
        found = super().retrieve(session_id)
        return {**(found or {}), **self.odd[1]} if session_id == self.odd[0] else found


@pytest.mark.parametrize(
    ("shape", "action"),
    [
        ({"status": None, "payment_status": None, "expires_at": "soon"}, "left"),
        ({"payment_intent": {"latest_charge": {"amount": None}}}, "reported"),
        ({"payment_intent": {"id": "pi_1", "latest_charge": {"amount": 1, "amount_refunded": 0}}, "created": []}, None),
    ],
)
def test_an_odd_session_ends_no_run(shop: Shop, shape: dict[str, Any], action: str | None) -> None:
    odd, other = shop.order(), shop.order()
    sessions = _OddSessions(shop.api)
    sessions.odd = (shop.session(odd), shape)
    shop.session(other)
    report = reconcile(shop.database, sessions, shop.bus, Options(requests_per_second=FAST))
    found = {row.order_id: row.action for row in report.rows}
    assert found[other] == "event_sent"
    assert status(shop.database, other) == "paid"
    assert action is None or found[odd] == action


def test_an_order_that_fails_as_nobody_foresaw_keeps_no_other_waiting(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, whole = shop.order(), shop.order()
    shop.session(broken, status="expired")
    shop.session(whole, status="expired")

    def release(database: Database, order_id: int, **named: Any) -> object:
        if order_id == broken:
            raise TypeError("of a row that nobody foresaw")
        return release_order(database, order_id, **named)

    monkeypatch.setattr("ticketing.reconciliation.repair.release_order", release)
    found = {row.order_id: (row.action, row.note) for row in shop.run().rows}
    assert found == {broken: ("failed", "unexpected error: TypeError"), whole: ("released", "")}
    assert shop.run().rows == []  # tried again in an hour


def test_a_lost_race_in_the_database_is_run_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter([True, False])

    def release(*arguments: Any, **named: Any) -> object:
        if next(calls):
            raise DatabaseUnavailable("deadlock")
        return release_order(*arguments, **named)

    monkeypatch.setattr("ticketing.reconciliation.repair.release_order", release)
    order = shop.order()
    shop.session(order, status="expired")
    assert done(shop.run()) == {("expired", "released")}
    assert status(shop.database, order) == "expired"


def test_two_runs_at_once_do_everything_once(shop: Shop, connect: Connect) -> None:
    ticket = create_ticket(shop.database)
    orders = [shop.order(ticket_id=ticket) for _ in range(30)]
    for number, order in enumerate(orders):
        shop.session(order, status="complete" if number % 2 else "expired")

    def run(_: int) -> Report:
        own = Database(connect)
        return reconcile(own, StripeSessions(shop.api), WorkflowBus(own), Options(requests_per_second=FAST))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(run, range(2)))
    assert seats(shop.database, orders[0]) == (15, 0)
    assert shop.run().rows == []


def test_the_pages_use_the_indexes(shop: Shop) -> None:
    ticket = create_ticket(shop.database)
    with shop.database.transaction() as tx:
        # One in fifty is unpaid: a third of these past its hold, a third to be asked again, a third of the live shop.
        tx.change(
            "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
            " hold_expires_at, next_check_at, created_at) SELECT 1, %s, 'b@example.com', 1, 20, 20,"
            " IF(seq %% 50, 'paid', 'pending'), IF(seq %% 150 = 50, '2026-01-01', NULL),"
            " IF(seq %% 150 = 100, '2026-01-01', NULL), '2026-01-01' FROM seq_1_to_9000",
            ticket,
        )
        tx.change(
            "INSERT INTO order_history (order_id, entry, stripe_event_id)"
            " SELECT id, 'paid', CONCAT('evt_', id) FROM ticket_orders"
        )
        # The server's guess at a table's size decides, and changes by itself when rows come and go.
        tx.all("ANALYZE TABLE ticket_orders, order_history")
        by_hold, by_check = "ticket_orders_by_status_and_hold", "ticket_orders_by_next_check"
        plans = {
            "SELECT id FROM ticket_orders WHERE status = 'pending' AND next_check_at IS NULL"
            " AND hold_expires_at <= UTC_TIMESTAMP()"
            " AND (hold_expires_at > '1970-01-01' OR (hold_expires_at = '1970-01-01' AND id > 0))"
            " ORDER BY hold_expires_at, id LIMIT 100": by_hold,
            "SELECT id FROM ticket_orders WHERE status = 'pending' AND next_check_at <= UTC_TIMESTAMP()"
            " AND (next_check_at > '1970-01-01' OR (next_check_at = '1970-01-01' AND id > 0))"
            " ORDER BY next_check_at, id LIMIT 100": by_check,
            "SELECT id, created_at FROM ticket_orders WHERE status = 'pending' AND hold_expires_at IS NULL"
            " AND next_check_at IS NULL AND created_at <= UTC_TIMESTAMP() AND id > 50 ORDER BY id LIMIT 100": by_hold,
            "SELECT id FROM ticket_orders WHERE status = 'pending' AND next_check_at > UTC_TIMESTAMP()"
            " AND (next_check_at > UTC_TIMESTAMP() OR (next_check_at = UTC_TIMESTAMP() AND id > 0))"
            " AND EXISTS (SELECT 1 FROM order_history AS h"
            " WHERE h.order_id = ticket_orders.id AND h.entry = 'session_missing')"
            " ORDER BY next_check_at, id LIMIT 100": by_check,
        }
        for query, key in plans.items():
            plan = tx.one(f"EXPLAIN {query}")
            assert plan is not None
            # Either begins with the status, and has the unpaid ones only.
            assert plan["key"] in {key, by_hold, by_check}, query
            assert int(plan["rows"]) <= 200, plan
            if key == plan["key"]:
                assert "filesort" not in (plan["Extra"] or ""), plan


def _make_due(database: Database, order: int) -> None:
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET next_check_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE id = %s", order)


def _minutes_until_due(database: Database, order: int) -> float:
    due = order_row(database, order)["next_check_at"]
    return float((due - datetime.now(UTC).replace(tzinfo=None)).total_seconds() / 60)


# --- Money that a bank took back ---


def disputed_session(shop: Shop, order: int, outcome: str) -> str:
    session = shop.session(order)
    payment = shop.api.v1.checkout.sessions.retrieve(session).payment_intent
    assert isinstance(payment, str)
    shop.stand_in.open_dispute(payment)
    if outcome in {"won", "lost"}:
        shop.stand_in.close_dispute(payment, status=outcome)  # type: ignore[arg-type]
    return payment


def test_a_payment_that_was_lost_to_a_dispute_makes_no_ticket(shop: Shop) -> None:
    """Its event is long past, and its session goes on saying paid: as the live shop's backlog may have it."""
    order = shop.order(hold=False)
    disputed_session(shop, order, "lost")
    rows = shop.run(since=LONG_AGO).rows
    assert [(row.order_id, row.finding, row.action) for row in rows] == [(order, "lost_to_dispute", "event_sent")]
    assert (status(shop.database, order), seats(shop.database, order)) == ("refunded", (0, 0))
    assert "dispute_lost" in entries(shop.database, order)
    assert shop.run(since=LONG_AGO).rows == []


@pytest.mark.parametrize("outcome", ["open", "won"])
def test_a_disputed_payment_that_is_not_lost_pays_its_order(shop: Shop, outcome: str) -> None:
    order = shop.order()
    disputed_session(shop, order, outcome)
    [row] = shop.run().rows
    assert (row.finding, row.note.startswith("disputed: cachao dispute ch_")) == ("paid", True)
    assert (status(shop.database, order), seats(shop.database, order)) == ("paid", (1, 0))


def test_a_part_that_was_lost_to_a_dispute_leaves_the_ticket(shop: Shop) -> None:
    order = shop.order()
    session = shop.session(order)
    payment = str(shop.stand_in.session(session)["payment_intent"])
    shop.stand_in.open_dispute(payment, amount=500)
    shop.stand_in.close_dispute(payment, status="lost")
    [row] = shop.run().rows
    assert (row.finding, row.action) == ("paid", "event_sent")
    assert (status(shop.database, order), seats(shop.database, order)) == ("paid", (1, 0))
    assert refunded(shop.database, order) == Decimal("5.00")
    assert shop.run().rows == []


# --- What an operator cancelled ---------------------------------------------------------------------------------------


def cancel(database: Database, order: int) -> None:
    """As the runbook has it."""
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = 'cancelled' WHERE id = %s", order)


def test_a_cancelled_order_gives_back_its_hold_and_its_open_session_ends(shop: Shop) -> None:
    code = create_code(shop.database)
    order = shop.order(quantity=2, discount_code_id=code, due=False)
    session = shop.session(order, status="open")
    cancel(shop.database, order)
    assert [(row.finding, row.action) for row in shop.run(dry_run=True).rows] == [("cancelled", "released")]
    assert (seats(shop.database, order), code_uses(shop.database, code)) == ((0, 2), (0, 1))
    assert [(row.finding, row.action) for row in shop.run().rows] == [("cancelled", "released")]
    assert (seats(shop.database, order), code_uses(shop.database, code)) == ((0, 0), (0, 0))
    assert status(shop.database, order) == "cancelled"
    assert shop.api.v1.checkout.sessions.retrieve(session).status == "expired"
    assert shop.run().rows == []


def test_a_paid_order_that_is_cancelled_gives_its_counts_back_once(shop: Shop) -> None:
    code = create_code(shop.database)
    order = shop.order(quantity=2, discount_code_id=code)
    pay(shop.database, order)
    cancel(shop.database, order)
    shop.run()
    shop.run()
    assert (seats(shop.database, order), code_uses(shop.database, code)) == ((0, 0), (0, 0))
    assert "cancelled" in entries(shop.database, order)
    # The refund that belongs to it finds nothing more to give back.
    refund_charge(shop.database, order, 4000)
    assert (seats(shop.database, order), status(shop.database, order)) == ((0, 0), "cancelled")


def test_a_cancelled_order_whose_counter_is_wrong_is_settled_and_told(shop: Shop) -> None:
    wrong, right = shop.order(), shop.order()
    with shop.database.transaction() as tx:
        tx.change("UPDATE tickets SET held_quantity = 0 WHERE id = %s", order_row(shop.database, wrong)["ticket_id"])
    for order in (wrong, right):
        cancel(shop.database, order)
    found = {row.order_id: (row.finding, row.action) for row in shop.run().rows}
    assert found == {wrong: ("cancelled", "reported"), right: ("cancelled", "released")}


@pytest.mark.parametrize("state", ["expired", "failed", "refunded"])
def test_what_was_ended_by_hand_gives_back_its_hold_once(shop: Shop, state: str) -> None:
    code = create_code(shop.database)
    order = shop.order(quantity=2, discount_code_id=code, due=False)
    session = shop.session(order, status="open")
    with shop.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = %s WHERE id = %s", state, order)
    assert [(row.finding, row.action) for row in shop.run(dry_run=True).rows] == [("ended", "released")]
    assert [(row.finding, row.action) for row in shop.run().rows] == [("ended", "released")]
    assert (seats(shop.database, order), code_uses(shop.database, code)) == ((0, 0), (0, 0))
    assert (status(shop.database, order), entries(shop.database, order)) == (state, ["ended_by_hand"])
    assert shop.api.v1.checkout.sessions.retrieve(session).status == "expired"
    assert shop.run().rows == []


def test_what_ended_by_itself_costs_a_reconciliation_nothing(database: Database) -> None:
    ticket = create_ticket(database)
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status)"
            " SELECT 1, %s, 'b@example.com', 1, 20, 20, ELT(1 + seq %% 3, 'expired', 'failed', 'refunded')"
            " FROM seq_1_to_3000",
            ticket,
        )
        tx.all("ANALYZE TABLE ticket_orders")
        ended = tuple(sorted(ended_orders._ENDED))
        plan = [row for row in tx.all(f"EXPLAIN {ended_orders._DUE}", "cancelled", ended, ended, 500) if row["rows"]]
        used = {row["key"] for row in plan if row["table"] == "ticket_orders"}
        # Two indexes begin with the status, and cost the same.
        by_status = used & {"ticket_orders_by_status_and_hold", "ticket_orders_by_next_check"}
        assert len(by_status) == 1
        assert used - by_status == {"ticket_orders_by_held_seats", "ticket_orders_by_held_use"}
        assert sum(int(row["rows"]) for row in plan) < 100


def test_while_stripe_is_silent_a_cancelled_order_keeps_its_hold(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "RateLimiter", functools.partial(RateLimiter, sleep=lambda _: None))
    order = shop.order(due=False)
    shop.session(order, status="open")
    cancel(shop.database, order)
    shop.stand_in.fail_next(20, status=500, path_prefix="/v1/checkout/sessions/", method="POST")
    assert [(row.finding, row.action) for row in shop.run().rows] == [("unanswered", "left")]
    assert seats(shop.database, order) == (0, 1)
