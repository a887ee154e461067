"""An event with a ticket and a discount code, so that there is something to buy on a new machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from local.database.mariadb import DatabaseAddress

PRICE = 25
CODE = "SALSA10"


@dataclass(frozen=True)
class SampleShop:
    """The ids of what is sold."""

    event_id: int
    ticket_id: int
    code_id: int


def open_sample_shop(address: DatabaseAddress) -> SampleShop:
    """Create an event, a ticket of 25.00 with 100 seats, and a discount code of 10 % with 5 uses."""
    [event] = query(
        address,
        "INSERT INTO events (name, cognito_sub, start_date, end_date) VALUES ('Salsa Night', 'organizer',"
        " UTC_TIMESTAMP() + INTERVAL 30 DAY, UTC_TIMESTAMP() + INTERVAL 31 DAY) RETURNING id",
    )
    [ticket] = query(
        address,
        "INSERT INTO tickets (event_id, name, price, max_quantity) VALUES (%s, 'Standard', %s, 100) RETURNING id",
        event["id"],
        PRICE,
    )
    [code] = query(
        address,
        "INSERT INTO discount_codes (event_id, code, discount_type, discount_value, max_uses)"
        " VALUES (%s, %s, 'percentage', 10, 5) RETURNING id",
        event["id"],
        CODE,
    )
    return SampleShop(event["id"], ticket["id"], code["id"])


def something_to_buy(address: DatabaseAddress) -> tuple[int, int]:
    """Give the ids of an event and a ticket of it; an empty shop gets the sample first."""
    sold = query(address, "SELECT event_id, id FROM tickets WHERE is_active = 1 ORDER BY id LIMIT 1")
    if sold:
        return sold[0]["event_id"], sold[0]["id"]
    sample = open_sample_shop(address)
    return sample.event_id, sample.ticket_id


def query(address: DatabaseAddress, sql: str, *parameters: object) -> list[dict[str, Any]]:
    """Run one statement on the local database, in a transaction of its own, and give its rows."""
    connection = pymysql.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.name,
        cursorclass=DictCursor,
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
