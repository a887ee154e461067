"""The states of the shop in which tasks meet: made once by the shop's own functions, and restored before each schedule.

In all of them: one event; tickets 1 and 2 of two seats each; the code HALF of two uses; order 1, one seat of ticket 1
with the code, of a buyer with an account; order 2, one seat of ticket 2. So one seat of each, and one use, are left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from tests.conftest import TABLES
from tests.factories import create_code, create_event, create_order, create_ticket, names_of, read_as, row_of
from tests.schedules.stripe import GatedStripe, told
from ticketing.checkout.openers import Bounds, hash_of_token, opener_of
from ticketing.database import Database
from ticketing.errors import DuplicatePayment
from ticketing.payments.accept import mark_order_paid
from ticketing.payments.counts import count_discount_use, count_ticket_sale
from ticketing.payments.disputes import record_dispute
from ticketing.payments.refunds import record_refund
from ticketing.payments.release import release_order
from ticketing.stripe.events import ChargeEvent, DisputeEvent, OrderEvent, RefundEvent, SessionEvent

ORDER, OTHER_ORDER = 1, 2
BUYER = "account of the buyer"
TOKEN = "token of order 1"
SESSION, SECOND_SESSION, OTHER_SESSION = "cs_1", "cs_1_again", "cs_2"
# So many minor units order 1 costs.
PRICE = 1000
# What the refunds of its payment give back, all of it or parts.
PARTS = {"refund": PRICE, "refund_a": PRICE // 2, "refund_b": PRICE // 2, "refund_c": 300, "refund_d": 200}
# Orders of another ticket that wait all the time: among so few rows MariaDB takes one index or another as it happens.
CROWD = range(1000, 1200)
CROWD_TICKET = 3
_NOT_THE_CROWD = {
    "ticket_orders": f"id NOT BETWEEN {CROWD[0]} AND {CROWD[-1]}",
    "tickets": f"id <> {CROWD_TICKET}",
    "events": f"id <> {CROWD_TICKET}",
}


@dataclass
class World:
    """A state to begin from: rows, Stripe, and what Stripe tells of it.

    Attributes:
        name: what it is, in a word.
        stripe: as it stands.
        events: what Stripe tells, by the tasks' names for it.
        facts: what has gone back of which payment before any task: refunds by id, and lost disputes.
    """

    name: str
    stripe: GatedStripe
    events: dict[str, OrderEvent]
    facts: dict[str, dict[str, int]]
    reset: str = ""


class Rows:
    """Reads and restores all rows, each in one round trip."""

    def __init__(self, connect: Callable[..., Any]) -> None:
        self._connection = connect(client_flag=CLIENT.MULTI_STATEMENTS)

    def close(self) -> None:
        self._connection.close()

    def ask(self, sql: str) -> list[list[dict[str, Any]]]:
        """Run statements and give the rows of each."""
        with self._connection.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(sql)
            results = [list(cursor.fetchall())]
            while cursor.nextset():
                results.append(list(cursor.fetchall()))
            return results

    def clear(self) -> None:
        """Delete every row."""
        self.ask("; ".join(f"DELETE FROM {table}" for table in TABLES))

    def make_crowd(self) -> None:
        """Have orders that wait, and stay."""
        orders = ", ".join(
            f"({number}, {CROWD_TICKET}, {CROWD_TICKET}, 'crowd@example.com', 1, 20, 20, 'pending', 1, {CROWD_TICKET},"
            f" '2099-01-01', 'cs_crowd{number}')"
            for number in CROWD
        )
        self.ask(
            f"INSERT INTO events (id, name) VALUES ({CROWD_TICKET}, 'Crowd'); INSERT INTO tickets (id, event_id, name,"
            f" price, held_quantity) VALUES ({CROWD_TICKET}, {CROWD_TICKET}, 'Crowd', 20, {len(CROWD)}); INSERT INTO"
            " ticket_orders (id, event_id, ticket_id, email, quantity, unit_price, total_amount, status, held_quantity,"
            f" held_ticket_id, hold_expires_at, stripe_checkout_session_id) VALUES {orders}"
        )

    def restore(self, world: World) -> None:
        """Bring the rows of a world back."""
        self.ask(world.reset)

    def purge(self) -> None:
        """Wait until nothing is left in the indexes of rows that were deleted."""
        self.ask("SET GLOBAL innodb_max_purge_lag_wait = 0")

    def remember(self, world: World) -> None:
        """Keep the rows that there are as those of a world."""
        inserts = []
        for table in TABLES:
            columns = [r["c"] for r in self.ask(_COLUMNS.format(table=table))[0]]
            where = _NOT_THE_CROWD.get(table, "TRUE")
            rows = self.ask(f"SELECT {', '.join(columns)} FROM {table} WHERE {where}")[0]
            if rows:
                values = ", ".join(f"({', '.join(self._connection.escape(row[c]) for c in columns)})" for row in rows)
                inserts.append(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}")
        deletes = [f"DELETE FROM {table} WHERE {_NOT_THE_CROWD.get(table, 'TRUE')}" for table in TABLES]
        world.reset = "; ".join(["START TRANSACTION", *deletes, *inserts, "COMMIT"])


# A generated column cannot be written.
_COLUMNS = (
    "SELECT column_name AS c FROM information_schema.columns WHERE table_schema = DATABASE()"
    " AND table_name = '{table}' AND generation_expression IS NULL ORDER BY ordinal_position"
)


@dataclass
class _Maker:
    """Makes a world's rows."""

    database: Database
    stripe: GatedStripe = field(default_factory=GatedStripe)
    events: dict[str, OrderEvent] = field(default_factory=dict)
    facts: dict[str, dict[str, int]] = field(default_factory=dict)

    def begin(self) -> None:
        create_event(self.database, id=1)
        for ticket in (1, 2):
            create_ticket(self.database, id=ticket, event_id=1, max_quantity=2, created_at=datetime(2026, 1, 1))  # noqa: DTZ001 -- UTC
        create_code(self.database, id=1, event_id=1, code="HALF", discount_value=50, max_uses=2)
        create_order(
            self.database, id=ORDER, ticket_id=1, unit_price=Decimal("10.00"), discount_amount=Decimal("10.00"),
            discount_code_id=1, email="buyer@example.com", cognito_sub=BUYER, stripe_checkout_session_id=SESSION,
        )  # fmt: skip
        create_order(self.database, id=OTHER_ORDER, ticket_id=2, stripe_checkout_session_id=OTHER_SESSION)
        opener = opener_of(
            ticket_id=1, quantity=1, email="buyer@example.com", code="HALF", cognito_sub=BUYER, client=None,
            bounds=Bounds(per_account=0, per_network=0),
        )  # fmt: skip
        self.change(
            "INSERT INTO order_checkouts (order_id, ticket_id, token_hash, buyer_hash, wish_hash, client_hash)"
            " VALUES (%s, 1, %s, %s, %s, %s)",
            ORDER, hash_of_token(TOKEN), opener.buyer_hash, opener.wish_hash, opener.client_hash,
        )  # fmt: skip
        self.change("UPDATE ticket_orders SET checkout_url = 'https://checkout.example/1' WHERE id = %s", ORDER)
        for order_id, price in ((ORDER, PRICE), (OTHER_ORDER, 2 * PRICE)):
            order = row_of(self.database, "ticket_orders", order_id)
            session = self.stripe.new_session(names_of(order), price)
            del self.stripe.sessions[session["id"]]
            session["id"] = order["stripe_checkout_session_id"]
            self.stripe.sessions[session["id"]] = session

    def change(self, sql: str, *parameters: object) -> None:
        with self.database.transaction() as tx:
            tx.change(sql, *parameters)

    def pay_at_stripe(self) -> None:
        """The buyer paid, and paid again in another session; Stripe tells of all that may follow."""
        first = self.stripe.sessions[SESSION]
        self.stripe.pay(first)
        second = self.stripe.new_session(first["metadata"], PRICE)
        del self.stripe.sessions[second["id"]]
        second["id"] = SECOND_SESSION
        self.stripe.sessions[SECOND_SESSION] = second
        self.stripe.pay(second)
        completed = "checkout.session.completed"
        self.events["payment"] = read_as(SessionEvent, told(completed, first))
        self.events["second"] = read_as(SessionEvent, told(completed, second))
        for name, session in (("", first), ("_second", second)):
            charge = self.stripe.charges[session["payment_intent"]]
            charge_told = told("charge.refunded", charge | {"amount_refunded": PRICE})
            self.events[f"charge{name}"] = read_as(ChargeEvent, charge_told)
            for part, amount in PARTS.items():
                body = {
                    "id": f"re_{part}{name}", "object": "refund", "amount": amount, "currency": "eur",
                    "charge": charge["id"], "payment_intent": charge["payment_intent"], "metadata": {},
                    "status": "succeeded",
                }  # fmt: skip
                self.events[f"{part}{name}"] = read_as(RefundEvent, told("refund.created", body))
            dispute = {
                "id": f"dp{name}", "object": "dispute", "amount": PRICE, "currency": "eur", "charge": charge["id"],
                "payment_intent": charge["payment_intent"], "metadata": {}, "status": "lost",
            }  # fmt: skip
            self.events[f"dispute{name}"] = read_as(DisputeEvent, told("charge.dispute.closed", dispute))
        unpaid = {**first, "status": "complete", "payment_status": "unpaid"}
        self.events["processing"] = read_as(SessionEvent, told(completed, unpaid))

    def accept(self, name: str = "payment") -> None:
        mark_order_paid(self.database, ORDER, self.event(name, SessionEvent))

    def count(self) -> None:
        count_ticket_sale(self.database, ORDER)
        count_discount_use(self.database, ORDER)

    def event(self, name: str, kind: type[Any]) -> Any:
        event = self.events[name]
        assert isinstance(event, kind)
        return event

    def let_time_pass(self) -> None:
        self.change("UPDATE ticket_orders SET paid_at = paid_at - INTERVAL 1 HOUR WHERE paid_at IS NOT NULL")


