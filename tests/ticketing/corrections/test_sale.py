"""Stopping and opening a sale: all of an event or nothing, nothing that somebody else took off sale, and kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import create_code, create_event, create_order, create_ticket, row_of
from tests.ticketing.paid_orders import pay
from ticketing.corrections import sale
from ticketing.corrections.event_refund import store
from ticketing.corrections.event_refund.lines import Scope
from ticketing.corrections.sale import NewSale, SaleReport, set_sale
from ticketing.database import Database, Row


def do(database: Database, **wanted: Any) -> SaleReport:
    """Preview, then do; a repeat does nothing."""
    new = NewSale(**wanted)
    preview = set_sale(database, new, by="ann", reason="ill", seen=None)
    if preview.refused:
        return preview
    assert not preview.done
    done = set_sale(database, new, by="ann", reason="ill", seen=preview.seen)
    assert (done.done, done.rows, done.notes) == (bool(preview.changes), preview.rows, preview.notes)
    again = set_sale(database, new, by="ann", reason="ill", seen=preview.seen)
    assert (again.done, again.changes) == (False, [])
    return done


def is_on_sale(database: Database, *tickets: int) -> list[bool]:
    return [bool(row_of(database, "tickets", ticket)["is_active"]) for ticket in tickets]


def kept(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction() as tx:
        rows: list[Row] = tx.all(
            "SELECT counter, counter_id, sale_after, corrected_by, reason FROM counter_corrections ORDER BY id"
        )
    return [tuple(row.values()) for row in rows]


def test_a_ticket_is_stopped_and_opened_again(database: Database) -> None:
    ticket = create_ticket(database)
    assert do(database, ticket_id=ticket, open=False).done
    assert is_on_sale(database, ticket) == [False]
    assert not do(database, ticket_id=ticket, open=False).done
    assert do(database, ticket_id=ticket, open=True).done
    assert is_on_sale(database, ticket) == [True]
    assert kept(database) == [("ticket", ticket, 0, "ann", "ill"), ("ticket", ticket, 1, "ann", "ill")]


def test_a_code_too(database: Database) -> None:
    code = create_code(database, code="SALSA10")
    assert do(database, code_id=code, open=False).done
    assert not row_of(database, "discount_codes", code)["is_active"]
    assert do(database, code_id=code, open=True).rows[0].name == "SALSA10"


def test_of_an_event_those_are_opened_that_were_stopped_here(database: Database) -> None:
    event = create_event(database)
    one, early, other = (create_ticket(database, event_id=event) for _ in range(3))
    with database.transaction() as tx:
        tx.change("UPDATE tickets SET is_active = 0 WHERE id = %s", early)
    stopped = do(database, event_id=event, open=False)
    assert [row.counter_id for row in stopped.changes] == [one, other]
    opened = do(database, event_id=event, open=True)
    assert [row.counter_id for row in opened.changes] == [one, other]
    assert opened.notes == [
        f"Ticket {early} was taken off sale in the shop, and stays so: cachao sale --ticket {early} --open"
    ]
    assert is_on_sale(database, one, early, other) == [True, False, True]
    assert do(database, ticket_id=early, open=True).done


def test_what_a_refund_stopped_is_opened_when_that_has_ended(database: Database) -> None:
    event = create_event(database)
    ticket = create_ticket(database, event_id=event)
    order_id = create_order(database, ticket_id=ticket)
    pay(database, order_id)
    refund_id = store.begin(database, Scope(event_id=event), by="bob", reason="ill")
    assert is_on_sale(database, ticket) == [False]
    for wanted in ({"event_id": event}, {"ticket_id": ticket}):
        refused = do(database, **wanted, open=True)
        assert "The refund of event" in refused.refused
        assert refused.advice.startswith(f"cachao refund --event {event}")
    with database.transaction() as tx:
        tx.change("UPDATE event_refund_lines SET state = 'done'")
        store.end(tx, refund_id)
    assert do(database, event_id=event, open=True).done
    assert is_on_sale(database, ticket) == [True]
    assert kept(database)[0] == ("ticket", ticket, 0, "bob", "ill")


def test_it_says_what_else_keeps_it_from_being_sold(database: Database) -> None:
    over = create_event(database, end_date="2020-01-01 12:00:00")
    full = create_ticket(database, event_id=over, max_quantity=1, sold_quantity=1, is_active=0)
    notes = " ".join(do(database, ticket_id=full, open=True).notes)
    assert "The event is over" in notes
    assert f"None of ticket {full} is left: cachao limit --ticket {full} --to NUMBER" in notes
    held = create_ticket(database, held_quantity=3)
    assert "3 held by checkouts under way" in do(database, ticket_id=held, open=False).notes[0]


def test_what_has_changed_meanwhile_is_left(database: Database) -> None:
    ticket = create_ticket(database)
    wanted = NewSale(ticket_id=ticket, open=False)
    report = set_sale(database, wanted, by="ann", reason=None, seen=f"{ticket}:0")
    assert (report.moved_on, report.done, kept(database)) == (True, False, [])
    assert is_on_sale(database, ticket) == [True]


@pytest.mark.parametrize("wanted", [{"event_id": 999_999}, {"ticket_id": 999_999}, {"code_id": 999_999}])
def test_what_is_not_there_is_said(database: Database, wanted: dict[str, int]) -> None:
    assert "999999" in do(database, **wanted, open=True).refused


def test_the_last_stop_of_each_ticket_is_found_by_an_index(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    event = create_event(database)
    tickets = [create_ticket(database, event_id=event) for _ in range(3)]
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO counter_corrections (counter, counter_id, counted_change, held_change, corrected_by)"
            " SELECT 'ticket', 1000 + seq %% 500, 1, 0, 'ann' FROM seq_1_to_3000"
        )
        tx.all("ANALYZE TABLE counter_corrections")
    do(database, event_id=event, open=False)
    asked: list[tuple[str, tuple[object, ...]]] = []
    with database.transaction() as tx:
        real = tx.all

        def watched(sql: str, *given: object) -> list[Row]:
            asked.append((sql, given))
            return real(sql, *given)

        monkeypatch.setattr(tx, "all", watched)
        off = [{"id": ticket, "is_active": 0} for ticket in tickets]
        assert sale._off_sale_in_the_shop(tx, off) == []
        monkeypatch.undo()
        [(sql, given)] = asked
        for step in tx.all(f"EXPLAIN {sql}", *given):
            assert str(step["table"]).startswith("<") or step["key"], step
            assert str(step["table"]).startswith("<") or step["type"] in {"range", "ref", "eq_ref"}, step
