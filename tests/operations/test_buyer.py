"""`cachao buyer`: all that is held of a buyer, and nothing any more."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from cachao.buyer import held
from local.aws.cloud import LocalCloud
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_order, create_ticket, envelope, names_of, row_of, session_of
from tests.operations.conftest import Cachao, paid_event
from tests.operations.replay.test_replay import send_dead_letter
from tests.workflow.conftest import Run
from ticketing.database import Database
from ticketing.operators.buyer_data import TABLES
from ticketing.operators.forget_buyer import FORGOTTEN

JENNY = "Jenny.O'Neil+Salsa@Example.com"
OTHER = "jennyxo'neil+salsa@example.com"


@pytest.fixture
def jenny(database: Database, run: Run, stripe_stand_in: StripeStandIn) -> dict[str, int]:
    """A buyer's orders: one paid, one that waits with an open session, one under way; and two that are not hers."""
    ticket = create_ticket(database)
    columns: dict[str, dict[str, Any]] = {
        "paid": {"email": JENNY, "cognito_sub": "sub-jenny"},
        "waits": {"email": f" {JENNY.upper()} ", "checkout_url": "https://checkout.stripe.com/c/pay/secret"},
        "under way": {"email": JENNY.lower(), "status": "processing"},
        "old address": {"email": "j@old.example", "cognito_sub": "sub-jenny"},
        "other": {"email": OTHER},
    }
    orders = {name: create_order(database, ticket_id=ticket, **given) for name, given in columns.items()}
    run(paid_event(database, orders["paid"], customer_details={"email": JENNY, "name": "Jenny O'Neil"}))
    order = row_of(database, "ticket_orders", orders["waits"])
    stripe_stand_in.seed_session(
        SessionSeed(
            amount_total=2000,
            metadata=names_of(order),
            session_id=order["stripe_checkout_session_id"],
            status="open",
            payment_status="unpaid",
        )
    )
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO idempotency_keys (key_hash, request_hash, order_id, response_body, expires_at)"
            " VALUES ('a', 'b', %s, '{}', UTC_TIMESTAMP() + INTERVAL 1 HOUR)",
            orders["waits"],
        )
        tx.change(
            "INSERT INTO counter_corrections (counter, counter_id, counted_change, held_change, corrected_by, reason)"
            " VALUES ('ticket', %s, 0, 0, 'me', %s)",
            ticket,
            f"wrote {JENNY.lower()}",
        )
    return orders


def everything(database: Database) -> str:
    with database.transaction() as tx:
        tables = [next(iter(row.values())) for row in tx.all("SHOW TABLES")]
        return str({table: tx.all(f"SELECT * FROM {table}") for table in tables})


def sums(database: Database) -> Any:
    with database.transaction() as tx:
        return [
            tx.all("SELECT COUNT(*), SUM(quantity), SUM(total_amount), SUM(refunded_amount) FROM ticket_orders"),
            tx.all("SELECT payment_key, amount_minor, refunded_minor FROM order_payments"),
            tx.all("SELECT sold_quantity FROM tickets"),
        ]


