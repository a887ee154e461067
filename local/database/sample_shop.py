"""Events with tickets and a discount code, so that there is something to buy on a new machine."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import pymysql
from pymysql.cursors import DictCursor

from local.database.mariadb import DatabaseAddress
from ticketing.database import Database, connector
from ticketing.operators import sample_shop
from ticketing.operators.sample_shop import SampleShop

# So that the storefront shows what a shop has: few left, free, sold out, without a limit.
# Event, in how many days, its tickets: name, price, seats (None: no limit).
_MORE_EVENTS: Final = (
    ("Kizomba & Coffee", 12, [("Entry", "0.00", 40)]),
    ("Bachata Weekender", 47, [("Full pass", "120.00", 6), ("Early bird", "89.00", 0), ("Party pass", "45.00", 80)]),
    ("Open-air Rumba", 75, [("Entry", "12.50", None)]),
)


def open_sample_shop(address: DatabaseAddress) -> SampleShop:
    """Make what `cachao sample-shop` makes, under a name of this machine's."""
    with contextlib.closing(Database(connector(**asdict(address), ca_file=None))) as database:
        return sample_shop.open_sample_shop(database, name="Salsa Night")


def something_to_buy(address: DatabaseAddress) -> tuple[int, int]:
    """Give the ids of an event and a ticket of it; an empty shop gets the sample first."""
    sold = query(address, "SELECT event_id, id FROM tickets WHERE is_active = 1 ORDER BY id LIMIT 1")
    if sold:
        return sold[0]["event_id"], sold[0]["id"]
    shop = open_sample_shop(address)
    _open_more_events(address)
    return shop.event_id, shop.ticket_id


def _open_more_events(address: DatabaseAddress) -> None:
    for name, days, tickets in _MORE_EVENTS:
        [event] = query(
            address,
            "INSERT INTO events (name, cognito_sub, start_date, end_date) VALUES (%s, 'organizer',"
            " UTC_DATE() + INTERVAL %s DAY + INTERVAL 20 HOUR, UTC_DATE() + INTERVAL %s DAY + INTERVAL 26 HOUR)"
            " RETURNING id",
            name,
            days,
            days,
        )
        for ticket, price, seats in tickets:
            query(
                address,
                "INSERT INTO tickets (event_id, name, price, max_quantity) VALUES (%s, %s, %s, %s)",
                event["id"],
                ticket,
                price,
                seats,
            )


def events_on_sale(address: DatabaseAddress) -> list[dict[str, object]]:
    """Give the events that are not over, the next first: `id` and `name`, `start` and `end` on the venue's clock."""
    rows = query(
        address,
        "SELECT id, name, start_date, end_date FROM events"
        " WHERE COALESCE(end_date, start_date + INTERVAL 1 DAY) IS NULL"
        " OR COALESCE(end_date, start_date + INTERVAL 1 DAY) > UTC_TIMESTAMP() - INTERVAL 12 HOUR"
        " ORDER BY start_date IS NULL, start_date, id LIMIT 100",
    )
    return [
        {
            "id": str(row["id"]),
            "name": row["name"],
            "start": _as_text(row["start_date"]),
            "end": _as_text(row["end_date"]),
        }
        for row in rows
    ]


def _as_text(date: object) -> str | None:
    # A zero date, which the driver gives as text, is none.
    return date.isoformat() if isinstance(date, datetime) else None


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
