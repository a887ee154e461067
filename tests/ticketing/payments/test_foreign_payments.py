"""What another application of the Stripe account did never touches an order (docs/rules.md, "Words" and rule 0)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import (
    charge_of,
    create_order,
    dispute_of,
    envelope,
    names_of,
    read_as,
    refund_of,
    session_of,
    stripe_event,
)
from tests.handlers.workflow.workflow_by_hand import run_workflow
from tests.ticketing.paid_orders import entries, order_row, pay, seats, status
from ticketing.database import Database, Row
from ticketing.errors import AmountMismatch, OrderMismatch, OrderNotFound
from ticketing.payments.lookup import Foreign, FoundOrder, OtherSession, look_up_order
from ticketing.stripe.events import SessionEvent, read_event
from ticketing.stripe.objects import identity_of

COMPLETED = "checkout.session.completed"


def foreign_session(order: Row, **fields: Any) -> dict[str, Any]:
    """A session of another application, which counts its orders, too: of the same number and price."""
    own = {"id": "cs_test_neighbour", "payment_intent": "pi_neighbour", "client_reference_id": str(order["id"])}
    return session_of(order, **{**own, "metadata": {"order_id": str(order["id"])}, **fields})


def everything(database: Database) -> list[Row]:
    with database.transaction() as tx:
        return [
            row
            for table in ("tickets", "ticket_orders", "order_payments", "order_refunds", "order_history")
            for row in tx.all(f"SELECT * FROM {table} ORDER BY 1")
        ]


def order_in(database: Database, state: str) -> int:
    if state == "paid":
        order = create_order(database, quantity=2)
        pay(database, order)
        return order
    if state == "without a session":
        return create_order(database, quantity=2, stripe_checkout_session_id=None)
    if state == "of the shop before":
        return create_order(database, quantity=2, hold=False, stripe_checkout_session_id=None)
    return create_order(database, quantity=2)


STATES = ["paid", "pending", "without a session", "of the shop before"]


@pytest.mark.parametrize("state", STATES)
def test_a_payment_that_only_has_the_orders_number_is_nobodys(database: Database, state: str) -> None:
    order = order_in(database, state)
    before = everything(database)
    event = read_as(SessionEvent, envelope(COMPLETED, foreign_session(order_row(database, order))))
    with pytest.raises(OrderNotFound, match="by its number alone"):
        look_up_order(database, event)
    assert look_up_order(database, event, account_is_shared=True) == Foreign(took_money=True)
    assert everything(database) == before


@pytest.mark.parametrize("state", STATES)
def test_the_reference_and_the_price_prove_nothing(database: Database, state: str) -> None:
    order = order_in(database, state)
    before = everything(database)
    event = read_as(SessionEvent, envelope(COMPLETED, foreign_session(order_row(database, order), metadata={})))
    with pytest.raises(OrderNotFound, match="names no order"):
        look_up_order(database, event)
    assert look_up_order(database, event, account_is_shared=True) == Foreign(took_money=True)
    assert everything(database) == before


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        ("checkout.session.expired", {"payment_status": "unpaid", "status": "expired", "payment_intent": None}),
        (COMPLETED, {"payment_status": "unpaid"}),
        ("checkout.session.async_payment_failed", {"payment_status": "unpaid"}),
        (COMPLETED, {"payment_status": "no_payment_required", "amount_total": 0, "payment_intent": None}),
    ],
)
@pytest.mark.parametrize("wrong", [{}, {"order_mark": "AAAAAAAAAAAAAAAAAAAAAA"}, {"event_id": "1", "ticket_id": "0"}])
def test_what_took_no_money_is_ignored_whatever_it_names(
    database: Database, state: str, event_type: str, fields: dict[str, Any], wrong: dict[str, str]
) -> None:
    order = order_in(database, state)
    before = everything(database)
    session = foreign_session(order_row(database, order), **fields)
    session["metadata"] = {"order_id": str(order), **wrong}
    for shared in (False, True):
        event = read_as(SessionEvent, envelope(event_type, session))
        assert look_up_order(database, event, account_is_shared=shared) == Foreign()
    assert everything(database) == before


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("names", "what"),
    [
        ({"order_mark": "AAAAAAAAAAAAAAAAAAAAAA"}, "mark"),
        ({"event_id": "999999", "ticket_id": "999999"}, "event or ticket"),
    ],
)
def test_a_payment_that_names_another_shops_mark_event_or_ticket_is_a_mismatch(
    database: Database, state: str, names: dict[str, str], what: str, shared: bool
) -> None:
    order = order_in(database, state)
    before = everything(database)
    session = foreign_session(order_row(database, order))
    session["metadata"] |= names
    event = read_as(SessionEvent, envelope(COMPLETED, session))
    with pytest.raises(OrderMismatch, match=f"Order {order} has another {what}"):
        look_up_order(database, event, account_is_shared=shared)
    assert everything(database) == before


def test_an_order_with_a_mark_is_not_known_by_event_and_ticket(database: Database) -> None:
    order = create_order(database)
    session = foreign_session(order_row(database, order))
    session["metadata"] = {
        name: value for name, value in names_of(order_row(database, order)).items() if "mark" not in name
    }
    with pytest.raises(OrderNotFound):
        look_up_order(database, read_as(SessionEvent, envelope(COMPLETED, session)))


@pytest.mark.parametrize("hold", [True, False])
def test_a_session_that_its_checkout_could_not_note_is_known_by_its_names(database: Database, hold: bool) -> None:
    order = create_order(database, hold=hold, stripe_checkout_session_id=None)
    session = session_of(order_row(database, order), id="cs_test_unnoted")
    found = look_up_order(database, read_as(SessionEvent, envelope(COMPLETED, session)))
    assert isinstance(found, FoundOrder)
    assert order_row(database, order)["stripe_checkout_session_id"] == "cs_test_unnoted"


@pytest.mark.parametrize("shared", [True, False])
def test_a_session_that_stands_on_an_order_is_never_ignored(database: Database, shared: bool) -> None:
    order, another = create_order(database), create_order(database)
    for named, error in ((another, OrderMismatch), (999_999_999, OrderNotFound)):
        session = session_of(order_row(database, order), metadata={"order_id": str(named)})
        with pytest.raises(error, match=f"stands on order {order}"):
            look_up_order(database, read_as(SessionEvent, envelope(COMPLETED, session)), account_is_shared=shared)


# --- Another session of the same order --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event_type", "payment_status", "entry"),
    [
        ("checkout.session.expired", "unpaid", "other_session_expired"),
        ("checkout.session.async_payment_failed", "unpaid", "other_session_failed"),
        (COMPLETED, "unpaid", "other_session_awaiting"),
    ],
)
@pytest.mark.parametrize("state", ["paid", "pending"])
def test_another_session_of_the_order_that_took_no_money_is_recorded_once(
    database: Database, state: str, event_type: str, payment_status: str, entry: str
) -> None:
    order = order_in(database, state)
    was = (status(database, order), seats(database, order))
    session = session_of(order_row(database, order), id="cs_test_second", payment_status=payment_status)
    event = read_as(SessionEvent, envelope(event_type, session))
    for _ in range(2):
        assert look_up_order(database, event) == OtherSession(order_id=order)
    assert entries(database, order).count(entry) == 1
    assert (status(database, order), seats(database, order)) == was


def test_another_session_that_took_money_is_a_duplicate_only_of_a_paid_order(database: Database) -> None:
    waiting, paid = order_in(database, "pending"), order_in(database, "paid")
    for order, end in ((waiting, "OrderMismatch"), (paid, "DuplicatePayment")):
        session = session_of(order_row(database, order), id=f"cs_test_again{order}", payment_intent=f"pi_again{order}")
        assert run_workflow(database, envelope(COMPLETED, session)) == end
    assert (status(database, waiting), seats(database, waiting)) == ("pending", (0, 2))


# --- What was asked ---------------------------------------------------------------------------------------------------


def test_what_was_asked_counts_not_what_the_order_costs_today(database: Database) -> None:
    order = create_order(database, quantity=2)
    session = session_of(order_row(database, order))
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET total_amount = 60, quantity = 3 WHERE id = %s", order)
    assert run_workflow(database, envelope(COMPLETED, session)) == "paid"
    event = read_as(SessionEvent, envelope(COMPLETED, session | {"amount_total": 6000}))
    with pytest.raises(AmountMismatch, match=r"40\.00 EUR .* 60\.00 EUR"):
        look_up_order(database, event)


@pytest.mark.parametrize(
    "pricing",
    [
        {},
        {"presentment_details": {"presentment_amount": 4680, "presentment_currency": "usd"}},
        {
            "amount_total": 4680,
            "currency": "usd",
            "currency_conversion": {"amount_total": 4000, "source_currency": "eur", "fx_rate": "1.17"},
        },
    ],
    ids=["plain", "adaptive pricing", "adaptive pricing until 2025"],
)
@pytest.mark.parametrize("hold", [True, False], ids=["asked", "of the shop before"])
def test_adaptive_pricing_is_held_against_the_shops_own_price(
    database: Database, pricing: dict[str, Any], hold: bool
) -> None:
    order = create_order(database, quantity=2, hold=hold)
    session = session_of(order_row(database, order), **pricing)
    assert isinstance(look_up_order(database, read_as(SessionEvent, envelope(COMPLETED, session))), FoundOrder)


# --- Money that goes back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("found", ["the neighbour's session", "no session", "another shop's session"])
def test_a_foreign_refund_is_on_nobodys_books(database: Database, state: str, found: str) -> None:
    order = order_in(database, state)
    row = order_row(database, order)
    body = foreign_session(row)
    if found == "another shop's session":
        body["metadata"]["order_mark"] = "AAAAAAAAAAAAAAAAAAAAAA"
    session = None if found == "no session" else identity_of(body)
    names = {"order_id": str(order)}
    before = everything(database)
    for event_type, refunded in (
        ("charge.refunded", charge_of(row, amount_refunded=1500, payment_intent="pi_neighbour", metadata=names)),
        ("refund.created", refund_of(row, amount=1500, payment_intent="pi_neighbour", metadata=names)),
        ("refund.failed", refund_of(row, amount=1500, payment_intent="pi_neighbour", status="failed")),
    ):
        assert run_workflow(database, envelope(event_type, refunded), find_session=lambda _: session) == "foreign"
    assert everything(database) == before


@pytest.mark.parametrize("state", STATES)
def test_a_foreign_dispute_is_an_alert_only_where_nothing_else_is_sold(database: Database, state: str) -> None:
    order = order_in(database, state)
    row = order_row(database, order)
    before = everything(database)
    dispute = dispute_of(row, payment_intent="pi_neighbour", metadata={"order_id": str(order)})
    event = read_event(envelope("charge.dispute.created", dispute), livemode=False)
    assert event.outcome == "dispute"
    session = identity_of(foreign_session(row))
    with pytest.raises(OrderNotFound, match="Dispute dp_order"):
        look_up_order(database, event, find_session=lambda _: session)
    shared = look_up_order(database, event, find_session=lambda _: session, account_is_shared=True)
    assert shared == Foreign(took_money=True)
    assert everything(database) == before


def test_a_charge_of_ours_is_known_by_the_mark_of_its_payment(database: Database) -> None:
    order = create_order(database)
    charge = charge_of(order_row(database, order), amount_refunded=500)
    assert run_workflow(database, envelope("charge.refunded", charge)) == "pending"
    assert (
        run_workflow(database, envelope("charge.refunded", charge | {"metadata": {"order_id": str(order)}}))
        == "pending"
    )


# --- Events of another account ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", [COMPLETED, "checkout.session.expired", "charge.refunded", "payout.paid"])
@pytest.mark.parametrize(
    "whose", [{"account": "acct_other"}, {"context": "acct_other"}, {"context": "org_1/acct_other"}]
)
@pytest.mark.parametrize("livemode", [True, False])
def test_an_event_of_another_account_is_ignored(
    database: Database, event_type: str, whose: dict[str, str], livemode: bool
) -> None:
    order = create_order(database)
    body = session_of(order_row(database, order))
    detail = stripe_event(event_type, body, livemode=livemode, **whose)
    event = envelope(event_type, body, detail=detail)
    assert run_workflow(database, event) == "ignored"
    assert (status(database, order), entries(database, order)) == ("pending", [])
    for own in (None, "acct_ours"):
        read = read_event(event, livemode=False, own_account=own)
        assert (read.outcome, getattr(read, "because", None)) == ("ignored", "account")


@pytest.mark.parametrize("whose", [{"account": None, "context": None}, {"context": ""}, {"context": "org_1/acct_ours"}])
def test_an_event_of_the_own_account_is_read(database: Database, whose: dict[str, str | None]) -> None:
    body = session_of(order_row(database, create_order(database)))
    event = envelope(COMPLETED, body, detail=stripe_event(COMPLETED, body, **whose))
    assert read_event(event, livemode=False, own_account="acct_ours").outcome == "paid"