def waiting(cloud: LocalCloud, dead_letters: str) -> list[str]:
    answer = cloud.client("sqs").receive_message(QueueUrl=dead_letters, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [message["Body"] for message in answer.get("Messages", [])]


def test_all_is_exported_into_a_file_of_ones_own(
    cachao: Cachao, cloud: LocalCloud, dead_letters: str, database: Database, jenny: dict[str, int]
) -> None:
    assert dead_letters
    send_dead_letter(cloud, json.dumps(paid_event(database, jenny["under way"], customer_email=JENNY)))
    send_dead_letter(cloud, "no event")
    answer = cachao("buyer", "export", JENNY.lower(), "--output", "jenny.json")
    assert answer.exit_code == 0, answer.notes
    file = Path("jenny.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = json.loads(file.read_text())
    assert [order["id"] for order in written["orders"]] == [jenny["paid"], jenny["waits"], jenny["under way"]]
    assert written["orders_of_the_same_account_under_another_address"] == [jenny["old address"]]
    assert [payment["amount_minor"] for payment in written["orders"][0]["order_payments"]] == [2000]
    assert len(written["orders"][1]["idempotency_keys"]) == 1
    assert any("Jenny O'Neil" in execution["input"] for execution in written["executions"])
    assert str(jenny["paid"]) in {str(line["order_id"]) for line in written["log_lines"]}
    assert len(written["events_that_wait"]) == 1
    assert "j@old.example" not in file.read_text()
    assert OTHER not in file.read_text()
    # Nothing is written over.
    again = cachao("buyer", "export", JENNY, "--output", "jenny.json")
    assert (again.exit_code, "there already" in again.notes) == (2, True)


def test_no_byte_of_the_address_is_left(
    cachao: Cachao, cloud: LocalCloud, dead_letters: str, database: Database, jenny: dict[str, int]
) -> None:
    send_dead_letter(cloud, json.dumps(paid_event(database, jenny["under way"], customer_email=JENNY)))
    send_dead_letter(cloud, "no event")
    logs = cloud._directory / "logs"
    (logs / "somebody.log").write_text(f"debug {JENNY} paid\n")
    before, orders = sums(database), {number: row_of(database, "ticket_orders", number) for number in jenny.values()}

    shown = cachao("buyer", "forget", JENNY, "--dry-run")
    assert shown.exit_code == 0
    for said in ("its checkout ends", "its payment goes on", "its ticket stays good", "execution history", "redaction"):
        assert said in shown.text
    asked = cachao("buyer", "forget", JENNY)
    assert (asked.exit_code, "3 orders and 1 event that waits" in asked.notes) == (2, True)
    assert orders == {number: row_of(database, "ticket_orders", number) for number in jenny.values()}

    done = cachao("buyer", "forget", JENNY, "--yes", json=True)
    assert done.exit_code == 0, done.notes
    assert [(one["order_id"], one["status"], one["checkout"], one["keys"]) for one in done.data["orders"]] == [
        (jenny["paid"], "paid", "none", 0),
        (jenny["waits"], "expired", "ended", 1),
        (jenny["under way"], "processing", "payment_under_way", 0),
    ]
    assert (done.data["events_that_wait"], done.data["in_local_logs"]) == (1, 1)

    address = JENNY.lower()
    assert address not in everything(database).lower().replace("\\'", "'")
    assert "o'neil+salsa" not in everything(database).lower().replace(OTHER, "")
    for file in logs.rglob("*"):
        assert not file.is_file() or address.encode() not in file.read_bytes().lower(), file
    left = waiting(cloud, dead_letters)
    assert len(left) == 2
    assert address not in str(left).lower()
    assert [
        json.loads(body)["detail"]["data"]["object"]["metadata"]["order_id"] for body in left if body[0] == "{"
    ] == [str(jenny["under way"])]
    # Counts and sums, and who is somebody else.
    assert sums(database) == before
    for name in ("old address", "other"):
        assert row_of(database, "ticket_orders", jenny[name]) == orders[jenny[name]]
    order = row_of(database, "ticket_orders", jenny["paid"])
    assert (order["email"], order["cognito_sub"], order["user_id"]) == (FORGOTTEN, None, None)
    assert row_of(database, "ticket_orders", jenny["waits"])["checkout_url"] is None

    # Safe to repeat.
    rows = everything(database)
    again = cachao("buyer", "forget", JENNY, "--yes")
    assert (again.exit_code, "No order has this address (any more)" in again.text) == (0, True)
    assert everything(database) == rows
    (logs / "somebody.log").unlink()


def test_a_payment_under_way_still_comes_to_its_end(
    cachao: Cachao, database: Database, run: Run, jenny: dict[str, int]
) -> None:
    event = envelope(
        "checkout.session.async_payment_succeeded",
        session_of(row_of(database, "ticket_orders", jenny["under way"])),
    )
    assert cachao("buyer", "forget", JENNY, "--yes").exit_code == 0
    run(event)
    order = row_of(database, "ticket_orders", jenny["under way"])
    assert (order["status"], order["email"]) == ("paid", FORGOTTEN)


def test_a_buyer_who_was_faster_than_the_end_of_the_checkout_gets_the_ticket(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn
) -> None:
    order_id = create_order(database, email=JENNY)
    order = row_of(database, "ticket_orders", order_id)
    seed = SessionSeed(amount_total=2000, metadata=names_of(order), session_id=order["stripe_checkout_session_id"])
    stripe_stand_in.seed_session(seed)
    done = cachao("buyer", "forget", JENNY, "--yes", json=True)
    assert done.data["orders"][0]["checkout"] == "payment_under_way"
    assert row_of(database, "ticket_orders", order_id)["status"] == "pending"


@pytest.mark.parametrize("address", ["jenny", "@example.com", "a b@example.com", FORGOTTEN, f"{'a' * 250}@example.com"])
def test_what_is_no_address_is_said(cachao: Cachao, address: str) -> None:
    assert cachao("buyer", "forget", address, "--yes").exit_code == 2


def test_an_event_loses_its_buyer_and_nothing_else() -> None:
    pattern = held.pattern_of("jürgen@müller.example")
    event = {"a": ["Jürgen@xn--mller-kva.example, hello"], "shipping": {"name": "J"}, "amount": 2000}
    text = json.dumps(event)
    assert json.loads(held.without_buyer(text, pattern)) == {
        "a": [f"{FORGOTTEN}, hello"],
        "shipping": None,
        "amount": 2000,
    }
    assert held.without_buyer("{no JSON: JÜRGEN@MÜLLER.example", pattern) == f"{{no JSON: {FORGOTTEN}"


def test_every_table_of_orders_is_looked_into(database: Database) -> None:
    with database.transaction() as tx:
        rows = tx.all(
            "SELECT TABLE_NAME AS name FROM information_schema.COLUMNS"
            " WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_NAME = 'order_id'"
        )
    assert {row["name"] for row in rows} == set(TABLES)
