"""What can be done on the page: the commands, with their own preview and question, and nothing without a yes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from cachao.aws import executions
from cachao.aws.environment import Environment
from cachao.page.application import Page
from cachao.page.guard import Guard
from local.aws.cloud import LocalCloud
from local.stripe_stand_in import StripeStandIn
from tests.factories import create_order, row_of
from tests.operations.conftest import Cachao, paid_event, set_total
from tests.operations.page.conftest import Browser, said
from tests.operations.test_commands import doubly_paid, late_order
from tests.workflow.conftest import Ended
from ticketing.database import Database

__all__ = ["doubly_paid"]


def status(database: Database, order_id: int) -> str:
    return str(row_of(database, "ticket_orders", order_id)["status"])


@pytest.fixture
def names(environment: Environment) -> Callable[[], list[str]]:
    return lambda: [found["name"] for found in executions.listed(environment)]


# --- Replay ----------------------------------------------------------------------------------------------------------


def test_a_replay_is_previewed_asked_and_done(
    browser: Browser, mismatched: tuple[int, Ended], database: Database, names: Callable[[], list[str]], cachao: Cachao
) -> None:
    order_id, ended = mismatched
    set_total(database, order_id, 20)
    asks = browser.do("replay", executions=[ended.name])
    assert asks["state"] == "asks"
    assert asks["question"].startswith("Start 1 new execution in cachao-local (")
    printed = cachao("replay", ended.name, "--dry-run").text
    assert said(asks).splitlines()[0] in printed
    assert ended.name in said(asks)
    assert f"replay-1-{ended.name}"[:80] not in names()
    done = browser.do("replay", executions=[ended.name], yes_to=asks["seal"])
    assert (done["state"], done["exit_code"]) == ("done", 0)
    assert "OrderPaid" in said(done)
    assert status(database, order_id) == "paid"


def test_a_yes_is_for_what_was_shown_and_for_nothing_else(
    browser: Browser, mismatched: tuple[int, Ended], database: Database, names: Callable[[], list[str]], cachao: Cachao
) -> None:
    order_id, ended = mismatched
    asks = browser.do("replay", executions=[ended.name])
    before = names()
    for wish in ({"executions": [ended.name], "again": True}, {"executions": [ended.name], "order": order_id}):
        other = browser.do("replay", **wish, yes_to=asks["seal"])
        assert other["state"] == "asks"
        assert other["seal"] != asks["seal"]
    for forged in ("", "0" * 64, asks["question"]):
        assert browser.do("replay", executions=[ended.name], yes_to=forged)["state"] == "asks"
    assert names() == before
    # Meanwhile somebody else replays it, in vain: what would be done now is another thing.
    assert cachao("replay", ended.name, "--yes").exit_code == 1
    later = browser.do("replay", executions=[ended.name], yes_to=asks["seal"])
    assert later["state"] == "asks"
    assert "replay-2-" in said(later)


def test_a_replay_that_fails_again_says_so(browser: Browser, mismatched: tuple[int, Ended]) -> None:
    asks = browser.do("replay", executions=[mismatched[1].name])
    done = browser.do("replay", executions=[mismatched[1].name], yes_to=asks["seal"])
    assert (done["state"], done["exit_code"]) == ("done", 1)
    assert "AmountMismatch" in said(done)
    assert "Some failed again" in said(done)


def test_all_that_failed_of_one_error(browser: Browser, mismatched: tuple[int, Ended]) -> None:
    asks = browser.do("replay-failed", since="1h", error="AmountMismatch")
    assert mismatched[1].name in said(asks)
    none = browser.do("replay-failed", since="1h", error="NoSuchError")
    assert none["state"] == "done"
    assert "No execution failed with NoSuchError" in none["problem"]["error"]


def test_a_dead_letter_is_replayed(browser: Browser, cloud: LocalCloud, dead_letters: str, database: Database) -> None:
    order_id = create_order(database)
    letter = {**paid_event(database, order_id), "id": f"letter-{order_id}"}
    cloud.client("sqs").send_message(QueueUrl=dead_letters, MessageBody=json.dumps(letter))
    asks = browser.do("replay-dead-letters")
    assert asks["question"].startswith("Start an execution for each of them in ")
    assert browser.get("/api/dead-letters")["waiting"] == 1
    done = browser.do("replay-dead-letters", yes_to=asks["seal"])
    assert (done["state"], done["exit_code"]) == ("done", 0)
    assert browser.get("/api/dead-letters")["waiting"] == 0
    assert status(database, order_id) == "paid"


# --- Refund, correct, reconcile --------------------------------------------------------------------------------------


def test_a_refund_asks_as_the_command_does(
    browser: Browser, doubly_paid: tuple[int, str], database: Database, cachao: Cachao
) -> None:
    order_id = int(doubly_paid[0])
    asks = browser.do("refund", order=order_id)
    assert f"It would ask: {asks['question']}" in cachao("refund", order_id, "--dry-run").text
    done = browser.do("refund", order=order_id, yes_to=asks["seal"])
    assert (done["state"], done["exit_code"]) == ("done", 0)
    assert status(database, order_id) == "paid"
    again = browser.do("refund", order=order_id)
    assert again["state"] == "done"
    assert "Already refunded" in said(again)


def test_a_wrong_amount_is_corrected_with_its_rows_shown(
    browser: Browser, mismatched: tuple[int, Ended], database: Database
) -> None:
    order_id = mismatched[0]
    asks = browser.do("correct-amount", order=order_id, amount="20.00", reason="typed wrongly")
    assert "What changes" in [block.get("title") for block in asks["blocks"]]
    assert row_of(database, "ticket_orders", order_id)["total_amount"] == 21
    done = browser.do("correct-amount", order=order_id, amount="20.00", reason="typed wrongly", yes_to=asks["seal"])
    assert (done["state"], done["exit_code"]) == ("done", 0)
    assert row_of(database, "ticket_orders", order_id)["total_amount"] == 20


def test_what_cannot_be_done_is_said_with_what_to_do_instead(browser: Browser, database: Database) -> None:
    order_id = create_order(database)
    refused = browser.do("refund", order=order_id)
    assert refused["problem"]["error"].startswith(f"The shop has no payment of order {order_id} (pending).")
    assert "correct the order and replay" in refused["problem"]["advice"]
    assert refused["exit_code"] == 1


def test_reconciliation_is_asked_and_its_dry_run_is_not(
    browser: Browser, database: Database, stripe_stand_in: StripeStandIn
) -> None:
    order_id = late_order(database, stripe_stand_in, status="expired")
    dry = browser.do("reconcile", dry_run=True)
    assert dry["state"] == "done"
    assert f"{order_id}" in said(dry)
    asks = browser.do("reconcile")
    assert asks["question"].startswith("Ask Stripe about the unpaid orders past their hold in ")
    assert status(database, order_id) == "pending"
    done = browser.do("reconcile", yes_to=asks["seal"])
    assert done["state"] == "done"
    assert status(database, order_id) == "expired"


# --- Who may ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def reader(environment: Environment) -> Browser:
    return Browser(Page(environment, Guard(sessions=None), changes=False))


@pytest.mark.parametrize(
    "action", ["replay", "replay-failed", "replay-dead-letters", "refund", "correct-amount", "reconcile"]
)
def test_a_page_that_only_reads_does_nothing(reader: Browser, action: str) -> None:
    answer = reader.open(f"/api/actions/{action}", body={})
    assert answer.status_code == 403
    assert "--allow-changes" in (answer.json or {})["error"]
    assert not reader.get("/api/about")["changes"]


def test_a_page_that_only_reads_has_the_doctor(reader: Browser) -> None:
    done = reader.do("doctor")
    assert done["state"] == "done"
    links = {finding["link"]: finding for finding in done["findings"]}
    assert links["State machine"]["state"] == "fine"
    assert {"state", "says", "cause", "todo", "case"} <= set(links["Database"])


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}, {"Content_Type": "text/plain"}]
)
def test_another_sites_page_does_nothing(browser: Browser, headers: dict[str, str]) -> None:
    assert browser.open("/api/actions/reconcile", body={}, **headers).status_code in {400, 403}


@pytest.mark.parametrize(
    ("action", "wish", "code"),
    [
        ("replay", {}, 400),
        ("replay", {"executions": ["x"], "yes": True}, 400),  # a yes is none but by its seal
        ("refund", {"order": "1"}, 400),
        ("reconcile", {"rate": 1000}, 400),
        ("migrate", {}, 404),
    ],
)
def test_what_is_no_action_is_refused(browser: Browser, action: str, wish: dict[str, Any], code: int) -> None:
    assert browser.open(f"/api/actions/{action}", body=wish).status_code == code


def test_only_so_many_run_at_once(browser: Browser, cloud: LocalCloud, database: Database) -> None:
    order_id, held, begun = create_order(database), threading.Event(), threading.Semaphore(0)

    def hold(invocation: Any, proceed: Callable[[Any], Any]) -> Any:
        begun.release()
        held.wait(60)
        return proceed(invocation)

    cloud.lambdas.interceptors.append(hold)
    try:
        jobs = [browser.get("/api/actions/refund", {"order": order_id}) for _ in range(4)]
        assert begun.acquire(timeout=60)
        answer = browser.open("/api/actions/refund", body={"order": order_id})
        assert (answer.status_code, (answer.json or {})["error"]) == (422, "4 commands run already.")
        assert browser.get(f"/api/jobs/{jobs[0]['id']}")["state"] == "running"
    finally:
        held.set()
    assert browser.open("/api/jobs/unknown").status_code == 404
