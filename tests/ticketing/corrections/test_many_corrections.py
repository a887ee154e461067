"""Whatever operators correct, one after the other or at once, beside buyers and events: the counters stay right."""

from __future__ import annotations

import random
import threading
from collections import Counter

import pytest

from tests.conftest import Connect
from tests.factories import create_code, create_event, create_order, create_ticket
from tests.sizes import size
from tests.ticketing.paid_orders import order_row, pay, refund_charge
from ticketing.corrections.change import Change
from ticketing.corrections.frame import Correction, correct
from ticketing.corrections.limit import NewLimit, set_limit
from ticketing.corrections.mark_paid import MarkPaid
from ticketing.corrections.move import Move
from ticketing.corrections.take_back import TakeBack
from ticketing.database import Database
from ticketing.errors import DatabaseUnavailable, PermanentError
from ticketing.operators.count_check import check_counts
from ticketing.stripe.payments import PaidIntent


class Desk:
    """An event with three tickets and two codes, and people who do things to its orders at random."""

    def __init__(self, database: Database) -> None:
        event = create_event(database)
        self.tickets = [create_ticket(database, event_id=event, max_quantity=most) for most in (6, 12, None)]
        self.codes = [create_code(database, event_id=event, code=name, max_uses=2) for name in ("ONE", "TWO")]
        self.orders = [
            create_order(
                database,
                ticket_id=self.tickets[number % 3],
                quantity=1 + number % 2,
                discount_code_id=self.codes[number % 2] if number < 4 else None,
            )
            for number in range(8)
        ]

    def correction(self, chance: random.Random, order_id: int) -> Correction:
        """Give some correction of an order."""
        found = PaidIntent(payment_intent_id=f"pi_hand{order_id}", status="succeeded", received_minor=0, currency="eur")
        kinds: list[Correction] = [
            Move(ticket_id=chance.choice(self.tickets)),
            Change(quantity=chance.randint(1, 5)),
            Change(code_id=chance.choice(self.codes), quantity=chance.choice([None, 2])),
            Change(drop_code=True),
            TakeBack(seats=1, of=chance.choice([None, 2, 3])),
            MarkPaid(payment=f"pi_hand{order_id}", found=found),
            MarkPaid(),
        ]
        return chance.choice([TakeBack()] if chance.random() < 0.03 else kinds)

    def act(self, database: Database, chance: random.Random) -> str:
        """Do something; give what came of it."""
        order_id = chance.choice(self.orders)
        kind = chance.random()
        try:
            if kind < 0.1:
                pay(database, order_id)
                return "paid"
            if kind < 0.13:
                refund_charge(database, order_id, 100_000, amount=100_000)
                return "refunded"
            if kind < 0.18:
                wanted = NewLimit(kind="ticket", counter_id=self.tickets[0], to=chance.randint(4, 9), seen=6)
                return "limit" if set_limit(database, wanted, by="ann", reason=None).done else "no limit"
            correction = self.correction(chance, order_id)
            preview = correct(database, order_id, correction)
            done = correct(database, order_id, correction, by="ann", reason=None, seen=preview.seen)
        except PermanentError as error:
            return type(error).__name__
        if done.done:
            return f"done: {correction.kind}"
        return "refused" if done.refused else "already" if done.already else "moved on"


def wrong(database: Database) -> list[object]:
    found = check_counts(database)
    off = (
        found.sold_low,
        found.sold_high,
        found.held_low,
        found.held_high,
        found.used_low,
        found.used_high,
        found.uses_held_low,
        found.uses_held_high,
    )
    return [one for one in off if one.number]


def above(database: Database) -> list[object]:
    """Tickets and codes of which more is taken than there is."""
    with database.transaction() as tx:
        return [
            *tx.all("SELECT id FROM tickets WHERE sold_quantity + held_quantity > max_quantity"),
            *tx.all("SELECT id FROM discount_codes WHERE used_count + held_count > max_uses"),
        ]


@pytest.mark.parametrize("seed", range(size(2, 60)))
def test_one_after_the_other_the_counters_say_what_the_orders_do(database: Database, seed: int) -> None:
    chance, desk = random.Random(seed), Desk(database)
    came: Counter[str] = Counter()
    for _ in range(60):
        came[desk.act(database, chance)] += 1
        assert (wrong(database), above(database)) == ([], []), came
    assert sum(number for what, number in came.items() if what.startswith("done")) > 5, came


def test_at_once_they_wait_for_each_other_and_nothing_is_lost(database: Database, connect: Connect) -> None:
    desk, came, broken = Desk(database), Counter[str](), list[BaseException]()

    def work(seed: int) -> None:
        own, chance = Database(connect), random.Random(seed)
        for _ in range(size(25, 300)):
            try:
                came[desk.act(own, chance)] += 1
            except DatabaseUnavailable as error:
                # A deadlock would be one: everybody locks in one order.
                broken.append(error)
            except Exception as error:  # noqa: BLE001 -- told by the test
                broken.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (broken, wrong(database), above(database)) == ([], [], [])
    assert sum(number for what, number in came.items() if what.startswith("done")) > 20, came


def test_two_orders_that_change_places_both_get_there(database: Database, connect: Connect) -> None:
    """Each locks the lower ticket first, whichever way it goes."""
    one, other = create_ticket(database), create_ticket(database)
    orders = [create_order(database, ticket_id=ticket) for ticket in (one, other) for _ in range(4)]
    broken: list[BaseException] = []

    def work(order_id: int) -> None:
        own = Database(connect)
        try:
            for ticket in (one, other) * 3:
                seen = correct(own, order_id, Move(ticket_id=ticket)).seen
                correct(own, order_id, Move(ticket_id=ticket), by="ann", seen=seen)
        except Exception as error:  # noqa: BLE001 -- told by the test
            broken.append(error)

    threads = [threading.Thread(target=work, args=(order_id,)) for order_id in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (broken, wrong(database)) == ([], [])
    assert {order_row(database, order_id)["ticket_id"] for order_id in orders} == {other}
