"""Reconciliation within its time: a run that is cut short, a Stripe that hangs, and what is told all the same."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from handlers import event_bus, runtime, stripe_access
from handlers.maintenance import reconcile_orders
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_order, names_of
from tests.handlers.workflow.workflow_by_hand import WorkflowBus
from tests.ticketing.paid_orders import entries, order_row, status
from ticketing.database import Database
from ticketing.errors import DatabaseUnavailable, StripeUnavailable
from ticketing.reconciliation import run as reconciliation
from ticketing.reconciliation import unrecorded_payments
from ticketing.reconciliation.repair import Repair
from ticketing.reconciliation.run import Options, Report, reconcile
from ticketing.stripe import rate_limit
from ticketing.stripe.client import client
from ticketing.stripe.objects import SessionIdentity, SessionObject
from ticketing.stripe.rate_limit import RateLimiter
from ticketing.stripe.sessions import StripeSessions

FAST = 2000.0
THREADS = 8
LONG_AGO = datetime(2020, 1, 1)  # noqa: DTZ001 -- UTC without a zone, as in the database
CONTEXT = SimpleNamespace(aws_request_id="request-1", get_remaining_time_in_millis=lambda: 840_000)


def due_order(database: Database, *, hold: bool = True, **columns: Any) -> int:
    if not hold:
        columns.setdefault("created_at", datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1))
    order = create_order(database, hold=hold, **columns)
    if hold:
        with database.transaction() as tx:
            tx.change(
                "UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE WHERE id = %s", order
            )
    return order


# --- Cut short --------------------------------------------------------------------------------------------------------


class Clock:
    """Stands still but for sleep, and for what each answer of Stripe takes."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


