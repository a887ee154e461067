"""What `cachao show` says of an order: its payments, its room, its disputes and refunds, and whose an event was."""

from __future__ import annotations

import pytest

from cachao.aws import logs
from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import InvokeResult, function_error
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Proceed
from tests.factories import create_code, create_order, create_ticket, dispute_of, envelope, refund_of, row_of
from tests.operations.conftest import Cachao, paid_event
from tests.operations.test_commands import doubly_paid
from tests.workflow.conftest import Run
from ticketing.database import Database

__all__ = ["doubly_paid"]


def test_what_went_back_is_told_with_its_payment(cachao: Cachao, doubly_paid: tuple[int, str, str]) -> None:
    order_id, first, second = doubly_paid
    assert cachao("refund", order_id, "--yes").exit_code == 0
    text = cachao("show", order_id).text
    assert f"20.00 EUR, of another payment, duplicate ({second})" in text
    assert cachao("refund", order_id, "--payment", first, "--end-order", "--yes").exit_code == 0
    assert f"20.00 EUR, of the payment that pays the order ({first})" in cachao("show", order_id).text


def test_what_the_buyer_saw_in_another_currency_is_shown(run: Run, cachao: Cachao, database: Database) -> None:
    order_id = create_order(database, quantity=2)
    seen = {"presentment_amount": 4680, "presentment_currency": "usd"}
    assert run(paid_event(database, order_id, presentment_details=seen)).status == "SUCCEEDED"
    assert "40.00 EUR, seen by the buyer as 46.80 USD" in cachao("show", order_id).text
    again = paid_event(database, order_id, id="cs_test_second", payment_intent="pi_second", presentment_details=seen)
    ended = run(again)
    assert ended.error == "DuplicatePayment"
    assert "(40.00 EUR, seen by the buyer as 46.80 USD)" in str(ended.cause)


def test_a_refunds_request_stands_before_what_came_of_it(cachao: Cachao, doubly_paid: tuple[int, str, str]) -> None:
    order_id = doubly_paid[0]
    cachao("refund", order_id, "--yes")
    history = [entry["entry"] for entry in cachao("show", order_id, json=True).data["history"]]
    assert history.index("refund_requested") == history.index("refund_succeeded") - 1


def test_the_room_that_is_left_is_shown(cachao: Cachao, database: Database) -> None:
    ticket_id = create_ticket(database, max_quantity=5)
    code_id = create_code(database, max_uses=1)
    order_id = create_order(database, ticket_id=ticket_id, quantity=1, discount_code_id=code_id, discount_amount=4)
    text = cachao("show", order_id).text
    assert "4 seats left of 5 (0 sold, 1 held)" in text
    assert "0 uses left of 1 (0 used, 1 held)" in text
    assert "20.00 EUR (1 x 20.00, 4.00 saved by a discount)" in text
    assert "1 seat and the code's use until" in text
    with database.transaction() as tx:
        tx.change("UPDATE tickets SET max_quantity = NULL, sold_quantity = 7, is_active = 0 WHERE id = %s", ticket_id)
        tx.change("UPDATE discount_codes SET used_count = 2, is_active = 0 WHERE id = %s", code_id)
    text = cachao("show", order_id).text
    assert "no limit; 7 sold, 1 held; the ticket is not on sale" in text
    assert "2 uses too many of 1 (2 used, 1 held); the code is not active" in text
    with database.transaction() as tx:
        tx.change("DELETE FROM tickets WHERE id = %s", ticket_id)
        tx.change("UPDATE discount_codes SET max_uses = NULL WHERE id = %s", code_id)
    text = cachao("show", order_id).text
    assert "the ticket is gone" in text
    assert "no limit; 2 used, 1 held" in text


def test_an_order_without_executions_has_no_empty_table(cachao: Cachao, database: Database) -> None:
    text = cachao("show", create_order(database)).text
    assert "It has no executions." in text
    assert "started (UTC)" not in text


@pytest.mark.parametrize("prefix", ["cs", "pi", "evt"])
def test_the_order_that_a_failed_event_names_is_told_as_such_and_shown(
    run: Run, cachao: Cachao, database: Database, prefix: str
) -> None:
    order_id = create_order(database)
    event = paid_event(database, order_id, id="cs_test_another", payment_intent="pi_another")
    assert run(event).error == "OrderMismatch"
    wanted = {"cs": "cs_test_another", "pi": "pi_another", "evt": event["detail"]["id"]}[prefix]
    text = cachao("show", wanted).text
    assert text.startswith(f"The event names order {order_id}, but the order has no record of {wanted}.\n")
    assert f"Order {order_id}\n" in text
    assert "No order is known" not in text
    data = cachao("show", wanted, json=True).data
    assert (data["order"], data["named_by_event"]) == (None, str(order_id))
    assert data["named_order"]["order"]["id"] == order_id


def test_an_order_that_is_named_and_not_there_is_said_so(run: Run, cachao: Cachao, database: Database) -> None:
    event = paid_event(
        database, create_order(database), id="cs_test_n", payment_intent="pi_n", metadata={"order_id": "999999"}
    )
    run(event)
    assert cachao("show", "pi_n").text.startswith("The event names order 999999, which does not exist.\n")


def test_a_refund_and_a_lost_dispute_are_found_by_their_ids(run: Run, cachao: Cachao, database: Database) -> None:
    for kind, body, wanted in (
        ("refund.created", refund_of, "re_order{}"),
        ("charge.dispute.closed", dispute_of, "dp_order{}"),
    ):
        order_id = create_order(database)
        order = row_of(database, "ticket_orders", order_id)
        run(paid_event(database, order_id))
        fields = {"amount": 500} if body is refund_of else {"amount": 2000, "status": "lost"}
        ended = run(envelope(kind, body(order, **fields)))
        shown = cachao("show", wanted.format(order_id), json=True)
        assert shown.data["order"]["id"] == order_id
        # Its event names no order: what it found, or whose it is, is told all the same.
        last = shown.data["executions"][-1]
        assert (last["execution"], last["order"]) == (ended.name, str(order_id))
        listed = cachao("executions", "--limit", 1, json=True).data["executions"]
        assert [one["order"] for one in listed] == [str(order_id)]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [("re_unknown", "No order has the refund"), ("ch_1", "No order has the charge ch_1"), ("du_1", "pi_…")],
)
def test_an_id_that_leads_to_no_order_says_how_it_is_found(
    cachao: Cachao, database: Database, wanted: str, says: str
) -> None:
    answer = cachao("show", wanted)
    assert (answer.exit_code, answer.text) == (1, "")
    assert says in answer.notes


def test_without_database_and_logs_nothing_is_claimed(
    cachao: Cachao, database: Database, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_invocation: Invocation, _proceed: Proceed) -> InvokeResult:
        return function_error("DatabaseUnavailable", "Away.")

    cloud.lambdas.interceptors.append(away)
    monkeypatch.setattr(logs, "executions_of", lambda *_args, **_named: None)
    order_id = create_order(database)
    answer = cachao("show", order_id)
    assert answer.exit_code == 1
    assert "The functions' logs did not answer, either: its executions are unknown." in answer.text
    assert "There are no" not in answer.text
    listed = cachao("executions", "--order", order_id)
    assert listed.exit_code == 1
    assert "did not answer, either" in listed.notes
    assert listed.text == "Its executions are unknown.\n"
