"""Orders that were `paid` before the first migration: never counted again, and given back as far as it can be known."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.conftest import Connect
from tests.factories import charge_of, create_code, create_order, create_ticket, envelope, session_of
from tests.handlers.workflow.workflow_by_hand import run_workflow
from tests.ticketing.paid_orders import code_uses, order_row, seats, status
from ticketing.alerts import Alert
from ticketing.database import Database
from ticketing.orders import history, paid_before
from ticketing.orders.lock import lock_order
from ticketing.payments.counts import count_discount_use, count_ticket_sale

_executions = itertools.count(1)


class Shop:
    """Three orders of two seats each with a code, paid before this shop; `told` are the alerts of all executions."""

    def __init__(self, database: Database, *, sold: int = 6, used: int = 3, **columns: Any) -> None:
        self.database = database
        self.ticket = create_ticket(database, max_quantity=10, sold_quantity=sold)
        self.code = create_code(database, used_count=used)
        before = {"ticket_id": self.ticket, "discount_code_id": self.code, "quantity": 2, "status": "paid", **columns}
        self.order, *self.others = (create_order(database, hold=False, **before) for _ in range(3))
        self.told: list[Alert] = []

    def run(self, event_type: str, body: dict[str, Any]) -> str:
        """One execution of the state machine."""
        history.written_by(f"arn:aws:states:eu-west-1:123456789012:execution:machine:{next(_executions)}")
        return run_workflow(self.database, envelope(event_type, body), told=self.told)

    def late_event(self) -> str:
        return self.run("checkout.session.completed", session_of(order_row(self.database, self.order)))

    def refund(self) -> str:
        return self.run("charge.refunded", charge_of(order_row(self.database, self.order), amount_refunded=4000))

    @property
    def counts(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return seats(self.database, self.order), code_uses(self.database, self.code)


@pytest.mark.parametrize("intent", [None, "its own"])
@pytest.mark.parametrize("repeats", [1, 3])
def test_a_late_event_counts_nothing(database: Database, intent: str | None, repeats: int) -> None:
    shop = Shop(database)
    if intent is not None:
        with database.transaction() as tx:
            tx.change("UPDATE ticket_orders SET stripe_payment_intent_id = CONCAT('pi_order', id)")
    for _ in range(repeats):
        assert shop.late_event() == "paid"
    assert shop.counts == ((6, 0), (3, 0))
    assert shop.told == []


def test_a_refund_gives_back_what_the_order_took_once(database: Database) -> None:
    shop = Shop(database)
    for _ in range(2):
        shop.refund()
    assert status(database, shop.order) == "refunded"
    assert shop.counts == ((4, 0), (2, 0))
    assert shop.told == []


def test_a_refund_after_a_late_event_gives_back_once(database: Database) -> None:
    shop = Shop(database)
    shop.late_event()
    shop.refund()
    shop.late_event()
    assert shop.counts == ((4, 0), (2, 0))


def test_seats_that_this_shop_sold_since_are_told_apart(database: Database) -> None:
    shop = Shop(database)
    new = create_order(database, ticket_id=shop.ticket, quantity=3, order_mark="new")
    # Paid and not counted yet: it stands for nothing of what is sold.
    shop.run(
        "checkout.session.completed",
        session_of(order_row(database, new), metadata={"order_id": str(new), "order_mark": "new"}),
    )
    assert shop.counts[0] == (9, 0)
    shop.refund()
    assert shop.counts[0] == (7, 0)
    assert shop.told == []


@pytest.mark.parametrize(("sold", "used"), [(0, 0), (5, 2)])
def test_what_cannot_be_known_is_told_once_and_nothing_is_given_back(database: Database, sold: int, used: int) -> None:
    shop = Shop(database, sold=sold, used=used)
    shop.refund()
    shop.refund()
    assert status(database, shop.order) == "refunded"
    assert shop.counts == ((sold, 0), (used, 0))
    [alert] = shop.told
    assert alert.name == "CountsOff"
    assert f"Nobody knows whether 2 seats of order {shop.order} are counted" in alert.message
    assert f"Nobody knows whether 1 discount use of order {shop.order} is counted" in alert.message


def test_what_cannot_be_known_is_not_counted_by_a_late_event_either(database: Database) -> None:
    shop = Shop(database, sold=1, used=0)
    for _ in range(3):
        assert shop.late_event() == "paid"
    assert shop.counts == ((1, 0), (0, 0))
    assert {alert.name for alert in shop.told} == {"CountsOff"}
    assert len(shop.told) == 2  # the seats by one step, the use by the other
    shop.refund()
    assert shop.counts == ((1, 0), (0, 0))
    assert len(shop.told) == 2


def test_a_ticket_that_is_gone_is_told(database: Database) -> None:
    shop = Shop(database)
    with database.transaction() as tx:
        tx.change("DELETE FROM tickets WHERE id = %s", shop.ticket)
    shop.refund()
    assert status(database, shop.order) == "refunded"
    [alert] = shop.told
    assert f"ticket {shop.ticket} is gone" in alert.message


@pytest.mark.parametrize(
    "columns",
    [
        {"order_mark": "ours"},  # marked paid by hand
        {"paid_at": "2026-01-01 10:00:00"},
    ],
)
def test_an_order_of_this_shop_is_counted_as_ever(database: Database, columns: dict[str, Any]) -> None:
    shop = Shop(database, sold=0, used=0, **columns)
    assert count_ticket_sale(database, shop.order).result == "counted"
    assert count_discount_use(database, shop.order).result == "counted"
    assert shop.counts == ((2, 0), (1, 0))


def test_an_order_that_holds_its_seats_is_counted_as_ever(database: Database) -> None:
    order = create_order(database, quantity=2)
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = 'paid' WHERE id = %s", order)  # by hand
    assert count_ticket_sale(database, order).result == "counted"
    assert seats(database, order) == (2, 0)


def test_what_its_orders_took_is_found_by_an_index(connect: Connect, database: Database) -> None:
    shop = Shop(database)
    with database.transaction() as tx:
        for column, index in (("ticket_id", "ticket_orders_by_ticket"), ("discount_code_id", "ticket_orders_by_code")):
            [plan] = tx.all(
                f"EXPLAIN SELECT SUM(quantity) FROM ticket_orders FORCE INDEX ({index}) WHERE {column} = %s"
                " AND status = 'paid' AND id <> %s",
                shop.ticket,
                1,
            )
            assert plan["key"] == index


_LOCKED = f"{paid_before.COLUMNS}, counted_ticket_id, counted_quantity, counted_code_id"


def taken_over(database: Database, order: int) -> tuple[Any, ...]:
    """Take both over; gives what the order then says, and what is written down as off."""
    with database.transaction() as tx:
        row = lock_order(tx, order, _LOCKED, gone="gone")
        row = paid_before.take_over_seats(tx, row, effect="return_seats")
        row = paid_before.take_over_code_use(tx, row, effect="return_use")
        offs = tx.all("SELECT order_id, effect, counter_id, amount, reason FROM counts_off ORDER BY id")
    said = (row["counted_ticket_id"], row["counted_quantity"], row["counted_code_id"], row.get("is_off"))
    return said, [tuple(off.values()) for off in offs]


def test_what_was_taken_over_is_written_on_this_order_alone(database: Database) -> None:
    shop = Shop(database)
    assert taken_over(database, shop.order) == ((shop.ticket, 2, shop.code, 0), [])
    other = order_row(database, shop.others[0])
    assert (other["ticket_counted_at"], other["discount_counted_at"]) == (None, None)


def test_an_order_that_was_never_paid_takes_nothing_from_the_others(database: Database) -> None:
    shop = Shop(database, sold=2, used=1)
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = 'expired' WHERE id <> %s", shop.order)
    assert taken_over(database, shop.order) == ((shop.ticket, 2, shop.code, 0), [])


def test_what_nobody_knows_is_off(database: Database) -> None:
    shop = Shop(database, sold=5, used=2)
    said, offs = taken_over(database, shop.order)
    assert said == (shop.ticket, 0, shop.code, 1)
    assert offs == [
        (shop.order, "return_seats", shop.ticket, 2, "unknown"),
        (shop.order, "return_use", shop.code, 1, "unknown"),
    ]


def test_whose_ticket_and_code_are_gone_is_off(database: Database) -> None:
    shop = Shop(database)
    with database.transaction() as tx:
        tx.change("DELETE FROM tickets")
        tx.change("DELETE FROM discount_codes")
    said, offs = taken_over(database, shop.order)
    assert said[3] == 1
    assert [off[2:] for off in offs] == [(shop.ticket, 2, "gone"), (shop.code, 1, "gone")]


def test_an_order_of_no_seats_takes_none(database: Database) -> None:
    shop = Shop(database, quantity=0, sold=0)
    said, offs = taken_over(database, shop.order)
    assert said == (shop.ticket, 0, shop.code, 0)
    assert offs == []


@pytest.mark.parametrize(
    "has", ["ticket_counted_at = NOW(), discount_counted_at = NOW()", "held_quantity = 2, code_held = 1"]
)
def test_what_this_shop_counted_or_holds_is_not_taken_over(database: Database, has: str) -> None:
    shop = Shop(database, sold=0, used=0)
    with database.transaction() as tx:
        tx.change(f"UPDATE ticket_orders SET {has} WHERE id = %s", shop.order)
    assert taken_over(database, shop.order) == ((None, None, None, None), [])
