"""That money came or went is recorded whether or not a counter can move; what goes back is what was taken.

Each case plays executions of the workflow; what cannot be counted is one alert for the order, however many there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import (
    charge_of,
    create_code,
    create_order,
    create_ticket,
    dispute_of,
    envelope,
    row_of,
    session_of,
)
from tests.handlers.workflow.workflow_by_hand import run_workflow
from tests.ticketing.paid_orders import code_uses, order_row, refunded, status
from ticketing.alerts import Alert
from ticketing.database import Database
from ticketing.orders import counts_off, history
from ticketing.payments.counts import count_discount_use, count_ticket_sale
from ticketing.payments.issue_refund import refund_payment
from ticketing.payments.release import release_order
from ticketing.stripe.objects import Refund

_executions = itertools.count(1)
Step = Callable[["Shop"], object]


class Shop:
    """An order of two seats with a code, and what happens to it. `told` are the alerts of all executions."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ticket = create_ticket(database, max_quantity=10)
        self.other = create_ticket(database, max_quantity=10)
        self.code = create_code(database)
        self.order = create_order(database, ticket_id=self.ticket, quantity=2, discount_code_id=self.code)
        self.first = order_row(database, self.order)
        self.told: list[Alert] = []

    def run(self, event_type: str, body: dict[str, Any]) -> str:
        """One execution of the state machine."""
        history.written_by(f"arn:aws:states:eu-west-1:123456789012:execution:machine:{next(_executions)}")
        return run_workflow(self.database, envelope(event_type, body), told=self.told)

    def session(self, **fields: Any) -> dict[str, Any]:
        # As Stripe has it: whatever an operator does to the order since.
        return session_of(self.first, **fields)

    def change(self, sql: str, *parameters: object) -> None:
        with self.database.transaction() as tx:
            tx.change(sql, *parameters)

    def seats(self, ticket_id: int) -> tuple[int, int]:
        ticket = row_of(self.database, "tickets", ticket_id)
        return ticket["sold_quantity"], ticket["held_quantity"]

    def off(self) -> list[tuple[str, int, int, str]]:
        with self.database.transaction() as tx:
            rows = tx.all("SELECT * FROM counts_off WHERE order_id = %s AND settled_at IS NULL ORDER BY id", self.order)
        return [(row["effect"], row["counter_id"], row["amount"], row["reason"]) for row in rows]


@pytest.fixture
def shop(database: Database) -> Iterator[Shop]:
    yield Shop(database)
    history.written_by(None)


# --- What happens ----------------------------------------------------------------------------------------------------


def pay(shop: Shop) -> str:
    return shop.run("checkout.session.completed", shop.session())


def expire(shop: Shop) -> str:
    unpaid = shop.session(payment_status="unpaid", payment_intent=None, status="expired")
    return shop.run("checkout.session.expired", unpaid)


def cancel(shop: Shop) -> str:
    shop.change("UPDATE ticket_orders SET status = 'cancelled' WHERE id = %s", shop.order)
    return expire(shop)


def refund(shop: Shop) -> str:
    return shop.run("charge.refunded", charge_of(shop.first, amount_refunded=4000))


def lose_dispute(shop: Shop) -> str:
    return shop.run("charge.dispute.closed", dispute_of(shop.first, status="lost"))


def delete_ticket(shop: Shop) -> None:
    shop.change("DELETE FROM tickets WHERE id = %s", shop.ticket)


def delete_code(shop: Shop) -> None:
    shop.change("DELETE FROM discount_codes WHERE id = %s", shop.code)


def zero_ticket(shop: Shop) -> None:
    shop.change("UPDATE tickets SET sold_quantity = 0, held_quantity = 0 WHERE id = %s", shop.ticket)


def zero_code(shop: Shop) -> None:
    shop.change("UPDATE discount_codes SET used_count = 0, held_count = 0 WHERE id = %s", shop.code)


# --- Money is recorded, whatever the counters do ---------------------------------------------------------------------

