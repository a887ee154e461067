"""The refund of an event that was called off: which orders, exactly once, through kills and a dry balance, all told."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.database.mariadb import MariaDB
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.conftest import Connect
from tests.factories import create_event, create_order, create_ticket, names_of, row_of
from tests.sizes import FULL, size
from tests.ticketing.paid_orders import dispute, pay, refund, status
from ticketing.corrections.event_refund import store
from ticketing.corrections.event_refund.lines import Line, Scope
from ticketing.corrections.event_refund.report import EventRefundReport, preview, read
from ticketing.corrections.event_refund.run import EventRefund, Progress
from ticketing.database import Database
from ticketing.errors import DatabaseUnavailable
from ticketing.operators.count_check import check_counts
from ticketing.stripe.client import client
from ticketing.stripe.objects import Refund
from ticketing.stripe.refunds import StripeRefunds
from ticketing.stripe.sessions import StripeSessions

ROOT = Path(__file__).parents[3]


class Shop:
    """An event and its orders, at the stand-in and here."""

    def __init__(self, database: Database, connect: Connect, stand_in: StripeStandIn) -> None:
        self.database, self.connect, self.stand_in = database, connect, stand_in
        self.event = create_event(database)
        self.ticket = create_ticket(database, event_id=self.event, max_quantity=None)
        self.scope = Scope(event_id=self.event)

    def order(self, **columns: Any) -> int:
        return create_order(self.database, ticket_id=self.ticket, **columns)

    def seed(self, order_id: int, **fields: Any) -> str | None:
        order = row_of(self.database, "ticket_orders", order_id)
        given: dict[str, Any] = {
            "amount_total": int(order["total_amount"] * 100),
            "metadata": names_of(order),
            "session_id": order["stripe_checkout_session_id"],
        }
        session = self.stand_in.session(self.stand_in.seed_session(SessionSeed(**(given | fields))))
        payment: str | None = session["payment_intent"]
        return payment

    def paid(self, **columns: Any) -> tuple[int, str]:
        order_id = self.order(**columns)
        payment = self.seed(order_id)
        assert payment is not None
        pay(self.database, order_id, payment_intent=payment)
        return order_id, payment

    def begin(self) -> int:
        return store.begin(self.database, self.scope, by="ann", reason="called off")

    def work(self, refund_id: int, **fields: Any) -> Progress:
        stripe = client("sk_test_local", api_base=self.stand_in.url, network_retries=0)
        given: dict[str, Any] = {"per_second": 200.0, **fields}
        made = EventRefund(lambda: Database(self.connect), StripeRefunds(stripe), StripeSessions(stripe), **given)
        return made.go(self.scope, refund_id, by="ann", reason="called off")

    def all(self) -> Progress:
        return self.work(self.begin())

    def report(self) -> EventRefundReport:
        return read(self.database, self.scope, after=(0, ""), limit=10_000)

    def lines(self) -> dict[int, Line]:
        return {line.order_id: line for line in self.report().lines}

    def made(self) -> Counter[str]:
        """How many refunds Stripe has of each payment."""
        stripe = client("sk_test_local", api_base=self.stand_in.url)
        page = stripe.v1.refunds.list(params={"limit": 100})
        return Counter(str(refund.payment_intent) for refund in page.auto_paging_iter())


@pytest.fixture
def shop(database: Database, connect: Connect, stand_in: StripeStandIn) -> Shop:
    return Shop(database, connect, stand_in)


def assert_whole(shop: Shop) -> None:
    """The sums are the lines', each line adds up, and the books, and the seats, say the same."""
    report = shop.report()
    assert report.agrees
    assert all(line.left_minor >= 0 for line in report.lines)
    for field in ("paid_minor", "before_minor", "refunded_minor", "left_minor"):
        assert sum(getattr(one, field) for one in report.sums) == sum(getattr(line, field) for line in report.lines)
    with shop.database.transaction() as tx:
        orders = tx.all("SELECT id FROM ticket_orders WHERE ticket_id = %s", shop.ticket)
    assert {line.order_id for line in report.lines} == {row["id"] for row in orders}
    counts = check_counts(shop.database)
    assert (counts.sold_low.number, counts.sold_high.number, counts.held_low.number, counts.held_high.number) == (
        0,
    ) * 4