def _open(make: _Maker) -> None:
    """The buyer is on Stripe's page."""
    del make


def _told(make: _Maker) -> None:
    """The buyer paid; the shop has not heard of it yet."""
    make.pay_at_stripe()


def _not_stored(make: _Maker) -> None:
    """The same, and the checkout stopped half-way: the order does not know its session."""
    make.pay_at_stripe()
    make.change("UPDATE ticket_orders SET stripe_checkout_session_id = NULL WHERE id = %s", ORDER)


def _paid(make: _Maker) -> None:
    """The order is paid, and not counted yet; whoever should have is gone."""
    make.pay_at_stripe()
    make.accept()
    make.let_time_pass()


def _changed(make: _Maker) -> None:
    """Paid, and before it was counted somebody wrote another quantity into the table, and took its use away."""
    _paid(make)
    make.change("UPDATE ticket_orders SET quantity = 2, code_held = 0, held_code_id = NULL WHERE id = %s", ORDER)
    make.change("UPDATE discount_codes SET held_count = held_count - 1 WHERE id = 1")


def _counted(make: _Maker) -> None:
    """The order is paid and counted."""
    make.pay_at_stripe()
    make.accept()
    make.count()


def _twice(make: _Maker) -> None:
    """The order is paid twice: the second payment is a duplicate, and the shop knows it."""
    make.pay_at_stripe()
    make.accept()
    make.count()
    with contextlib.suppress(DuplicatePayment):
        make.accept("second")


