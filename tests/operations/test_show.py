"""`cachao executions` and `cachao show`: an order is found by any of its ids, and the step that failed is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import InvokeResult, function_error, throttled
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Proceed
from tests.factories import create_order, row_of
from tests.operations.conftest import Cachao, paid_event
from tests.workflow.conftest import Ended, Run
from ticketing.database import Database


def test_an_order_shows_its_rows_and_all_its_executions(
    run: Run, cachao: Cachao, database: Database, mismatched: tuple[int, Ended]
) -> None:
    order_id = create_order(database)
    event = paid_event(database, order_id)
    first, repeat = run(event), run(event)
    other_amount = run(paid_event(database, order_id, amount_total=1))
    shown = cachao("show", order_id, json=True)
    assert shown.exit_code == 0
    assert shown.data["order"]["status"] == "paid"
    assert [payment["role"] for payment in shown.data["payments"]] == ["accepted"]
    [entry] = shown.data["history"]
    assert (entry["entry"], entry["execution_id"].rpartition(":")[2]) == ("paid", first.name)
    # The first changed the order, the second found all done, the third failed: none is missing, no other's is there.
    assert [execution["execution"] for execution in shown.data["executions"]] == [
        first.name,
        repeat.name,
        other_amount.name,
    ]
    assert shown.data["complete"]
    assert mismatched[1].name not in {execution["execution"] for execution in shown.data["executions"]}


def test_an_order_without_a_date_is_shown(cachao: Cachao, database: Database) -> None:
    order_id = create_order(database)
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET created_at = '0000-00-00 00:00:00' WHERE id = %s", order_id)
    shown = cachao("show", order_id)
    assert shown.exit_code == 0
    assert "nobody knows when" in shown.text


def test_the_text_for_people_says_the_same(run: Run, cachao: Cachao, database: Database) -> None:
    order_id = create_order(database)
    run(paid_event(database, order_id))
    text = cachao("show", order_id).text
    for words in (
        f"Order {order_id}",
        "paid since",
        "pi_order",
        "20.00 EUR (1 x 20.00)",
        "99 seats left of 100 (1 sold, 0 held)",
        "What happened",
        "OrderPaid",
        "CountTicketSale",
    ):
        assert words in text, words
    assert "\x1b" not in text  # no colours in a pipe
    assert "@example.com" not in text


@pytest.mark.parametrize("prefix", ["cs", "pi", "evt"])
def test_an_order_is_found_by_what_stripe_calls_it(run: Run, cachao: Cachao, database: Database, prefix: str) -> None:
    order_id = create_order(database)
    event = paid_event(database, order_id)
    ended = run(event)
    ids = {
        "cs": row_of(database, "ticket_orders", order_id)["stripe_checkout_session_id"],
        "pi": f"pi_order{order_id}",
        "evt": event["detail"]["id"],
    }
    shown = cachao("show", ids[prefix], json=True).data
    assert shown["order"]["id"] == order_id
    assert [execution["execution"] for execution in shown["executions"]] == [ended.name]


@pytest.mark.parametrize("prefix", ["cs", "pi", "evt"])
def test_a_payment_that_no_order_knows_is_found_all_the_same(
    run: Run, cachao: Cachao, database: Database, prefix: str
) -> None:
    event = paid_event(database, create_order(database), id="cs_test_nobodys", payment_intent="pi_nobodys", metadata={})
    ended = run(event)
    assert ended.error == "OrderNotFound"
    wanted = {"cs": "cs_test_nobodys", "pi": "pi_nobodys", "evt": event["detail"]["id"]}[prefix]
    shown = cachao("show", wanted, json=True).data
    assert shown["order"] is None
    assert shown["executions"][-1]["execution"] == ended.name
    assert shown["executions"][-1]["failed_steps"] == ["LookUpOrder"]


@pytest.mark.parametrize("wanted", ["999999", "cs_test_never", "evt_never", "no-such-execution"])
def test_what_nobody_knows_is_said_so(cachao: Cachao, database: Database, wanted: str) -> None:
    answer = cachao("show", wanted)
    assert answer.exit_code == 1
    assert answer.text == ""
    assert wanted in answer.notes
    assert "Traceback" not in answer.notes


def test_an_execution_names_the_step_that_failed_not_the_one_that_caught_it(
    cachao: Cachao, mismatched: tuple[int, Ended]
) -> None:
    order_id, ended = mismatched
    shown = cachao("show", ended.name, json=True).data
    assert shown["failed_steps"] == ["LookUpOrder"]
    assert (shown["order"], shown["error"]) == (str(order_id), "AmountMismatch")
    steps = {step["name"]: step for step in shown["steps"]}
    assert steps["LookUpOrder"]["result"] == "caught"
    [attempt] = steps["LookUpOrder"]["attempts"]
    assert attempt["error"] == "AmountMismatch"
    assert attempt["sentence"].startswith(f"Order {order_id} costs 21.00 EUR")
    assert steps["LookUpOrder"]["input"]["payment"]["order_reference"] == str(order_id)
    assert steps["ValidateEvent"]["seconds"] >= 0
    text = cachao("show", ended.name).text
    assert "LookUpOrder failed with AmountMismatch: Order" in text
    assert "payment={…}" in text
    full = cachao("show", ended.name, "--full").text
    assert '"payment_status": "paid"' in full


def test_two_counts_that_fail_beside_each_other_are_both_named(
    run: Run, cachao: Cachao, database: Database, cloud: LocalCloud
) -> None:
    def fail_to_count(invocation: Invocation, proceed: Proceed) -> InvokeResult:
        if "Count" in invocation.function.name:
            return function_error("DataInconsistent", f"{invocation.function.name} broke.")
        return proceed(invocation)

    cloud.lambdas.interceptors.append(fail_to_count)
    ended = run(paid_event(database, create_order(database)))
    shown = cachao("show", ended.name, json=True).data
    assert sorted(shown["failed_steps"]) == ["CountDiscountUse", "CountTicketSale"]


def test_attempts_that_failed_before_one_succeeded_are_shown(
    run: Run, cachao: Cachao, database: Database, cloud: LocalCloud
) -> None:
    rest = iter(range(2))

    def throttle_twice(invocation: Invocation, proceed: Proceed) -> InvokeResult:
        if "LookUpOrder" in invocation.function.name and next(rest, None) is not None:
            return throttled()
        return proceed(invocation)

    cloud.lambdas.interceptors.append(throttle_twice)
    ended = run(paid_event(database, create_order(database)))
    shown = cachao("show", ended.name, json=True).data
    assert shown["failed_steps"] == []
    [step] = [step for step in shown["steps"] if step["name"] == "LookUpOrder"]
    assert step["result"] == "succeeded"
    assert [attempt["error"] for attempt in step["attempts"]] == ["Lambda.TooManyRequestsException"] * 2 + [None]
    assert "tries 1 to 2, from" in cachao("show", ended.name).text


@pytest.mark.parametrize("ending", ["svg", "html"])
def test_the_path_taken_is_drawn(
    cachao: Cachao, mismatched: tuple[int, Ended], stack_folder: Path, ending: str
) -> None:
    order_id, ended = mismatched
    file = stack_folder / f"way.{ending}"
    for wanted in (order_id, ended.name):
        answer = cachao("show", wanted, "--picture", file)
        assert answer.exit_code == 0
        picture = file.read_text()
        assert "LookUpOrder" in picture
        assert "AmountMismatch" in picture
        file.unlink()


@pytest.mark.parametrize(("file", "says"), [("way.png", ".svg"), ("nowhere/way.svg", "no folder nowhere")])
def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_shown(
    cachao: Cachao, mismatched: tuple[int, Ended], file: str, says: str
) -> None:
    answer = cachao("show", mismatched[1].name, "--picture", file)
    assert (answer.exit_code, answer.text) == (2, "")
    assert says in answer.notes


def test_executions_are_listed_by_status_time_and_order(
    run: Run, cachao: Cachao, database: Database, mismatched: tuple[int, Ended]
) -> None:
    order_id = create_order(database)
    good = run(paid_event(database, order_id))

    def names(*words: object) -> list[str]:
        return [found["execution"] for found in cachao("executions", *words, json=True).data["executions"]]

    assert names()[:2] == [good.name, mismatched[1].name]
    assert names("--limit", 1) == [good.name]
    cut = cachao("executions", "--limit", 1)
    assert "There are more than these 1: use --limit NUMBER" in cut.notes
    assert "There are more" not in cachao("executions", "--limit", 1000, "--since", "1m").notes
    assert cachao("executions", "--limit", 1, json=True).data["more"] is True
    assert cachao("executions", "--order", order_id, "--limit", 1, json=True).data["more"] is False
    assert names("--failed")[0] == mismatched[1].name
    assert good.name not in names("--failed")
    assert names("--running") == []
    assert names("--order", order_id) == [good.name]
    assert names("--order", mismatched[0], "--failed") == [mismatched[1].name]
    assert good.name in names("--since", "1h")
    assert names("--since", "0s") == []
    assert cachao("executions", "--running").text.strip() == "There are none."


def test_failed_and_running_at_once_is_no_question(cachao: Cachao) -> None:
    assert cachao("executions", "--failed", "--running").exit_code == 2
    assert cachao("executions", "--since", "yesterday").exit_code == 2
    assert cachao("executions", "--order", 999999).exit_code == 1


def test_an_order_is_shown_from_the_logs_while_the_database_is_away(
    run: Run, cachao: Cachao, database: Database, cloud: LocalCloud
) -> None:
    order_id = create_order(database)
    event = paid_event(database, order_id)
    ended = run(event)

    def away(invocation: Invocation, proceed: Proceed) -> InvokeResult:
        if invocation.function.logical_id != "InspectOrderFunction":
            return proceed(invocation)
        return function_error("DatabaseUnavailable", "The database could not finish the transaction")

    cloud.lambdas.interceptors.append(away)
    for words in (["show", order_id], ["show", event["detail"]["id"]], ["executions", "--order", order_id]):
        answer = cachao(*words, json=True)
        assert answer.exit_code == 1
        assert [found["execution"] for found in answer.data["executions"]] == [ended.name]
        assert "DatabaseUnavailable" in answer.notes
    text = cachao("show", order_id).text
    assert text.startswith(
        "The order could not be read: InspectOrderFunction failed with DatabaseUnavailable: The database could not"
        " finish the transaction. What follows comes from the functions' logs.\n"
    )
    assert "No order" not in text
    assert ended.name in text


def test_what_could_not_be_read_and_has_no_executions_is_not_said_to_be_unknown(
    cachao: Cachao, database: Database, cloud: LocalCloud
) -> None:
    order_id = create_order(database)
    cloud.lambdas.interceptors.append(lambda _invocation, _proceed: function_error("DatabaseUnavailable", "Away."))
    answer = cachao("show", order_id)
    assert answer.exit_code == 1
    assert (
        "The order could not be read: InspectOrderFunction failed with DatabaseUnavailable: Away. What" in answer.text
    )
    assert "It has no executions." in answer.text
    assert cachao("show", "re_unknown").exit_code == 1
