"""`cachao disputes`: no deadline is missed because nobody saw it; and Stripe's ids lead to their orders."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.factories import create_order, dispute_of, envelope, refund_of, row_of, stripe_event
from tests.operations.conftest import Cachao, paid_event
from tests.ticketing.paid_orders import dispute, pay, refund
from tests.workflow.conftest import Run
from ticketing.database import Database
from ticketing.operators.open_disputes import DisputesWanted, list_open_disputes

CREATED = "charge.dispute.created"
DAY = 86400


def disputed(database: Database, due_in: int | None, **fields: Any) -> int:
    """A paid order whose payment is disputed, to be answered in so many days."""
    order = create_order(database)
    pay(database, order)
    due_by = None if due_in is None else int(time.time()) + due_in * DAY
    dispute(database, order, CREATED, evidence_details={"due_by": due_by}, **fields)
    return order


def test_the_nearest_deadline_comes_first_and_what_ended_is_not_listed(cachao: Cachao, database: Database) -> None:
    late, unknown, soon = disputed(database, 9), disputed(database, None), disputed(database, 1, reason="fraudulent")
    past = disputed(database, -1)
    inquiry = disputed(database, 5, status="warning_needs_response")
    won = disputed(database, 2)
    dispute(database, won, "charge.dispute.closed", status="won", at=1795000060)
    answer = cachao("disputes", json=True)
    assert answer.exit_code == 0
    listed = answer.data["disputes"]
    assert [one["order_id"] for one in listed] == [past, soon, inquiry, late, unknown]
    assert (listed[1]["reason"], listed[1]["phase"], listed[2]["phase"]) == ("fraudulent", "opened", "inquiry")
    assert listed[1]["order_status"] == "paid"
    text = cachao("disputes").text
    assert f"dp_order{soon}" in text
    assert "fraudulent" in text
    assert ", past" in text
    assert "not known" in text
    assert str(row_of(database, "ticket_orders", soon)["email"]) not in text


def test_a_schedule_hears_of_a_deadline_in_time(cachao: Cachao, database: Database) -> None:
    assert cachao("disputes", "--due-within", "3d").text == "No dispute is open.\n"
    order = disputed(database, 5)
    assert cachao("disputes", "--due-within", "3d").exit_code == 0
    told = cachao("disputes", "--due-within", "6d")
    assert (told.exit_code, "1 dispute must be answered before" in told.notes) == (1, True)
    # Once it is answered, it only has to be waited for.
    dispute(database, order, "charge.dispute.updated", status="under_review", at=1795000060)
    assert cachao("disputes", "--due-within", "6d").exit_code == 0
    disputed(database, None)
    assert cachao("disputes", "--due-within", "1h").exit_code == 1
    assert cachao("disputes", "--due-within", "soon").exit_code == 2


def test_more_than_are_shown_is_said(cachao: Cachao, database: Database) -> None:
    for _ in range(3):
        disputed(database, 5)
    cut = cachao("disputes", "--limit", 2)
    assert "There are more than these 2" in cut.notes


def test_the_list_reads_the_open_ones_only(database: Database) -> None:
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO order_disputes (stripe_dispute_id, order_id, payment_key, amount_minor, currency, status,"
            " phase, is_open, reported_at) SELECT CONCAT('dp_', seq), seq, CONCAT('pi_', seq), 100, 'eur', 'won',"
            " 'won', seq < 3, UTC_TIMESTAMP() FROM seq_1_to_5000"
        )
        tx.all("ANALYZE TABLE order_disputes")
        plan = tx.all("EXPLAIN SELECT stripe_dispute_id FROM order_disputes WHERE is_open = 1 ORDER BY due_by LIMIT 5")
    assert plan[0]["key"] == "order_disputes_by_deadline"
    assert len(list_open_disputes(database, DisputesWanted()).disputes) == 2


# --- Any of Stripe's ids ---------------------------------------------------------------------------------------------


def test_a_dispute_and_a_charge_lead_to_their_order(cachao: Cachao, run: Run, database: Database) -> None:
    order = create_order(database)
    run(paid_event(database, order))
    body = dispute_of(row_of(database, "ticket_orders", order))
    run(envelope(CREATED, body, detail=stripe_event(CREATED, body)))
    for wanted in (f"dp_order{order}", f"ch_order{order}"):
        shown = cachao("show", wanted, json=True)
        assert shown.exit_code == 0, shown.notes
        assert shown.data["order"]["id"] == order
        assert [one["stripe_dispute_id"] for one in shown.data["disputes"]] == [f"dp_order{order}"]
    text = cachao("show", order).text
    assert "Disputes" in text
    assert "needs_response" in text


def test_the_charge_of_a_refund_leads_to_its_order(cachao: Cachao, database: Database) -> None:
    order = create_order(database)
    pay(database, order)
    refund(database, order, 500)
    assert cachao("show", f"ch_order{order}", json=True).data["order"]["id"] == order


def test_a_refund_is_shown_in_the_buyers_currency(cachao: Cachao, database: Database) -> None:
    order = create_order(database, quantity=2)
    conversion = {"amount_total": 4000, "source_currency": "eur"}
    pay(database, order, amount_total=4600, currency="usd", currency_conversion=conversion)
    refund(database, order, 1150, currency="usd")
    text = cachao("show", order).text
    assert "11.50 USD" in text
    assert "11.50 EUR" not in text


@pytest.mark.parametrize("wanted", ["dp_none", "du_none", "ch_none", "py_none", "re_none", "pyr_none"])
def test_an_id_that_nobody_knows_is_said_so(cachao: Cachao, database: Database, wanted: str) -> None:
    answer = cachao("show", wanted)
    assert (answer.exit_code, answer.text) == (1, "")
    assert "No order has" in answer.notes
    assert f"cachao stripe {wanted} asks Stripe" in answer.notes


@pytest.mark.parametrize("wanted", ["pi_none", "cs_none", "evt_none"])
def test_of_what_an_event_should_have_told_the_way_is_to_be_checked(
    cachao: Cachao, database: Database, wanted: str
) -> None:
    answer = cachao("show", wanted)
    assert (answer.exit_code, f"cachao stripe {wanted} asks Stripe" in answer.notes) == (1, True)
    assert "cachao doctor" in answer.notes


@pytest.mark.parametrize(
    ("wanted", "helps"),
    [
        ("txn_3Q1", "cachao stripe txn_3Q1"),
        ("po_1Q1", "cachao books --payout po_1Q1"),
        ("file_1Q1", "cachao dispute"),
        ("ed_test_1", "cachao connect"),
        ("we_1Q1", "cachao connect --webhook"),
        ("cus_Q1", "cachao show pi_…"),
        ("in_1Q1", "another application's"),
        ("prod_Q1", "cachao show cs_…"),
    ],
)
def test_an_id_by_which_no_order_is_found_says_which_command_helps(cachao: Cachao, wanted: str, helps: str) -> None:
    answer = cachao("show", wanted)
    assert (answer.exit_code, answer.text) == (2, "")
    assert f"{wanted} is " in answer.notes
    assert helps in answer.notes


def test_each_of_stripes_ids_of_a_story_leads_to_its_order(cachao: Cachao, run: Run, database: Database) -> None:
    """Disputes were `dp_` and are `du_`; bank debits have `py_` and `pyr_` where cards have `ch_` and `re_`."""
    order = create_order(database)
    event = paid_event(database, order)
    run(event)
    row = row_of(database, "ticket_orders", order)
    told = [("charge.dispute.created", dispute_of(row, id=f"du_order{order}", charge=f"py_order{order}"))]
    told.append(("refund.created", refund_of(row, amount=500, id=f"pyr_order{order}", charge=f"py_order{order}")))
    for event_type, body in told:
        run(envelope(event_type, body))
    ids = [f"{kind}_order{order}" for kind in ("pi", "du", "py", "pyr")]
    for wanted in (*ids, row["stripe_checkout_session_id"], event["detail"]["id"]):
        assert cachao("show", wanted, json=True).data["order"]["id"] == order, wanted
