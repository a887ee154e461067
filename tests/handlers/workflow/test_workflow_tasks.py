"""The tasks of the workflow against a real MariaDB, row by row of docs/rules.md, "Order states"."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import (
    create_code,
    create_order,
    create_ticket,
    envelope,
    read_as,
    row_of,
    session_of,
)
from ticketing.database import Database
from ticketing.errors import (
    AmountMismatch,
    DataInconsistent,
    DuplicatePayment,
    OrderMismatch,
    OrderNotFound,
    PaidButSoldOut,
    PaymentForClosedOrder,
)
from ticketing.payments.accept import PaidOrder, mark_order_paid
from ticketing.payments.counts import count_discount_use, count_ticket_sale
from ticketing.payments.lookup import FoundOrder, look_up_order
from ticketing.payments.release import OrderMove, mark_order_processing, release_order
from ticketing.stripe.events import SessionEvent


def payment_of(database: Database, order_id: int, **fields: Any) -> SessionEvent:
    session = session_of(row_of(database, "ticket_orders", order_id), **fields)
    return read_as(SessionEvent, envelope("checkout.session.completed", session))


def pay(database: Database, order_id: int, **fields: Any) -> PaidOrder:
    return mark_order_paid(database, order_id, payment_of(database, order_id, **fields))


def ticket_counts(database: Database, ticket_id: int) -> tuple[int, int]:
    ticket = row_of(database, "tickets", ticket_id)
    return ticket["sold_quantity"], ticket["held_quantity"]


def code_counts(database: Database, code_id: int) -> tuple[int, int]:
    code = row_of(database, "discount_codes", code_id)
    return code["used_count"], code["held_count"]


def set_status(database: Database, order_id: int, status: str) -> None:
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = %s WHERE id = %s", status, order_id)


# --- LookUpOrder -----------------------------------------------------------------------------------------


def test_an_order_is_found_by_metadata_and_told_with_its_total(database: Database) -> None:
    order_id = create_order(database, quantity=2)
    found = look_up_order(database, payment_of(database, order_id))
    assert isinstance(found, FoundOrder)
    assert (found.order_id, found.status, found.quantity) == (order_id, "pending", 2)
    assert (found.total_minor, found.currency, found.has_discount) == (4000, "eur", False)


def test_without_metadata_an_order_is_found_by_its_session(database: Database) -> None:
    order_id = create_order(database)
    assert look_up_order(database, payment_of(database, order_id, metadata={})).order_id == order_id


def test_a_session_id_that_differs_by_case_only_is_another_one(database: Database) -> None:
    order_id = create_order(database, stripe_checkout_session_id="cs_test_AbC")
    with pytest.raises(OrderNotFound, match="names no order"):
        look_up_order(database, payment_of(database, order_id, metadata=None, id="cs_test_aBc"))


@pytest.mark.parametrize("reference", ["999999", "0", "-1", "1e3", "1 OR 1=1", "'; DROP TABLE tickets; --", "٣"])
def test_no_other_order_is_taken_for_a_strange_reference(database: Database, reference: str) -> None:
    order_id = create_order(database)
    with pytest.raises(OrderNotFound, match="There is no order"):
        look_up_order(database, payment_of(database, order_id, metadata={"order_id": reference}))


def test_a_reference_that_begins_like_an_order_is_not_that_order(database: Database) -> None:
    order_id = create_order(database)
    with pytest.raises(OrderNotFound):
        look_up_order(database, payment_of(database, order_id, metadata={"order_id": f"{order_id}x"}))


def test_another_session_than_the_orders_is_a_mismatch(database: Database) -> None:
    order_id = create_order(database)
    with pytest.raises(OrderMismatch, match="cs_test_other"):
        look_up_order(database, payment_of(database, order_id, id="cs_test_other"))
    assert row_of(database, "ticket_orders", order_id)["stripe_checkout_session_id"] != "cs_test_other"


def test_two_orders_that_claim_one_session_are_a_mismatch(database: Database) -> None:
    order_id = create_order(database, stripe_checkout_session_id="cs_test_twice")
    create_order(database, stripe_checkout_session_id="cs_test_twice")
    with pytest.raises(OrderMismatch, match="More than one order"):
        look_up_order(database, payment_of(database, order_id, metadata={}))


def test_a_session_id_that_was_not_stored_is_stored_now(database: Database) -> None:
    order_id = create_order(database, stripe_checkout_session_id=None)
    look_up_order(database, payment_of(database, order_id, id="cs_test_late"))
    assert row_of(database, "ticket_orders", order_id)["stripe_checkout_session_id"] == "cs_test_late"


@pytest.mark.parametrize("fields", [{"amount_total": 1999}, {"currency": "usd"}, {"amount_total": 0}])
def test_another_amount_or_currency_changes_nothing(database: Database, fields: dict[str, Any]) -> None:
    order_id = create_order(database, stripe_checkout_session_id=None)
    with pytest.raises(AmountMismatch, match="2000"):
        look_up_order(database, payment_of(database, order_id, id="cs_test_new", **fields))
    assert row_of(database, "ticket_orders", order_id)["stripe_checkout_session_id"] is None


def test_with_adaptive_pricing_the_orders_side_is_compared(database: Database) -> None:
    order_id = create_order(database)
    conversion = {"amount_subtotal": 2000, "amount_total": 2000, "fx_rate": "1.1", "source_currency": "eur"}
    payment = payment_of(database, order_id, amount_total=2200, currency="usd", currency_conversion=conversion)
    assert look_up_order(database, payment).order_id == order_id
    assert payment.charged == "22.00 USD"


# --- MarkOrderPaid and the counts ------------------------------------------------------------------------


def test_a_payment_moves_the_order_and_its_hold_once(database: Database) -> None:
    ticket_id = create_ticket(database, max_quantity=5)
    code_id = create_code(database)
    order_id = create_order(database, ticket_id=ticket_id, quantity=3, discount_code_id=code_id)
    for changed, counted in ((True, "counted"), (False, "already_counted")):
        assert pay(database, order_id) == PaidOrder(status="paid", changed=changed)
        assert count_ticket_sale(database, order_id).result == counted
        assert count_discount_use(database, order_id).result == counted
        assert ticket_counts(database, ticket_id) == (3, 0)
        assert code_counts(database, code_id) == (1, 0)
    order = row_of(database, "ticket_orders", order_id)
    assert (order["status"], order["stripe_payment_intent_id"]) == ("paid", f"pi_order{order_id}")
    assert order["paid_at"] is not None


def test_an_order_without_code_has_no_use_to_count(database: Database) -> None:
    order_id = create_order(database)
    pay(database, order_id)
    assert count_discount_use(database, order_id).result == "no_discount"


def test_an_order_that_needed_no_payment_is_paid_by_its_session(database: Database) -> None:
    order_id = create_order(database, unit_price=0)
    fields = {"payment_status": "no_payment_required", "payment_intent": None}
    assert pay(database, order_id, **fields).changed
    assert not pay(database, order_id, **fields).changed


def test_an_order_of_the_time_before_holds_is_paid_and_counted(database: Database) -> None:
    ticket_id = create_ticket(database, max_quantity=2)
    code_id = create_code(database, max_uses=1)
    order_id = create_order(database, ticket_id=ticket_id, quantity=2, discount_code_id=code_id, hold=False)
    assert pay(database, order_id).changed
    count_ticket_sale(database, order_id)
    count_discount_use(database, order_id)
    assert ticket_counts(database, ticket_id) == (2, 0)
    assert code_counts(database, code_id) == (1, 0)


@pytest.mark.parametrize("status", ["expired", "failed"])
def test_a_late_payment_gets_its_seats_again(database: Database, status: str) -> None:
    ticket_id = create_ticket(database, max_quantity=2)
    order_id = create_order(database, ticket_id=ticket_id, quantity=2, hold=False, status=status)
    assert pay(database, order_id).changed
    assert ticket_counts(database, ticket_id) == (0, 2)


@pytest.mark.parametrize(("status", "after"), [("expired", "expired"), ("failed", "failed"), ("pending", "failed")])
def test_a_late_payment_without_seats_is_an_alert_and_no_ticket(database: Database, status: str, after: str) -> None:
    ticket_id = create_ticket(database, max_quantity=2)
    order_id = create_order(database, ticket_id=ticket_id, quantity=2, hold=False, status=status)
    create_order(database, ticket_id=ticket_id)
    for _ in range(2):
        with pytest.raises(PaidButSoldOut, match=r"Refund 40\.00 EUR"):
            pay(database, order_id)
    assert row_of(database, "ticket_orders", order_id)["status"] == after
    assert ticket_counts(database, ticket_id) == (0, 1)
    assert count_ticket_sale(database, order_id).result == "not_due"


def test_a_late_payment_with_a_used_up_code_is_paid_and_the_code_keeps_its_bound(database: Database) -> None:
    code_id = create_code(database, max_uses=1)
    order_id = create_order(database, discount_code_id=code_id, hold=False, status="expired")
    create_order(database, discount_code_id=code_id)
    assert pay(database, order_id).changed
    assert count_discount_use(database, order_id).result == "used_up"
    assert code_counts(database, code_id) == (0, 1)


def test_a_second_payment_is_an_alert_that_names_both(database: Database) -> None:
    order_id = create_order(database)
    pay(database, order_id)
    with pytest.raises(DuplicatePayment, match=f"pi_order{order_id} .*pi_second"):
        pay(database, order_id, payment_intent="pi_second")
    assert row_of(database, "ticket_orders", order_id)["stripe_payment_intent_id"] == f"pi_order{order_id}"


def test_a_second_session_of_a_paid_order_passes_the_look_up_to_be_told_as_duplicate(database: Database) -> None:
    order_id = create_order(database)
    pay(database, order_id)
    second = payment_of(database, order_id, id="cs_test_second", payment_intent="pi_second")
    assert look_up_order(database, second).order_id == order_id
    with pytest.raises(DuplicatePayment):
        mark_order_paid(database, order_id, second)


@pytest.mark.parametrize("status", ["refunded", "cancelled"])
def test_a_closed_order_is_never_revived(database: Database, status: str) -> None:
    order_id = create_order(database, hold=False, status=status)
    with pytest.raises(PaymentForClosedOrder, match=status):
        pay(database, order_id)
    assert row_of(database, "ticket_orders", order_id)["status"] == status


def test_an_unknown_status_is_no_success(database: Database) -> None:
    order_id = create_order(database, status="on_the_moon")
    with pytest.raises(DataInconsistent, match="on_the_moon"):
        pay(database, order_id)


def test_an_order_that_is_gone_is_not_found_by_any_task(database: Database) -> None:
    order_id = create_order(database)
    payment = payment_of(database, order_id)
    with database.transaction() as tx:
        tx.change("DELETE FROM ticket_orders WHERE id = %s", order_id)
    with pytest.raises(OrderNotFound):
        mark_order_paid(database, order_id, payment)
    with pytest.raises(OrderNotFound):
        count_ticket_sale(database, order_id)
    with pytest.raises(OrderNotFound):
        count_discount_use(database, order_id)
    with pytest.raises(OrderNotFound):
        mark_order_processing(database, order_id, stripe_event_id="evt_1")
    with pytest.raises(OrderNotFound):
        release_order(database, order_id, lost_as="failed", stripe_event_id="evt_1")


@pytest.mark.parametrize("limit", [1, 0])
def test_what_is_held_is_counted_even_where_the_limit_was_lowered_meanwhile(database: Database, limit: int) -> None:
    code_id = create_code(database)
    order_id = create_order(database, quantity=2, discount_code_id=code_id)
    ticket_id = row_of(database, "ticket_orders", order_id)["ticket_id"]
    with database.transaction() as tx:
        tx.change("UPDATE tickets SET max_quantity = %s WHERE id = %s", limit, ticket_id)
        tx.change("UPDATE discount_codes SET max_uses = 0 WHERE id = %s", code_id)
    pay(database, order_id)
    assert count_ticket_sale(database, order_id).result == "counted"
    assert count_discount_use(database, order_id).result == "counted"
    assert ticket_counts(database, ticket_id) == (2, 0)
    assert code_counts(database, code_id) == (1, 0)


# --- What is not paid ------------------------------------------------------------------------------------


def test_a_delayed_payment_keeps_the_hold(database: Database) -> None:
    order_id = create_order(database)
    assert mark_order_processing(database, order_id, stripe_event_id="evt_1") == OrderMove(
        status="processing", changed=True
    )
    assert mark_order_processing(database, order_id, stripe_event_id="evt_1") == OrderMove(
        status="processing", changed=False
    )
    ticket_id = row_of(database, "ticket_orders", order_id)["ticket_id"]
    assert ticket_counts(database, ticket_id) == (0, 1)
    assert pay(database, order_id).changed


@pytest.mark.parametrize("status", ["paid", "failed", "expired", "refunded", "cancelled"])
def test_a_delayed_payment_that_is_told_late_changes_nothing(database: Database, status: str) -> None:
    order_id = create_order(database, hold=False, status=status)
    assert mark_order_processing(database, order_id, stripe_event_id="evt_1") == OrderMove(status=status, changed=False)


@pytest.mark.parametrize(
    ("lost_as", "status", "changed"),
    [
        ("failed", "pending", True),
        ("failed", "processing", True),
        ("expired", "pending", True),
        ("expired", "processing", False),
    ],
)
def test_a_lost_order_gives_its_hold_back_once(database: Database, lost_as: Any, status: str, changed: bool) -> None:
    code_id = create_code(database)
    order_id = create_order(database, quantity=2, discount_code_id=code_id)
    ticket_id = row_of(database, "ticket_orders", order_id)["ticket_id"]
    set_status(database, order_id, status)
    release_order(database, order_id, lost_as=lost_as, stripe_event_id="evt_1")
    release_order(database, order_id, lost_as=lost_as, stripe_event_id="evt_2")
    after = lost_as if changed else status
    assert row_of(database, "ticket_orders", order_id)["status"] == after
    assert ticket_counts(database, ticket_id) == ((0, 0) if changed else (0, 2))
    assert code_counts(database, code_id) == ((0, 0) if changed else (0, 1))


@pytest.mark.parametrize("status", ["paid", "refunded", "cancelled"])
@pytest.mark.parametrize("lost_as", ["failed", "expired"])
def test_an_order_that_is_paid_or_closed_is_not_lost(database: Database, lost_as: Any, status: str) -> None:
    order_id = create_order(database, hold=False, status=status)
    assert release_order(database, order_id, lost_as=lost_as, stripe_event_id="evt_1") == OrderMove(
        status=status, changed=False
    )
    with database.transaction() as tx:
        assert tx.one("SELECT entry FROM order_history WHERE order_id = %s", order_id) == {
            "entry": f"{lost_as}_ignored"
        }


@pytest.mark.parametrize("lost_as", ["failed", "expired"])
def test_what_an_operator_cancelled_gives_its_hold_back(database: Database, lost_as: Any) -> None:
    code_id = create_code(database)
    order_id = create_order(database, quantity=2, discount_code_id=code_id)
    ticket_id = row_of(database, "ticket_orders", order_id)["ticket_id"]
    set_status(database, order_id, "cancelled")
    for event in ("evt_1", "evt_2"):
        moved = release_order(database, order_id, lost_as=lost_as, stripe_event_id=event)
        assert moved == OrderMove(status="cancelled", changed=False)
    assert ticket_counts(database, ticket_id) == (0, 0)
    assert code_counts(database, code_id) == (0, 0)