def test_each_kind_of_order_is_dealt_with_and_told(shop: Shop) -> None:
    paid, payment = shop.paid(quantity=2)
    disputed, disputed_payment = shop.paid()
    dispute(shop.database, disputed, "charge.dispute.created", payment_intent=disputed_payment)
    unknown, unknown_payment = shop.paid()
    shop.stand_in.open_dispute(unknown_payment)
    free = shop.order(unit_price=0)
    pay(shop.database, free, payment_intent=None, payment_status="no_payment_required")
    pending = shop.order()
    shop.seed(pending, status="open", payment_status="unpaid")
    faster = shop.order()
    shop.seed(faster)
    waits = shop.order(status="processing")
    expired = shop.order(status="expired", hold=False)
    cash = shop.order(status="paid", hold=False, paid_at="2026-01-01")
    older = shop.order(status="paid", hold=False)
    old_payment = shop.seed(older)
    with shop.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET stripe_payment_intent_id = %s WHERE id = %s", old_payment, older)
        tx.change("UPDATE ticket_orders SET ticket_counted_at = paid_at WHERE id = %s", cash)
        tx.change("UPDATE tickets SET sold_quantity = sold_quantity + 2 WHERE id = %s", shop.ticket)
    other = create_order(shop.database)

    seen = preview(shop.database, shop.scope)
    due = {(one.what, one.state): one.lines for one in seen.sums}
    assert due == {
        ("refund", "due"): 3,
        ("refund", "disputed"): 1,
        ("take_back", "due"): 3,
        ("take_back", "waits"): 1,
        ("take_back", "before"): 1,
        ("take_back", "by_hand"): 1,
    }
    assert (shop.made(), row_of(shop.database, "tickets", shop.ticket)["is_active"]) == (Counter(), 1)

    progress = shop.all()
    assert (progress.due, progress.ended, progress.dry) == (0, True, "")
    assert row_of(shop.database, "tickets", shop.ticket)["is_active"] == 0
    assert shop.made() == Counter({payment: 1, old_payment: 1})
    lines = shop.lines()
    assert {order_id: line.state for order_id, line in lines.items()} == {
        paid: "done",
        disputed: "disputed",
        unknown: "disputed",
        free: "done",
        pending: "done",
        faster: "waits",
        waits: "waits",
        expired: "before",
        cash: "by_hand",
        older: "done",
    }
    assert (lines[paid].refunded_minor, lines[paid].left_minor) == (4000, 0)
    assert [status(shop.database, order_id) for order_id in (paid, older, free, pending, disputed, faster, other)] == [
        "refunded",
        "refunded",
        "cancelled",
        "cancelled",
        "paid",
        "pending",
        "pending",
    ]
    assert_whole(shop)

    # What was under way has come, the dispute is won: the same again does what is left, and nothing twice.
    pay(shop.database, faster, payment_intent=shop.stand_in.session(stored(shop, faster))["payment_intent"])
    dispute(shop.database, disputed, "charge.dispute.closed", payment_intent=disputed_payment, status="won", at=2**31)
    assert shop.all().ended
    assert set(shop.made().values()) == {1}
    assert (shop.lines()[faster].state, shop.lines()[disputed].state) == ("done", "done")
    assert_whole(shop)


def test_what_was_ordered_or_paid_since_is_told_and_done_the_next_time(shop: Shop) -> None:
    shop.paid()
    delayed = shop.order(status="processing")
    assert shop.all().ended
    assert (check_counts(shop.database).unfinished_events, shop.report().new_orders) == ([], 0)
    payment = shop.seed(delayed)
    pay(shop.database, delayed, payment_intent=payment)
    assert check_counts(shop.database).unfinished_events == [shop.scope.name]
    late, _ = shop.paid()
    assert shop.report().new_orders == 1
    assert shop.all().ended
    assert [status(shop.database, order_id) for order_id in (delayed, late)] == ["refunded"] * 2
    assert (check_counts(shop.database).unfinished_events, shop.report().new_orders) == ([], 0)
    assert_whole(shop)


def stored(shop: Shop, order_id: int) -> str:
    return str(row_of(shop.database, "ticket_orders", order_id)["stripe_checkout_session_id"])


def test_a_part_and_all_that_went_back_before_are_not_this_refunds(shop: Shop) -> None:
    part, payment = shop.paid(quantity=2)
    whole, gone = shop.paid()
    refunds = StripeRefunds(client("sk_test_local", api_base=shop.stand_in.url))
    made = refunds.refund(payment, order_id=part, idempotency_key="part", amount_minor=500)
    assert made is not None
    refund(shop.database, part, 500, id=made.refund_id, payment_intent=payment)
    refunds.refund(gone, order_id=whole, idempotency_key="whole")
    # Of the other the shop does not know yet that it went back.
    shop.all()
    lines = shop.lines()
    assert (lines[part].before_minor, lines[part].refunded_minor, lines[part].left_minor) == (500, 3500, 0)
    assert (lines[whole].state, lines[whole].refunded_minor, shop.made()[gone]) == ("done", 2000, 1)
    assert_whole(shop)