class SlowSessions:
    """Stripe, where every session is expired and every answer takes a second. Paid ones are in `paid`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.asked: list[str] = []
        self.paid: list[SessionObject] = []
        self.unnamed: list[SessionObject] = []

    def retrieve(self, session_id: str) -> SessionObject | None:
        self._clock.sleep(1)
        self.asked.append(session_id)
        known = {session["id"]: session for session in self.paid}
        return known.get(session_id, {"id": session_id, "status": "expired"})

    def disputes_of(self, payment_intent_id: str) -> list[dict[str, Any]]:
        raise AssertionError(payment_intent_id)

    def of_payment(self, payment_intent_id: str) -> SessionIdentity | None:
        raise AssertionError(payment_intent_id)

    def expire(self, session_id: str) -> bool:
        raise AssertionError(session_id)

    def page(
        self, *, after: str | None = None, status: str | None = None, **_: Any
    ) -> tuple[list[SessionObject], bool]:
        self._clock.sleep(1)
        found = self.paid if status == "complete" else self.unnamed
        start = next((place + 1 for place, session in enumerate(found) if session["id"] == after), 0)
        return found[start : start + 10], len(found) > start + 10


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    monkeypatch.setattr(reconciliation, "RateLimiter", functools.partial(RateLimiter, clock=turned, sleep=turned.sleep))
    return turned


def call_after_call(
    database: Database, sessions: SlowSessions, clock: Clock, *, seconds: int, **options: Any
) -> list[Report]:
    """Go on with each call's cursor until the run is complete; give the calls' reports."""
    reports: list[Report] = []
    while not reports or not reports[-1].complete:
        assert len(reports) < 60, "it comes no further"
        asked = len(sessions.asked)
        reports.append(
            reconcile(
                database,
                sessions,
                WorkflowBus(database),
                Options(requests_per_second=FAST, cursor=reports[-1].cursor if reports else None, **options),
                deadline=clock.now + seconds,
            )
        )
        assert len(sessions.asked) - asked <= seconds + THREADS
    return reports


@pytest.mark.parametrize("options", [{}, {"since": LONG_AGO}, {"dry_run": True}, {"since": LONG_AGO, "dry_run": True}])
def test_what_there_was_no_time_for_is_asked_in_the_next_call(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(reconciliation, "_PAGE_SIZE", 20)
    orders = [due_order(database, hold=number % 2 == 0) for number in range(50)]
    reports = call_after_call(database, SlowSessions(clock), clock, seconds=7, **options)
    assert len(reports) >= 4
    assert sorted(str(row.order_id) for report in reports for row in report.rows) == sorted(map(str, orders))
    assert sum(report.done for report in reports) == 50
    assert {status(database, order) for order in orders} == {"pending" if options.get("dry_run") else "expired"}


def test_orders_without_a_session_wait_too_while_there_is_no_time_to_look_for_one(
    database: Database, clock: Clock
) -> None:
    order = due_order(database, stripe_checkout_session_id=None)
    sessions = SlowSessions(clock)
    sessions.unnamed = [
        {"id": f"cs_test_{n}", "status": "open", "metadata": names_of(order_row(database, order))} for n in range(45)
    ]
    late = reconcile(
        database, sessions, WorkflowBus(database), Options(requests_per_second=FAST), deadline=clock.now + 4
    )
    assert (late.complete, late.done, late.rows) == (False, 0, [])
    assert status(database, order) == "pending"
    in_time = Options(requests_per_second=FAST, cursor=late.cursor)
    assert reconcile(database, sessions, WorkflowBus(database), in_time, deadline=clock.now + 20).done == 1
    assert status(database, order) == "expired"


def test_payments_that_there_was_no_time_for_are_looked_at_in_the_next_call(database: Database, clock: Clock) -> None:
    sessions = SlowSessions(clock)
    sessions.paid = [
        {"id": f"cs_test_{n}", "status": "complete", "payment_status": "paid", "amount_total": 100} for n in range(25)
    ]
    reports = call_after_call(database, sessions, clock, seconds=4)
    assert len(reports) >= 3
    assert [row.session_id for report in reports for row in report.rows] == [s["id"] for s in sessions.paid]


# --- A Stripe that hangs ----------------------------------------------------------------------------------------------

# Time runs forty times as fast as deployed: the client's 8 seconds, the minute of silence, the pauses.
FASTER = 40


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, database: Database) -> Iterator[StripeStandIn]:
    """Stripe as the handler reaches it, with short time-outs."""
    monkeypatch.setattr(rate_limit, "_SILENCE_SECONDS", 60 / FASTER)
    monkeypatch.setattr(rate_limit, "_LONGEST_PAUSE_SECONDS", 16 / FASTER)
    with StripeStandIn() as running:
        monkeypatch.setattr(reconcile_orders, "database", database)
        monkeypatch.setenv("STRIPE_ACCOUNT_SHARED", "false")
        monkeypatch.setattr(
            stripe_access,
            "client",
            lambda **given: client("sk_test_local", api_base=running.url, read_seconds=8 / FASTER, **given),
        )
        monkeypatch.setattr(event_bus, "client", lambda: None)
        monkeypatch.setattr(reconcile_orders, "EventBridgeBus", lambda _client, _name: WorkflowBus(database))
        monkeypatch.setenv("EVENT_BUS_NAME", "default")
        monkeypatch.setattr(runtime.metrics.provider, "namespace", "Cachao")
        yield running
        running.clear_faults()


def run(**given: Any) -> Any:
    return reconcile_orders.handler(given, CONTEXT)


def hang(stand_in: StripeStandIn, **fault: Any) -> None:
    stand_in.fail_next(10_000, status="timeout", **fault)


def seed(stand_in: StripeStandIn, database: Database, order: int, **fields: Any) -> str:
    session = order_row(database, order)["stripe_checkout_session_id"]
    seeded = {"amount_total": 2000, "metadata": names_of(order_row(database, order)), "session_id": session, **fields}
    return stand_in.seed_session(SessionSeed(**seeded))


def test_a_stripe_that_hangs_ends_the_run_long_before_lambda_does(database: Database, stand_in: StripeStandIn) -> None:
    orders = [due_order(database) for _ in range(100)]
    for order in orders:
        seed(stand_in, database, order, status="expired")
    hang(stand_in)
    began = time.monotonic()
    with pytest.raises(StripeUnavailable, match=r"none of \d+ requests"):
        run()
    # A minute of silence and the requests under way, with room for a slow machine; Lambda's 840 seconds are 21 here.
    assert time.monotonic() - began < 360 / FASTER
    assert {status(database, order) for order in orders} == {"pending"}
    stand_in.clear_faults()
    assert run(requests_per_second=FAST)["done"] == 100
    assert {status(database, order) for order in orders} == {"expired"}


def test_a_call_by_hand_comes_back_in_its_own_time(
    database: Database, stand_in: StripeStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "_SILENCE_SECONDS", 1000)
    for _ in range(100):
        due_order(database)
    hang(stand_in)
    began = time.monotonic()
    with pytest.raises(StripeUnavailable, match=r"none of \d+ requests"):
        run(execution_id="cachao reconcile", seconds=0.4, requests_per_second=FAST)
    assert time.monotonic() - began < 0.4 + 8 / FASTER + 2  # room for a slow machine


def test_a_stripe_that_hangs_at_a_cancelled_order_ends_the_run_too(database: Database, stand_in: StripeStandIn) -> None:
    for _ in range(30):
        order = due_order(database)
        with database.transaction() as tx:
            tx.change("UPDATE ticket_orders SET status = 'cancelled' WHERE id = %s", order)
    hang(stand_in)
    began = time.monotonic()
    with pytest.raises(StripeUnavailable):
        run()
    assert time.monotonic() - began < 360 / FASTER


def test_a_request_of_the_reconciliation_is_not_repeated_by_the_package(
    database: Database, stand_in: StripeStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "_TRIES", 1)
    seed(stand_in, database, due_order(database), status="expired")
    stand_in.fail_next(1, status=503)
    with pytest.raises(StripeUnavailable, match="none of 1"):
        run()


def test_a_stripe_that_begins_to_hang_loses_nothing(
    database: Database, stand_in: StripeStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = [due_order(database) for _ in range(100)]
    for order in orders:
        seed(stand_in, database, order, status="expired")
    retrieve, asked = StripeSessions.retrieve, iter(range(10_000))

    def retrieve_for_a_while(self: StripeSessions, session_id: str) -> SessionObject | None:
        if next(asked) == 40:
            hang(stand_in)
        return retrieve(self, session_id)

    monkeypatch.setattr(StripeSessions, "retrieve", retrieve_for_a_while)
    with pytest.raises(StripeUnavailable, match=r"none of \d+ requests"):
        run()
    # What was answered before is settled, the rest is due as it was.
    assert 25 <= [status(database, order) for order in orders].count("expired") <= 40
    stand_in.clear_faults()
    run(requests_per_second=FAST)
    assert {status(database, order) for order in orders} == {"expired"}


# --- What is told -----------------------------------------------------------------------------------------------------


class Told:
    """What the handler logged and counted so far."""

    def __init__(self, logged: pytest.LogCaptureFixture, printed: pytest.CaptureFixture[str]) -> None:
        self._logged, self._printed = logged, printed

    def take(self) -> tuple[list[str], float]:
        """The sessions that a person was told of since the last time, and how many were counted."""
        rows = [record.__dict__["row"]["session_id"] for record in self._logged.records if "row" in record.__dict__]
        self._logged.clear()
        lines = [json.loads(line) for line in self._printed.readouterr().out.splitlines() if '"_aws"' in line]
        return rows, sum(sum(line.get("ReconciliationNeedsPerson", [])) for line in lines)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(caplog, capsys)


def missing_order(database: Database) -> tuple[int, str]:
    """An order whose session Stripe does not know."""
    order = due_order(database)
    return order, order_row(database, order)["stripe_checkout_session_id"]


def test_a_missing_session_is_told_once(database: Database, stand_in: StripeStandIn, told: Told) -> None:
    _, session = missing_order(database)
    run()
    assert told.take() == ([session], 1)
    run()
    assert told.take() == ([], 0)


def test_a_missing_session_is_told_though_the_run_fails_afterwards(
    database: Database, stand_in: StripeStandIn, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, session = missing_order(database)
    with monkeypatch.context() as silent:
        silent.setattr(StripeSessions, "page", _unavailable)  # the payments, which are looked at last
        with pytest.raises(StripeUnavailable):
            run()
    assert told.take() == ([session], 1)
    assert "session_missing" in entries(database, order)
    run()
    assert told.take() == ([], 0)


def test_a_missing_session_is_told_though_the_database_fails_at_the_next_order(
    database: Database, stand_in: StripeStandIn, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = [missing_order(database)[1] for _ in range(3)]
    settled = iter([True, False])
    act = Repair._act

    def act_once(self: Repair, answer: Any, action: Any) -> None:
        if not next(settled):
            raise DatabaseUnavailable("gone")
        act(self, answer, action)

    monkeypatch.setattr("ticketing.reconciliation.repair._TRIES", 1)
    with monkeypatch.context() as failing:
        failing.setattr(Repair, "_act", act_once)
        with pytest.raises(DatabaseUnavailable):
            run()
    # The second may have been written, if only the COMMIT's answer was lost: it is told as well.
    assert told.take() == (sessions[:2], 2)
    run()
    assert told.take() == (sessions[1:], 2)


def test_what_was_sent_before_the_run_failed_counts_as_missing_events(
    database: Database, stand_in: StripeStandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stand_in, database, due_order(database))
    monkeypatch.setattr(StripeSessions, "page", _unavailable)
    with pytest.raises(StripeUnavailable):
        run()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert [line["PaymentEventsMissing"] for line in lines if "PaymentEventsMissing" in line] == [[1.0]]


def test_a_payment_that_no_order_knows_is_told_once_also_by_a_run_that_fails(
    database: Database, stand_in: StripeStandIn, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "_TRIES", 1)
    now = int(time.time())
    lost = seed(stand_in, database, create_order(database, hold=False, status="expired"), created=now - 60)
    unknown = stand_in.seed_session(SessionSeed(amount_total=1500, created=now - 30))  # the newest come first
    stand_in.fail_next(1, status=503, path_prefix=f"/v1/checkout/sessions/{lost}")
    with pytest.raises(StripeUnavailable):
        run()
    assert told.take() == ([unknown], 1)
    run()
    assert told.take() == ([], 0)


def test_a_payment_that_could_not_be_remembered_is_told_again(
    database: Database, stand_in: StripeStandIn, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = stand_in.seed_session(SessionSeed(amount_total=1500))
    with monkeypatch.context() as failing:
        failing.setattr(unrecorded_payments, "remember_reported", _no_database)
        with pytest.raises(DatabaseUnavailable):
            run()
    assert told.take() == ([unknown], 1)
    run()
    assert told.take() == ([unknown], 1)


def test_a_dry_run_tells_nobody(database: Database, stand_in: StripeStandIn, told: Told) -> None:
    missing_order(database)
    assert len(run(dry_run=True)["rows"]) == 1
    assert told.take() == ([], 0)


def _unavailable(*_: Any, **__: Any) -> Any:
    raise StripeUnavailable("no answer")


def _no_database(*_: Any, **__: Any) -> Any:
    raise DatabaseUnavailable("gone")
