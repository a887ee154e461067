"""Every correction: what it changes, what it refuses, and that a repeat and a preview change nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import create_code, create_event, create_order, create_ticket, row_of
from tests.ticketing.paid_orders import code_uses, entries, order_row, pay, refund_charge, status
from ticketing.corrections.change import Change
from ticketing.corrections.details import Details, FoundSession
from ticketing.corrections.frame import Correction, CorrectionReport, correct
from ticketing.corrections.limit import NewLimit, set_limit
from ticketing.corrections.mark_paid import MarkPaid
from ticketing.corrections.move import Move
from ticketing.corrections.take_back import TakeBack
from ticketing.database import Database
from ticketing.operators.count_check import check_counts
from ticketing.stripe.payments import PaidIntent


def do(database: Database, order_id: int, correction: Correction) -> CorrectionReport:
    """Preview, then do; the preview has said all that is done."""
    preview = correct(database, order_id, correction)
    if preview.refused or preview.already:
        return preview
    before = order_row(database, order_id)
    assert not preview.done
    assert before == order_row(database, order_id)
    report = correct(database, order_id, correction, by="ann", reason="asked for", seen=preview.seen)
    assert (report.done, report.changes, report.notes) == (True, preview.changes, preview.notes)
    assert_adds_up(database)
    again = correct(database, order_id, correction, by="ann", reason="asked for", seen=preview.seen)
    assert (bool(again.already), again.done) == (True, False), again
    return report


def assert_adds_up(database: Database) -> None:
    found = check_counts(database)
    assert (found.sold_low, found.sold_high, found.held_low, found.held_high) == (found.sold_low.__class__(),) * 4
    assert (found.used_low, found.used_high, found.uses_held_low, found.uses_held_high) == (
        found.sold_low.__class__(),
    ) * 4


def counts(database: Database, ticket_id: int) -> tuple[int, int]:
    ticket = row_of(database, "tickets", ticket_id)
    return ticket["sold_quantity"], ticket["held_quantity"]


def kept(database: Database) -> list[dict[str, Any]]:
    with database.transaction() as tx:
        return tx.all("SELECT * FROM order_corrections ORDER BY id")


Paid = Callable[..., int]


@pytest.fixture
def paid(database: Database) -> Paid:
    def make(**columns: Any) -> int:
        order_id = create_order(database, **columns)
        pay(database, order_id)
        return order_id

    return make


# --- Move ----------------------------------------------------------------------------------------------------------


def test_a_paid_order_moves_with_its_seats(database: Database, paid: Paid) -> None:
    sunday = create_event(database, name="Sunday")
    there = create_ticket(database, event_id=sunday, name="Late", price=Decimal(25))
    order_id = paid(quantity=2)
    here = order_row(database, order_id)["ticket_id"]
    report = do(database, order_id, Move(ticket_id=there))
    assert (counts(database, here), counts(database, there)) == ((0, 0), (2, 0))
    order = order_row(database, order_id)
    assert (order["event_id"], order["ticket_id"], order["bought_event"], order["bought_ticket"]) == (
        sunday,
        there,
        "Sunday",
        "Late",
    )
    assert (order["counted_ticket_id"], order["total_amount"]) == (there, Decimal("40.00"))
    assert report.undo == f"cachao move {order_id} --ticket {here}"
    assert any("10.00 EUR is NOT charged" in note for note in report.notes)
    assert {(c.of, c.what, c.before, c.after) for c in report.changes if c.of.startswith("ticket")} == {
        (f"ticket {here}", "sold", "2", "0"),
        (f"ticket {there}", "sold", "0", "2"),
    }
    [row] = kept(database)
    assert (row["kind"], row["corrected_by"], row["reason"]) == ("move", "ann", "asked for")
    assert entries(database, order_id)[-1] == "corrected_moved"
    # What comes later goes by what was taken, wherever it is now.
    refund_charge(database, order_id, 4000)
    assert counts(database, there) == (0, 0)
    assert_adds_up(database)


def test_it_moves_back_by_what_it_said(database: Database, paid: Paid) -> None:
    there = create_ticket(database)
    order_id = paid()
    here = order_row(database, order_id)["ticket_id"]
    do(database, order_id, Move(ticket_id=there))
    do(database, order_id, Move(ticket_id=here))
    assert (counts(database, here), counts(database, there)) == ((1, 0), (0, 0))


def test_an_unpaid_order_moves_with_what_it_holds_and_is_counted_there(database: Database) -> None:
    there = create_ticket(database)
    order_id = create_order(database, quantity=3)
    here = order_row(database, order_id)["ticket_id"]
    do(database, order_id, Move(ticket_id=there))
    assert (counts(database, here), counts(database, there)) == ((0, 0), (0, 3))
    pay(database, order_id)
    assert counts(database, there) == (3, 0)
    assert_adds_up(database)


def test_without_enough_seats_there_nothing_changes(database: Database, paid: Paid) -> None:
    there = create_ticket(database, max_quantity=1)
    order_id = paid(quantity=2)
    before = order_row(database, order_id)
    refused = do(database, order_id, Move(ticket_id=there))
    assert "1 seat of ticket" in refused.refused
    assert f"cachao limit --ticket {there} --to NUMBER" in refused.advice
    assert (order_row(database, order_id), counts(database, there), kept(database)) == (before, (0, 0), [])


def test_an_order_of_the_shop_before_moves_with_what_was_counted_then(database: Database) -> None:
    here, there = create_ticket(database, sold_quantity=2), create_ticket(database)
    order_id = create_order(database, ticket_id=here, quantity=2, hold=False, status="paid")
    do(database, order_id, Move(ticket_id=there))
    assert (counts(database, here), counts(database, there)) == ((0, 0), (2, 0))


@pytest.mark.parametrize("ended", ["refunded", "cancelled", "expired", "failed"])
def test_what_has_ended_is_not_moved(database: Database, ended: str) -> None:
    order_id = create_order(database, hold=False, status=ended)
    assert ended in do(database, order_id, Move(ticket_id=create_ticket(database))).refused


def test_a_ticket_that_is_not_there_is_said(database: Database, paid: Paid) -> None:
    assert "There is no ticket 999" in do(database, paid(), Move(ticket_id=999)).refused


def test_what_is_odd_about_the_other_ticket_is_said(database: Database, paid: Paid) -> None:
    over = create_event(database, start_date="2020-01-01 20:00:00")
    notes = do(database, paid(), Move(ticket_id=create_ticket(database, event_id=over))).notes
    assert "The event that it goes to is over." in notes
    notes = do(database, paid(), Move(ticket_id=create_ticket(database, is_active=0))).notes
    assert "The ticket that it goes to is not on sale." in notes


def test_an_order_that_is_another_one_by_now_is_left_alone(database: Database, paid: Paid) -> None:
    order_id, there = paid(quantity=2), create_ticket(database)
    seen = correct(database, order_id, Move(ticket_id=there)).seen
    do(database, order_id, Change(quantity=1))
    late = correct(database, order_id, Move(ticket_id=there), by="bob", seen=seen)
    assert (late.moved_on, late.done, counts(database, there)) == (True, False, (0, 0))


# --- Change --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_paid", [True, False])
@pytest.mark.parametrize("quantity", [1, 5])
def test_an_order_gets_another_number_of_seats(database: Database, *, is_paid: bool, quantity: int) -> None:
    order_id = create_order(database, quantity=3)
    if is_paid:
        pay(database, order_id)
    report = do(database, order_id, Change(quantity=quantity))
    ticket = order_row(database, order_id)["ticket_id"]
    assert counts(database, ticket) == ((quantity, 0) if is_paid else (0, quantity))
    assert report.undo == f"cachao change {order_id} --quantity 3"
    assert any("40.00 EUR is NOT" in note for note in report.notes)
    assert order_row(database, order_id)["total_amount"] == Decimal("60.00")
    if is_paid:
        refund_charge(database, order_id, 6000)
        assert counts(database, ticket) == (0, 0)


def test_more_seats_than_are_free_are_refused(database: Database, paid: Paid) -> None:
    order_id = paid(ticket_id=create_ticket(database, max_quantity=3), quantity=2)
    assert "1 seat of ticket" in do(database, order_id, Change(quantity=4)).refused
    assert do(database, order_id, Change(quantity=3)).done


def test_seats_that_could_not_be_counted_are_counted_by_the_same_number(database: Database, paid: Paid) -> None:
    order_id = paid(quantity=2)
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET counted_quantity = 1 WHERE id = %s", order_id)
        tx.change("UPDATE tickets SET sold_quantity = 1")
    report = do(database, order_id, Change(quantity=2))
    assert counts(database, order_row(database, order_id)["ticket_id"]) == (2, 0)
    assert [c.what for c in report.changes if c.of.startswith("order")] == ["seats counted"]


def test_a_code_is_exchanged_dropped_and_given(database: Database) -> None:
    event = create_event(database)
    ticket = create_ticket(database, event_id=event)
    one, other = (create_code(database, event_id=event, code=code) for code in ("ONE", "OTHER"))
    order_id = create_order(database, ticket_id=ticket, discount_code_id=one)
    do(database, order_id, Change(code=" other "))
    assert (code_uses(database, one), code_uses(database, other)) == ((0, 0), (0, 1))
    pay(database, order_id)
    do(database, order_id, Change(code_id=one))
    assert (code_uses(database, one), code_uses(database, other)) == ((1, 0), (0, 0))
    report = do(database, order_id, Change(drop_code=True))
    assert (code_uses(database, one), report.undo) == ((0, 0), f"cachao change {order_id} --code-id {one}")
    do(database, order_id, Change(code="ONE"))
    assert code_uses(database, one) == (1, 0)
    refund_charge(database, order_id, 2000)
    assert code_uses(database, one) == (0, 0)


def test_a_code_that_cannot_be_used_is_refused(database: Database, paid: Paid) -> None:
    event = create_event(database)
    order_id = paid(ticket_id=create_ticket(database, event_id=event))
    used_up = create_code(database, event_id=event, max_uses=0)
    assert "code_unknown" in do(database, order_id, Change(code="NONE")).refused
    assert "code_used_up" in do(database, order_id, Change(code="SALSA10")).refused
    assert "0 uses of code" in do(database, order_id, Change(code_id=used_up)).refused
    assert "There is no code 999" in do(database, order_id, Change(code_id=999)).refused


# --- Take back -----------------------------------------------------------------------------------------------------


def test_a_paid_order_is_taken_back_and_its_money_stays(database: Database) -> None:
    code = create_code(database)
    order_id = create_order(database, quantity=2, discount_code_id=code)
    pay(database, order_id)
    report = do(database, order_id, TakeBack())
    assert (status(database, order_id), code_uses(database, code)) == ("cancelled", (0, 0))
    assert counts(database, order_row(database, order_id)["ticket_id"]) == (0, 0)
    assert any(f"40.00 EUR of pi_order{order_id} stays with the shop" in note for note in report.notes)
    assert "cannot be undone" in report.undo
    # The refund, when it comes all the same, gives nothing back twice.
    refund_charge(database, order_id, 4000)
    assert counts(database, order_row(database, order_id)["ticket_id"]) == (0, 0)


@pytest.mark.parametrize("state", ["pending", "processing"])
def test_an_unpaid_order_is_taken_back(database: Database, state: str) -> None:
    order_id = create_order(database, status=state)
    report = do(database, order_id, TakeBack())
    assert (status(database, order_id), order_row(database, order_id)["held_quantity"]) == ("cancelled", 0)
    assert any("PaymentForClosedOrder" in note for note in report.notes) is (state == "processing")


def test_some_seats_are_taken_back_once(database: Database, paid: Paid) -> None:
    order_id = paid(quantity=4)
    report = do(database, order_id, TakeBack(seats=1))
    assert counts(database, order_row(database, order_id)["ticket_id"]) == (3, 0)
    assert any(f"cachao refund {order_id} --seats 1" in note for note in report.notes)
    assert "add --of 3" in correct(database, order_id, TakeBack(seats=1)).already
    # The same words again, said with what there is: that is another one.
    do(database, order_id, TakeBack(seats=1, of=3))
    assert order_row(database, order_id)["quantity"] == 2
    assert "has 2 seats, not 4" in correct(database, order_id, TakeBack(seats=1, of=4)).refused
    with database.transaction() as tx:
        tx.change("UPDATE order_corrections SET corrected_at = corrected_at - INTERVAL 2 HOUR")
    do(database, order_id, TakeBack(seats=1))
    assert "is not a part of that" in correct(database, order_id, TakeBack(seats=1, of=1)).refused


def test_what_is_refunded_has_nothing_to_take_back(database: Database, paid: Paid) -> None:
    order_id = paid()
    refund_charge(database, order_id, 2000)
    assert "refunded already" in do(database, order_id, TakeBack()).already


# --- Mark paid -----------------------------------------------------------------------------------------------------


def intent(**fields: Any) -> PaidIntent:
    given: dict[str, Any] = {
        "payment_intent_id": "pi_hand",
        "status": "succeeded",
        "received_minor": 2000,
        "currency": "eur",
    }
    return PaidIntent(**(given | fields))


@pytest.mark.parametrize("state", ["pending", "processing", "expired", "failed"])
def test_an_order_is_marked_paid_by_its_payment(database: Database, state: str) -> None:
    held = state in {"pending", "processing"}
    code = create_code(database)
    order_id = create_order(database, status=state, hold=held, discount_code_id=code)
    report = do(database, order_id, MarkPaid(payment="pi_hand", found=intent(charge_id="ch_1")))
    order = order_row(database, order_id)
    assert (order["status"], order["stripe_payment_intent_id"], counts(database, order["ticket_id"])) == (
        "paid",
        "pi_hand",
        (1, 0),
    )
    assert code_uses(database, code) == (1, 0)
    assert any("you say so" in note for note in report.notes)
    refund_charge(database, order_id, 2000, payment_intent="pi_hand")
    assert (status(database, order_id), counts(database, order["ticket_id"])) == ("refunded", (0, 0))


def test_its_event_that_comes_late_counts_nothing_twice(database: Database) -> None:
    order_id = create_order(database)
    found = intent(order_reference=str(order_id), order_mark=order_row(database, order_id)["order_mark"])
    assert do(database, order_id, MarkPaid(payment="pi_hand", found=found)).notes == []
    assert not pay(database, order_id, payment_intent="pi_hand").changed
    assert counts(database, order_row(database, order_id)["ticket_id"]) == (1, 0)
    assert_adds_up(database)


def test_an_order_is_marked_paid_without_stripe(database: Database) -> None:
    order_id = create_order(database)
    assert any("No payment at Stripe" in note for note in do(database, order_id, MarkPaid()).notes)
    assert (status(database, order_id), order_row(database, order_id)["stripe_payment_intent_id"]) == ("paid", None)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "knows no payment"),
        (intent(status="processing"), "took no money"),
        (intent(order_reference="999"), "of order 999"),
        (intent(refunded_minor=1), "went back already"),
        (intent(is_disputed=True), "disputes payment"),
        (intent(received_minor=2100), "Stripe took 21.00 EUR"),
        (intent(currency="usd"), "Stripe took 20.00 USD"),
    ],
)
def test_a_payment_that_does_not_fit_is_refused(database: Database, found: PaidIntent | None, said: str) -> None:
    order_id = create_order(database)
    assert said in do(database, order_id, MarkPaid(payment="pi_hand", found=found)).refused
    assert status(database, order_id) == "pending"


def test_a_payment_of_another_order_and_an_order_that_has_one_are_refused(database: Database, paid: Paid) -> None:
    other = paid()
    found = intent(payment_intent_id=f"pi_order{other}")
    marked = MarkPaid(payment=f"pi_order{other}", found=found)
    assert f"is of order {other}" in do(database, create_order(database), marked).refused
    assert "is paid already" in do(database, other, MarkPaid(payment="pi_hand", found=intent())).refused
    refund_charge(database, other, 2000)
    assert "never revived" in do(database, other, MarkPaid(payment="pi_hand", found=intent())).refused


def test_a_late_order_without_seats_left_is_refused(database: Database) -> None:
    ticket = create_ticket(database, max_quantity=0)
    order_id = create_order(database, ticket_id=ticket, status="failed", hold=False)
    assert "0 seats of ticket" in do(database, order_id, MarkPaid(payment="pi_hand", found=intent())).refused
    raised = set_limit(
        database, NewLimit(kind="ticket", counter_id=ticket, to=1, seen=0), by="ann", reason="a chair more"
    )
    assert raised.done
    assert do(database, order_id, MarkPaid(payment="pi_hand", found=intent())).done


# --- Details -------------------------------------------------------------------------------------------------------


def test_the_amount_is_corrected(database: Database) -> None:
    order_id = create_order(database, quantity=2)
    report = do(database, order_id, Details(amount="42.00"))
    order = order_row(database, order_id)
    assert (order["unit_price"], order["total_amount"], order["asked_minor"]) == (Decimal(21), Decimal(42), 4200)
    assert report.undo == f"cachao correct {order_id} --amount 40.00 --currency eur"
    do(database, order_id, Details(amount="42", currency="USD"))
    assert any("no whole price" in note for note in do(database, order_id, Details(amount="42.01")).notes)


@pytest.mark.parametrize("amount", ["-1", "1e3", "NaN", "twelve", "1.001", "9999999"])
def test_what_is_no_amount_is_refused(database: Database, amount: str) -> None:
    assert do(database, create_order(database), Details(amount=amount)).refused


def test_a_paid_orders_amount_and_session_stay(database: Database, paid: Paid) -> None:
    order_id = paid()
    assert "before the payment" in do(database, order_id, Details(amount="1.00")).refused
    assert "before the payment" in do(database, order_id, Details(session="cs_other")).refused


def test_the_session_is_corrected_where_it_is_the_orders(database: Database) -> None:
    order_id = create_order(database)
    order = order_row(database, order_id)
    before = order["stripe_checkout_session_id"]
    found = FoundSession(session_id="cs_paid", status="complete", payment_status="paid")
    foreign = Details(session="cs_paid", found=found)
    assert "does not say at Stripe" in do(database, order_id, foreign).refused
    assert "knows no Checkout Session" in do(database, order_id, Details(session="cs_paid")).refused
    ours = FoundSession(
        session_id="cs_paid",
        status="complete",
        payment_status="paid",
        order_reference=str(order_id),
        order_mark=order["order_mark"],
    )
    stored = FoundSession(session_id=before, status="open", payment_status="unpaid")
    assert "is open" in do(database, order_id, Details(session="cs_paid", found=ours, stored=stored)).refused
    ended = FoundSession(session_id=before, status="expired", payment_status="unpaid")
    report = do(database, order_id, Details(session="cs_paid", found=ours, stored=ended))
    assert (order_row(database, order_id)["stripe_checkout_session_id"], report.undo) == (
        "cs_paid",
        f"cachao correct {order_id} --session {before}",
    )


def test_the_address_is_corrected_and_kept_nowhere_else(database: Database, paid: Paid) -> None:
    order_id = paid()
    old = order_row(database, order_id)["email"]
    report = do(database, order_id, Details(email="jenny@example.com"))
    assert order_row(database, order_id)["email"] == "jenny@example.com"
    assert report.undo == "It cannot be undone."
    text = str(kept(database)) + str(report)
    assert old not in text
    assert "jenny" not in text
    assert "no e-mail address" in do(database, order_id, Details(email="jenny@")).refused


def test_a_hold_that_a_counted_order_has_is_dropped(database: Database, paid: Paid) -> None:
    order_id = paid(quantity=2)
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET held_quantity = 2, held_ticket_id = ticket_id WHERE id = %s", order_id)
        tx.change("UPDATE tickets SET held_quantity = 2")
    do(database, order_id, Details(drop_hold=True))
    assert counts(database, order_row(database, order_id)["ticket_id"]) == (2, 0)
    waits = create_order(database)
    assert "needs what it holds" in do(database, waits, Details(drop_hold=True)).refused


def test_of_several_details_all_or_none_are_corrected(database: Database, paid: Paid) -> None:
    order_id = paid()
    before = order_row(database, order_id)
    assert do(database, order_id, Details(email="jenny@example.com", amount="1.00")).refused
    assert order_row(database, order_id) == before


# --- Limits --------------------------------------------------------------------------------------------------------


def test_a_limit_is_changed_and_kept_never_below_what_is_taken(database: Database, paid: Paid) -> None:
    ticket = create_ticket(database, max_quantity=5)
    paid(ticket_id=ticket, quantity=3)

    def say(to: int | None, *, seen: int | None = 5, dry_run: bool = False, kind: Any = "ticket") -> Any:
        wanted = NewLimit(kind=kind, counter_id=ticket, to=to, seen=seen, dry_run=dry_run)
        return set_limit(database, wanted, by="ann", reason=None)

    assert "3 of ticket" in say(2).refused
    assert (say(4, dry_run=True).done, row_of(database, "tickets", ticket)["max_quantity"]) == (False, 5)
    assert say(4, seen=9).moved_on
    assert say(4).done
    assert say(None, seen=4).done
    assert row_of(database, "tickets", ticket)["max_quantity"] is None
    assert "There is no code" in say(4, kind="code").refused
    with database.transaction() as tx:
        rows = tx.all("SELECT limit_before, limit_after, corrected_by FROM counter_corrections ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [(5, 4, "ann"), (4, None, "ann")]
