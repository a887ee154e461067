"""Lost events: what Stripe's list has, what an order lacks, and that it is sent once, and nothing else is touched."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from local.stripe_stand_in import PaymentSeed, SessionSeed, StripeStandIn
from tests.factories import create_order, names_of
from tests.handlers.workflow.workflow_by_hand import WorkflowBus, run_workflow
from tests.sizes import size
from tests.ticketing.paid_orders import entries, order_row, refunded, seats, status
from ticketing.database import Database
from ticketing.errors import StripeUnavailable
from ticketing.event_bus import BusEvent, PutResult
from ticketing.reconciliation import lost_events
from ticketing.reconciliation.repair import ReconciledItem
from ticketing.reconciliation.run import Options, Report, reconcile
from ticketing.stripe import event_list
from ticketing.stripe.client import client
from ticketing.stripe.event_list import StripeEventList
from ticketing.stripe.event_types import HANDLED_EVENTS
from ticketing.stripe.sessions import StripeSessions

# Two hundred orders in full size.
EACH, UNTOUCHED = size(2, 12), size(4, 14)
IBAN = "AT611904300234573201"


class Shop:
    """A shop whose Stripe lives an hour ago: all that happens there is old enough to be missed."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.back_seconds = 3600.0
        self.arrived: list[dict[str, Any]] = []
        self.stand_in = StripeStandIn(
            self.arrived.append, clock=lambda: time.time() - self.back_seconds, settle_delay=24 * 3600
        )
        self.bus = WorkflowBus(database)

    def start(self) -> None:
        self.stand_in.start()
        self.api = client("sk_test_local", api_base=self.stand_in.url, network_retries=0)
        self.bus = WorkflowBus(self.database, find_session=StripeSessions(self.api).of_payment)

    def order(self, **columns: Any) -> int:
        """An order whose buyer is at Stripe; its hold lasts for half an hour from now."""
        order = create_order(self.database, **columns)
        row = order_row(self.database, order)
        self.stand_in.seed_session(
            SessionSeed(
                amount_total=int(row["total_amount"] * 100),
                session_id=row["stripe_checkout_session_id"],
                metadata=names_of(row),
                status="open",
            )
        )
        return order

    def session(self, order: int) -> str:
        return str(order_row(self.database, order)["stripe_checkout_session_id"])

    def intent(self, order: int) -> str:
        return str(self.stand_in.session(self.session(order))["payment_intent"])

    def pay(self, order: int, **how: Any) -> None:
        self.stand_in.pay(self.session(order), **how)

    def tell(self) -> None:
        """What happened until now arrives."""
        assert self.stand_in.wait_until_delivered()
        for envelope in self.arrived:
            run_workflow(self.database, envelope, find_session=StripeSessions(self.api).of_payment)
        self.arrived.clear()

    def lose(self) -> None:
        """What happened until now never arrives."""
        assert self.stand_in.wait_until_delivered()
        self.arrived.clear()

    def paid(self, **columns: Any) -> int:
        order = self.order(**columns)
        self.pay(order)
        self.tell()
        return order

    def run(self, **options: Any) -> Report:
        return reconcile(
            self.database,
            StripeSessions(self.api),
            self.bus,
            Options(requests_per_second=2000, **options),
            events=StripeEventList(self.api),
        )


@pytest.fixture
def shop(database: Database) -> Iterator[Shop]:
    made = Shop(database)
    made.start()
    yield made
    made.stand_in.stop()


def missing(report: Report) -> Counter[int | None]:
    return Counter(row.order_id for row in report.rows if row.finding == "event_missing")


# --- One of each kind -------------------------------------------------------------------------------------------------


def _expire(shop: Shop, order: int) -> None:
    shop.api.v1.checkout.sessions.expire(shop.session(order))


def _refund_fails(shop: Shop, order: int) -> None:
    [refund] = shop.api.v1.refunds.list({"payment_intent": shop.intent(order)}).data
    shop.stand_in.finish_refund(refund.id, status="failed")


def _late_refund(shop: Shop, order: int) -> None:
    shop.stand_in.set_refund_outcome(shop.intent(order), "succeeds_late")
    shop.stand_in.refund(shop.intent(order))


def _pay_by_debit(shop: Shop, order: int) -> None:
    shop.pay(order, card=None, iban=IBAN)


