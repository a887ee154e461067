"""`cachao event`, `refund`, `reconcile`, `migrate` and `watch`."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cachao.aws.environment import Choice
from cachao.aws.execution_input import EventSummary
from cachao.aws.executions import Execution
from cachao.command_context import CommandContext
from cachao.view.output import Output
from cachao.watch import Seen, Watcher, _lines
from local.aws.cloud import LocalCloud
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_order, names_of, row_of
from tests.operations.conftest import Cachao, paid_event
from tests.workflow.conftest import Ended, Run
from ticketing.database import Database


def status(database: Database, order_id: int) -> str:
    return str(row_of(database, "ticket_orders", order_id)["status"])


# --- event ---------------------------------------------------------------------------------------------------------


def write(folder: Path, content: object) -> Path:
    file = folder / "event.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


@pytest.mark.parametrize("source", ["aws.partner/stripe.com/ed_test_1234567890", "stripe.com"])
def test_an_envelope_goes_over_its_bus_and_its_execution_is_shown(
    cachao: Cachao, database: Database, stack_folder: Path, source: str
) -> None:
    order_id = create_order(database)
    file = write(stack_folder, {**paid_event(database, order_id), "source": source})
    answer = cachao("event", file, json=True)
    assert answer.exit_code == 0
    assert (answer.data["status"], answer.data["result"]) == ("SUCCEEDED", "OrderPaid")
    assert answer.data["execution"].startswith(answer.data["event_id"])
    assert status(database, order_id) == "paid"


def test_a_bare_stripe_event_from_stdin_is_put_into_an_envelope(cachao: Cachao, database: Database) -> None:
    order_id = create_order(database)
    answer = cachao("event", "-", given=json.dumps(paid_event(database, order_id)["detail"]))
    assert answer.exit_code == 0
    assert "OrderPaid" in answer.text
    assert status(database, order_id) == "paid"


def test_an_event_that_fails_ends_with_1(cachao: Cachao, database: Database, stack_folder: Path) -> None:
    file = write(stack_folder, paid_event(database, create_order(database), amount_total=1))
    answer = cachao("event", file)
    assert answer.exit_code == 1
    assert "LookUpOrder failed with AmountMismatch" in answer.text


def test_an_event_that_no_rule_lets_through_starts_nothing_and_says_so(
    cachao: Cachao, database: Database, stack_folder: Path
) -> None:
    file = write(stack_folder, {"source": "stripe.com", "detail-type": "customer.created", "detail": {}})
    answer = cachao("event", file, "--wait", "1")
    assert answer.exit_code == 1
    assert "customer.created" in answer.notes


def test_an_event_whose_execution_outlasts_the_waiting_ends_with_4(
    cachao: Cachao, database: Database, stack_folder: Path, cloud: LocalCloud
) -> None:
    held = threading.Event()

    def wait(invocation: Any, proceed: Any) -> Any:
        held.wait(10)
        return proceed(invocation)

    cloud.lambdas.interceptors.append(wait)
    answer = cachao("event", write(stack_folder, paid_event(database, create_order(database))), "--wait", "1")
    held.set()
    assert answer.exit_code == 4
    assert "It still runs. To see how it ends, run: cachao show" in answer.notes


@pytest.mark.parametrize("content", ["no json", "[]", '{"source": "stripe.com"}', '{"object": "event"}'])
def test_what_is_no_event_is_refused(cachao: Cachao, stack_folder: Path, content: str) -> None:
    answer = cachao("event", write(stack_folder, content))
    assert answer.exit_code == 2
    if content != "no json":
        assert "neither an EventBridge envelope" in answer.notes
        assert "nor a Stripe event" in answer.notes


def test_a_file_that_is_not_there_is_refused(cachao: Cachao) -> None:
    assert cachao("event", "nowhere.json").exit_code == 2


# --- refund --------------------------------------------------------------------------------------------------------


@pytest.fixture
def doubly_paid(run: Run, database: Database, stripe_stand_in: StripeStandIn) -> tuple[int, str, str]:
    """An order that was paid twice, at the stand-in and here; its id, and both payments."""
    order_id = create_order(database)
    payments = []
    for number in range(2):
        seed = SessionSeed(
            amount_total=2000,
            metadata=names_of(row_of(database, "ticket_orders", order_id)),
            session_id=f"cs_test_{order_id}_{number}",
        )
        session = stripe_stand_in.session(stripe_stand_in.seed_session(seed))
        payments.append(session["payment_intent"])
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET stripe_checkout_session_id = NULL WHERE id = %s", order_id)
    for number, payment in enumerate(payments):
        run(paid_event(database, order_id, id=f"cs_test_{order_id}_{number}", payment_intent=payment))
    return order_id, payments[0], payments[1]


def test_the_payment_that_paid_nothing_goes_back_once(
    cachao: Cachao, database: Database, doubly_paid: tuple[int, str, str]
) -> None:
    order_id, _, second = doubly_paid
    assert cachao("refund", order_id).exit_code == 2  # nobody said yes
    answer = cachao("refund", order_id, "--yes", json=True)
    assert answer.exit_code == 0, answer.notes
    assert (answer.data["payment_key"], answer.data["amount"]) == (second, "20.00 EUR")
    assert status(database, order_id) == "paid"
    assert cachao("refund", order_id, "--yes").exit_code == 0  # there is nothing more to do


def test_the_payment_that_pays_the_order_goes_back_only_when_that_is_meant(
    cachao: Cachao, database: Database, doubly_paid: tuple[int, str, str]
) -> None:
    order_id, first, second = doubly_paid
    refused = cachao("refund", order_id, "--payment", first, "--yes")
    assert refused.exit_code == 2
    assert cachao("refund", order_id, "--end-order", "--yes").exit_code == 2  # two stand: which?
    assert cachao("refund", order_id, "--payment", second, "--yes").exit_code == 0
    assert cachao("refund", order_id, "--payment", first, "--end-order", "--yes").exit_code == 0
    assert status(database, order_id) == "refunded"


def test_a_refund_of_nothing_is_refused(cachao: Cachao, database: Database) -> None:
    assert cachao("refund", create_order(database), "--yes").exit_code == 1
    assert cachao("refund", 999999, "--yes").exit_code == 1
    assert cachao("refund", create_order(database), "--payment", "pi_other", "--yes").exit_code == 1


# --- reconcile -----------------------------------------------------------------------------------------------------


def late_order(database: Database, stripe: StripeStandIn, **session: Any) -> int:
    order_id = create_order(database)
    seed = SessionSeed(amount_total=2000, metadata=names_of(row_of(database, "ticket_orders", order_id)), **session)
    session_id = stripe.seed_session(seed)
    with database.transaction() as tx:
        tx.change(
            "UPDATE ticket_orders SET stripe_checkout_session_id = %s,"
            " hold_expires_at = UTC_TIMESTAMP() - INTERVAL 1 HOUR WHERE id = %s",
            session_id,
            order_id,
        )
    return order_id


def test_orders_whose_events_were_lost_come_right(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn, cloud: LocalCloud
) -> None:
    paid = late_order(database, stripe_stand_in, status="complete")
    expired = late_order(database, stripe_stand_in, status="expired")
    dry = cachao("reconcile", "--dry-run", json=True)
    assert dry.exit_code == 0, dry.notes
    assert {(row["order_id"], row["finding"]) for row in dry.data["rows"]} >= {(paid, "paid"), (expired, "expired")}
    assert (status(database, paid), status(database, expired)) == ("pending", "pending")
    assert cachao("reconcile").exit_code == 2  # nobody said yes
    done = cachao("reconcile", "--yes")
    assert "event sent" in done.text
    cloud.wait_until_idle(timeout_seconds=30)
    assert (status(database, paid), status(database, expired)) == ("paid", "expired")
    [execution] = cachao("show", paid, json=True).data["executions"]
    assert (execution["result"], execution["by_reconciliation"]) == ("OrderPaid", True)
    assert "reconciliation made its event" in cachao("show", execution["execution"]).text
    again = cachao("reconcile", "--yes", json=True)
    assert again.data["orders"] == 0


def test_an_order_whose_session_is_missing_is_reported_and_then_closed(cachao: Cachao, database: Database) -> None:
    order_id = create_order(database)
    with database.transaction() as tx:
        tx.change(
            "UPDATE ticket_orders SET stripe_checkout_session_id = 'cs_test_of_another_account',"
            " hold_expires_at = UTC_TIMESTAMP() - INTERVAL 1 HOUR WHERE id = %s",
            order_id,
        )
    # As the schedule does it.
    reported = cachao("reconcile", "--yes", json=True)
    assert reported.exit_code == 1
    assert (order_id, "session_missing", "reported") in {
        (row["order_id"], row["finding"], row["action"]) for row in reported.data["rows"]
    }
    dry = cachao("reconcile", "--close-missing", "--dry-run", json=True)
    assert (order_id, "released") in {(row["order_id"], row["action"]) for row in dry.data["rows"]}
    assert status(database, order_id) == "pending"
    # As the runbook says.
    closed = cachao("reconcile", "--close-missing", "--yes")
    assert "session missing" in closed.text
    assert status(database, order_id) == "expired"


def test_a_time_that_is_none_is_refused(cachao: Cachao) -> None:
    assert cachao("reconcile", "--since", "last week", "--yes").exit_code == 2


# --- migrate and watch ---------------------------------------------------------------------------------------------


def test_migrating_twice_does_nothing(cachao: Cachao, database: Database) -> None:
    answer = cachao("migrate")
    assert answer.exit_code == 0
    assert "there was nothing to do" in answer.text


def test_watching_in_a_pipe_gives_a_line_for_each_that_ends(
    cachao: Cachao, database: Database, mismatched: tuple[int, Ended]
) -> None:
    answer = cachao("watch", "--for", "0.5", "--every", "0.2", "--since", "5m")
    assert answer.exit_code == 0
    [line] = [line for line in answer.text.splitlines() if mismatched[1].name in line]
    assert "FAILED" in line
    assert "AmountMismatch" in line
    assert f"order {mismatched[0]}" in line


def test_watching_in_a_pipe_tells_in_order_of_time(capsys: pytest.CaptureFixture[str]) -> None:
    def seen(name: str, began: int, ended: int | None) -> Seen:
        at = datetime(2026, 11, 21, 23, 38, tzinfo=UTC)
        status, stopped = ("RUNNING", None) if ended is None else ("SUCCEEDED", at + timedelta(seconds=ended))
        started = at + timedelta(seconds=began)
        return Seen(Execution(name, name, status, started, stopped, EventSummary(), "", None, None, None), "…")

    # The one that began first ended last: its line says when it ended. Only afterwards the third comes to light.
    first, second = seen("slow", 1, 62), seen("quick", 10, 27)
    third = seen("running", 70, None)
    _lines(CommandContext(Choice(), Output()), iter([[first, second], [first, second, third]]))
    lines = capsys.readouterr().out.splitlines()
    assert [(line.split()[1], line.split()[-1]) for line in lines] == [
        ("23:38:27", "quick"),
        ("23:39:02", "slow"),
        ("23:39:10", "running"),
    ]


def test_watching_for_less_than_no_time_is_refused(cachao: Cachao) -> None:
    assert cachao("watch", "--for", "-1").exit_code == 2


def test_watching_sees_what_begins_meanwhile_and_the_step_it_is_in(
    cachao: Cachao, database: Database, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = create_order(database)
    name = f"watched-{order_id}"
    was_seen_running = threading.Event()

    def wait(invocation: Any, proceed: Any) -> Any:
        if invocation.function.logical_id == "ValidateEventFunction":
            was_seen_running.wait(30)
        return proceed(invocation)

    def look(watcher: Watcher) -> list[Seen]:
        seen = real_look(watcher)
        statuses = [one.execution.status for one in seen if one.execution.name == name]
        if statuses == ["RUNNING"]:
            was_seen_running.set()
        if statuses == ["SUCCEEDED"]:
            was_seen_done.append(seen)
        if len(was_seen_done) == 2:  # Each round is printed before the next look.
            raise KeyboardInterrupt
        return seen

    was_seen_done: list[list[Seen]] = []
    real_look = Watcher.look
    monkeypatch.setattr(Watcher, "look", look)
    cloud.lambdas.interceptors.append(wait)
    machine = cloud.deployment.outputs["StateMachineArn"]
    cloud.client("stepfunctions").start_execution(
        stateMachineArn=machine, name=name, input=json.dumps(paid_event(database, order_id))
    )
    answer = cachao("watch", "--for", "60", "--every", "0.2", "--since", "1m", json=True)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    mine = [(line["status"], line["step"]) for line in lines if line["execution"] == name]
    assert mine == [("RUNNING", "ValidateEvent"), ("SUCCEEDED", "OrderPaid")]
    assert "No longer watched" in answer.notes


def test_a_moment_is_told_in_utc() -> None:
    from cachao.view.output import duration, moment  # noqa: PLC0415 -- of this test only

    zone = datetime(2026, 11, 21, 12, tzinfo=UTC).astimezone()
    assert moment(zone) == "2026-11-21 12:00:00"
    spans = {0.034: "34 ms", 2.14: "2.1 s", 200: "3 min 20 s", 7500: "2 h 5 min", 273_600: "3 d 4 h"}
    assert {duration(timedelta(seconds=seconds)) for seconds in spans} == set(spans.values())