def test_what_stripe_cannot_carry_out_is_told(shop: Shop) -> None:
    order_id, payment = shop.paid()
    shop.stand_in.set_refund_outcome(payment, "fails_at_once")
    assert shop.all().due == 0
    line = shop.lines()[order_id]
    assert (line.state, line.refunded_minor, "did not reach the buyer" in line.note) == ("failed", 0, True)
    shop.stand_in.set_refund_outcome(payment, "succeeds")
    shop.all()
    assert shop.lines()[order_id].state == "done"
    assert_whole(shop)


def test_the_report_is_read_page_by_page(shop: Shop) -> None:
    orders = [shop.order(status="expired", hold=False) for _ in range(5)]
    shop.begin()
    found: list[Line] = []
    after: tuple[int, str] | None = (0, "")
    while after is not None:
        page = read(shop.database, shop.scope, after=after, limit=2)
        found, after = found + page.lines, page.after
        assert len(page.lines) <= 2
    assert [line.order_id for line in found] == orders


def test_only_one_works_at_a_time(shop: Shop) -> None:
    shop.paid()
    refund_id = shop.begin()
    other = Database(shop.connect)
    with other.transaction() as tx:
        tx.one("SELECT GET_LOCK(CONCAT('cachao_er_', %s, '_', DATABASE()), 0)", refund_id)
    with pytest.raises(DatabaseUnavailable, match="under way already"):
        shop.work(refund_id)
    other.close()
    time.sleep(0.1)
    assert shop.work(refund_id).ended


def test_without_time_nothing_is_begun_and_all_stays_due(shop: Shop) -> None:
    shop.paid()
    progress = shop.work(shop.begin(), deadline=time.monotonic())
    assert (progress.due, progress.ended, shop.made()) == (1, False, Counter())


class Waiting:
    """Stripe with an empty balance, as it mostly is: it makes the refund, and carries it out when there is money."""

    def __init__(self) -> None:
        self.asked = 0

    def refund(self, payment: str, *, order_id: int, idempotency_key: str, amount_minor: int | None = None) -> Refund:
        assert (idempotency_key, amount_minor) == (f"refund-{order_id}-{payment}", None)
        self.asked += 1
        return Refund(
            refund_id=f"re_{order_id}",
            status="pending",
            amount_minor=2000,
            currency="eur",
            payment_intent_id=payment,
            pending_reason="insufficient_funds",
        )

    def made_before(self, payment: str) -> list[Refund]:
        raise AssertionError(payment)


def test_a_refund_that_waits_for_money_is_made_and_the_rest_waits(shop: Shop) -> None:
    orders = [shop.paid()[0] for _ in range(40)]
    stripe, refund_id = Waiting(), shop.begin()
    work = EventRefund(
        lambda: Database(shop.connect), stripe, StripeSessions(client("sk", api_base=shop.stand_in.url)), per_second=50
    )
    progress = work.go(shop.scope, refund_id, by="ann", reason=None)
    assert "until the balance suffices" in progress.dry
    # Those whose turn had come already.
    assert 1 <= stripe.asked < len(orders)
    states = Counter(line.state for line in shop.report().lines)
    assert (states["done"], states["due"]) == (stripe.asked, len(orders) - stripe.asked)
    assert {line.note for line in shop.report().lines if line.state == "done"} == {"pending"}
    assert_whole(shop)


# --- Measured ------------------------------------------------------------------------------------------------------