Step = Callable[[Shop, int], object]
# What arrives, what is lost, and what the order then is, with what it was refunded and its ticket's sold and held.
KINDS: dict[str, tuple[list[Step], list[Step], tuple[str, int, tuple[int, int]]]] = {
    "completed": ([], [Shop.pay], ("paid", 0, (1, 0))),
    "payment awaited": ([], [_pay_by_debit], ("processing", 0, (0, 1))),
    "delayed payment succeeded": (
        [_pay_by_debit],
        [lambda shop, order: shop.stand_in.settle(shop.session(order), succeeded=True)],
        ("paid", 0, (1, 0)),
    ),
    "delayed payment failed": (
        [_pay_by_debit],
        [lambda shop, order: shop.stand_in.settle(shop.session(order), succeeded=False)],
        ("failed", 0, (0, 0)),
    ),
    "expired": ([], [_expire], ("expired", 0, (0, 0))),
    "refund": ([Shop.pay], [lambda shop, order: shop.stand_in.refund(shop.intent(order))], ("refunded", 20, (0, 0))),
    "part refund": (
        [Shop.pay],
        [lambda shop, order: shop.stand_in.refund(shop.intent(order), amount=500)],
        ("paid", 5, (1, 0)),
    ),
    "two part refunds": (
        [Shop.pay],
        [lambda shop, order: shop.stand_in.refund(shop.intent(order), amount=500)] * 2,
        ("paid", 10, (1, 0)),
    ),
    "dispute opened": (
        [Shop.pay],
        [lambda shop, order: shop.stand_in.open_dispute(shop.intent(order))],
        ("paid", 0, (1, 0)),
    ),
    "dispute lost": (
        [Shop.pay, lambda shop, order: shop.stand_in.open_dispute(shop.intent(order))],
        [lambda shop, order: shop.stand_in.close_dispute(shop.intent(order), status="lost")],
        ("refunded", 20, (0, 0)),
    ),
    "dispute won": (
        [Shop.pay, lambda shop, order: shop.stand_in.open_dispute(shop.intent(order))],
        [lambda shop, order: shop.stand_in.close_dispute(shop.intent(order), status="won")],
        ("paid", 0, (1, 0)),
    ),
    "all of its story": (
        [],
        [Shop.pay, lambda shop, order: shop.stand_in.refund(shop.intent(order))],
        ("refunded", 20, (0, 0)),
    ),
}


def play(shop: Shop, orders: list[int], steps: list[Step]) -> None:
    for step in steps:
        for order in orders:
            step(shop, order)


def outcome(shop: Shop, order: int) -> tuple[str, int, tuple[int, int]]:
    return status(shop.database, order), int(refunded(shop.database, order)), seats(shop.database, order)


def test_the_lost_events_of_each_kind_are_found_in_one_run_and_sent_once(shop: Shop) -> None:
    planted: dict[str, list[int]] = {}
    for kind, (told, lost, _) in KINDS.items():
        planted[kind] = [shop.order() for _ in range(EACH)]
        play(shop, planted[kind], told)
        shop.tell()
        play(shop, planted[kind], lost)
        shop.lose()
    waiting = [shop.order() for _ in range(2 * UNTOUCHED)]
    whole = [shop.paid() for _ in range(2 * UNTOUCHED)]
    play(shop, whole[UNTOUCHED:], [lambda shop, order: shop.stand_in.refund(shop.intent(order), amount=700)])
    shop.tell()
    stranger = shop.stand_in.foreign_payment(PaymentSeed(4000, metadata={"order_id": str(whole[0])}))
    shop.stand_in.refund(stranger)
    shop.stand_in.open_dispute(shop.stand_in.foreign_payment(PaymentSeed(4000)))
    shop.lose()
    before = {order: (order_row(shop.database, order), entries(shop.database, order)) for order in waiting + whole}

    found = missing(shop.run())

    for kind, orders in planted.items():
        assert {outcome(shop, order) for order in orders} == {KINDS[kind][2]}, kind
        assert {found[order] > 0 for order in orders} == {True}, kind
        # Two refunds are two, of a story each thing that happened to another object is one.
        most = 2 if kind in {"two part refunds", "all of its story"} else 1
        assert {found[order] for order in orders} == {most}, (kind, found)
    assert set(found) == {order for orders in planted.values() for order in orders}
    assert {order: (order_row(shop.database, order), entries(shop.database, order)) for order in before} == before
    assert shop.run().rows == []
    assert missing(shop.run(since=_days_ago(29))) == Counter()


# --- Once, whatever happens -------------------------------------------------------------------------------------------


def lose_refunds(shop: Shop, number: int) -> list[int]:
    orders = [shop.paid() for _ in range(number)]
    for order in orders:
        shop.stand_in.refund(shop.intent(order))
    shop.lose()
    return orders


