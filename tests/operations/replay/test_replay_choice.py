"""`cachao replay`: what of all that is named or failed is started, what is left out, and how that is shown."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from cachao import start_executions
from cachao.aws import executions
from cachao.aws.environment import Environment
from cachao.replay import plans, preview
from local.aws.cloud import LocalCloud
from tests.factories import create_order, dispute_of, envelope, row_of
from tests.operations.conftest import Cachao, paid_event, set_total
from tests.workflow.conftest import Ended, Run, started
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]


def number_of_executions(cloud: LocalCloud) -> int:
    return len(started(cloud))


# --- Named ones ----------------------------------------------------------------------------------------------------


def test_what_is_repaired_is_left_out_also_where_it_is_named(
    cachao: Cachao, database: Database, cloud: LocalCloud, mismatched: tuple[int, Ended]
) -> None:
    order_id, ended = mismatched
    set_total(database, order_id, 20)
    assert cachao("replay", ended.name, "--yes").exit_code == 0
    before = number_of_executions(cloud)
    for name in (ended.name, f"replay-1-{ended.name[:69]}"):
        answer = cachao("replay", name, "--yes")
        assert answer.exit_code == 0
        assert "already, by replay-1-…" in answer.text
        assert "There is nothing to replay." in answer.text
        assert "name it with --again" in answer.notes
    [left_out] = cachao("replay", ended.name, "--yes", json=True).data["left_out"]
    assert left_out == {"execution": ended.name, "why": "repaired already, by replay-1-…"}
    assert number_of_executions(cloud) == before
    again = cachao("replay", ended.name, "--again", "--yes", json=True)
    assert [found["execution"] for found in again.data["replays"]] == [f"replay-2-{ended.name[:69]}"]
    assert cachao("replay", "--failed", "--again", "--yes").exit_code == 2


def test_what_runs_is_waited_for_and_not_started_a_second_time(
    cachao: Cachao, database: Database, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()

    def wait(invocation: Any, proceed: Any) -> Any:
        held.wait(20)
        return proceed(invocation)

    cloud.lambdas.interceptors.append(wait)
    order_id = create_order(database)
    name = f"runs-{order_id}"
    cloud.client("stepfunctions").start_execution(
        stateMachineArn=cloud.deployment.outputs["StateMachineArn"],
        name=name,
        input=json.dumps(paid_event(database, order_id)),
    )
    before = number_of_executions(cloud)
    answer = cachao("replay", name, "--yes", "--wait", "0.5")
    assert answer.exit_code == 4
    assert "still runs: only waited for" in answer.text
    assert cachao("replay", name, "--again", "--yes", "--wait", "0.5").exit_code == 4
    report = start_executions.report

    def let_it_end(*given: Any, **said: Any) -> None:
        held.set()
        report(*given, **said)

    monkeypatch.setattr(start_executions, "report", let_it_end)
    ended = cachao("replay", name, "--yes", json=True)
    assert [(found["execution"], found["status"]) for found in ended.data["replays"]] == [(name, "SUCCEEDED")]
    assert number_of_executions(cloud) == before


def test_a_success_is_replayed_once_by_name(run: Run, cachao: Cachao, database: Database) -> None:
    ended = run(paid_event(database, create_order(database)))
    first = cachao("replay", ended.name, "--yes", json=True)
    assert [found["status"] for found in first.data["replays"]] == ["SUCCEEDED"]
    second = cachao("replay", ended.name, "--yes")
    assert "replayed already, by replay-1-…" in second.text


def test_a_dispute_that_was_told_mails_again_and_the_preview_says_so(
    run: Run, cachao: Cachao, database: Database, alerts: Alerts
) -> None:
    order_id = create_order(database)
    paid = run(paid_event(database, order_id))
    told = run(envelope("charge.dispute.created", dispute_of(row_of(database, "ticket_orders", order_id))))
    assert len(alerts()) == 1
    assert "which sends its alert again" in cachao("replay", told.name).text
    assert "mails" not in cachao("replay", paid.name).text
    assert cachao("replay", told.name, "--yes").exit_code == 0
    assert len(alerts()) == 2


def test_an_id_of_stripes_is_no_execution(cachao: Cachao) -> None:
    answer = cachao("replay", "evt_1RWIaFPLMCn9OYH0FPPvZ1hz", "--yes")
    assert (answer.exit_code, "cachao show evt_1RWIaFPLMCn9OYH0FPPvZ1hz" in answer.notes) == (1, True)


def test_a_number_is_no_execution(cachao: Cachao) -> None:
    answer = cachao("replay", "2", "--yes")
    assert (answer.exit_code, "cachao executions --order 2" in answer.notes) == (1, True)


# --- By error ------------------------------------------------------------------------------------------------------


def test_an_error_that_nothing_failed_with_is_said_with_those_that_are_open(
    cachao: Cachao, mismatched: tuple[int, Ended]
) -> None:
    answer = cachao("replay", "--failed", "--since", "1h", "--error", "Nonsense", "--yes")
    assert answer.exit_code == 1
    assert "No execution failed with Nonsense since 20" in answer.notes
    assert "Open are: " in answer.notes
    assert "AmountMismatch " in answer.notes
    assert "already repaired" not in answer.notes


def test_an_error_whose_executions_are_all_repaired_is_no_failure(
    cachao: Cachao, database: Database, mismatched: tuple[int, Ended]
) -> None:
    set_total(database, mismatched[0], 20)
    command = ("replay", "--failed", "--since", "1h", "--error", "AmountMismatch", "--yes")
    first = cachao(*command, json=True)
    if first.exit_code == 0:  # else another test's are open
        second = cachao(*command)
        assert second.exit_code == 0
        assert "What failed with AmountMismatch since" in second.notes
        assert "is already repaired" in second.notes


# --- For another order ---------------------------------------------------------------------------------------------


@pytest.fixture
def lost(run: Run, database: Database) -> tuple[int, Ended]:
    """A payment of 20.00 EUR whose event named no order, and the order that it was for."""
    order_id = create_order(database, stripe_checkout_session_id=None)
    ended = run(paid_event(database, order_id, id=f"cs_test_lost{order_id}", metadata={}))
    assert ended.error == "OrderNotFound"
    return order_id, ended


def test_an_order_that_is_not_there_is_refused(cachao: Cachao, lost: tuple[int, Ended], cloud: LocalCloud) -> None:
    before = number_of_executions(cloud)
    answer = cachao("replay", lost[1].name, "--order", 999_999, "--yes")
    assert (answer.exit_code, "There is no order 999999." in answer.notes) == (1, True)
    assert number_of_executions(cloud) == before


def test_the_right_order_is_shown_without_objections(cachao: Cachao, lost: tuple[int, Ended]) -> None:
    answer = cachao("replay", lost[1].name, "--order", lost[0])
    assert answer.exit_code == 2
    assert f"Order {lost[0]}: pending, 20.00 EUR" in answer.notes
    assert "it will fail" not in answer.notes


def test_what_the_workflow_will_object_to_is_foreseen(
    cachao: Cachao, database: Database, run: Run, lost: tuple[int, Ended]
) -> None:
    dearer = create_order(database, stripe_checkout_session_id=None, quantity=2)
    of_another = create_order(database)
    closed = create_order(database, hold=False, status="cancelled", stripe_checkout_session_id=None)
    paid = create_order(database)
    run(paid_event(database, paid))
    dearer_and_paid = create_order(database, quantity=2)
    run(paid_event(database, dearer_and_paid))
    foreseen = {
        dearer_and_paid: ("AmountMismatch", "The event is about 20.00 EUR, but order"),
        dearer: ("AmountMismatch", "The event is about 20.00 EUR, but order"),
        of_another: ("OrderMismatch", "belongs to another session"),
        closed: ("PaymentForClosedOrder", "is cancelled"),
        paid: ("DuplicatePayment", "is already paid"),
    }
    for order_id, (error, reason) in foreseen.items():
        answer = cachao("replay", lost[1].name, "--order", order_id)
        assert f"it will fail with {error}." in answer.notes
        assert reason in answer.notes
        assert answer.notes.count("it will fail with") == 1
        done = cachao("replay", lost[1].name, "--order", order_id, "--yes", json=True)
        assert [found["error"] for found in done.data["replays"]] == [error]


def test_a_payment_with_another_orders_mark_is_no_other_orders(cachao: Cachao, database: Database, run: Run) -> None:
    gone, order = create_order(database), create_order(database, stripe_checkout_session_id=None)
    event = paid_event(database, gone)
    with database.transaction() as tx:
        tx.change("DELETE FROM ticket_orders WHERE id = %s", gone)
    failed = run(event)
    assert failed.error == "OrderNotFound"
    answer = cachao("replay", failed.name, "--order", order, "--yes")
    assert answer.exit_code == 1
    assert "it is not of order" in " ".join(answer.notes.split())


def test_a_payment_that_nothing_but_the_operator_gives_to_an_order_says_so(
    cachao: Cachao, database: Database, lost: tuple[int, Ended]
) -> None:
    order = create_order(database, stripe_checkout_session_id=None)
    answer = cachao("replay", lost[1].name, "--order", order)
    assert f"Nothing says that this payment is order {order}'s, except you" in " ".join(answer.notes.split())


# --- How it is shown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 80, 160])
def test_no_name_is_broken_and_an_execution_takes_three_lines_at_most(
    environment: Environment, mismatched: tuple[int, Ended], width: int
) -> None:
    planned = plans.plan(environment, [executions.get(environment, mismatched[1].name)], named=True)
    shown = io.StringIO()
    console = Console(file=shown, width=width, highlight=False)
    for part in preview.preview(planned):
        console.print(part, crop=False)
    title, name, *details = shown.getvalue().splitlines()
    assert (title.strip(), name.strip()) == ("To be replayed", mismatched[1].name)
    assert len(details) <= (3 if width < 80 else 2)
    assert all(line.startswith("  ") for line in details)
    for word in ("AmountMismatch", "checkout.session.completed", "starts replay-1-…"):
        assert word in " ".join(" ".join(details).split())