TICKET, CODE = "ticket", "code"
# What has happened before, what then cannot move, what happens then: the order's status, and what is off.
LOST: dict[str, tuple[list[Step], list[Step], Step, str, list[tuple[str, str, int, str]]]] = {
    "expired, the ticket's row is gone": (
        [],
        [delete_ticket],
        expire,
        "expired",
        [("release_seats", TICKET, 2, "gone")],
    ),
    "expired, the code's row is gone": ([], [delete_code], expire, "expired", [("release_use", CODE, 1, "gone")]),
    "expired, held was set to 0": (
        [],
        [zero_ticket, zero_code],
        expire,
        "expired",
        [("release_seats", TICKET, 2, "too_low"), ("release_use", CODE, 1, "too_low")],
    ),
    "cancelled, both rows are gone": (
        [],
        [delete_ticket, delete_code],
        cancel,
        "cancelled",
        [("release_seats", TICKET, 2, "gone"), ("release_use", CODE, 1, "gone")],
    ),
    "paid, the ticket's row is gone": ([], [delete_ticket], pay, "paid", [("count_seats", TICKET, 2, "gone")]),
    "paid, the code's row is gone": ([], [delete_code], pay, "paid", [("count_use", CODE, 1, "gone")]),
    "paid, both rows are gone": (
        [],
        [delete_ticket, delete_code],
        pay,
        "paid",
        [("count_seats", TICKET, 2, "gone"), ("count_use", CODE, 1, "gone")],
    ),
    "paid, held was set to 0": (
        [],
        [zero_ticket, zero_code],
        pay,
        "paid",
        [("release_seats", TICKET, 2, "too_low"), ("release_use", CODE, 1, "too_low")],
    ),
    "paid after it lapsed, the code's row is gone": (
        [expire],
        [delete_code],
        pay,
        "paid",
        [("count_use", CODE, 1, "gone")],
    ),
    "refunded, sold and used were set to 0": (
        [pay],
        [zero_ticket, zero_code],
        refund,
        "refunded",
        [("return_seats", TICKET, 2, "too_low"), ("return_use", CODE, 1, "too_low")],
    ),
    "refunded, the ticket's row is gone": (
        [pay],
        [delete_ticket],
        refund,
        "refunded",
        [("return_seats", TICKET, 2, "gone")],
    ),
    "refunded, the code's row is gone": ([pay], [delete_code], refund, "refunded", [("return_use", CODE, 1, "gone")]),
    "refunded before the payment's event, the ticket's row is gone": (
        [],
        [delete_ticket],
        refund,
        "refunded",
        [("release_seats", TICKET, 2, "gone")],
    ),
    "dispute lost, both rows are gone": (
        [pay],
        [delete_ticket, delete_code],
        lose_dispute,
        "refunded",
        [("return_seats", TICKET, 2, "gone"), ("return_use", CODE, 1, "gone")],
    ),
    "dispute lost, sold was set to 0": (
        [pay],
        [zero_ticket],
        lose_dispute,
        "refunded",
        [("return_seats", TICKET, 2, "too_low")],
    ),
}


@pytest.mark.parametrize(("before", "tampering", "step", "status_after", "off"), LOST.values(), ids=LOST)
def test_money_is_recorded_though_a_counter_cannot_move(
    shop: Shop,
    before: list[Step],
    tampering: list[Step],
    step: Step,
    status_after: str,
    off: list[tuple[str, str, int, str]],
) -> None:
    for earlier in before:
        earlier(shop)
    for change in tampering:
        change(shop)
    assert shop.told == []
    step(shop)
    assert status(shop.database, shop.order) == status_after
    ids = {TICKET: shop.ticket, CODE: shop.code}
    assert shop.off() == [(effect, ids[whose], amount, reason) for effect, whose, amount, reason in off]
    about = [alert for alert in shop.told if alert.name == "CountsOff"]
    assert about
    for effect, whose, amount, reason in off:
        sentence = counts_off.sentence(
            shop.order,
            counts_off.CountOff(effect=effect, counter_id=ids[whose], amount=amount, reason=reason),  # type: ignore[arg-type]
        )
        assert [alert for alert in about if sentence in alert.message], sentence
    # Again, by another execution each: nothing more is changed, nothing more is told.
    shop.told.clear()
    left = shop.off()
    for again in (*before, step, step):
        again(shop)
    assert [alert for alert in shop.told if alert.name == "CountsOff"] == []
    assert (status(shop.database, shop.order), shop.off()) == (status_after, left)
    if status_after == "refunded":
        assert refunded(shop.database, shop.order) == Decimal("40.00")


def test_a_count_that_could_not_be_made_is_made_when_it_can_be(shop: Shop) -> None:
    with shop.database.transaction() as tx:
        row = tx.one("SELECT id, event_id, name, price, max_quantity FROM tickets WHERE id = %s", shop.ticket)
    assert row is not None
    delete_ticket(shop)
    assert pay(shop) == "paid"
    assert shop.off() == [("count_seats", shop.ticket, 2, "gone")]
    shop.change(f"INSERT INTO tickets ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})", *row.values())
    pay(shop)
    # The row came back without the hold.
    assert shop.seats(shop.ticket) == (2, 0)
    assert [off[0] for off in shop.off()] == ["release_seats"]