def test_what_the_workflow_refuses_is_not_sent_again(shop: Shop) -> None:
    order = shop.order()
    shop.pay(order)
    shop.lose()
    with shop.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET asked_minor = 9900 WHERE id = %s", order)
    assert missing(shop.run()) == Counter([order])
    assert shop.bus.results == ["AmountMismatch"]
    assert missing(shop.run()) == missing(shop.run(since=_days_ago(1))) == Counter()


def test_what_happened_a_moment_ago_may_still_be_on_its_way(shop: Shop) -> None:
    shop.back_seconds = 5 * 60
    [order] = lose_refunds(shop, 1)
    assert shop.run().rows == []
    assert status(shop.database, order) == "paid"


class CutShort(StripeEventList):
    """There is time for so many pages."""

    def __init__(self, api: Any, pages: int) -> None:
        super().__init__(api)
        self.left = pages

    def page(self, **arguments: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise StripeUnavailable("away")
        return super().page(**arguments)


def test_a_run_that_is_cut_short_is_gone_on_with_by_the_next(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_list, "_PAGE_SIZE", 3)
    monkeypatch.setattr("ticketing.stripe.rate_limit._TRIES", 1)
    orders = lose_refunds(shop, 12)
    seen: Counter[int | None] = Counter()
    runs = 0
    while len(seen) < len(orders):
        runs += 1
        rows: list[ReconciledItem] = []
        with contextlib.suppress(StripeUnavailable):
            reconcile(
                shop.database,
                StripeSessions(shop.api),
                shop.bus,
                Options(requests_per_second=2000),
                events=CutShort(shop.api, 3),
                on_item=rows.append,
            )
        seen += Counter(row.order_id for row in rows)
        assert runs < 20
    assert runs > 2
    assert seen == Counter(orders)
    assert {status(shop.database, order) for order in orders} == {"refunded"}
    assert shop.run().rows == []


def test_a_place_that_stripe_has_forgotten_is_begun_anew(shop: Shop) -> None:
    [order] = lose_refunds(shop, 1)
    now = int(time.time())
    with shop.database.transaction() as tx:
        tx.change(
            "INSERT INTO event_scans (name, span_from, span_until, after_event)"
            " VALUES ('stripe_events', %s, %s, 'evt_1')",
            now - 86400,
            now - 900,
        )
    assert missing(shop.run()) == Counter([order])


class Bus(WorkflowBus):
    """Refuses what it was told to."""

    refuse: str = ""

    def put(self, events: Sequence[BusEvent]) -> list[PutResult]:
        if self.refuse:
            return [PutResult(error=self.refuse)] * len(events)
        return super().put(events)


@pytest.mark.parametrize(("error", "again"), [("ThrottlingException", True), ("TooLarge", False)])
def test_what_the_bus_does_not_take_is_told_and_sent_by_the_next_run_where_it_can_be(
    shop: Shop, error: str, again: bool
) -> None:
    [order] = lose_refunds(shop, 1)
    shop.bus = bus = Bus(shop.database, find_session=StripeSessions(shop.api).of_payment)
    bus.refuse = error
    assert {(row.order_id, row.action) for row in shop.run().rows} == {(order, "event_not_sent")}
    bus.refuse = ""
    assert missing(shop.run()) == Counter([order] if again else [])


def test_what_the_same_run_has_sent_already_is_not_sent_again(shop: Shop) -> None:
    order = shop.order()
    shop.pay(order)
    shop.stand_in.refund(shop.intent(order), amount=500)
    shop.lose()
    with shop.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE")
    shop.bus = WorkflowBus(shop.database, at_once=False)
    assert {(row.finding, row.action) for row in shop.run().rows} == {("paid", "event_sent")}
    shop.bus.run()
    assert outcome(shop, order) == ("paid", 5, (1, 0))
    assert shop.run().rows == []


def test_a_dry_run_says_what_it_would_send(shop: Shop) -> None:
    orders = lose_refunds(shop, 2)
    for _ in range(2):
        assert missing(shop.run(dry_run=True)) == Counter(orders)
    assert shop.bus.types == []
    assert missing(shop.run()) == Counter(orders)


def test_a_refund_that_failed_is_told_though_its_event_is_lost(shop: Shop) -> None:
    order = shop.paid()
    shop.stand_in.refund(shop.intent(order))
    shop.tell()
    _refund_fails(shop, order)
    shop.lose()
    assert missing(shop.run()) == Counter([order])
    assert shop.bus.results == ["RefundFailed"]


@pytest.mark.parametrize("amount", [None, 500], ids=["whole", "part"])
@pytest.mark.parametrize("at", [0, -1, 1], ids=["one second", "charge before", "charge after"])
def test_of_a_refund_and_its_charge_one_is_sent_though_it_was_refused(shop: Shop, at: int, amount: int | None) -> None:
    """The two events of one refund may stand on two pages, or lie a second apart."""
    order = shop.paid()
    shop.stand_in.refund(shop.intent(order), amount=amount)
    shop.lose()
    listed, _ = StripeEventList(shop.api).page(created_from=0, created_until=int(time.time()))
    events = [event for event in listed if "refund" in event["type"]]
    for event in events:
        event["created"] += at * (event["type"] == "charge.refunded")
    assert {"charge.refunded", "refund.created"} <= {event["type"] for event in events}
    sent = lost_events.find_lost(shop.database, events, lambda _: {})
    assert len(sent) == 1
    lost_events.remember_sent(shop.database, sent)
    assert lost_events.find_lost(shop.database, events, lambda _: {}) == []


# --- What is not ours -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "metadata", [{}, {"order_id": "{order}"}, {"order_id": "{order}", "event_id": "99", "ticket_id": "1"}]
)
def test_what_is_not_ours_is_left_alone(shop: Shop, metadata: dict[str, str]) -> None:
    order = shop.order()
    named = {name: text.format(order=order) for name, text in metadata.items()}
    paid = shop.stand_in.seed_session(SessionSeed(amount_total=2000, metadata=named, status="open"))
    shop.stand_in.pay(paid)
    shop.stand_in.refund(str(shop.stand_in.session(paid)["payment_intent"]))
    unpaid = shop.stand_in.seed_session(SessionSeed(amount_total=2000, metadata=named, status="open"))
    shop.api.v1.checkout.sessions.expire(unpaid)
    disputed = shop.stand_in.foreign_payment(PaymentSeed(4000, metadata=named))
    shop.stand_in.open_dispute(disputed)
    shop.lose()
    before = order_row(shop.database, order)
    assert missing(shop.run()) == Counter()
    assert shop.bus.types == []
    assert order_row(shop.database, order) == before


