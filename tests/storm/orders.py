"""The orders of a storm and the events of their payments."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.factories import create_code, create_event, create_ticket, envelope, session_of
from ticketing.database import Database, Row

_TICKETS = 8
_CODES = 3


@dataclass
class Shop:
    """What was placed. Every ticket type and every code is exactly used up when all orders are paid, and no more."""

    orders: list[Row] = field(default_factory=list)
    seats_of_ticket: dict[int, int] = field(default_factory=dict)
    uses_of_code: dict[int, int] = field(default_factory=dict)


def place_orders(database: Database, number: int, chance: random.Random) -> Shop:
    """Place pending orders, most with their holds, some of the time before there were holds, some free of charge."""
    event_id = create_event(database, name="Storm")
    tickets = [create_ticket(database, event_id=event_id, max_quantity=0) for _ in range(_TICKETS)]
    codes = [create_code(database, event_id=event_id, code=f"STORM{i}", max_uses=0) for i in range(_CODES)]
    shop = Shop(seats_of_ticket=dict.fromkeys(tickets, 0), uses_of_code=dict.fromkeys(codes, 0))
    with database.transaction() as tx:
        for index in range(number):
            quantity = chance.randint(1, 4)
            ticket_id = chance.choice(tickets)
            code_id = chance.choice(codes) if index % 3 == 0 else None
            price = Decimal(0) if index % 20 == 7 else Decimal("18.00") if code_id else Decimal("20.00")
            holds = index % 20 != 13
            made = tx.one(
                "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, discount_code_id,"
                " total_amount, held_quantity, code_held, hold_expires_at, stripe_checkout_session_id)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6) + INTERVAL 1 DAY, %s) RETURNING *",
                event_id,
                ticket_id,
                f"buyer{index}@example.com",
                quantity,
                price,
                code_id,
                price * quantity,
                quantity if holds else 0,
                int(holds and code_id is not None),
                f"cs_test_storm{index}",
            )
            assert made is not None
            shop.orders.append(made)
            shop.seats_of_ticket[ticket_id] += quantity
            if code_id is not None:
                shop.uses_of_code[code_id] += 1
        _fit(shop, tx)
    return shop


def _fit(shop: Shop, tx: Any) -> None:
    for ticket_id, seats in shop.seats_of_ticket.items():
        held = sum(order["held_quantity"] for order in shop.orders if order["ticket_id"] == ticket_id)
        tx.change("UPDATE tickets SET max_quantity = %s, held_quantity = %s WHERE id = %s", seats, held, ticket_id)
    for code_id, uses in shop.uses_of_code.items():
        held = sum(order["code_held"] for order in shop.orders if order["discount_code_id"] == code_id)
        tx.change("UPDATE discount_codes SET max_uses = %s, held_count = %s WHERE id = %s", uses, held, code_id)


def events_of(orders: Sequence[Row], duplicates: float, chance: random.Random) -> list[dict[str, Any]]:
    """Give the events of all payments, some twice, shuffled.

    One in six payments takes its time: `completed` without a payment, then `async_payment_succeeded`. A duplicate is
    the same event again, or another Event object for the same happening, as Stripe sometimes makes.
    """
    events = [event for index, order in enumerate(orders) for event in _events_of(index, order)]
    again = [_again(event, chance) for event in chance.sample(events, round(len(events) * duplicates))]
    events += again
    chance.shuffle(events)
    return events


def _events_of(index: int, order: Row) -> Iterator[dict[str, Any]]:
    session = session_of(order)
    if not order["total_amount"]:
        free = session | {"payment_status": "no_payment_required", "payment_intent": None}
        yield _envelope("checkout.session.completed", free)
    elif index % 6 == 0:
        yield _envelope("checkout.session.completed", session | {"payment_status": "unpaid"})
        yield _envelope("checkout.session.async_payment_succeeded", session)
    else:
        yield _envelope("checkout.session.completed", session)


def _envelope(event_type: str, session: dict[str, Any]) -> dict[str, Any]:
    # Half of the events come by either entry point.
    made = envelope(event_type, session)
    return made | {"source": "stripe.com"} if int(session["metadata"]["order_id"]) % 2 else made


def _again(event: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.5:
        return event
    return event | {"detail": event["detail"] | {"id": f"{event['detail']['id']}_2"}}