def test_a_step_that_is_tried_again_by_the_same_execution_tells_it_again(shop: Shop) -> None:
    """Its first answer may have got lost: then nobody was told."""
    delete_ticket(shop)
    delete_code(shop)
    pay(shop)
    [seats, use] = shop.told
    assert "discount" not in seats.message
    assert "seat" not in use.message
    assert (
        count_ticket_sale(shop.database, shop.order).alerts,
        count_ticket_sale(shop.database, shop.order).result,
    ) == (
        [seats],
        "cannot_count",
    )
    assert count_discount_use(shop.database, shop.order).alerts == [use]
    history.written_by("arn:aws:states:eu-west-1:123456789012:execution:machine:another")
    counted = count_ticket_sale(shop.database, shop.order)
    assert (counted.result, counted.alerts) == ("still_off", [])


def test_what_a_command_comes_upon_is_told_by_the_next_execution(shop: Shop) -> None:
    delete_ticket(shop)
    history.written_by("cachao refund")
    moved = release_order(shop.database, shop.order, lost_as="failed", stripe_event_id="evt_1")
    assert moved.status == "failed"
    expire(shop)
    expire(shop)
    assert [alert.name for alert in shop.told] == ["CountsOff"]


def test_what_was_put_right_and_is_off_again_is_told_again(shop: Shop) -> None:
    delete_ticket(shop)
    pay(shop)
    with shop.database.transaction() as tx:
        counts_off.settle(tx, shop.order, "count_seats")
    assert shop.off() == []
    pay(shop)
    assert [alert.name for alert in shop.told] == ["CountsOff", "CountsOff"]


# --- What goes back is what was taken --------------------------------------------------------------------------------


def edit(columns: str, *values: object) -> Step:
    return lambda shop: shop.change(f"UPDATE ticket_orders SET {columns} WHERE id = %s", *values, shop.order)


def to_other_ticket(shop: Shop) -> None:
    edit("ticket_id = %s", shop.other)(shop)


def rival_holds(seats: int) -> Step:
    """Another buyer holds, or has, so many seats of the order's ticket."""
    return lambda shop: create_order(shop.database, ticket_id=shop.ticket, quantity=seats)


def test_an_edited_order_takes_no_seat_of_another_buyers_hold(shop: Shop) -> None:
    rival_holds(8)(shop)
    edit("quantity = 3")(shop)
    pay(shop)
    assert shop.seats(shop.ticket) == (2, 8)
    assert shop.off() == [("count_seats", shop.ticket, 1, "no_room")]
    [alert] = shop.told
    assert alert.name == "CountsOff"
    assert f"1 seat of order {shop.order} is not counted as sold" in alert.message
    refund(shop)
    assert shop.seats(shop.ticket) == (0, 8)


def test_an_edited_order_gets_its_third_seat_where_one_is_free(shop: Shop) -> None:
    rival_holds(7)(shop)
    edit("quantity = 3")(shop)
    pay(shop)
    assert (shop.seats(shop.ticket), shop.off(), shop.told) == ((3, 7), [], [])
    refund(shop)
    assert shop.seats(shop.ticket) == (0, 7)


@pytest.mark.parametrize("end", [refund, lose_dispute])
def test_a_moved_order_gives_its_seats_back_to_the_ticket_it_was_counted_on(shop: Shop, end: Step) -> None:
    shop.change("UPDATE tickets SET sold_quantity = 5 WHERE id = %s", shop.other)
    pay(shop)
    to_other_ticket(shop)
    end(shop)
    assert (shop.seats(shop.ticket), shop.seats(shop.other), shop.told[1:]) == ((0, 0), (5, 0), [])


# An edit, and what it must come to when the order then expires, or is paid, or is paid and refunded: sold and held of
# the ticket and of the other one.
EDITS: dict[str, tuple[list[Step], tuple[int, int], tuple[int, int]]] = {
    "more": ([edit("quantity = 5")], (5, 0), (0, 0)),
    "less": ([edit("quantity = 1")], (1, 0), (0, 0)),
    "moved": ([to_other_ticket], (0, 0), (2, 0)),
    "moved and less": ([to_other_ticket, edit("quantity = 1")], (0, 0), (1, 0)),
}


