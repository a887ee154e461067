"""The migrations run on an empty database, on the live schema with rows in it, and twice."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.maintenance import migrate_database
from local.database.mariadb import MariaDB
from local.lint.subject import load
from tests.conftest import TEMPLATE, Connect, connect_to
from tests.ticketing.paid_orders import pay, refund_charge, seats, status
from tests.ticketing.schema.schemas import LIVE_SCHEMA, rows, run
from ticketing.checkout.placement import CheckoutRequest, CheckoutTerms, place
from ticketing.database import FOR_MIGRATIONS, Database
from ticketing.errors import DatabaseUnavailable, DataInconsistent
from ticketing.schema import alteration, runner
from ticketing.schema.runner import apply_migrations, pending_migrations

ALL = sorted(path.stem for path in (Path(__file__).parents[3] / "functions" / "migrations").glob("*.sql"))


def columns(connect: Connect) -> set[tuple[str, str]]:
    found = rows(
        connect,
        "SELECT table_name AS t, column_name AS c FROM information_schema.columns WHERE table_schema = DATABASE()",
    )
    return {(row["t"], row["c"]) for row in found}


def test_an_empty_database_gets_every_table(empty_schema: Connect) -> None:
    assert pending_migrations(empty_schema) == ALL
    assert apply_migrations(empty_schema) == ALL
    assert pending_migrations(empty_schema) == []
    assert ("ticket_orders", "ticket_counted_at") in columns(empty_schema)
    assert ("order_payments", "payment_key") in columns(empty_schema)


def test_a_second_run_does_nothing(empty_schema: Connect) -> None:
    apply_migrations(empty_schema)
    before = columns(empty_schema)
    assert apply_migrations(empty_schema) == []
    assert columns(empty_schema) == before


def test_the_live_schema_keeps_its_rows_and_gets_what_it_lacks(empty_schema: Connect) -> None:
    run(empty_schema, LIVE_SCHEMA)
    apply_migrations(empty_schema)
    [order] = rows(empty_schema, "SELECT * FROM ticket_orders")
    assert (order["id"], order["status"], order["quantity"]) == (1, "pending", 2)
    assert (order["currency"], order["held_quantity"], order["ticket_counted_at"]) == ("eur", 0, None)
    assert order["email_lower"] == "buyer@example.com"
    [ticket] = rows(empty_schema, "SELECT * FROM tickets")
    assert (ticket["sold_quantity"], ticket["held_quantity"]) == (0, 0)


def test_both_ways_lead_to_the_same_columns(empty_schema: Connect, connect: Connect) -> None:
    run(empty_schema, LIVE_SCHEMA)
    apply_migrations(empty_schema)
    assert columns(empty_schema) == columns(connect)


def test_a_run_that_was_cut_short_is_finished_by_the_next(empty_schema: Connect) -> None:
    run(empty_schema, LIVE_SCHEMA)
    # The first statements of 0002 were committed, then the connection broke: nothing is noted of it.
    run(empty_schema, "ALTER TABLE tickets ADD COLUMN held_quantity INT NOT NULL DEFAULT 0")
    assert apply_migrations(empty_schema) == ALL
    assert ("discount_codes", "held_count") in columns(empty_schema)


def test_two_runs_at_once_do_not_get_in_each_others_way(empty_schema: Connect) -> None:
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(apply_migrations(empty_schema))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, results)) == [0, len(ALL)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE ticket_orders MODIFY status ENUM('pending','paid')", "lacks processing, refunded"),
        ("ALTER TABLE tickets ENGINE = MyISAM", "tickets is MyISAM and knows no transactions"),
        (
            "ALTER TABLE ticket_orders ADD COLUMN seat_plan INT NOT NULL",
            "ticket_orders requires seat_plan for every order",
        ),
        ("ALTER TABLE ticket_orders MODIFY id INT", "ticket_orders requires id for every order"),
    ],
)
def test_a_live_schema_that_cannot_carry_the_shop_is_named(empty_schema: Connect, change: str, told: str) -> None:
    run(empty_schema, LIVE_SCHEMA)
    run(empty_schema, change)
    with pytest.raises(DataInconsistent, match=told):
        apply_migrations(empty_schema)


@pytest.mark.parametrize("times", ["DATETIME NULL", "DATETIME NOT NULL", "TIMESTAMP NULL DEFAULT NULL"])
def test_an_order_has_its_times_whatever_the_live_tables_defaults_are(empty_schema: Connect, times: str) -> None:
    run(empty_schema, LIVE_SCHEMA)
    run(empty_schema, f"ALTER TABLE ticket_orders MODIFY created_at {times}, MODIFY updated_at {times}")
    apply_migrations(empty_schema)
    request = CheckoutRequest(
        event_id=1, ticket_id=1, quantity=1, email="jo@example.com", origin="https://shop.example"
    )
    before = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    terms = CheckoutTerms(currency="eur", hold_seconds=1800, lock_seconds=32, delayed_method_days=7)
    placed = place(Database(empty_schema), request, terms, expires_at=int(time.time()) + 1900, mark="mark")
    [order] = rows(empty_schema, f"SELECT * FROM ticket_orders WHERE id = {placed.order_id}")
    assert before <= order["created_at"] == order["updated_at"] <= datetime.now(UTC).replace(tzinfo=None)


@pytest.mark.parametrize("sold", [2, 0], ids=["counted by the old shop", "not counted"])
def test_an_order_that_was_paid_before_is_not_counted_again(empty_schema: Connect, sold: int) -> None:
    run(empty_schema, LIVE_SCHEMA)
    run(empty_schema, f"UPDATE ticket_orders SET status = 'paid'; UPDATE tickets SET sold_quantity = {sold}")
    apply_migrations(empty_schema)
    database = Database(empty_schema)
    pay(database, 1)  # its event, late
    assert (status(database, 1), seats(database, 1)) == ("paid", (sold, 0))
    told = refund_charge(database, 1, 4000).alerts
    assert (status(database, 1), seats(database, 1)) == ("refunded", (0, 0))
    assert [alert.name for alert in told] == ([] if sold else ["CountsOff"])


def test_the_function_of_the_template_applies_them(empty_schema: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate_database, "connect_for_migrations", empty_schema)
    assert migrate_database.handler({}, None) == {"applied": ALL}
    assert migrate_database.handler({}, None) == {"applied": []}


def test_a_migration_may_take_as_long_as_its_function(mariadb: MariaDB) -> None:
    seconds = load(TEMPLATE).template["Resources"]["MigrateDatabaseFunction"]["Properties"]["Timeout"]
    connection: Any = connect_to(mariadb, mariadb.name, FOR_MIGRATIONS)()
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT @@wait_timeout AS rest, @@lock_wait_timeout AS held")
        [settings] = cursor.fetchall()
    assert settings["rest"] >= seconds
    assert seconds - 60 < connection._read_timeout < seconds
    # Whatever asks for a table waits behind a change of it that waits itself.
    assert settings["held"] <= 10


def test_a_table_in_use_is_left_alone(mariadb: MariaDB, empty_schema: Connect) -> None:
    run(empty_schema, LIVE_SCHEMA)
    impatient = connect_to(mariadb, f"{mariadb.name}_empty", replace(FOR_MIGRATIONS, table_lock=1))
    reader = empty_schema()
    with contextlib.closing(reader), reader.cursor() as cursor:
        cursor.execute("SELECT * FROM ticket_orders")
        with pytest.raises(DatabaseUnavailable, match=r"Nothing was changed: ticket_orders is in use .*error 1205"):
            apply_migrations(impatient)
    apply_migrations(impatient)
    assert pending_migrations(empty_schema) == []


def test_a_buyer_who_reads_and_then_writes_loses_to_no_change(
    empty_schema: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(empty_schema, LIVE_SCHEMA)
    buyer, refusals = empty_schema(), []
    with contextlib.closing(buyer), buyer.cursor() as cursor:

        def buy_meanwhile(seconds: float) -> None:
            refusals.append(seconds)
            cursor.execute("UPDATE tickets SET sold_quantity = 7 WHERE id = 1")  # was error 1213
            buyer.commit()

        cursor.execute("SELECT price FROM tickets WHERE id = 1")
        monkeypatch.setattr(alteration, "time", SimpleNamespace(monotonic=time.monotonic, sleep=buy_meanwhile))
        apply_migrations(empty_schema)
    assert refusals
    assert rows(empty_schema, "SELECT sold_quantity FROM tickets WHERE id = 1") == [{"sold_quantity": 7}]


def test_a_run_that_another_one_holds_up_says_so(empty_schema: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_LOCK_SECONDS", 1)
    other = empty_schema()
    with contextlib.closing(other), other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(CONCAT('cachao_migrate_', DATABASE()), 0)")
        with pytest.raises(DatabaseUnavailable, match="Another migration is running"):
            apply_migrations(empty_schema)
    assert apply_migrations(empty_schema) == ALL
