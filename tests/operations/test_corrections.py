"""`cachao move`, `change`, `take-back`, `mark-paid`, `correct` and `limit`: what is shown, asked, done and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_event, create_order, create_ticket, names_of, row_of
from tests.operations.conftest import Cachao, paid_event
from tests.operations.replay.test_replay import send_dead_letter
from tests.ticketing.paid_orders import pay
from tests.workflow.conftest import Ended, Run
from ticketing.database import Database


def order_of(database: Database, order_id: int) -> dict[str, Any]:
    return row_of(database, "ticket_orders", order_id)


def seeded(stand_in: StripeStandIn, database: Database, order_id: int, **fields: Any) -> str:
    """Seed a Checkout Session of an order at the stand-in."""
    order = order_of(database, order_id)
    given: dict[str, Any] = {"amount_total": int(order["total_amount"] * 100), "metadata": names_of(order)}
    return stand_in.seed_session(SessionSeed(**(given | {"session_id": order["stripe_checkout_session_id"]} | fields)))


@pytest.fixture
def paid(database: Database) -> int:
    order_id = create_order(database, quantity=2)
    pay(database, order_id)
    return order_id


def test_a_correction_is_shown_asked_done_and_kept(cachao: Cachao, database: Database, paid: int) -> None:
    there = create_ticket(database, event_id=create_event(database, name="Sunday"))
    shown = cachao("move", paid, "--ticket", there, "--dry-run")
    assert (shown.exit_code, "What changes" in shown.text) == (0, True)
    asked = cachao("move", paid, "--ticket", there)
    assert (asked.exit_code, f"Move order {paid} in" in asked.notes) == (2, True)
    # What is asked about was shown.
    assert f"ticket {there}" in asked.notes
    assert order_of(database, paid)["ticket_id"] != there
    done = cachao("move", paid, "--ticket", there, "--yes", "--reason", "ill [b]today[/b]")
    assert (done.exit_code, "Corrected (correction " in done.text) == (0, True)
    assert f"To undo it: cachao move {paid} --ticket" in done.text
    again = cachao("move", paid, "--ticket", there, "--yes")
    assert (again.exit_code, again.text) == (0, f"Order {paid} is of ticket {there} already.\n")
    history = cachao("show", paid)
    assert "corrected_moved" in history.text
    assert "ill [b]today[/b]" in history.text
    data = cachao("show", paid, json=True).data
    assert [(c["kind"], c["reason"]) for c in data["corrections"]] == [("move", "ill [b]today[/b]")]


def test_as_json_it_says_the_same(cachao: Cachao, database: Database, paid: int) -> None:
    data = cachao("change", paid, "--quantity", 3, "--yes", json=True).data
    assert (data["done"], data["dry_run"], data["undo"]) == (True, False, f"cachao change {paid} --quantity 2")
    assert ["order", "seats", "2", "3"] in [
        [c["of"].split()[0], c["what"], c["before"], c["after"]] for c in data["changes"]
    ]


def test_what_is_refused_says_why_and_what_instead(cachao: Cachao, database: Database, paid: int) -> None:
    full = create_ticket(database, max_quantity=0)
    answer = cachao("move", paid, "--ticket", full, "--yes")
    assert answer.exit_code == 1
    assert "Nothing was changed." in answer.notes
    assert f"cachao limit --ticket {full} --to NUMBER" in answer.notes
    assert cachao("limit", "--ticket", full, "--to", 2, "--yes").exit_code == 0
    assert cachao("move", paid, "--ticket", full, "--yes").exit_code == 0
    gone = cachao("move", 999999, "--ticket", full, "--yes")
    assert (gone.exit_code, "There is no order 999999." in gone.notes) == (1, True)


def test_an_unpaid_orders_session_ends_before_it_is_taken_back(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn
) -> None:
    order_id = create_order(database)
    session = seeded(stripe_stand_in, database, order_id, status="open", payment_status="unpaid")
    assert cachao("take-back", order_id, "--dry-run").exit_code == 0
    assert stripe_stand_in.session(session)["status"] == "open"
    answer = cachao("take-back", order_id, "--yes")
    assert answer.exit_code == 0, answer.notes
    assert stripe_stand_in.session(session)["status"] == "expired"
    assert (order_of(database, order_id)["status"], order_of(database, order_id)["held_quantity"]) == ("cancelled", 0)


def test_an_order_that_the_buyer_has_paid_meanwhile_is_not_taken_back(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn
) -> None:
    order_id = create_order(database)
    seeded(stripe_stand_in, database, order_id)
    answer = cachao("take-back", order_id, "--yes")
    assert (answer.exit_code, "The buyer was faster" in answer.notes) == (1, True)
    assert order_of(database, order_id)["status"] == "pending"


def test_a_payment_that_stripe_knows_marks_an_order_paid(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn
) -> None:
    order_id = create_order(database)
    paid_in = seeded(stripe_stand_in, database, order_id, session_id="cs_test_by_hand")
    payment = stripe_stand_in.session(paid_in)["payment_intent"]
    seeded(stripe_stand_in, database, order_id, status="open", payment_status="unpaid")
    unknown = cachao("mark-paid", order_id, "--payment", "pi_unknown", "--yes")
    assert (unknown.exit_code, "knows no payment" in unknown.notes) == (1, True)
    answer = cachao("mark-paid", order_id, "--payment", payment, "--yes")
    assert answer.exit_code == 0, answer.notes
    order = order_of(database, order_id)
    assert (order["status"], order["stripe_payment_intent_id"]) == ("paid", payment)
    # Nobody can pay it a second time.
    assert stripe_stand_in.session(order["stripe_checkout_session_id"])["status"] == "expired"
    assert cachao("refund", order_id, "--end-order", "--yes").exit_code == 0
    assert order_of(database, order_id)["status"] == "refunded"


def test_the_session_of_an_order_is_corrected_where_stripe_agrees(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn
) -> None:
    order_id = create_order(database)
    seeded(stripe_stand_in, database, order_id, status="expired", payment_status="unpaid")
    session = seeded(stripe_stand_in, database, order_id, session_id="cs_test_the_paid_one")
    answer = cachao("correct", order_id, "--session", session, "--yes")
    assert answer.exit_code == 0, answer.notes
    assert order_of(database, order_id)["stripe_checkout_session_id"] == session


def test_an_address_is_corrected_and_not_shown(cachao: Cachao, database: Database, paid: int) -> None:
    answer = cachao("correct", paid, "--email", "jenny@example.com", "--yes")
    assert (answer.exit_code, "jenny" in answer.text + answer.notes) == (0, False)
    assert order_of(database, paid)["email"] == "jenny@example.com"


@pytest.mark.parametrize(
    "words",
    [
        ["change", "1"],
        ["change", "1", "--code", "A", "--drop-code"],
        ["change", "1", "--code", " "],
        ["take-back", "1", "--of", "3"],
        ["mark-paid", "1"],
        ["mark-paid", "1", "--payment", "pi_1", "--without-stripe"],
        ["mark-paid", "1", "--payment", "cs_1"],
        ["correct", "1"],
        ["correct", "1", "--currency", "eur"],
        ["correct", "1", "--session", "pi_1"],
        ["limit", "--to", "3"],
        ["limit", "--ticket", "1", "--code", "1", "--to", "3"],
        ["limit", "--ticket", "1"],
        ["limit", "--ticket", "1", "--to", "3", "--unlimited"],
        ["move", "1", "--ticket", "1", "--reason", "x" * 256],
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_asked(cachao: Cachao, words: list[str]) -> None:
    assert cachao(*words, "--yes").exit_code == 2


def test_a_limit_is_shown_changed_and_undone_as_it_says(cachao: Cachao, database: Database) -> None:
    ticket = create_ticket(database, max_quantity=5)
    words = ["limit", "--ticket", ticket, "--to", 7]
    assert cachao(*words, "--dry-run").exit_code == 0
    assert cachao(*words).exit_code == 2
    assert row_of(database, "tickets", ticket)["max_quantity"] == 5
    done = cachao(*words, "--yes")
    assert f"To undo it: cachao limit --ticket {ticket} --to 5" in done.text
    assert "It is so already" in cachao(*words, "--yes").text
    assert cachao("limit", "--ticket", ticket, "--unlimited", "--yes", json=True).data["after"] is None


# --- What is only tried changes nothing ------------------------------------------------------------------------------


def test_events_replays_and_migrations_can_be_tried(
    cachao: Cachao, database: Database, run: Run, mismatched: tuple[int, Ended], tmp_path: Path
) -> None:
    order_id, ended = mismatched
    (tmp_path / "event.json").write_text(json.dumps(paid_event(database, create_order(database))))
    tried = cachao("event", tmp_path / "event.json", "--dry-run")
    assert (tried.exit_code, "It would put checkout.session.completed" in tried.text) == (0, True)
    replays = cachao("replay", ended.name, "--dry-run", json=True).data
    assert (replays["dry_run"], replays["replays"]) == (True, [ended.name])
    assert "It would start 1 new execution" in cachao("replay", ended.name, "--dry-run").text
    assert order_of(database, order_id)["status"] == "pending"
    migrations = cachao("migrate", "--dry-run", json=True).data
    assert migrations == {"dry_run": True, "pending": []}
    assert "nothing is to be done" in cachao("migrate", "--dry-run").text


def test_dead_letters_can_be_looked_at(
    cachao: Cachao, cloud: LocalCloud, database: Database, dead_letters: str
) -> None:
    send_dead_letter(cloud, json.dumps(paid_event(database, create_order(database))))
    tried = cachao("replay", "--dead-letters", "--dry-run", json=True).data
    assert (tried["dry_run"], tried["waiting"]) == (True, 1)
    assert "About 1 event" in cachao("replay", "--dead-letters", "--dry-run").text
    assert cachao("replay", "--dead-letters", "--dry-run", json=True).data["waiting"] == 1
