"""A shop with many paid orders, at Stripe and in the books, and what can go wrong with them, planted on purpose."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from local.stripe_stand_in import PaymentSeed, SessionSeed, StripeStandIn
from tests.factories import create_ticket, envelope, names_of, read_as, row_of, stripe_event
from ticketing.books.lines import Name
from ticketing.database import Database, Row
from ticketing.errors import RefundFailed
from ticketing.orders.mark import new_mark
from ticketing.payments.disputes import record_dispute
from ticketing.payments.refunds import record_refund
from ticketing.stripe.events import ChargeEvent, DisputeEvent, RefundEvent

PRICE: Final = 4000
DAY: Final = 86400
Json = dict[str, Any]
_numbers = itertools.count(1)


class PlantedShop:
    """Many paid orders of 40.00 EUR, taken evenly between two moments (Unix time), each as it should be in the books.

    Each method plants one thing on the next orders that nothing was planted on. `expected` is what a comparison has to
    name: (name, order id or object id).
    """

    def __init__(self, database: Database, stand_in: StripeStandIn, *, since: int, until: int, orders: int) -> None:
        self.database, self.stand_in = database, stand_in
        self.since, self.until = since, until
        self.expected: list[tuple[str, object]] = []
        self._step = (until - since) / (orders + 1)
        self._payments = self._paid_orders(orders)
        self._unused = iter(list(self._payments))

    def _paid_orders(self, number: int) -> dict[int, str]:
        ticket = row_of(self.database, "tickets", create_ticket(self.database, max_quantity=None))
        name = f"cs_test_books{next(_numbers)}x"
        with self.database.transaction() as tx:
            first = tx.insert(
                "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, total_amount, status,"
                " paid_at, ticket_counted_at, ticket_returned_at, order_mark, created_at)"
                " VALUES (1, 1, 'b@example.com', 1, 40, 40, 'pending', NULL, NULL, NULL, 'x', UTC_TIMESTAMP())"
            )
            tx.change("DELETE FROM ticket_orders WHERE id = %s", first)
            marks = [new_mark() for _ in range(number)]
            for begin in range(0, number, 1000):
                rows = [
                    (
                        first + 1 + place,
                        ticket["event_id"],
                        ticket["id"],
                        marks[place],
                        f"{name}{place}",
                        self._at(place),
                    )
                    for place in range(begin, min(begin + 1000, number))
                ]
                tx.change(
                    "INSERT INTO ticket_orders (id, event_id, ticket_id, order_mark, stripe_checkout_session_id,"
                    " paid_at,"
                    " email, quantity, unit_price, total_amount, status, ticket_counted_at, counted_ticket_id,"
                    " counted_quantity) VALUES "
                    + ", ".join(
                        ["(%s, %s, %s, %s, %s, %s, 'b@example.com', 1, 40, 40, 'paid', '2026-01-01', 1, 1)"] * len(rows)
                    ),
                    *itertools.chain.from_iterable(rows),
                )
        orders = [
            {"id": first + 1 + place, "event_id": ticket["event_id"], "ticket_id": ticket["id"], "order_mark": mark}
            for place, mark in enumerate(marks)
        ]
        sessions = self.stand_in.seed_sessions(
            SessionSeed(PRICE, metadata=names_of(order), created=self._unix(place), session_id=f"{name}{place}")
            for place, order in enumerate(orders)
        )
        payments = {
            order["id"]: str(self.stand_in.session(session)["payment_intent"])
            for order, session in zip(orders, sessions, strict=True)
        }
        with self.database.transaction() as tx:
            placed = list(enumerate(payments.items()))
            for begin in range(0, number, 1000):
                values = [
                    (order_id, payment, f"{name}{place}", payment, self._at(place))
                    for place, (order_id, payment) in placed[begin : begin + 1000]
                ]
                tx.change(
                    "INSERT INTO order_payments (order_id, payment_key, stripe_checkout_session_id,"
                    " stripe_payment_intent_id, created_at, role, amount_minor, currency) VALUES "
                    + ", ".join([f"(%s, %s, %s, %s, %s, 'accepted', {PRICE}, 'eur')"] * len(values)),
                    *itertools.chain.from_iterable(values),
                )
            tx.change(
                "UPDATE ticket_orders AS o JOIN order_payments AS p ON p.order_id = o.id"
                " SET o.stripe_payment_intent_id = p.payment_key WHERE o.ticket_id = %s",
                ticket["id"],
            )
        return payments

    def _unix(self, place: int) -> int:
        return int(self.since + self._step * place)

    def _at(self, place: int) -> datetime:
        return datetime.fromtimestamp(self._unix(place), UTC).replace(tzinfo=None)

    def next_order(self) -> tuple[int, str]:
        """An order that nothing was planted on, and its payment."""
        order_id = next(self._unused)
        return order_id, self._payments[order_id]

    def expect(self, name: Name, subject: object) -> None:
        self.expected.append((name, subject))

    @contextmanager
    def at_stripe(self) -> Iterator[None]:
        """What happens at Stripe happens shortly before the end of the span."""
        clock = self.stand_in.context.clock
        self.stand_in.context.clock = lambda: self.until - 60
        try:
            yield
        finally:
            self.stand_in.context.clock = clock

    def change(self, sql: str, *parameters: object) -> None:
        with self.database.transaction() as tx:
            assert tx.change(sql, *parameters), sql

    def order(self, order_id: int) -> Row:
        return row_of(self.database, "ticket_orders", order_id)

    # --- What Stripe tells, and the shop records ----------------------------------------------------------------------

    def refund(self, payment: str, amount: int | None = None, **told: str) -> Json:
        with self.at_stripe():
            return self.stand_in.refund(payment, amount=amount, metadata=told or None)

    def tell_refund(self, order_id: int, event_type: str, refund: Json) -> None:
        record_refund(self.database, order_id, read_as(RefundEvent, envelope(event_type, refund)))
        self._as_of_then("order_refunds", order_id)

    def tell_charge(self, order_id: int, refund: Json) -> None:
        charge = self.stand_in.context.store.get("charge", refund["charge"])
        assert charge is not None
        record_refund(self.database, order_id, read_as(ChargeEvent, envelope("charge.refunded", charge.body)))

    def dispute(self, payment: str, *endings: Any) -> list[Json]:
        """Open a dispute and end it so; gives it as it was each time."""
        with self.at_stripe():
            told = [self.stand_in.open_dispute(payment)]
            told += [self.stand_in.close_dispute(payment, status=ending) for ending in endings]
        return told

    def tell_dispute(self, order_id: int, event_type: str, dispute: Json) -> None:
        # One after the other, and before whatever Stripe says besides.
        detail = stripe_event(event_type, dispute, created=self.since - DAY + next(_numbers))
        record_dispute(self.database, order_id, read_as(DisputeEvent, envelope(event_type, dispute, detail=detail)))
        self._as_of_then("order_disputes", order_id)

    def _as_of_then(self, table: str, order_id: int) -> None:
        with self.database.transaction() as tx:
            then = datetime.fromtimestamp(self.until - 60, UTC).replace(tzinfo=None)
            tx.change(f"UPDATE {table} SET created_at = %s WHERE order_id = %s", then, order_id)

    def alter_line(self, payment: str, **changes: Any) -> str:
        """Change the balance transaction of a payment; gives its id."""
        store = self.stand_in.context.store
        [charge] = store.of_payment("charge", payment)
        line = store.get("balance_transaction", charge.body["balance_transaction"])
        assert line is not None
        line.body |= changes
        store.update(line)
        return line.id


# --- What is as it should be: nothing of it may be named -------------------------------------------------------------


def refunded(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    shop.tell_refund(order_id, "refund.created", shop.refund(payment))


def refunded_in_parts(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    for _ in range(2):
        shop.tell_refund(order_id, "refund.created", shop.refund(payment, 1500))


def refund_told_by_its_charge_alone(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    shop.tell_charge(order_id, shop.refund(payment))


def dispute_won(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    opened, won = shop.dispute(payment, "won")
    shop.tell_dispute(order_id, "charge.dispute.created", opened)
    shop.tell_dispute(order_id, "charge.dispute.closed", won)


def dispute_lost(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    opened, lost = shop.dispute(payment, "lost")
    shop.tell_dispute(order_id, "charge.dispute.created", opened)
    shop.tell_dispute(order_id, "charge.dispute.closed", lost)


def dispute_open(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    [opened] = shop.dispute(payment)
    shop.tell_dispute(order_id, "charge.dispute.created", opened)


def double_payment_given_back(shop: PlantedShop) -> None:
    order_id, second = _paid_twice(shop)
    shop.tell_refund(order_id, "refund.created", shop.refund(second))


def recorded_late(shop: PlantedShop) -> None:
    order_id, _ = shop.next_order()
    shop.change("UPDATE order_payments SET created_at = UTC_TIMESTAMP() WHERE order_id = %s", order_id)


def taken_before_and_recorded_now(shop: PlantedShop) -> None:
    """Stripe took it long before the span; its event was lost, and sent again within the span."""
    order_id, _ = shop.next_order()
    session = shop.stand_in.seed_session(SessionSeed(PRICE, created=shop.since - 7 * 86400))
    payment = shop.stand_in.session(session)["payment_intent"]
    other, _ = shop.next_order()
    shop.change(
        "INSERT INTO order_payments (order_id, payment_key, stripe_payment_intent_id, role, amount_minor, currency,"
        " created_at, refunded_minor, charge_refunded_minor)"
        " SELECT %s, %s, %s, 'duplicate', amount_minor, currency, created_at, amount_minor, amount_minor"
        " FROM order_payments WHERE order_id = %s",
        other,
        payment,
        payment,
        order_id,
    )


AS_IT_SHOULD_BE: Final[tuple[Callable[[PlantedShop], None], ...]] = (
    refunded,
    refunded_in_parts,
    refund_told_by_its_charge_alone,
    dispute_won,
    dispute_lost,
    dispute_open,
    double_payment_given_back,
    recorded_late,
    taken_before_and_recorded_now,
)


# --- What is wrong, or has to be named -------------------------------------------------------------------------------


def lost_refund(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    shop.refund(payment, order_id=str(order_id))
    shop.expect(Name.REFUND_NOT_RECORDED, order_id)


def refund_in_the_dashboard(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    shop.refund(payment, 1000)
    shop.expect(Name.DASHBOARD_REFUND_NOT_RECORDED, order_id)


def refund_of_another_amount(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    refund = shop.refund(payment, 1000)
    shop.tell_refund(order_id, "refund.created", refund | {"amount": 1500})
    shop.expect(Name.REFUND_AMOUNT_DIFFERS, order_id)


def refund_failed_after_success(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    refund = shop.refund(payment)
    shop.tell_refund(order_id, "refund.created", refund)
    with shop.at_stripe():
        shop.stand_in.finish_refund(refund["id"], status="failed")
    shop.expect(Name.REFUND_FAILURE_NOT_RECORDED, order_id)


def refund_failed_and_told(shop: PlantedShop) -> None:
    """The order ended by its refund, the refund failed: the buyer waits for the money."""
    order_id, payment = shop.next_order()
    refund = shop.refund(payment)
    shop.tell_refund(order_id, "refund.created", refund)
    with shop.at_stripe():
        failed = shop.stand_in.finish_refund(refund["id"], status="failed")
    with pytest.raises(RefundFailed):
        shop.tell_refund(order_id, "refund.failed", failed)
    shop.expect(Name.MONEY_TO_GIVE_BACK, order_id)


def refund_never_made(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    body = {"id": f"re_invented{order_id}", "object": "refund", "amount": 500, "currency": "eur", "status": "succeeded"}
    shop.tell_refund(order_id, "refund.created", body | {"payment_intent": payment, "metadata": {}, "charge": None})
    shop.expect(Name.REFUND_NOT_AT_STRIPE, order_id)


def lost_dispute(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    shop.dispute(payment)
    shop.expect(Name.DISPUTE_NOT_RECORDED, order_id)


def dispute_lost_without_a_word(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    opened, _lost = shop.dispute(payment, "lost")
    shop.tell_dispute(order_id, "charge.dispute.created", opened)
    shop.expect(Name.DISPUTE_LOST_NOT_RECORDED, order_id)


def reinstated_funds(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    opened, lost, _won = shop.dispute(payment, "lost", "won")
    shop.tell_dispute(order_id, "charge.dispute.created", opened | {"status": "needs_response"})
    shop.tell_dispute(order_id, "charge.dispute.closed", lost | {"status": "lost"})
    shop.expect(Name.FUNDS_REINSTATED_NOT_RECORDED, order_id)


def dispute_never_opened(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    body = {"id": f"dp_invented{order_id}", "object": "dispute", "amount": 500, "currency": "eur"}
    more: Json = {"status": "needs_response", "payment_intent": payment, "metadata": {}, "charge": None}
    shop.tell_dispute(order_id, "charge.dispute.created", body | more)
    shop.expect(Name.DISPUTE_NOT_AT_STRIPE, order_id)


def charge_twice_on_the_balance(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    [charge] = shop.stand_in.context.store.of_payment("charge", payment)
    with shop.at_stripe():
        shop.stand_in.move_balance("charge", PRICE, source=charge.id)
    shop.expect(Name.SECOND_LINE, order_id)


def another_applications_payment(shop: PlantedShop) -> None:
    with shop.at_stripe():
        payment = shop.stand_in.foreign_payment(PaymentSeed(2500, metadata={"order_id": str(shop.next_order()[0])}))
        shop.stand_in.refund(payment)
    shop.expect(Name.FOREIGN_PAYMENT, payment)
    shop.expect(Name.FOREIGN_PAYMENT, payment)


def another_fee(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    fee = 141 + next(_numbers)
    details = {"amount": fee, "application": None, "currency": "eur", "description": "", "type": "stripe_fee"}
    shop.alter_line(payment, fee=fee, net=PRICE - fee, fee_details=[details])
    shop.expect(Name.FEE_DIFFERS, order_id)


def fee_in_parts_that_do_not_add_up(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    shop.alter_line(payment, fee_details=[])
    shop.expect(Name.LINE_DOES_NOT_ADD_UP, order_id)


def net_that_does_not_add_up(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    shop.alter_line(payment, net=PRICE)
    shop.expect(Name.LINE_DOES_NOT_ADD_UP, order_id)


def a_day_without_events(shop: PlantedShop) -> None:
    for _ in range(5):
        order_id, payment = shop.next_order()
        shop.change("DELETE FROM order_payments WHERE payment_key = %s", payment)
        shop.change(
            "UPDATE ticket_orders SET status = 'expired', stripe_payment_intent_id = NULL WHERE id = %s", order_id
        )
        shop.expect(Name.PAYMENT_NOT_RECORDED, order_id)


def order_that_is_gone(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    shop.change("DELETE FROM order_payments WHERE payment_key = %s", payment)
    shop.change("DELETE FROM ticket_orders WHERE id = %s", order_id)
    shop.expect(Name.PAYMENT_OF_UNKNOWN_ORDER, payment)


def order_of_the_same_number(shop: PlantedShop) -> None:
    """After the database was restored another order has its number."""
    order_id, payment = shop.next_order()
    shop.change("DELETE FROM order_payments WHERE payment_key = %s", payment)
    shop.change(
        "UPDATE ticket_orders SET order_mark = %s, status = 'pending', stripe_payment_intent_id = NULL WHERE id = %s",
        new_mark(),
        order_id,
    )
    shop.expect(Name.PAYMENT_OF_UNKNOWN_ORDER, payment)


def _paid_twice(shop: PlantedShop, role: str | None = "duplicate") -> tuple[int, str]:
    order_id, _ = shop.next_order()
    session = shop.stand_in.seed_session(
        SessionSeed(PRICE, metadata=names_of(shop.order(order_id)), created=shop.until - 3600)
    )
    second = str(shop.stand_in.session(session)["payment_intent"])
    if role is not None:
        shop.change(
            "INSERT INTO order_payments (order_id, payment_key, stripe_payment_intent_id, role, amount_minor, currency,"
            " created_at) SELECT order_id, %s, %s, %s, amount_minor, currency, created_at FROM order_payments"
            " WHERE order_id = %s",
            second,
            second,
            role,
            order_id,
        )
    return order_id, second


def double_payment(shop: PlantedShop) -> None:
    order_id, _ = _paid_twice(shop)
    shop.expect(Name.MONEY_TO_GIVE_BACK, order_id)


def double_payment_without_a_word(shop: PlantedShop) -> None:
    order_id, _ = _paid_twice(shop, None)
    shop.expect(Name.PAYMENT_NOT_RECORDED, order_id)


def sold_out(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    shop.change("UPDATE order_payments SET role = 'sold_out' WHERE payment_key = %s", payment)
    shop.change("UPDATE ticket_orders SET status = 'failed', stripe_payment_intent_id = NULL WHERE id = %s", order_id)
    shop.expect(Name.MONEY_TO_GIVE_BACK, order_id)


def another_amount(shop: PlantedShop) -> None:
    order_id, payment = shop.next_order()
    shop.change("UPDATE order_payments SET amount_minor = 4500 WHERE payment_key = %s", payment)
    shop.expect(Name.AMOUNT_DIFFERS, order_id)


def another_currency(shop: PlantedShop) -> None:
    order_id, second = shop.next_order()[0], ""
    session = shop.stand_in.seed_session(
        SessionSeed(4600, "usd", metadata=names_of(shop.order(order_id)), created=shop.until - 3600)
    )
    second = str(shop.stand_in.session(session)["payment_intent"])
    shop.change(
        "UPDATE order_payments SET payment_key = %s, amount_minor = 4600, currency = 'usd',"
        " stripe_payment_intent_id = %s WHERE order_id = %s",
        second,
        second,
        order_id,
    )
    shop.change("UPDATE ticket_orders SET stripe_payment_intent_id = %s WHERE id = %s", second, order_id)
    shop.expect(Name.CONVERTED, order_id)
    # And the first one's event is lost: two findings of one order.
    shop.expect(Name.PAYMENT_NOT_RECORDED, order_id)


def payment_never_taken(shop: PlantedShop) -> None:
    order_id, _ = shop.next_order()
    shop.change(
        "INSERT INTO order_payments (order_id, payment_key, role, amount_minor, currency, created_at)"
        " SELECT order_id, CONCAT('pi_invented', id), 'duplicate', 100, 'eur', created_at FROM order_payments"
        " WHERE order_id = %s",
        order_id,
    )
    shop.expect(Name.PAYMENT_NOT_AT_STRIPE, order_id)


def adjustment_by_hand(shop: PlantedShop) -> None:
    with shop.at_stripe():
        made = shop.stand_in.move_balance("adjustment", -123, description='=HYPERLINK("https://x.example")')
    shop.expect(Name.ADJUSTMENT, made["id"])


def stripes_own_fee(shop: PlantedShop) -> None:
    with shop.at_stripe():
        made = shop.stand_in.move_balance("stripe_fee", -200, description="Radar (2026-11-01 - 2026-11-30)")
    shop.expect(Name.STRIPE_FEE, made["id"])


def payout_sent_back(shop: PlantedShop) -> None:
    with shop.at_stripe():
        payout = shop.stand_in.pay_out(amount=5000)
        assert payout is not None
        shop.stand_in.fail_payout(payout["id"])
    shop.expect(Name.PAYOUT, payout["id"])
    shop.expect(Name.PAYOUT_FAILED, payout["id"])


PLANTED: Final[tuple[Callable[[PlantedShop], None], ...]] = (
    lost_refund,
    refund_in_the_dashboard,
    refund_of_another_amount,
    refund_failed_after_success,
    refund_failed_and_told,
    refund_never_made,
    lost_dispute,
    dispute_lost_without_a_word,
    reinstated_funds,
    dispute_never_opened,
    charge_twice_on_the_balance,
    another_applications_payment,
    another_fee,
    fee_in_parts_that_do_not_add_up,
    net_that_does_not_add_up,
    a_day_without_events,
    order_that_is_gone,
    order_of_the_same_number,
    double_payment,
    double_payment_without_a_word,
    sold_out,
    another_amount,
    another_currency,
    payment_never_taken,
    adjustment_by_hand,
    stripes_own_fee,
    payout_sent_back,
)