def test_an_event_of_another_account_is_left_alone(shop: Shop) -> None:
    order = shop.order()
    session = shop.stand_in.session(shop.session(order))
    event = {
        "id": "evt_other",
        "object": "event",
        "type": "checkout.session.expired",
        "created": int(time.time()) - 3600,
        "livemode": False,
        "data": {"object": {**session, "status": "expired"}},
    }

    def lost(**more: Any) -> int:
        return len(lost_events.find_lost(shop.database, [{**event, **more}], lambda _: {}))

    assert (lost(), lost(account="acct_other"), lost(context="acct_other")) == (1, 0, 0)


# --- What Stripe does not say -----------------------------------------------------------------------------------------


def test_a_key_that_may_not_read_events_ends_no_run(shop: Shop) -> None:
    order = shop.order()
    shop.pay(order)
    shop.lose()
    with shop.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE")
    shop.stand_in.fail_next(1, status=403, path_prefix="/v1/events")
    report = shop.run()
    assert report.complete
    assert [(row.finding, row.action) for row in report.rows] == [
        ("paid", "event_sent"),
        ("events_unreadable", "failed"),
    ]
    assert "may read Events" in report.rows[-1].note


def test_one_payment_of_which_stripe_does_not_speak_keeps_no_other_waiting(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticketing.stripe.rate_limit._TRIES", 1)
    [order] = lose_refunds(shop, 1)
    stranger = shop.stand_in.foreign_payment(PaymentSeed(4000))
    shop.stand_in.open_dispute(stranger)
    shop.lose()
    sessions = StripeSessions(shop.api)
    silent = Mock(wraps=sessions)
    silent.of_payment.side_effect = StripeUnavailable("Stripe refused to find the session")
    report = reconcile(
        shop.database, silent, shop.bus, Options(requests_per_second=2000), events=StripeEventList(shop.api)
    )
    assert {(row.order_id, row.action) for row in report.rows} == {(order, "event_sent"), (None, "failed")}
    assert stranger in next(row.note for row in report.rows if row.order_id is None)


def test_the_types_fit_into_one_filter() -> None:
    """Stripe takes 20; without a filter it would list everything."""
    assert 0 < len(HANDLED_EVENTS) <= 20


def _days_ago(days: int) -> datetime:
    return datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
