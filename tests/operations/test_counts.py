"""`cachao counts`: what is shown, asked, corrected and kept."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from cachao.aws import operator
from cachao.aws.environment import Environment
from tests.factories import create_code, create_order, create_ticket, row_of
from tests.operations.conftest import Cachao
from tests.ticketing.paid_orders import pay, refund_charge
from ticketing.database import Database
from ticketing.operators.counter_history import CounterHistoryWanted, list_counter_corrections


def change(database: Database, sql: str, *parameters: object) -> None:
    with database.transaction() as tx:
        assert tx.change(sql, *parameters) > 0


def corrections(database: Database) -> list[dict[str, Any]]:
    with database.transaction() as tx:
        return tx.all("SELECT * FROM counter_corrections ORDER BY id")


@pytest.fixture
def wrong(database: Database) -> tuple[int, int]:
    """A ticket of which 2 are sold and 0 counted, a code with one use too many; and an alert about a refund."""
    ticket, code = create_ticket(database), create_code(database)
    order, other = create_order(database, ticket_id=ticket, discount_code_id=code), create_order(database)
    pay(database, create_order(database, ticket_id=ticket, quantity=2))
    pay(database, order)
    change(database, "UPDATE tickets SET sold_quantity = 0 WHERE id = %s", ticket)
    refund_charge(database, order, 2000)
    change(database, "UPDATE discount_codes SET used_count = 1")
    assert other
    return ticket, code


def test_what_is_off_is_shown_and_nothing_is_changed(
    cachao: Cachao, database: Database, wrong: tuple[int, int]
) -> None:
    ticket, code = wrong
    answer = cachao("counts", "--all", "--dry-run")
    assert answer.exit_code == 1
    for said in (f"ticket {ticket}", f"discount code {code}", "Not what the orders say", "not subtracted"):
        assert said in answer.text
    data = cachao("counts", "--all", "--dry-run", json=True).data
    assert (data["dry_run"], data["corrected"], data["more"]) == (True, 0, False)
    assert [(c["kind"], c["counter_id"], c["counted"], c["should_be_counted"]) for c in data["counters"]] == [
        ("ticket", ticket, 0, 2),
        ("code", code, 1, 0),
    ]
    assert [(o["kind"], o["counter_id"]) for o in data["orders"]] == [("ticket", ticket)]
    assert row_of(database, "tickets", ticket)["sold_quantity"] == 0
    assert corrections(database) == []


def test_without_a_yes_nothing_is_done(cachao: Cachao, database: Database, wrong: tuple[int, int]) -> None:
    answer = cachao("counts", "--ticket", wrong[0])
    assert answer.exit_code == 2
    assert "Correct the counters of 1 ticket or code and settle 1 alert CountsOff in" in answer.notes
    # What is asked about was shown.
    assert f"ticket {wrong[0]}" in answer.notes
    assert corrections(database) == []


def test_all_is_corrected_and_kept(cachao: Cachao, database: Database, wrong: tuple[int, int]) -> None:
    ticket, code = wrong
    answer = cachao("counts", "--all", "--yes", "--reason", "restored [b]a backup[/b]")
    assert (answer.exit_code, "Nothing is off any more." in answer.text) == (0, True)
    assert row_of(database, "tickets", ticket)["sold_quantity"] == 2
    assert row_of(database, "discount_codes", code)["used_count"] == 0
    kept = corrections(database)
    assert [(c["counter"], c["counter_id"], c["counted_change"]) for c in kept] == [
        ("ticket", ticket, 2),
        ("code", code, -1),
    ]
    assert {c["reason"] for c in kept} == {"restored [b]a backup[/b]"}
    assert all(c["corrected_by"].startswith("arn:aws:") for c in kept), kept
    again = cachao("counts", "--all", "--yes", json=True)
    assert (again.exit_code, again.data["counters"], len(corrections(database))) == (0, [], 2)
    assert "All counters are what their orders say." in cachao("counts", "--all").text


def test_as_json_there_is_what_was_and_what_is(cachao: Cachao, wrong: tuple[int, int]) -> None:
    data = cachao("counts", "--ticket", wrong[0], "--yes", json=True).data
    assert (data["corrected"], data["orders"]) == (1, [])
    assert [(c["counted"], c["should_be_counted"]) for c in data["before"]] == [(0, 2)]
    assert [(c["counted"], c["should_be_counted"]) for c in data["counters"]] == [(2, 2)]


def test_what_may_be_sold_elsewhere_is_corrected_only_by_name(cachao: Cachao, database: Database) -> None:
    ticket = create_ticket(database, sold_quantity=9, created_at="2020-01-01")
    answer = cachao("counts", "--all", "--yes")
    assert answer.exit_code == 0
    assert "Left as they are" in answer.text
    assert "older than this shop: perhaps sold elsewhere" in answer.text
    assert row_of(database, "tickets", ticket)["sold_quantity"] == 9
    assert cachao("counts", "--ticket", ticket, "--yes").exit_code == 0
    assert row_of(database, "tickets", ticket)["sold_quantity"] == 0


def test_what_cannot_be_counted_is_left_and_said(cachao: Cachao, database: Database) -> None:
    ticket = create_ticket(database, max_quantity=1)
    order = create_order(database, ticket_id=ticket)
    change(database, "UPDATE ticket_orders SET quantity = 2 WHERE id = %s", order)
    pay(database, order)
    answer = cachao("counts", "--all", "--yes")
    assert answer.exit_code == 1
    assert f"1 seat of order {order} is not counted as sold" in answer.text
    change(database, "UPDATE tickets SET max_quantity = 2")
    assert cachao("counts", "--all", "--yes").exit_code == 0
    assert row_of(database, "tickets", ticket)["sold_quantity"] == 2


def test_too_many_sold_are_said(cachao: Cachao, database: Database) -> None:
    ticket = create_ticket(database, max_quantity=2)
    pay(database, create_order(database, ticket_id=ticket, quantity=2))
    change(database, "UPDATE tickets SET sold_quantity = 0")
    pay(database, create_order(database, ticket_id=ticket))
    assert "1 too many are sold" in cachao("counts", "--ticket", ticket, "--dry-run").text


def test_what_moved_on_meanwhile_is_not_corrected(
    cachao: Cachao, database: Database, wrong: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def who(_: Environment) -> str:
        change(database, "UPDATE tickets SET sold_quantity = 1 WHERE id = %s", wrong[0])
        return "ann"

    monkeypatch.setattr(operator, "name_of", who)
    answer = cachao("counts", "--all", "--yes")
    assert (answer.exit_code, corrections(database)) == (1, [])
    assert "off by other numbers by now. Nothing was changed." in answer.notes


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        ([], 2, "Say one of"),
        (["--all", "--ticket", "1"], 2, "Say one of"),
        (["--ticket", "1", "--code", "1"], 2, "Say one of"),
        (["--all", "--reason", "x" * 256], 2, "at most 255 characters"),
        (["--all", "--csv"], 2, "--csv goes with --history"),
        (["--history"], 2, "Say one of"),
        (["--ticket", "987654"], 1, "There is no ticket 987654, and no order of it."),
        (["--code", "987654"], 1, "There is no discount code 987654, and no order of it."),
    ],
)
@pytest.mark.usefixtures("database")
def test_what_cannot_be_meant_is_said(cachao: Cachao, words: list[str], exit_code: int, says: str) -> None:
    answer = cachao("counts", *words)
    assert (answer.exit_code, says in answer.notes) == (exit_code, True), answer.notes


def test_the_alert_names_a_command_that_is_one(cachao: Cachao, database: Database, wrong: tuple[int, int]) -> None:
    with database.transaction() as tx:
        row = tx.one("SELECT counter_id FROM counts_off")
    assert row is not None
    assert row["counter_id"] == wrong[0]
    assert cachao("counts", "--ticket", row["counter_id"], "--yes").exit_code == 0


def test_without_aws_the_machine_says_who_it_is(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    def client(_: Environment, service: str) -> Any:
        assert service == "sts"
        raise NoCredentialsError

    monkeypatch.setattr(Environment, "client", client)
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    assert operator.name_of(environment) == "ann"


# --- Who changed what ------------------------------------------------------------------------------------------------


def test_who_changed_a_counter_a_limit_or_a_sale_is_shown(cachao: Cachao, database: Database) -> None:
    ticket, other = create_ticket(database, max_quantity=5, held_quantity=1), create_ticket(database)
    assert "Nobody has corrected it." in cachao("counts", "--ticket", ticket, "--history").text
    cachao("counts", "--ticket", ticket, "--yes", "--reason", "=nobody [b]holds[/b] it")
    cachao("limit", "--ticket", ticket, "--to", 7, "--yes")
    cachao("limit", "--ticket", ticket, "--unlimited", "--yes")
    cachao("sale", "--ticket", other, "--stop", "--yes")
    text = cachao("counts", "--ticket", ticket, "--history").text
    for said in ("held -1", "limit 5 -> 7", "limit 7 -> none", "=nobody [b]holds[/b] it"):
        assert said in text
    assert f"ticket {other}" not in text
    made = cachao("counts", "--ticket", ticket, "--history", json=True).data["corrections"]
    assert [one["limit_after"] for one in made] == [None, 7, None]
    assert "taken off sale" in cachao("counts", "--all", "--history").text
    exported = cachao("counts", "--all", "--history", "--csv").text
    assert len(exported.splitlines()) == 5
    assert "'=nobody" in exported


def test_of_many_corrections_the_newest_are_read_by_an_index(database: Database) -> None:
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO counter_corrections (counter, counter_id, counted_change, held_change, corrected_by)"
            " SELECT 'ticket', seq %% 1000, 1, 0, 'ann' FROM seq_1_to_5000"
        )
        tx.all("ANALYZE TABLE counter_corrections")
        sql = (
            "EXPLAIN SELECT id FROM counter_corrections WHERE counter = %s AND counter_id = %s ORDER BY id DESC LIMIT 2"
        )
        [step] = tx.all(sql, "ticket", 5)
    assert (step["key"], "filesort" in step["Extra"]) == ("counter_corrections_by_counter", False)
    found = list_counter_corrections(database, CounterHistoryWanted(kind="ticket", counter_id=5, limit=2))
    assert (len(found.corrections), found.more) == (2, True)
    assert found.corrections[0]["id"] > found.corrections[1]["id"]
    assert list_counter_corrections(database, CounterHistoryWanted(limit=3)).more
