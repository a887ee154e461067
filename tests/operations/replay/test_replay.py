"""`cachao replay`: what failed runs again once its cause is mended; repeating it harms nothing."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from tests.factories import create_order, row_of
from tests.operations.conftest import Cachao, paid_event, set_total
from tests.workflow.conftest import Ended, Run, started
from ticketing.database import Database


def statuses(answer: Any) -> list[tuple[str, str]]:
    return [(found["execution"], found["status"]) for found in answer.data["replays"]]


def counts(database: Database, order_id: int) -> tuple[str, int]:
    order = row_of(database, "ticket_orders", order_id)
    return order["status"], row_of(database, "tickets", order["ticket_id"])["sold_quantity"]


def test_a_replay_repairs_and_is_named_after_its_original(
    cachao: Cachao, database: Database, mismatched: tuple[int, Ended]
) -> None:
    order_id, ended = mismatched
    again = cachao("replay", ended.name, "--yes", json=True)
    assert again.exit_code == 1
    [(name, status)] = statuses(again)
    assert (name, status) == (f"replay-1-{ended.name[:69]}", "FAILED")
    assert len(name) <= 80
    set_total(database, order_id, 20)
    mended = cachao("replay", ended.name, "--yes", json=True)
    assert mended.exit_code == 0
    assert statuses(mended) == [(f"replay-2-{ended.name[:69]}", "SUCCEEDED")]
    assert mended.data["replays"][0]["replay_of_beginning"] == ended.name[:69]
    assert counts(database, order_id) == ("paid", 1)
    # A replay's own replay belongs to the same original.
    third = cachao("replay", name, "--again", "--yes", json=True)
    assert statuses(third) == [(f"replay-3-{ended.name[:69]}", "SUCCEEDED")]
    assert counts(database, order_id) == ("paid", 1)


def test_all_failed_ones_are_replayed_once_and_then_left_alone(
    cachao: Cachao, database: Database, mismatched: tuple[int, Ended]
) -> None:
    order_id, ended = mismatched
    set_total(database, order_id, 20)
    first = cachao("replay", "--failed", "--since", "1h", "--error", "AmountMismatch", "--yes", json=True)
    assert (f"replay-1-{ended.name[:69]}", "SUCCEEDED") in statuses(first)
    second = cachao("replay", "--failed", "--since", "1h", "--error", "AmountMismatch", "--yes", json=True)
    assert not [name for name, _ in statuses(second) if ended.name[:69] in name]
    assert "already repaired" in cachao("replay", "--failed", "--since", "1h", "--yes").notes
    assert counts(database, order_id) == ("paid", 1)


def test_an_execution_that_outlasts_the_waiting_ends_with_4(
    cachao: Cachao, database: Database, cloud: LocalCloud, mismatched: tuple[int, Ended]
) -> None:
    held = threading.Event()

    def wait(invocation: Any, proceed: Any) -> Any:
        held.wait(10)
        return proceed(invocation)

    cloud.lambdas.interceptors.append(wait)
    answer = cachao("replay", mismatched[1].name, "--yes", "--wait", "0.5", json=True)
    held.set()
    assert (answer.exit_code, [status for _, status in statuses(answer)]) == (4, ["RUNNING"])
    assert "cachao executions --running" in answer.notes


def test_nothing_is_done_without_a_yes(cachao: Cachao, mismatched: tuple[int, Ended], cloud: LocalCloud) -> None:
    before = len(started(cloud))
    answer = cachao("replay", mismatched[1].name)
    assert answer.exit_code == 2
    assert "starts replay-1-…" in answer.text
    assert "Start 1 new execution in" in answer.notes
    assert "Nothing was done" in answer.notes
    assert len(started(cloud)) == before


@pytest.mark.parametrize("words", [[], ["x", "--failed"], ["--failed", "--dead-letters"], ["--failed", "--order", 1]])
def test_it_must_be_said_what_is_to_be_replayed(cachao: Cachao, words: list[Any]) -> None:
    assert cachao("replay", *words, "--yes").exit_code == 2


def test_an_execution_that_is_not_there_is_named(cachao: Cachao) -> None:
    answer = cachao("replay", "never-was", "--yes")
    assert answer.exit_code == 1
    assert "never-was" in answer.notes


def test_a_payment_that_named_no_order_is_replayed_as_the_order_it_was_for(
    run: Run, cachao: Cachao, database: Database
) -> None:
    order_id = create_order(database, stripe_checkout_session_id=None)
    event = paid_event(database, order_id, id="cs_test_by_hand", metadata={})
    ended = run(event)
    assert ended.error == "OrderNotFound"
    assert cachao("replay", ended.name, "--yes").exit_code == 1
    answer = cachao("replay", ended.name, "--order", order_id, "--yes", json=True)
    assert answer.exit_code == 0
    assert counts(database, order_id) == ("paid", 1)
    assert row_of(database, "ticket_orders", order_id)["stripe_checkout_session_id"] == "cs_test_by_hand"


# --- Dead letters --------------------------------------------------------------------------------------------------


def send_dead_letter(cloud: LocalCloud, body: str, **attributes: str) -> None:
    cloud.client("sqs").send_message(
        QueueUrl=cloud.deployment.outputs["EventDeadLetterQueueUrl"],
        MessageBody=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value}
            for name, value in {"ERROR_CODE": "NO_PERMISSIONS", **attributes}.items()
        },
    )


def left(cloud: LocalCloud) -> int:
    answer = cloud.client("sqs").get_queue_attributes(
        QueueUrl=cloud.deployment.outputs["EventDeadLetterQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


@pytest.mark.usefixtures("dead_letters")
def test_dead_letters_are_started_once_each_however_often_they_come(
    cachao: Cachao, database: Database, cloud: LocalCloud
) -> None:
    orders = [create_order(database) for _ in range(12)]
    for order_id in orders:
        body = json.dumps(paid_event(database, order_id))
        send_dead_letter(cloud, body)
        send_dead_letter(cloud, body)
    answer = cachao("replay", "--dead-letters", "--yes", json=True)
    assert answer.exit_code == 0
    assert len(answer.data["replays"]) == 12
    assert all(name.startswith("dead-letter-") and status == "SUCCEEDED" for name, status in statuses(answer))
    assert [counts(database, order_id) for order_id in orders] == [("paid", 1)] * 12
    assert left(cloud) == 0
    assert cachao("replay", "--dead-letters", "--yes").text.strip() == "The dead-letter queue is empty."


@pytest.mark.usefixtures("dead_letters")
def test_what_is_no_event_is_left_and_reported(cachao: Cachao, database: Database, cloud: LocalCloud) -> None:
    order_id = create_order(database)
    send_dead_letter(cloud, "no json")
    send_dead_letter(cloud, '{"id": "x"}')
    send_dead_letter(cloud, json.dumps({**paid_event(database, order_id), "source": "aws.ec2"}))
    # Meant for a target that was never the right one: just what a replay is for.
    send_dead_letter(cloud, json.dumps(paid_event(database, order_id)), TARGET_ARN="arn:aws:states:::stateMachine:old")
    answer = cachao("replay", "--dead-letters", "--yes", json=True)
    assert [status for _, status in statuses(answer)] == ["SUCCEEDED"]
    assert sorted(letter["reason"] for letter in answer.data["left"]) == [
        "it is not an EventBridge event",
        "it is not an EventBridge event",
        "its source aws.ec2 is not Stripe",
    ]
    assert left(cloud) == 3
    assert counts(database, order_id) == ("paid", 1)


@pytest.mark.usefixtures("dead_letters")
def test_what_is_no_event_is_deleted_only_when_told_and_shown(
    cachao: Cachao, database: Database, cloud: LocalCloud
) -> None:
    order_id = create_order(database)
    send_dead_letter(cloud, "no json" * 200)
    send_dead_letter(cloud, json.dumps(paid_event(database, order_id)))
    assert cachao("replay", "--dead-letters", "--yes", json=True).data["discarded"] == []
    assert left(cloud) == 1
    answer = cachao("replay", "--dead-letters", "--discard", "--yes", json=True)
    assert answer.exit_code == 0
    assert [letter["body"] for letter in answer.data["discarded"]] == ["no json" * 200]
    assert (answer.data["left"], left(cloud)) == ([], 0)
    assert counts(database, order_id) == ("paid", 1)
    assert cachao("replay", "--failed", "--discard", "--yes").exit_code == 2


@pytest.mark.usefixtures("dead_letters")
def test_dead_letters_wait_for_a_yes(cachao: Cachao, database: Database, cloud: LocalCloud) -> None:
    send_dead_letter(cloud, json.dumps(paid_event(database, create_order(database))))
    answer = cachao("replay", "--dead-letters")
    assert answer.exit_code == 2
    assert "About 1 event that could not be delivered" in answer.text
    # Its future name has a line of its own: nothing breaks it.
    assert any(line.startswith("dead-letter-") and " " not in line.rstrip() for line in answer.text.splitlines())
    assert "NO_PERMISSIONS" in answer.text
    assert left(cloud) == 1


@pytest.mark.usefixtures("dead_letters")
def test_a_message_is_kept_when_its_execution_could_not_be_started(
    cachao: Cachao, database: Database, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_dead_letter(cloud, json.dumps(paid_event(database, create_order(database))))

    def fail(*_: object) -> None:
        raise RuntimeError("the network is gone")

    monkeypatch.setattr("cachao.start_executions.start", fail)
    with pytest.raises(RuntimeError):
        cachao("replay", "--dead-letters", "--yes")
    monkeypatch.undo()
    hidden = cloud.client("sqs").get_queue_attributes(
        QueueUrl=cloud.deployment.outputs["EventDeadLetterQueueUrl"],
        AttributeNames=["ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]["ApproximateNumberOfMessagesNotVisible"]
    assert left(cloud) + int(hidden) == 1
