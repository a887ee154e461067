"""`cachao orders`: an order is found by what one knows of it, and nothing of its buyer is shown or logged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from cachao.aws.environment import Environment
from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import function_error
from tests.factories import create_event, create_order, create_ticket, row_of
from tests.operations.conftest import Cachao
from ticketing.database import Database
from ticketing.operators import listing as order_listing
from ticketing.operators.listing import OrdersWanted, list_orders


def ids(cachao: Cachao, *words: object) -> list[int]:
    answer = cachao("orders", *words, json=True)
    assert answer.exit_code == 0, answer.notes
    return [order["id"] for order in answer.data["orders"]]


def test_orders_are_found_by_status_time_total_and_address(cachao: Cachao, database: Database) -> None:
    paid = create_order(database, status="paid", paid_at="2026-11-21 12:00:00", email="Jenny@Example.com")
    dear = create_order(database, unit_price=21, quantity=2)
    old = create_order(database, email="jenny@example.com", created_at="2026-01-01 12:00:00", hold=False)
    assert ids(cachao) == [dear, paid]
    assert ids(cachao, "--status", "paid") == [paid]
    assert ids(cachao, "--total", "42") == ids(cachao, "--total", "42.00") == [dear]
    assert ids(cachao, "--email", "jenny@example.COM") == [paid]
    assert ids(cachao, "--email", "jenny@example.com", "--since", "2026-01-01") == [paid, old]
    assert ids(cachao, "--since", "2026-01-01", "--until", "2026-01-02") == [old]
    assert ids(cachao, "--status", "paid", "--total", "42") == []
    cut = cachao("orders", "--limit", 1)
    assert "There are more than these 1" in cut.notes
    none = cachao("orders", "--status", "cancelled")
    assert none.text == "There are none.\n"
    assert "a longer --since looks further back" in none.notes


def test_the_table_says_what_one_looks_for_and_nothing_of_the_buyer(cachao: Cachao, database: Database) -> None:
    ticket_id = create_ticket(database, event_id=create_event(database, name="Salsa [Night]"), name="Balcony")
    order_id = create_order(
        database, ticket_id=ticket_id, email="jenny@example.com", cognito_sub="sub-of-jenny", status="paid"
    )
    session = row_of(database, "ticket_orders", order_id)["stripe_checkout_session_id"]
    for as_json in (False, True):
        text = cachao("orders", "--email", "jenny@example.com", json=as_json).text
        for words in (str(order_id), "paid", "Salsa [Night]", "Balcony", "20.00", session):
            assert words in text
        assert "jenny" not in text
    gone = create_order(database, ticket_id=create_ticket(database, event_id=999_999))
    assert ids(cachao) == [gone, order_id]


def test_an_address_that_is_asked_by_gets_into_no_log(cachao: Cachao, database: Database, cloud: LocalCloud) -> None:
    create_order(database, email="a.very.secret.person@example.com")
    assert len(ids(cachao, "--email", "a.very.secret.person@example.com")) == 1
    assert ids(cachao, "--email", "nobody.very.secret.person@example.com") == []
    too_long = f"a.very.secret.person@{'x' * 300}.com"
    assert cachao("orders", "--email", too_long).exit_code == 2
    logs = list((Path(cloud._directory) / "logs").glob("InspectOrder*"))
    assert logs
    assert not any("secret.person" in log.read_text() for log in logs)


@pytest.mark.parametrize(
    "words",
    [
        ["--status", "payed"],
        ["--total", "much"],
        ["--total", "-1"],
        ["--email", "jenny"],
        ["--since", "ever"],
        ["--since", "1h", "--until", "2h"],
    ],
)
def test_what_is_no_question_is_refused(cachao: Cachao, words: list[str]) -> None:
    answer = cachao("orders", *words)
    assert (answer.exit_code, answer.text) == (2, "")


def test_while_the_database_is_away_it_says_so(cachao: Cachao, cloud: LocalCloud) -> None:
    cloud.lambdas.interceptors.append(lambda _invocation, _proceed: function_error("DatabaseUnavailable", "Away."))
    answer = cachao("orders")
    assert (answer.exit_code, answer.text) == (1, "")
    assert "InspectOrderFunction failed with DatabaseUnavailable: Away." in answer.notes


def test_a_stack_of_an_older_version_is_recognised(cachao: Cachao, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Environment, "invoke", lambda *_: {"found": None})
    answer = cachao("orders")
    assert answer.exit_code == 3
    assert "its version is older" in answer.notes


def test_it_says_where_it_did_not_look_at_all_orders(
    cachao: Cachao, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_listing, "_LOOKED_AT", 2)
    create_order(database, created_at="2026-11-20 10:00:00", hold=False, status="failed")
    for hour in (11, 12):
        create_order(database, created_at=f"2026-11-20 {hour}:00:00", hold=False, status="paid")

    def invoke(_: Environment, _function: str, payload: dict[str, object]) -> object:
        return msgspec.to_builtins({"orders": list_orders(database, msgspec.convert(payload["orders"], OrdersWanted))})

    monkeypatch.setattr(Environment, "invoke", invoke)
    answer = cachao("orders", "--status", "failed", "--since", "2026-11-20")
    assert answer.text == "There are none.\n"
    assert "Only those made since 2026-11-20 11:00:00 UTC were looked at" in answer.notes
    assert ids(cachao, "--status", "failed", "--since", "2026-11-20", "--until", "2026-11-20T11:00:00") != []
