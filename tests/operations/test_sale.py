"""`cachao sale`: shown, asked, done, undone as it says; and the refund of an event says how to open it again."""

from __future__ import annotations

import pytest

from tests.factories import create_event, create_ticket, row_of
from tests.operations.conftest import Cachao
from ticketing.database import Database


def test_a_sale_is_stopped_and_opened_as_it_says(cachao: Cachao, database: Database) -> None:
    event = create_event(database)
    tickets = [create_ticket(database, event_id=event, name="[Balcony]") for _ in range(2)]
    words = ["sale", "--event", event, "--stop"]
    tried = cachao(*words, "--dry-run")
    assert (tried.exit_code, "What changes" in tried.text, "[Balcony]" in tried.text) == (0, True, True)
    asked = cachao(*words)
    assert (asked.exit_code, f"Stop the sale of event {event}" in asked.notes) == (2, True)
    assert all(row_of(database, "tickets", ticket)["is_active"] for ticket in tickets)
    done = cachao(*words, "--yes", "--reason", "ill")
    assert not any(row_of(database, "tickets", ticket)["is_active"] for ticket in tickets)
    assert f"To undo it: cachao sale --event {event} --open" in done.text
    assert "It is so already" in cachao(*words, "--yes").text
    opened = cachao("sale", "--event", event, "--open", "--yes", json=True).data
    assert (opened["done"], opened["dry_run"]) == (True, False)
    assert all(row_of(database, "tickets", ticket)["is_active"] for ticket in tickets)


def test_after_a_refund_it_is_said_how_to_sell_again(cachao: Cachao, database: Database) -> None:
    event = create_event(database)
    ticket = create_ticket(database, event_id=event)
    hint = f"cachao sale --event {event} --open"
    for words in (["--dry-run"], ["--yes"], ["--report"]):
        assert hint in cachao("refund", "--event", event, *words).text
    assert cachao(*hint.split()[1:], "--yes").exit_code == 0
    assert row_of(database, "tickets", ticket)["is_active"]


@pytest.mark.parametrize(
    "words",
    [
        ["--stop"],
        ["--ticket", "1"],
        ["--ticket", "1", "--stop", "--open"],
        ["--ticket", "1", "--event", "1", "--stop"],
    ],
)
def test_half_a_wish_is_refused(cachao: Cachao, words: list[str]) -> None:
    assert cachao("sale", *words, "--yes").exit_code == 2


def test_a_ticket_that_is_not_there_is_named(cachao: Cachao, database: Database) -> None:
    answer = cachao("sale", "--ticket", 999_999, "--open", "--yes")
    assert (answer.exit_code, "Ticket 999999 is not there." in answer.notes) == (1, True)
