"""What the page's server gives: the same as the commands, as data."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from botocore.exceptions import ClientError

from cachao.aws.environment import Environment
from cachao.page.application import Page
from cachao.page.board import Board
from cachao.watch import Seen, Watcher
from local.aws.cloud import LocalCloud
from tests.factories import create_order
from tests.local.conftest import wait_until
from tests.operations.conftest import Cachao, paid_event, set_total
from tests.operations.page.conftest import Browser
from tests.workflow.conftest import Ended, Run
from ticketing.database import Database


def test_an_execution_is_listed_with_what_became_of_it(browser: Browser, run: Run, database: Database) -> None:
    order_id = create_order(database)
    ended = run(paid_event(database, order_id))
    row = browser.rows()[ended.name]
    assert (row["status"], row["order"], row["event"], row["result"]) == (
        "SUCCEEDED",
        str(order_id),
        "checkout.session.completed",
        "OrderPaid",
    )
    assert row["stopped"] >= row["started"]


def test_a_reader_is_sent_only_what_changed(browser: Browser, run: Run, database: Database) -> None:
    run(paid_event(database, create_order(database)))
    browser.rows()
    version = browser.get("/api/executions")["version"]
    before = browser.get(f"/api/executions?after={version}")
    assert (before["all"], before["rows"], before["gone"]) == (False, [], [])
    ended = run(paid_event(database, create_order(database)))
    name = ended.name

    def changed() -> list[str]:
        return [row["name"] for row in browser.get(f"/api/executions?after={version}")["rows"]]

    assert wait_until(lambda: changed() == [name])


@pytest.mark.parametrize("after", ["", "nonsense", "00000000.5", "x.-1", "٣.٣"])
def test_a_reader_of_another_run_is_sent_all(browser: Browser, run: Run, database: Database, after: str) -> None:
    run(paid_event(database, create_order(database)))
    rows = browser.rows()
    told = browser.get(f"/api/executions?after={after}")
    assert told["all"]
    assert {row["name"] for row in told["rows"]} == set(rows)


def test_what_falls_off_the_list_is_told(application: Page, run: Run, database: Database) -> None:
    board = Board(application._environment, rows=1)
    try:
        first = run(paid_event(database, create_order(database)))
        assert wait_until(lambda: [row.name for row in board.changes()["rows"]] == [first.name])
        version = board.changes()["version"]
        run(paid_event(database, create_order(database)))
        assert wait_until(lambda: board.changes(version)["gone"] == [first.name])
    finally:
        board.close()


def test_nobody_looks_when_nobody_asks(application: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cachao.page.board._NOBODY_SECONDS", 0.0)
    board = application._board
    board.changes()
    assert wait_until(lambda: board._thread is None)
    monkeypatch.undo()
    board.changes()
    assert board._thread is not None


def test_a_look_that_fails_is_told_and_the_next_one_mends_it(
    application: Page, browser: Browser, run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: object, **__: object) -> list[Seen]:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "ListExecutions")

    with monkeypatch.context() as patch:
        patch.setattr(application._board._watcher, "look", throttled)
        assert wait_until(lambda: browser.get("/api/executions")["problem"] is not None)
        told = browser.get("/api/executions")
        assert told["problem"]["error"].startswith("AWS asks to slow down")
        assert told["rows"] == []
    ended = run(paid_event(database, create_order(database)))
    assert wait_until(lambda: browser.get("/api/executions")["problem"] is None)
    assert ended.name in browser.rows()


def test_names_come_at_once_and_what_they_are_about_in_turn(
    environment: Environment, run: Run, database: Database
) -> None:
    names = [run(paid_event(database, create_order(database))).name for _ in range(2)]
    watcher = Watcher(environment, since=datetime.now(UTC) - timedelta(hours=1), rows=2, described_at_once=1)
    first, second = watcher.look(), watcher.look()
    assert [(one.execution.name, one.described) for one in first] == [(names[0], False), (names[1], True)]
    assert [(one.execution.name, one.described) for one in second] == [(names[0], True), (names[1], True)]
    assert second[0].step == "OrderPaid"


def test_a_failed_one_is_explained_and_drawn(browser: Browser, mismatched: tuple[int, Ended], cachao: Cachao) -> None:
    order_id, ended = mismatched
    name = ended.name
    told = browser.get(f"/api/executions/{name}")
    assert (told["status"], told["failed_steps"], told["order"]) == ("FAILED", ["LookUpOrder"], str(order_id))
    said = cachao("show", name, json=True).data
    assert {key: told[key] for key in said} == said
    drawn = ET.fromstring(told["picture"])  # noqa: S314 -- ours
    states = {group.get("data-state"): group.get("class") for group in drawn.iter("{http://www.w3.org/2000/svg}g")}
    assert states["LookUpOrder"] == "state caught"
    assert told["input"]["detail"]["type"] == "checkout.session.completed"


def test_what_has_not_changed_is_not_sent_again(browser: Browser, mismatched: tuple[int, Ended]) -> None:
    path = f"/api/executions/{mismatched[1].name}"
    first = browser.open(path)
    assert browser.open(path, If_None_Match=first.headers["ETag"]).status_code == 304


def test_it_is_open_until_a_replay_repairs_it(
    browser: Browser, mismatched: tuple[int, Ended], cachao: Cachao, database: Database
) -> None:
    order_id, ended = mismatched
    name = ended.name
    assert "repaired" not in browser.rows()[name]
    set_total(database, order_id, 20)
    assert cachao("replay", name, "--yes").exit_code == 0
    assert wait_until(lambda: str(browser.rows()[name].get("repaired", "")).startswith("replay-1-"))


def test_an_order_is_shown_as_the_command_shows_it(
    browser: Browser, mismatched: tuple[int, Ended], cachao: Cachao
) -> None:
    order_id, ended = mismatched
    told = browser.get(f"/api/orders/{order_id}")
    printed = " ".join(cachao("show", order_id).text.split())
    cells = [cell for block in told["blocks"] for row in block.get("rows", []) for cell in row]
    assert cells
    for cell in cells:
        assert " ".join("".join(text for text, _ in cell).split()) in printed
    assert [found["execution"] for found in told["executions"]] == [ended.name]
    assert ["pending", "yellow"] in told["blocks"][0]["rows"][0][1]


def test_orders_are_listed_as_the_command_lists_them(browser: Browser, database: Database, cachao: Cachao) -> None:
    create_order(database)
    assert browser.get("/api/orders", {"status": "pending"}) == cachao("orders", "--status", "pending", json=True).data


@pytest.mark.parametrize(
    ("path", "body", "code", "sentence"),
    [
        ("/api/orders/999999", None, 422, "There is no order 999999."),
        ("/api/executions/no-such-execution", None, 422, "There is no execution no-such-execution."),
        ("/api/orders", {"status": "lost"}, 400, "'lost' is not a status."),
        ("/api/orders", {"since": "soon"}, 400, "'soon' is not a time."),
        ("/api/orders", {"limit": "many"}, 400, "Expected `int | null`, got `str` - at `$.limit`"),
        ("/api/orders", [], 400, "A JSON object is wanted."),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(
    browser: Browser, path: str, body: Any, code: int, sentence: str
) -> None:
    answer = browser.open(path, body=body)
    assert (answer.status_code, (answer.json or {})["error"]) == (code, sentence)


def test_no_path_leads_out_of_its_files(browser: Browser) -> None:
    for path in ("/../application.py", "/..%2fapplication.py", "/%2e%2e/application.py", "/static/main.js", "/nothing"):
        assert browser.open(path).status_code == 404, path


def test_dead_letters_are_seen_and_stay(browser: Browser, cloud: LocalCloud, dead_letters: str) -> None:
    cloud.client("sqs").send_message(
        QueueUrl=dead_letters,
        MessageBody=json.dumps({"id": "e1", "source": "stripe.com", "detail-type": "charge.refunded", "detail": {}}),
        MessageAttributes={"ERROR_CODE": {"DataType": "String", "StringValue": "NO_PERMISSIONS"}},
    )
    assert browser.get("/api/waiting") == {"dead_letters": 1}
    for _ in range(2):
        told = browser.get("/api/dead-letters")
        assert told["waiting"] == 1
        assert (told["letters"][0]["event_type"], told["letters"][0]["error_code"]) == (
            "charge.refunded",
            "NO_PERMISSIONS",
        )


def test_what_strangers_wrote_can_reorder_nothing(browser: Browser, run: Run, database: Database) -> None:
    event = paid_event(database, create_order(database))
    event["detail"]["data"]["object"]["metadata"]["note"] = "\u202etxt.exe\x1b[31m</script><b>"
    ended = run(event)
    answer = browser.open(f"/api/executions/{ended.name}")
    assert "\u202e" not in answer.text
    assert (answer.json or {})["input"]["detail"]["data"]["object"]["metadata"]["note"].startswith("\\u202etxt.exe")
    assert answer.headers["Content-Type"].startswith("application/json")


# --- Alerts ----------------------------------------------------------------------------------------------------------


def test_on_aws_the_alerts_come_out_of_the_executions(
    alerts: Callable[[], list[dict[str, Any]]], mismatched: tuple[int, Ended], browser: Browser
) -> None:
    [told] = [alert for alert in browser.get("/api/alerts")["alerts"] if alert["execution"] == mismatched[1].name]
    [mail] = alerts()
    assert (told["subject"], told["message"]) == (mail["Subject"], mail["Message"])
    assert not browser.get("/api/about")["alerts_complete"]


def test_locally_they_are_read_from_the_file_that_outlives_the_stack(
    stack_folder: Path, application: Page, browser: Browser
) -> None:
    file = stack_folder / "alerts.jsonl"
    application._environment._local["alerts_file"] = str(file)  # type: ignore[index] # it is local
    assert browser.get("/api/alerts")["alerts"] == []
    alert = {
        "at": "2026-11-28T10:00:00+00:00",
        "subject": "S",
        "message": "M\nExecution: arn:aws:states:x:1:execution:m:n1",
    }
    later = {**alert, "at": "2026-11-29T10:00:00+00:00", "message": "M"}
    file.write_text(f"{json.dumps(alert)}\n{json.dumps(later)}\n" + '{"at": "2026-')
    told = browser.get("/api/alerts")["alerts"]
    assert [(alert["at"][:10], alert["execution"]) for alert in told] == [("2026-11-29", None), ("2026-11-28", "n1")]
