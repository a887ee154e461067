"""An event with a ticket and a discount code, so that there is something to buy in a new shop."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from ticketing.database import Database

NAME: Final = "Salsa Night (sample)"
PRICE: Final = Decimal("25.00")
CODE: Final = "SALSA10"
_ORGANIZER: Final = "sample-shop"


class SampleShop(msgspec.Struct, frozen=True):
    """The ids of what is sold, and whether it was made now."""

    event_id: int
    ticket_id: int
    code_id: int
    is_new: bool


def open_sample_shop(database: Database, *, name: str = NAME) -> SampleShop:
    """Make an event on an evening in 30 days, a ticket of 25.00 with 100 seats, and a code of 10 % with 5 uses.

    Safe to repeat: a sample that is not over yet is found again, by its name and its organizer, which no user pool
    issues.

    Raises:
        DatabaseUnavailable: the database is away.
    """
    with database.transaction() as tx:
        known = tx.one(
            "SELECT e.id AS event_id, t.id AS ticket_id, c.id AS code_id FROM events AS e"
            " JOIN tickets AS t ON t.event_id = e.id JOIN discount_codes AS c ON c.event_id = e.id"
            " WHERE e.cognito_sub = %s AND e.name = %s AND e.start_date > UTC_TIMESTAMP() ORDER BY e.id DESC LIMIT 1",
            _ORGANIZER,
            name,
        )
        if known is not None:
            return SampleShop(known["event_id"], known["ticket_id"], known["code_id"], is_new=False)
        event_id = tx.insert(
            "INSERT INTO events (name, cognito_sub, start_date, end_date)"
            " VALUES (%s, %s, UTC_DATE() + INTERVAL 30 DAY + INTERVAL 21 HOUR,"
            " UTC_DATE() + INTERVAL 31 DAY + INTERVAL 3 HOUR)",
            name,
            _ORGANIZER,
        )
        ticket_id = tx.insert(
            "INSERT INTO tickets (event_id, name, price, max_quantity) VALUES (%s, 'Standard', %s, 100)",
            event_id,
            PRICE,
        )
        code_id = tx.insert(
            "INSERT INTO discount_codes (event_id, code, discount_type, discount_value, max_uses)"
            " VALUES (%s, %s, 'percentage', 10, 5)",
            event_id,
            CODE,
        )
    return SampleShop(event_id, ticket_id, code_id, is_new=True)