def many(shop: Shop, number: int, disputed: int) -> list[str]:
    """So many paid orders in bulk; of the first `disputed` the bank disputes the payment, half unknown to the shop."""
    with shop.database.transaction() as tx:
        tx.change(
            "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
            " currency, paid_at, ticket_counted_at, counted_ticket_id, counted_quantity, order_mark,"
            " stripe_checkout_session_id)"
            " SELECT %s, %s, CONCAT('b', seq, '@example.com'), 1, 20, 20, 'paid', 'eur', UTC_TIMESTAMP(6),"
            f" UTC_TIMESTAMP(6), %s, 1, CONCAT('mark', seq), CONCAT('cs_test_many', seq) FROM seq_1_to_{number}",
            shop.event,
            shop.ticket,
            shop.ticket,
        )
        tx.change("UPDATE tickets SET sold_quantity = %s WHERE id = %s", number, shop.ticket)
        orders = tx.all("SELECT * FROM ticket_orders WHERE ticket_id = %s ORDER BY id", shop.ticket)
    seeds = [
        SessionSeed(amount_total=2000, metadata=names_of(order), session_id=order["stripe_checkout_session_id"])
        for order in orders
    ]
    ids = shop.stand_in.seed_sessions(seeds)
    payments = [str(shop.stand_in.session(session)["payment_intent"]) for session in ids]
    with shop.database.transaction() as tx:
        for order, payment in zip(orders, payments, strict=True):
            tx.change("UPDATE ticket_orders SET stripe_payment_intent_id = %s WHERE id = %s", payment, order["id"])
            tx.change(
                "INSERT INTO order_payments (order_id, payment_key, stripe_payment_intent_id, role, amount_minor,"
                " currency) VALUES (%s, %s, %s, 'accepted', 2000, 'eur')",
                order["id"],
                payment,
                payment,
            )
    for at in range(disputed):
        shop.stand_in.open_dispute(payments[at])
        if at % 2:
            dispute(shop.database, orders[at]["id"], "charge.dispute.created", payment_intent=payments[at])
    return payments


def start(shop: Shop, mariadb: MariaDB, refund_id: int, per_second: float) -> subprocess.Popen[str]:
    given = {
        "database": asdict(replace(mariadb.address, name=mariadb.name, user=mariadb.user)),
        "stripe": shop.stand_in.url,
        "event_id": shop.event,
        "refund_id": refund_id,
        "per_second": per_second,
        "seconds": 20.0,
    }
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "refund_worker.py"), json.dumps(given)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "functions")},
        stdout=subprocess.PIPE,
        text=True,
    )


def worked(lines: list[dict[str, Any]], until: float) -> float:
    """How long a worker worked, from when it had begun; a killed one until it was killed."""
    begun = next((line["begun"] for line in lines if "begun" in line), until)
    return max((line["ended"] for line in lines if "ended" in line), default=until) - begun


@pytest.mark.timeout(1800)
def test_each_goes_back_exactly_once_through_kills_and_a_dry_balance(shop: Shop, mariadb: MariaDB) -> None:
    number, kills = size(40, 5000), size(2, 20)
    per_second, disputed = size(40.0, 25.0), size(4, 50)
    payments = many(shop, number, disputed)
    half = (number - disputed) // 2
    shop.stand_in.set_refundable(half * 2000)
    # No more than Stripe allows is ever asked: a 429 would make each wait.
    shop.stand_in.set_rate_limit(int(per_second) + 5)
    refund_id = shop.begin()
    chance = random.Random(15)
    # Spread over the whole time, both halves.
    longest = (number / per_second) / (kills + 1) * 1.6
    seconds, killed, dry = 0.0, 0, 0
    for _ in range(kills * 20):
        worker = start(shop, mariadb, refund_id, per_second)
        assert worker.stdout is not None
        first = json.loads(worker.stdout.readline())
        until: float | None = None
        if killed < kills:
            try:
                worker.wait(chance.uniform(0, longest))
            except subprocess.TimeoutExpired:
                worker.kill()
                until, killed = time.time(), killed + 1
        rest = worker.communicate()[0]
        told = [first, *(json.loads(line) for line in rest.splitlines() if line.endswith("}"))]
        seconds += worked(told, until or time.time())
        if told[-1].get("dry"):
            dry += 1
            shop.stand_in.set_refundable(None)
        elif until is None:
            break
    assert (killed, dry) == (kills, 1)
    made = shop.made()
    assert (set(made.values()), len(made)) == ({1}, number - disputed)
    assert set(payments) - set(made) == set(payments[:disputed])
    report = shop.report()
    assert Counter(line.state for line in report.lines) == {"done": number - disputed, "disputed": disputed}
    assert sum(line.refunded_minor for line in report.lines) == (number - disputed) * 2000
    assert {line.stripe_refund_id is None for line in report.lines if line.state == "done"} == {False}
    assert_whole(shop)
    with shop.database.transaction() as tx:
        row = tx.one("SELECT SUM(refunded_amount) AS back FROM ticket_orders WHERE ticket_id = %s", shop.ticket)
    assert row is not None
    assert row["back"] == Decimal(20) * (number - disputed)
    needed = (number - disputed / 2) / per_second
    print(f"{number} orders, {killed} kills: {seconds:.1f} s of work, {needed:.1f} s by the rate alone")
    assert seconds <= needed * 1.1 or not FULL