@pytest.mark.parametrize(("edits", "ticket", "other"), EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("when", ["pending", "between the payment and its counts", "counted"])
def test_an_edit_at_any_moment_goes_back_as_it_came(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, when: str, edits: list[Step], ticket: Any, other: Any
) -> None:
    def do() -> None:
        for change in edits:
            change(shop)

    if when == "pending":
        do()
    if when == "between the payment and its counts":
        real = count_ticket_sale

        def edited_first(database: Database, order_id: int) -> object:
            do()
            return real(database, order_id)

        monkeypatch.setattr("tests.handlers.workflow.workflow_by_hand.count_ticket_sale", edited_first)
    pay(shop)
    if when == "counted":
        do()
        ticket, other = (2, 0), (0, 0)
    assert (shop.seats(shop.ticket), shop.seats(shop.other)) == (ticket, other)
    refund(shop)
    assert (shop.seats(shop.ticket), shop.seats(shop.other)) == ((0, 0), (0, 0))
    assert (shop.off(), shop.told) == ([], [])


@pytest.mark.parametrize(("edits", "ticket", "other"), EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("end", [expire, cancel, refund])
def test_an_edited_order_gives_back_what_it_held(
    shop: Shop, end: Step, edits: list[Step], ticket: object, other: object
) -> None:
    del ticket, other
    for change in edits:
        change(shop)
    end(shop)
    assert (shop.seats(shop.ticket), shop.seats(shop.other)) == ((0, 0), (0, 0))
    assert (code_uses(shop.database, shop.code), shop.off(), shop.told) == ((0, 0), [], [])


@pytest.mark.parametrize("when", ["pending", "counted"])
@pytest.mark.parametrize("becomes", ["another", "a full one", "none"])
def test_a_code_that_was_exchanged_or_dropped_goes_back_where_it_came_from(shop: Shop, when: str, becomes: str) -> None:
    another = create_code(shop.database, code="ANOTHER", max_uses=5 if becomes == "another" else 0)
    new = None if becomes == "none" else another
    if when == "counted":
        pay(shop)
    edit("discount_code_id = %s", new)(shop)
    pay(shop)
    kept = when == "counted" or becomes == "a full one"
    counted = (code_uses(shop.database, shop.code), code_uses(shop.database, another))
    assert counted == ((int(kept), 0), (int(not kept and new is not None), 0))
    full = when == "pending" and becomes == "a full one"
    assert shop.off() == ([("count_use", another, 1, "no_room")] if full else [])
    assert len(shop.told) == int(full)
    refund(shop)
    assert (code_uses(shop.database, shop.code), code_uses(shop.database, another)) == ((0, 0), (0, 0))


def test_an_order_of_the_version_before_gives_back_what_its_columns_say(shop: Shop) -> None:
    edit("held_ticket_id = NULL, held_code_id = NULL")(shop)
    pay(shop)
    edit("counted_ticket_id = NULL, counted_quantity = NULL, counted_code_id = NULL")(shop)
    refund(shop)
    assert (shop.seats(shop.ticket), code_uses(shop.database, shop.code)) == ((0, 0), (0, 0))
    assert shop.told == []


# --- cachao refund ---------------------------------------------------------------------------------------------------


class Stripe:
    """Gives back what is asked, as Stripe does."""

    def refund(
        self, payment_intent_id: str, *, order_id: int, idempotency_key: str, amount_minor: int | None = None
    ) -> Refund | None:
        del order_id, idempotency_key, amount_minor
        return Refund(
            refund_id="re_1", amount_minor=4000, currency="eur", status="succeeded", payment_intent_id=payment_intent_id
        )

    def made_before(self, payment_intent_id: str) -> list[Refund]:
        raise NotImplementedError(payment_intent_id)


@pytest.mark.parametrize("tampering", [delete_ticket, zero_ticket, delete_code, zero_code])
def test_a_refund_by_hand_is_recorded_and_says_what_cannot_be_counted(shop: Shop, tampering: Step) -> None:
    pay(shop)
    tampering(shop)
    history.written_by("cachao refund")
    key = str(order_row(shop.database, shop.order)["stripe_payment_intent_id"])
    made = refund_payment(shop.database, Stripe(), shop.order, payment_key=key, accepted_too=True)
    assert (made.amount, [alert.name for alert in made.alerts]) == ("40.00 EUR", ["CountsOff"])
    assert (status(shop.database, shop.order), refunded(shop.database, shop.order)) == ("refunded", Decimal("40.00"))
    # All operators are told once, by the refund's own event.
    refund(shop)
    refund(shop)
    assert [alert.message for alert in shop.told] == [made.alerts[0].message]