def _expired(make: _Maker) -> None:
    """The hold has ended, and then the buyer paid."""
    make.pay_at_stripe()
    release_order(make.database, ORDER, lost_as="expired", stripe_event_id="evt_expired")


def _cancelled(make: _Maker) -> None:
    """Somebody wrote `cancelled` into the table, and the order holds its seats still."""
    make.pay_at_stripe()
    make.change("UPDATE ticket_orders SET status = 'cancelled' WHERE id = %s", ORDER)


def _cancelled_counted(make: _Maker) -> None:
    """The same, of an order that was paid and counted."""
    _counted(make)
    make.change("UPDATE ticket_orders SET status = 'cancelled' WHERE id = %s", ORDER)


def _half_refunded(make: _Maker) -> None:
    """Paid, counted, and half of it went back."""
    _counted(make)
    record_refund(make.database, ORDER, make.event("refund_a", RefundEvent))
    make.facts["refund_a"] = {}


def _lost(make: _Maker) -> None:
    """Paid, counted, and then lost to a dispute."""
    _counted(make)
    record_dispute(make.database, ORDER, make.event("dispute", DisputeEvent))
    make.facts["dispute"] = {}


MAKERS: dict[str, Callable[[_Maker], None]] = {
    "open": _open,
    "told": _told,
    "not_stored": _not_stored,
    "paid": _paid,
    "changed": _changed,
    "counted": _counted,
    "twice": _twice,
    "expired": _expired,
    "cancelled": _cancelled,
    "cancelled_counted": _cancelled_counted,
    "half_refunded": _half_refunded,
    "lost": _lost,
}


def make_world(name: str, database: Database, rows: Rows) -> World:
    """Make a world, and remember its rows."""
    rows.clear()
    rows.make_crowd()
    maker = _Maker(database)
    maker.begin()
    MAKERS[name](maker)
    world = World(name, maker.stripe, maker.events, maker.facts)
    rows.remember(world)
    return world
